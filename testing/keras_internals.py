"""All private names of Keras that the tests use.

Checked on Keras 3.9.2 and 3.15.1.
"""

import threading

from keras.src.backend.common import global_state


def forget_names_and_settings():
    """Does what `keras.utils.clear_session` does, but keeps TensorFlow's kernels.

    Making them again in each test would take a fifth of the time of all tests.
    """
    global_state.GLOBAL_STATE_TRACKER = threading.local()
    global_state.GLOBAL_SETTINGS_TRACKER = threading.local()
