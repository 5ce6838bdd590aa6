"""Batches of generated inputs."""

import math

import numpy as np

from keras_bin.networks.signature import Signature
from keras_bin.sampling.probe_images import KINDS, default_scale, probe_image, reads_pixels
from keras_bin.sampling.ranges import (
    BINARY,
    BYTES,
    NARROW,
    ONE,
    ZERO,
    Ranges,
    integer_ranges,
    is_integer,
)
from keras_bin.sampling.scaling import (
    DEVIATION,
    MEAN,
    Scales,
    find_scales,
    is_float,
    scaled,
)
from keras_bin.sampling.sizes import FIRST, Sizes, free_axes, sizes_to_try
from keras_bin.sampling.trial import Batch, Trial

SMALL_BATCHES = (1, 3)
LARGE_BATCH = 16


class GeneratedInputs:
    """Generates inputs for a signature; with a trial, inputs on which the model runs.

    Args:
        signature: the model's.
        trial: runs the model, or None.

    Raises:
        ValueError: an input has a dtype that cannot be generated, such as string.
    """

    def __init__(self, signature: Signature, trial: Trial | None = None):
        for info in signature.inputs:
            _check_dtype(info)
        self._signature = signature
        self._trial = trial
        integers = [info.name for info in signature.inputs if is_integer(info.dtype)]
        self._ranges: Ranges = dict.fromkeys(integers, BINARY)
        self._scales: Scales = {}
        axes = free_axes([info.shape for info in signature.inputs])
        self._sizes: list[Sizes] = [sizes * axes for sizes in FIRST[: 2 if axes else 1]]
        self._pixels = False
        if trial is not None:
            self._suit(axes, _channels(trial.layers))

    def batches(self) -> list[Batch]:
        """Returns batches of 1, 3 and 16 rows at the first sizes, of 1 and 3 at the others."""
        rng = np.random.default_rng(0)
        first, *others = self._sizes
        found = [self._batch(rng, rows, first) for rows in (*SMALL_BATCHES, LARGE_BATCH)]
        self._put_probes(rng, found[-1], first)
        return found + [self._batch(rng, rows, size) for size in others for rows in SMALL_BATCHES]

    def _suit(self, axes, channels):
        """Finds sizes, ranges and scales on which the model runs, if there are any."""
        for gentle in (ZERO, ONE):
            self._ranges = dict.fromkeys(self._ranges, gentle)
            sizes = self._accepted_sizes(axes, channels)
            if sizes or not self._ranges:
                break
        if not sizes:
            self._ranges = dict.fromkeys(self._ranges, BINARY)
            return
        self._sizes = sizes
        self._ranges = integer_ranges(self._trial, self._signature, self._try_out, self._ranges)
        self._scales = find_scales(self._trial, self._signature, self._try_out(self._ranges))
        self._pixels = reads_pixels(self._trial.layers)

    def _accepted_sizes(self, axes, channels):
        if axes:
            return sizes_to_try(axes, channels, self._accepts)
        return [()] if not self._ranges or self._accepts(()) else []

    def _accepts(self, sizes):
        return self._trial.is_finite(self._batch(np.random.default_rng(0), 1, sizes))

    def _try_out(self, ranges):
        batch = self._batch(np.random.default_rng(0), max(SMALL_BATCHES), self._sizes[0])
        return batch | {
            name: _integers(np.random.default_rng(0), values.shape, ranges[name], values.dtype)
            for name, values in batch.items()
            if name in ranges
        }

    def _batch(self, rng, rows, sizes):
        return {
            info.name: self._values(rng, info, (rows, *_filled(info, sizes)))
            for info in self._signature.inputs
        }

    def _values(self, rng, info, shape):
        if info.name in self._ranges:
            return _integers(rng, shape, self._ranges[info.name], info.dtype)
        if info.name in self._scales:
            return scaled(rng, info, shape, self._scales[info.name])
        if is_float(info.dtype):
            return rng.normal(MEAN, DEVIATION, shape).astype(info.dtype)
        return _integers(rng, shape, BINARY, info.dtype)

    def _put_probes(self, rng, batch, sizes):
        """Replaces the last rows with the probe images for which the model's outputs are finite."""
        others = {name: values[0] for name, values in batch.items()}
        probes = [others | images for images in self._probes(rng, sizes)]
        if self._trial is not None and not self._are_finite(probes):
            probes = [probe for probe in probes if self._are_finite([probe])]
        for row, probe in enumerate(probes, LARGE_BATCH - len(probes)):
            for name, values in probe.items():
                batch[name][row] = values

    def _probes(self, rng, sizes):
        for kind in KINDS:
            images = {}
            for info in self._signature.inputs:
                if self._ranges.get(info.name, BYTES) == BYTES:
                    scale = self._scales.get(info.name, default_scale(info))
                    shape = _filled(info, sizes)
                    image = probe_image(rng, info, shape, kind, scale, self._pixels)
                    if image is not None:
                        images[info.name] = image
            if images:
                yield images

    def _are_finite(self, probes):
        return not probes or self._trial.is_finite(
            {name: np.stack([probe[name] for probe in probes]) for name in probes[0]}
        )


def _check_dtype(info):
    if not (is_float(info.dtype) or is_integer(info.dtype) or info.dtype == "bool"):
        raise ValueError(
            "Verification samples can be generated for numeric and boolean inputs only; move "
            "text preprocessing out of the model. "
            f"Received: input {info.name!r} of dtype {info.dtype!r}"
        )


def _channels(layers):
    """Returns every size of every weight, as any may be a number of channels."""
    return {size for layer in layers for weight in layer.weights for size in weight.shape}


def _filled(info, sizes):
    """Returns the shape of one row, with `sizes` in place of those that are free, in order."""
    free = iter(sizes)
    return tuple(next(free) if size is None else size for size in info.shape[1:])


def _integers(rng, shape, allowed, dtype):
    """Returns integers in a range, half of them small; rows of several do not start with 0.

    A row of zeros would be all padding. With 3 rows or more, 0 and both ends of the range occur.
    """
    low, high = allowed
    values = rng.integers(low, high + 1, (shape[0], math.prod(shape[1:])))
    small = rng.integers(max(low, -NARROW), min(high, NARROW) + 1, values.shape)
    values = np.where(rng.random(values.shape) < 0.5, values, small)
    if shape[0] >= 3:
        # In the last column, which is the only one in rows of one.
        values[-3:, -1:] = [[np.clip(0, low, high)], [low], [high]]
    if values.shape[1] > 1:
        nonzero = 1 if high > 0 else max(low, -1)
        values[:, 0] = np.where(values[:, 0] == 0, nonzero, values[:, 0])
    return values.reshape(shape).astype(dtype)
