import numpy as np
import pytest

from keras_bin.export.tracing import forms


@pytest.fixture
def wrong_values(monkeypatch):
    """Makes what is exported compute something else than the model."""
    compute = forms.layer_constants

    def compute_wrong(layer, rho_tolerance):
        constants = compute(layer, rho_tolerance)
        return constants._replace(offset=np.add(constants.offset, [0, 0.01, 0]))

    monkeypatch.setattr(forms, "layer_constants", compute_wrong)
