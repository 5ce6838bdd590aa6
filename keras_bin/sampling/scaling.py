"""Finding the scale of inputs at which the first normalization gets its moving statistics."""

from typing import NamedTuple

import numpy as np

from keras_bin.arrays import float64
from keras_bin.networks.signature import Signature, TensorInfo
from keras_bin.sampling.trial import Batch, Trial

MEAN, DEVIATION = 1.5, 2.0
MOST_CHANNELS = 16
STEPS = 4
NEAR = 0.02
RIDGE = 0.01
LEAST_SHARE = 0.01
ROUNDING = 4 * np.finfo("float32").eps
# Each row gets its own mean, so that the instance statistics of BIN differ from the batch's.
ROW_MEANS = 0.5
LARGEST = {"float16": 65504.0}


class Scale(NamedTuple):
    """The mean and standard deviation of an input, as arrays that broadcast against it.

    Attributes:
        mean: in input units.
        deviation: standard deviation, above 0, in input units.
    """

    mean: np.ndarray
    deviation: np.ndarray


Scales = dict[str, Scale]


def is_float(dtype: str) -> bool:
    """Tells whether a dtype is a floating-point one."""
    return dtype.startswith(("float", "bfloat"))


def scaled(rng: np.random.Generator, info: TensorInfo, shape: tuple, scale: Scale) -> np.ndarray:
    """Returns noise of a scale; the mean and the contrast of each row differ somewhat from it."""
    per_row = (shape[0], *scale.mean.shape[1:])
    means = rng.normal(0, ROW_MEANS, per_row)
    contrasts = rng.uniform(0.6, 1.2, (shape[0],) + (1,) * (len(shape) - 1))
    values = rng.normal(0, 1, shape)
    values *= contrasts  # in place, as images may be large
    values += means
    values *= scale.deviation
    values += scale.mean
    return values.astype(info.dtype)


def find_scales(trial: Trial, signature: Signature, batch: Batch) -> Scales:
    """Fits the scale of every float input to the normalization layer that is called first.

    Such a layer has `moving_mean` and `moving_variance`. If it reads an input as it is, they are
    the scale. Otherwise its input is assumed to be linear in the inputs' channels: constant images
    show how much its mean moves with each channel, and noise shows how its variance does. Means
    are then fitted by least squares, variances by non-negative least squares. There are no scales
    if these bring the layer's input no closer to its statistics than `batch` does, or if the
    statistics are at their initial values.

    Args:
        trial: runs the model.
        signature: the model's.
        batch: a batch of two rows or more on which the model runs.

    Returns:
        Scales by input name, for the inputs that reach the layer.
    """
    layers = [layer for layer in trial.layers if _has_statistics(layer)]
    called = trial.first_input(layers, batch)
    if called is None:
        return {}
    layer, seen = called
    target = _Target(layer, seen.ndim)
    if target.is_initial or seen.shape[target.axis] != len(target.mean):
        return {}
    infos = [info for info in signature.inputs if is_float(info.dtype)]
    scales = _direct(infos, batch, seen, target)
    if not scales:
        try:
            with np.errstate(divide="raise", over="raise", invalid="raise"):
                scales = _Fit(trial, target, infos, batch).scales()
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            # Not linear at all, or not reached on other values.
            return {}
    return scales if _fit_dtypes(scales, infos) else {}


def _has_statistics(layer):
    return all(
        getattr(layer, name, None) is not None for name in ("moving_mean", "moving_variance")
    )


class _Target:
    """The statistics that a normalization layer's input should have, float64, per channel."""

    def __init__(self, layer, rank):
        self.layer = layer
        self.mean, variance = (
            float64(value).ravel() for value in (layer.moving_mean, layer.moving_variance)
        )
        self.is_initial = bool(np.all(self.mean == 0) and np.all(variance == 1))
        self.deviation = np.sqrt(np.where(variance > 0, variance, 1))
        axis = getattr(layer, "axis", -1)
        self.rank, self.axis = rank, axis if isinstance(axis, int) and -rank <= axis < rank else -1

    def by_row(self, seen, rows):
        """Returns an input of the layer as `(rows, positions, channels)`."""
        return np.moveaxis(seen, self.axis, -1).reshape(rows, -1, len(self.mean)).astype("float64")

    def mismatch(self, seen):
        """Tells how far an input is from the statistics, 0 at best."""
        values = self.by_row(seen, 1)[0]
        variances = np.maximum(values.var(axis=0) / self.deviation**2, 1e-9)
        means = np.abs(values.mean(axis=0) - self.mean) / self.deviation
        return np.mean(means) + np.mean(np.abs(np.log(variances)))


def _direct(infos, batch, seen, target):
    """Returns the scale of the input that the layer reads as it is."""
    shape = [1] * target.rank
    shape[target.axis] = len(target.mean)
    scale = Scale(target.mean.reshape(shape), target.deviation.reshape(shape))
    return {info.name: scale for info in infos if np.array_equal(batch[info.name], seen)}


