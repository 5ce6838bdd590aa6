"""A training that settled layers, for several tests."""

import keras
import pytest

from tests.settling.nets import build, compiled, fit, settling


@pytest.fixture(scope="package")
def settled_training():
    """A model that was settled at the cost of its front alone, and the callback that did it."""
    settle = settling()
    history = keras.callbacks.History()
    return fit(compiled(build()), settle, callbacks=[history]), settle, history.history
