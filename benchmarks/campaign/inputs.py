"""Inputs of a generated net: ordinary and odd ones."""

from typing import NamedTuple

import keras
import numpy as np

MOST_WORDS = 12
FREE, TINY = 20, 8
OBLONG = (11, 37, 9)
LEVELS = {"near 0": (0.5, 1.5), "bytes": (120.0, 60.0), "Kelvin": (288.0, 12.0)}

Arrays = list[np.ndarray]


class Range(NamedTuple):
    """The range of the inputs of a net.

    Attributes:
        mean: mean of all inputs but integers.
        deviation: their standard deviation.
        lowest: lowest integer.
    """

    mean: float
    deviation: float
    lowest: int


def input_shapes(model: keras.Model) -> list[tuple[tuple[int | None, ...], str]]:
    """Returns shape and dtype of each input, without the batch axis."""
    if isinstance(getattr(model, "inputs", None), list):
        return [(tuple(tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    return [(tuple(model.get_build_config()["input_shape"][1:]), "float32")]


def typical(
    model: keras.Model,
    rng: np.random.Generator,
    within: Range,
    batch: int,
    sizes: tuple[int, ...] = (FREE,) * 3,
) -> Arrays:
    """Draws ordinary inputs: noise, with its own level for each sample and channel.

    Args:
        model: receives the inputs.
        rng: decides everything.
        within: their range.
        batch: number of samples.
        sizes: sizes for the free axes of an input.
    """
    made = []
    for known, dtype in input_shapes(model):
        free = iter(sizes)
        shape = (batch, *(next(free) if size is None else size for size in known))
        if dtype.startswith("int"):
            made.append(rng.integers(within.lowest, MOST_WORDS, shape).astype(dtype))
            continue
        level = rng.normal(0, 0.7, (batch, *[1] * (len(shape) - 2), shape[-1]))
        values = within.mean + within.deviation * (rng.normal(size=shape) + level)
        made.append(values.astype("float32"))
    return made


def all_inputs(model: keras.Model, within: Range, seed: int) -> dict[str, Arrays]:
    """Returns what a net is fed, by name.

    Args:
        model: receives the inputs.
        within: range of ordinary inputs.
        seed: decides what is drawn.
    """
    rng = np.random.default_rng(10_000 + seed)
    ordinary = typical(model, rng, within, batch=5)
    low, high = within.mean - 2 * within.deviation, within.mean + 2 * within.deviation
    constant = rng.uniform(low, high)
    made = {
        "ordinary": ordinary,
        "one sample": typical(model, rng, within, batch=1),
        "zeros": _floats(ordinary, np.zeros_like),
        "constant": _floats(ordinary, lambda x: np.full_like(x, constant)),
        "nearly constant": _floats(
            ordinary,
            lambda x: (constant + 1e-3 * within.deviation * rng.normal(size=x.shape)).astype(
                x.dtype
            ),
        ),
        "saturated": _floats(
            ordinary, lambda x: np.where(x > within.mean, high, low).astype(x.dtype)
        ),
        "far from zero": _floats(ordinary, lambda x: x + np.float32(20 * within.deviation)),
    }
    if any(None in shape for shape, _ in input_shapes(model)):
        made["oblong"] = typical(model, rng, within, 2, OBLONG)
        made["tiny"] = typical(model, rng, within, 3, (TINY,) * 3)
    return made


def _floats(arrays, change):
    return [change(array) if array.dtype.kind == "f" else array for array in arrays]
