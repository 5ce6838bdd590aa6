"""One layer in training on a backend other than TensorFlow: what these programs share."""

import argparse
import json
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from benchmarks.peers import OURS, draw
from benchmarks.plan import FULL, QUICK, Plan, shape_name
from benchmarks.report import Section, command_line, document, rich_table, wide_console, write
from benchmarks.timing import comparison_method, comparison_rows, interleave


class Backend(NamedTuple):
    """A backend of Keras.

    Attributes:
        name: the package, which is also the name of the section.
        title: how to write its name.
        method: how a layer is run.
    """

    name: str
    title: str
    method: str

    @property
    def section_title(self) -> str:
        """What the section is about."""
        return f"one layer in training under {self.title}, forward and backward"

    @property
    def module(self) -> str:
        """The program that times layers on this backend."""
        return f"benchmarks.{self.name}_layer"

    def section(self, plan: Plan, seconds: dict, devices: str) -> Section:
        """Makes the section of what the program has timed.

        Args:
            plan: what was measured.
            seconds: times by shape and layer.
            devices: where the layers ran.
        """
        return Section(
            self.name,
            self.section_title,
            f"{devices}. Float32, {self.method}. {comparison_method(OURS, plan.rounds)}",
            comparison_rows(seconds, OURS),
        )


JAX = Backend("jax", "JAX", "jitted value and vjp through stateless_call")
TORCH = Backend("torch", "PyTorch", "eager, with all gradients by torch.autograd.grad")


def run(
    backend: Backend, calls: Callable[..., dict], devices: str, accelerator: str | None
) -> None:
    """Measures, and shows and writes the results, as the command line asks.

    Args:
        backend: the backend that Keras uses in this process.
        calls: takes an input and an output gradient; returns what to time, by layer.
        devices: where the layers run.
        accelerator: the name of the GPU or TPU, None if there is none.
    """
    parser = argparse.ArgumentParser(
        description=f"Time one layer in training under {backend.title} beside its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rounds, small shapes, nothing written"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the times as JSON, write nothing"
    )
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    shapes = track(plan.shapes, "shapes", console=Console(stderr=True))
    seconds = {shape_name(s): interleave(calls(*draw(s)), plan.rounds) for s in shapes}
    if options.json:
        print(json.dumps({"seconds": seconds, "devices": devices}))
        return
    section = backend.section(plan, seconds, devices)
    console = wide_console()
    console.print(rich_table(section))
    if not options.quick:
        run = document([section], plan, command_line(backend.module), accelerator)
        for path in write(run, partial=[backend.name]):
            console.print(f"Written: {path}")
