"""Whole training steps with BIN and with BN, in one process."""

from collections.abc import Callable

import keras

from benchmarks.nets import NETS, NORMALIZATIONS, compiled_model
from benchmarks.plan import Plan
from benchmarks.report import Section
from benchmarks.timing import interleave, ratio, timing


def _call(net, normalization, jit_compile):
    model, data = compiled_model(net, normalization, jit_compile), NETS[net].data()
    return lambda: model.train_on_batch(*data)


def step(plan: Plan, track: Callable) -> Section:
    """Times training steps of whole nets, BIN in a BINModel beside BN in a keras.Model."""
    cases = [("tf.function", net) for net in plan.nets] + [("XLA", net) for net in plan.xla_nets]
    rows = []
    for compiler, net in track(cases):
        keras.utils.clear_session()
        functions = {name: _call(net, name, compiler == "XLA") for name in NORMALIZATIONS}
        seconds = interleave(functions, plan.step_rounds)
        rows.append(
            {
                "compiled": compiler,
                "net": net,
                "batch": NETS[net].batch,
                "BN": timing(seconds["BN"]),
                "BIN": timing(seconds["BIN"]),
                "BIN / BN": ratio(seconds["BIN"], seconds["BN"]),
            }
        )
    return Section(
        "step",
        "one training step of a net",
        "train_on_batch with SGD and momentum, float32, BIN in a BINModel, BN in a keras.Model; "
        f"medians of {plan.step_rounds} rounds in which both took turns, their ratio, and the "
        "quartiles of the ratio over the rounds.",
        rows,
    )