class _Fit:
    """Fits a mean and a standard deviation for every channel of every float input."""

    def __init__(self, trial, target, infos, batch):
        self._trial, self._target, self._infos, self._batch = trial, target, infos, batch
        self._rng = np.random.default_rng(1)
        self._shapes = {info.name: _channel_shape(info, target) for info in infos}
        ends = np.cumsum([np.prod(shape) for shape in self._shapes.values()], dtype=int)
        self._parts = {
            name: slice(end - np.prod(shape), end)
            for (name, shape), end in zip(self._shapes.items(), ends, strict=True)
        }
        self._channels = ends[-1] if infos else 0

    def scales(self) -> Scales:
        """Returns the fitted scales, or none if they are no better than the batch."""
        if not self._channels:
            return {}
        means = self._means()
        deviations, alive = self._deviations(means)
        means = np.where(alive, means, MEAN)
        scales = {
            name: Scale(*(x[part].reshape(self._shapes[name]) for x in (means, deviations)))
            for name, part in self._parts.items()
            if alive[part].any()
        }
        noise = {
            info.name: scaled(self._rng, info, self._batch[info.name].shape, scales[info.name])
            for info in self._infos
            if info.name in scales
        }
        before, after = (self._seen({**self._batch, **new}) for new in ({}, noise))
        # This comparison is also False if a value is not finite.
        return scales if self._target.mismatch(after) < self._target.mismatch(before) else {}

    def _means(self):
        target, channels = self._target, self._channels
        means = np.full(channels, MEAN)
        for _ in range(STEPS):
            steps = np.maximum(1, np.abs(means) / 10)
            rows = means + np.vstack([np.zeros(channels), np.diag(steps)])
            start, *moved = self._constant(rows).mean(axis=1) / target.deviation
            slopes = (np.array(moved) - start) / steps[:, None]
            lengths = np.sqrt((slopes**2).sum(axis=1))
            lengths[lengths == 0] = 1
            slopes /= lengths[:, None]
            missing = target.mean / target.deviation - start
            # The ridge keeps directions that hardly matter where they are.
            damped = slopes @ slopes.T + RIDGE * np.eye(channels)
            moves = np.linalg.solve(damped, slopes @ missing)
            means = means + moves / lengths
            if np.abs(moves).max() < NEAR * np.sqrt(len(missing)):
                break
        return means

    def _deviations(self, means):
        """Returns deviations, and which channels reach the layer at all."""
        target, channels = self._target, self._channels
        constant = self._constant(means[None])
        # One channel at a time, in two rows whose means differ.
        one = np.repeat(np.eye(channels), 2, axis=0)
        signs = np.tile([ROW_MEANS, -ROW_MEANS], channels)[:, None]
        noisy = self._constant(means + one * signs, one)
        variances = ((noisy - constant) ** 2).reshape(channels, -1, len(target.mean)).mean(axis=1)
        shares = variances / target.deviation**2
        alone = shares.mean(axis=1)
        # Rows may be rounded differently, whatever is in them.
        alive = np.any(variances > (ROUNDING * np.abs(constant).max()) ** 2, axis=1)
        if not alive.any():
            return np.full(channels, DEVIATION), alive
        left = 1 - constant[0].var(axis=0) / target.deviation**2
        squares = _non_negative(
            (shares[alive] / alone[alive, None]).T, np.maximum(left, LEAST_SHARE)
        )
        deviations = np.full(channels, DEVIATION)
        deviations[alive] = np.sqrt(squares / alone[alive])
        return deviations, alive

    def _constant(self, means, deviations=None):
        """Returns the layer's input for rows of constant images, with noise if there is any."""
        rows = len(means)
        batch = {name: np.repeat(values[:1], rows, axis=0) for name, values in self._batch.items()}
        for info in self._infos:
            shape = batch[info.name].shape
            per_row = (rows, *self._shapes[info.name][1:])
            values = means[:, self._parts[info.name]].reshape(per_row)
            if deviations is not None:
                noise = self._rng.normal(0, 1, shape)
                values = values + deviations[:, self._parts[info.name]].reshape(per_row) * noise
            batch[info.name] = np.broadcast_to(values, shape).astype(info.dtype)
        return self._target.by_row(self._seen(batch), rows)

    def _seen(self, batch):
        called = self._trial.first_input([self._target.layer], batch)
        if called is None:
            raise ValueError("the layer is not reached")
        return called[1]


def _channel_shape(info, target):
    """Returns the shape of one value per channel, or of a single value if there are many."""
    rank = len(info.shape)
    shape = [1] * rank
    axis = target.axis if rank == target.rank else -1
    channels = info.shape[axis]
    if rank > 1 and channels is not None and channels <= MOST_CHANNELS:
        shape[axis] = channels
    return tuple(shape)


def _non_negative(matrix, wanted):
    """Solves `matrix @ x = wanted` by least squares, with no element of `x` too close to 0.

    No element of `matrix` is negative, so each step is toward the solution and none crosses 0.
    """
    x = np.full(matrix.shape[1], np.mean(wanted) / matrix.shape[1])
    least = LEAST_SHARE * x
    towards = matrix.T @ wanted
    for _ in range(200):
        x = np.maximum(x * towards / (matrix.T @ (matrix @ x)), least)
    return x


def _fit_dtypes(scales, infos):
    """Tells whether the scales are finite, and within the ranges of the inputs' dtypes."""
    dtypes = {info.name: info.dtype for info in infos}
    return all(
        np.all(np.abs(scale.mean) + 10 * scale.deviation < LARGEST.get(dtypes[name], 1e30))
        for name, scale in scales.items()
    )
