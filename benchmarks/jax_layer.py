"""One layer in training under JAX, beside its peers; needs no TensorFlow.

    python -m benchmarks.jax_layer

Prints the table and writes it to `benchmarks/results/`. It runs on the device that JAX finds.
"""

import argparse
import inspect
import json
import os

os.environ["KERAS_BACKEND"] = "jax"
# JAX would reserve most of a GPU's memory, and PyTorch's layer needs some too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
from rich.console import Console
from rich.progress import track

from benchmarks.environment import installed
from benchmarks.peers import KERAS, build, draw
from benchmarks.plan import FULL, QUICK, Plan, shape_name
from benchmarks.processes import jax_section
from benchmarks.report import command_line, document, rich_table, wide_console, write
from benchmarks.timing import interleave


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


def measure(plan: Plan) -> dict:
    """Times all layers at all shapes; returns the arguments of `jax_section` except the plan."""
    devices = f"JAX on {accelerator() or 'CPU'}"
    if installed("torch"):
        import torch

        from benchmarks import torch_peer

        torch_device = "cuda" if torch.cuda.is_available() else "cpu"
        devices += f", PyTorch on {torch_device.upper()}"
    else:
        devices += "; PyTorch is not installed"
    seconds = {}
    for shape in track(plan.shapes, "shapes", console=Console(stderr=True)):
        x, dy = draw(shape)
        functions = {name: training_call(make, x, dy) for name, make in KERAS.items()}
        if installed("torch"):
            functions[torch_peer.NAME] = torch_peer.training_call(x, dy, torch_device)
        seconds[shape_name(shape)] = interleave(functions, plan.rounds)
    return {"seconds": seconds, "devices": devices}


def main() -> None:
    """Measures, and shows and writes the results."""
    parser = argparse.ArgumentParser(
        description="Time one layer in training under JAX beside its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rounds, small shapes, nothing written"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the times as JSON, write nothing"
    )
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    timed = measure(plan)
    if options.json:
        print(json.dumps(timed))
        return
    section = jax_section(plan, **timed)
    console = wide_console()
    console.print(rich_table(section))
    if not options.quick:
        run = document([section], plan, command_line("benchmarks.jax_layer"), accelerator())
        for path in write(run, partial=["jax"]):
            console.print(f"Written: {path}")


if __name__ == "__main__":
    main()
