"""What conftest.py sets up only where Keras runs on PyTorch: tensors that NumPy can read."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _arrays_of_tensors():
    """Lets NumPy read tensors that require gradients, and bfloat16, as on the other backends."""
    to_array = torch.Tensor.__array__

    def detached(self, dtype=None, copy=None):
        values = self.detach()
        return to_array(values.float() if values.dtype == torch.bfloat16 else values, dtype)

    def left_as_it_is(self, array, context=None, return_scalar=False):
        return array

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "__array__", detached)
        patch.setattr(torch.Tensor, "__array_wrap__", left_as_it_is)
        yield
