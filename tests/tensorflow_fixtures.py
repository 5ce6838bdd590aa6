"""What conftest.py sets up only where Keras runs on TensorFlow: replicas and serving processes."""

import contextlib

import pytest
import tensorflow as tf

from keras_bin.export.saved_models import writer
from keras_bin.export.saved_models.serving_process import serving_process

# Two logical devices, for the tests of tf.distribute; only possible before first use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session", autouse=True)
def _one_serving_process(tmp_path_factory):
    """Verifies all exports of the tests in one process, as each takes seconds to start."""
    started = []
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:

        @contextlib.contextmanager
        def shared(_folder):
            if not started or not started[-1].alive:
                folder = tmp_path_factory.mktemp("serving")
                started.append(stack.enter_context(serving_process(folder)))
            yield started[-1]

        patch.setattr(writer, "serving_process", shared)
        yield


@pytest.fixture
def fresh_serving_process(monkeypatch):
    """Verifies the exports of one test in processes of their own, as users' exports are."""
    monkeypatch.setattr(writer, "serving_process", serving_process)
