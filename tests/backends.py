"""Keras's backends that are installed, and how tests run programs on them."""

import importlib.util
import os

import pytest

BACKENDS = ("tensorflow", "jax", "torch")
FOUND = [backend for backend in BACKENDS if importlib.util.find_spec(backend) is not None]

# Most of the time goes into compiling programs that run once or twice.
QUICK_TO_COMPILE = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"


def skip_without(backend):
    """Skips a test whose backend is not installed."""
    if backend not in FOUND:
        pytest.skip(f"{backend} is not installed: the extra `test` has JAX, .ci/backends PyTorch")
