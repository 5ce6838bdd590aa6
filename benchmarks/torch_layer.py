"""One layer in training on Keras's PyTorch backend, beside its peers; needs no TensorFlow.

    python -m benchmarks.torch_layer

Prints the table and writes it to `benchmarks/results/`. It runs on the device that Keras chooses.
"""

import inspect
import os

os.environ["KERAS_BACKEND"] = "torch"

import torch

from benchmarks import torch_peer
from benchmarks.backend_layer import TORCH, run
from benchmarks.peers import KERAS, build


def training_call(make, x, dy, device):
    """Returns a function that runs a layer forward and backward and waits for the device.

    Args:
        make: makes a Keras layer.
        x: input.
        dy: gradient with respect to the output.
        device: `cpu` or `cuda`, where Keras puts the layer.
    """
    torch.set_num_threads(os.cpu_count())
    layer = build(make, x.shape)
    trainable = [variable.value for variable in layer.trainable_variables]
    takes_training = "training" in inspect.signature(layer.call).parameters
    mode = {"training": True} if takes_training else {}
    x, dy = (torch.tensor(each, device=device) for each in (x, dy))

    def call():
        inputs = x.detach().requires_grad_()
        y = layer(inputs, **mode)
        torch.autograd.grad(y, [inputs, *trainable], dy)
        if device == "cuda":
            torch.cuda.synchronize()

    return call


def main() -> None:
    """Measures, and shows and writes the results."""
    gpu = torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"

    def calls(x, dy):
        functions = {name: training_call(make, x, dy, device) for name, make in KERAS.items()}
        return {**functions, torch_peer.NAME: torch_peer.training_call(x, dy, device)}

    devices = f"PyTorch on {device.upper()}"
    run(TORCH, calls, devices, torch.cuda.get_device_name() if gpu else None)


if __name__ == "__main__":
    main()
