"""A training that settled layers, for several tests."""

import keras
import pytest

from tests.settling.nets import build, compiled, fit, pictures, settling


@pytest.fixture(scope="package")
def settled_training():
    """A model that was settled at the cost of its front alone, and the callback that did it."""
    settle = settling()
    history = keras.callbacks.History()
    return fit(compiled(build()), settle, callbacks=[history]), settle, history.history


@pytest.fixture(scope="package")
def trained_weights():
    """The weights of the net after some epochs."""
    model = compiled(build())
    model.fit(*pictures(), epochs=8, verbose=0)
    return model.get_weights()
