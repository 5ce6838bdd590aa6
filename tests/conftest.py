import contextlib
import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow has channels-first convolutions for CPUs in oneDNN only, and leaves oneDNN off on
# processors without instructions made for neural nets.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import pytest

from testing.keras_internals import forget_names_and_settings

BACKEND = keras.backend.backend()
# What other backends leave out: what runs on TensorFlow only, what starts processes on each backend
# itself, and what is not about Keras. A test among others that is about TensorFlow itself has
# the marker `tensorflow`; one that needs what Keras lacks on a backend, the marker `lacking`.
ABOUT_TENSORFLOW = (
    *("benchmarks", "cli", "distributed", "docs", "examples", "export", "runtimes", "testing"),
    *("test_docstrings.py", "test_import.py", "test_layer_distributed.py", "test_metadata.py"),
    *("test_readme.py", "test_stages.py", "test_structure.py", "test_types.py"),
    *("test_exchange.py", "sampling/test_batches_compared.py"),
)
ABOUT_OTHERS = ("other_backends",)
ABOUT_JAX = ("normalization/test_jax_averages.py",)

# Keras compiles every model anew on JAX, so what trains many takes minutes there. Some of it is
# quick enough; `other_backends` and others train a few more.
SLOW_ON_JAX = (
    *("training", "settling", "gates", "conversion", "networks", "sampling"),
    *("test_unscaled", "test_keras_limits.py::test_gradient_accumulation"),
)
QUICK_ON_JAX = (
    *("training/test_train_step.py", "training/test_model.py::test_trajectory"),
    *("test_unscaled.py::test_message_on_jax", "settling/test_worth.py::test_change_is"),
    "settling/test_resuming.py::test_settled_gates_stay_in_a_training",
)

pytest_plugins = [] if BACKEND == "jax" else [f"tests.{BACKEND}_fixtures"]
LEFT_OUT = (
    *(ABOUT_OTHERS if BACKEND == "tensorflow" else ABOUT_TENSORFLOW),
    *(() if BACKEND == "jax" else ABOUT_JAX),
)
collect_ignore = list(LEFT_OUT)


def pytest_report_header():
    return f"keras: {keras.__version__} on {BACKEND}, without {', '.join(LEFT_OUT)}"


@pytest.hookimpl(tryfirst=True)  # before `-m "not slow"` chooses
def pytest_collection_modifyitems(items):
    if BACKEND == "jax":
        for item in items:
            name = item.nodeid.removeprefix("tests/")
            # Eagerly, it compiles each operation by itself.
            eager = hasattr(item, "callspec") and item.callspec.params.get("way") == "eager"
            if eager or (name.startswith(SLOW_ON_JAX) and not name.startswith(QUICK_ON_JAX)):
                item.add_marker("slow")
    if BACKEND != "tensorflow":
        skip = pytest.mark.skip(reason="is about TensorFlow itself")
        for item in items:
            if item.get_closest_marker("tensorflow"):
                item.add_marker(skip)
    for item in items:
        for lacking in item.iter_markers("lacking"):
            if BACKEND in lacking.args:
                item.add_marker(pytest.mark.skip(reason=lacking.kwargs["reason"]))


def pytest_collection_finish():
    gc.set_threshold(20_000)  # tests take a twentieth less time than with 700
    _freeze()


def _freeze():
    """Spares the garbage collector what stays: libraries, tests, and graphs that Keras keeps."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _clean_backend():
    """Starts each file of tests from the same seed of the backend."""
    _freeze()
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _clean_keras():
    """Starts each test from the same seed, names and global settings."""
    forget_names_and_settings()
    with _kernels_kept():
        keras.utils.set_random_seed(0)
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def _kernels_kept():
    """A graph, in which TensorFlow keeps its seed, and with it its kernels."""
    if BACKEND != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.Graph().as_default()


@pytest.fixture
def x64():
    """Lets JAX compute in float64 for one test; other backends always do."""
    if BACKEND != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture
def float64(x64):
    """Makes float64 the default of Keras for one test."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
