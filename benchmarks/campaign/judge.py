"""Exports a generated net, and compares what was written with the net."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from benchmarks.campaign.generate import Net, generate
from benchmarks.campaign.inputs import Arrays, all_inputs
from benchmarks.campaign.weights import OUTSIDE
from benchmarks.oracle import (
    UNIT,
    allowed_relative,
    attempt,
    difference,
    in_words,
    load_onnx,
    load_saved_model,
    model_outputs,
    output_names,
    rounding,
    within,
)
from keras_bin import rho_weights
from keras_bin.export import export_onnx, export_saved_model, fold

UNITS = {"float32": UNIT, "mixed_float16": 2.0**-10, "mixed_bfloat16": 2.0**-7}
RIGHT, ROUNDED, CLIPPED, WRONG, REFUSED = (
    "right",
    "right but for rounding",
    "right with gates clipped",
    "wrong",
    "refused",
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a net in one format.

    Attributes:
        status: `RIGHT` if all outputs are within `ALLOWED`; `ROUNDED` if within `ROUNDINGS` times
            the net's own rounding; `CLIPPED` if right with gates clipped to [0, 1]; `WRONG` if it
            was exported and is none of these; `REFUSED`.
        seconds: how long it took.
        relative: the largest relative difference, as in `benchmarks.oracle.Difference`; None if a
            value is not finite, or nothing was compared.
        fed: the inputs it was measured on.
        message: class and text of what was raised.
    """

    status: str
    seconds: float = 0.0
    relative: float | None = None
    fed: str = ""
    message: str = ""


class Judge:
    """Decides whether outputs are right for a net.

    Args:
        net: of `generate`.
        reference: the model whose outputs are right: the net, or its twin in float32.
        seed: of the net.
        unit: unit in the last place of the reference.

    Raises:
        ValueError: the reference is not finite on any of its inputs.
    """

    def __init__(self, net: Net, reference: keras.Model, seed: int, unit: float):
        self.reference, self.unit = reference, unit
        self.gates_outside = net.gates == OUTSIDE
        self.inputs = {}
        self.expected = {}
        for fed, inputs in all_inputs(net.model, net.within, seed).items():
            outputs = model_outputs(reference, inputs)
            if all(np.isfinite(output).all() for output in outputs):
                self.inputs[fed], self.expected[fed] = inputs, outputs
        if not self.inputs:
            raise ValueError("A net must be finite on an input to be compared. Received: none")

    def judge(self, run: Callable[[Arrays], Arrays]) -> Verdict:
        """Feeds an artifact, and compares."""
        found = [self._compare(fed, run) for fed in self.inputs]
        return max(found, key=_badness)

    def _compare(self, fed, run):
        try:
            got = run(self.inputs[fed])
            relative = difference(got, self.expected[fed]).relative
        except Exception as error:  # an artifact that does not run is a result
            return Verdict(WRONG, fed=fed, message=in_words(error))
        if within(relative):
            return Verdict(RIGHT, relative=relative, fed=fed)
        allowed = allowed_relative(self._rounding(fed))
        if within(relative, allowed):
            return Verdict(ROUNDED, relative=relative, fed=fed)
        if self.gates_outside and within(difference(got, self._clipped(fed)).relative, allowed):
            return Verdict(CLIPPED, relative=relative, fed=fed)
        return Verdict(WRONG, relative=relative, fed=fed)

    @functools.cache  # noqa: B019 - a judge lives as long as its net
    def _rounding(self, fed):
        return rounding(self.reference, self.inputs[fed], self.unit)

    @functools.cache  # noqa: B019
    def _clipped(self, fed):
        with _clipped_gates(self.reference):
            return model_outputs(self.reference, self.inputs[fed])


def try_net(seed: int, folder: Path, saved_model: bool) -> dict:
    """Generates a net from a seed, folds and exports it, and compares.

    Args:
        seed: of the net.
        folder: where artifacts are written.
        saved_model: whether to write a SavedModel too.

    Returns:
        The net's `description` and the `verdicts` by format, ready for JSON.
    """
    net = generate(seed)
    judge = own = Judge(net, net.model, seed, UNITS[net.policy])
    if net.policy != "float32":  # artifacts are in float32 then, and so is the reference
        twin = generate(seed, float32=True).model
        twin.set_weights(net.model.get_weights())
        judge = Judge(net, twin, seed, UNIT)

    def folded() -> Verdict:
        made = fold(net.model)
        return own.judge(lambda inputs: model_outputs(made, inputs))

    def onnx() -> Verdict:
        report = export_onnx(net.model, folder / f"{seed}.onnx", verbose=False)
        return judge.judge(load_onnx(report.path))

    def saved() -> Verdict:
        report = export_saved_model(net.model, folder / str(seed), verbose=False)
        return judge.judge(load_saved_model(report.path, output_names(report)))

    steps = {"ONNX": onnx, "fold": folded, **({"SavedModel": saved} if saved_model else {})}
    verdicts = {name: dataclasses.asdict(_verdict(step)) for name, step in steps.items()}
    return {"description": net.description, "verdicts": verdicts}


def _verdict(step):
    tried = attempt(step)
    verdict = tried.found or Verdict(REFUSED, message=tried.error)
    return dataclasses.replace(verdict, seconds=tried.seconds)


def _badness(verdict):
    order = (RIGHT, ROUNDED, CLIPPED, WRONG)
    relative = float("inf") if verdict.relative is None else verdict.relative
    return order.index(verdict.status), relative


@contextlib.contextmanager
def _clipped_gates(model: keras.Model) -> Iterator[None]:
    kept = [(rho, keras.ops.convert_to_numpy(rho)) for rho in rho_weights(model)]
    try:
        for rho, value in kept:
            rho.assign(np.clip(value, 0, 1))
        yield
    finally:
        for rho, value in kept:
            rho.assign(value)
