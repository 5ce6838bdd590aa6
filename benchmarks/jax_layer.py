"""One layer in training under JAX, beside its peers; needs no TensorFlow.

    python -m benchmarks.jax_layer

Prints the table and writes it to `benchmarks/results/`. It runs on the device that JAX finds.
"""

import inspect
import os

os.environ["KERAS_BACKEND"] = "jax"
# JAX would reserve most of a GPU's memory, and PyTorch's layer needs some too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax

from benchmarks.backend_layer import JAX, run
from benchmarks.environment import installed
from benchmarks.peers import KERAS, build


def accelerator() -> str | None:
    """Returns the name of the GPU or TPU that JAX uses, None if it uses the processor."""
    device = jax.devices()[0]
    return None if device.platform == "cpu" else device.device_kind


def training_call(make, x, dy):
    """Returns a function that runs a layer forward and backward and waits for the device.

    Args:
        make: makes a Keras layer.
        x: input.
        dy: gradient with respect to the output.
    """
    layer = build(make, x.shape)
    trainable = [variable.value for variable in layer.trainable_variables]
    state = [variable.value for variable in layer.non_trainable_variables]
    # Unlike __call__, stateless_call passes on what GroupNormalization does not accept.
    takes_training = "training" in inspect.signature(layer.call).parameters
    mode = {"training": True} if takes_training else {}

    @jax.jit
    def compute(trainable, state, x, dy):
        def forward(trainable, x):
            return layer.stateless_call(trainable, state, x, **mode)

        y, vjp, new_state = jax.vjp(forward, trainable, x, has_aux=True)
        return y, new_state, vjp(dy)

    x, dy = jax.device_put(x), jax.device_put(dy)
    return lambda: jax.block_until_ready(compute(trainable, state, x, dy))


def main() -> None:
    """Measures, and shows and writes the results."""
    devices = f"JAX on {accelerator() or 'CPU'}"
    if installed("torch"):
        import torch

        from benchmarks import torch_peer

        torch_device = "cuda" if torch.cuda.is_available() else "cpu"
        devices += f", PyTorch on {torch_device.upper()}"
    else:
        devices += "; PyTorch is not installed"

    def calls(x, dy):
        functions = {name: training_call(make, x, dy) for name, make in KERAS.items()}
        if installed("torch"):
            functions[torch_peer.NAME] = torch_peer.training_call(x, dy, torch_device)
        return functions

    run(JAX, calls, devices, accelerator())


if __name__ == "__main__":
    main()
