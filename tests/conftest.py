import contextlib
import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow has channels-first convolutions for CPUs in oneDNN only, and leaves oneDNN off on
# processors without instructions made for neural nets.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import pytest
import tensorflow as tf

from keras_bin.export.saved_models import writer
from keras_bin.export.saved_models.serving_process import serving_process
from testing.keras_internals import forget_names_and_settings

# Two logical devices, for the tests of tf.distribute; only possible before first use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_finish():
    _freeze()


def _freeze():
    """Spares the garbage collector what stays: libraries, tests, and graphs that Keras keeps."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _clean_tensorflow():
    """Starts each file of tests from the same seed of TensorFlow."""
    _freeze()
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _clean_keras():
    """Starts each test from the same seed, names and global settings."""
    forget_names_and_settings()
    with tf.Graph().as_default():  # here, TensorFlow keeps its seed, and with it its kernels
        keras.utils.set_random_seed(0)
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


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


@pytest.fixture
def float64():
    """Makes float64 the default of Keras for one test."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
