import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf

# Two logical devices, for the tests of tf.distribute; only possible before first use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(autouse=True)
def _clean_keras():
    """Starts each test from the same seed, names and global settings."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def float64():
    """Makes float64 the default of Keras for one test."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
