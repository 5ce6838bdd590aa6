"""Instance normalization as ONNX's InstanceNormalization, in the form that suits a runtime.

Never as GroupNormalization: ONNX Runtime and ONNX's reference evaluator compute its variance as
`mean(x**2) - mean(x)**2`, which at a mean of 1000 and a deviation of 1 is off by 0.28 and at 10000
is NaN. The figures behind each form are in docs/runtimes.md.
"""

from collections.abc import Callable

import numpy as np

from keras_bin.runtimes import ONNX_RUNTIME, OPENVINO

# Gathering channels pays off up to this share of them: in ONNX Runtime on a CPU, a residual network
# gains nothing at 60 %, 0 to 3 % at 50 %, and 3 to 10 % at 40 %.
_MOST_GATHERED = 0.5
# ONNX Runtime keeps the channels of convolutions in blocks of 8 or 16, depending on the CPU.
_CHANNEL_BLOCK = 16


def instance_normalization(runtime: str) -> Callable:
    """Returns a function that adds a layer in the form for a runtime; see `keras_bin.runtimes`.

    The function takes a `NormalizationBuilder`, the name of the activation, from which the running
    mean has been subtracted, and the layer's `Constants`; it returns the name of the result.
    """
    forms = {ONNX_RUNTIME: _for_onnx_runtime, OPENVINO: _for_openvino}
    return forms.get(runtime, _all_channels)


def _all_channels(build, x, constants):
    """Adds the operator, and a multiply-add if there is a batch branch."""
    return _added(build, x, constants, build.big("Sub", x, build.reference_value(x)))


def _for_openvino(build, x, constants):
    """Adds the same without subtracting a value of the image.

    OpenVINO computes the variance about the mean, in two passes, and so loses fewer digits than
    others; the subtraction would cost another pass. Channels are never gathered: OpenVINO keeps
    them in blocks, and would reorder them for each Gather and Concat.
    """
    return _added(build, x, constants, x)


def _for_onnx_runtime(build, x, constants):
    """Adds the operator for only the channels that need it, or a multiply-add of convolutions.

    Some channels do not change here, as an earlier layer computes their affine map. If there are
    many, they are left out: the others are gathered, normalized, and put back in their places. If
    there are few, and the channels fill blocks, convolutions multiply and add: ONNX Runtime fuses
    what follows with them, and they leave the activation in blocks for the next convolution.
    """
    channels = len(constants.offset)
    if constants.scale is not None:
        changes = (constants.instance_scale != 0) | (constants.scale != 1) | (constants.offset != 0)
        if changes.mean() <= _MOST_GATHERED:
            return _gathered(build, x, constants, changes)
    if channels % _CHANNEL_BLOCK or build.rank != 4:
        return _all_channels(build, x, constants)
    return _convolved(build, x, constants)


def _added(build, x, constants, shifted):
    if constants.scale is None:
        return _normalized(build.last, build, shifted, constants.instance_scale, constants.offset)
    normalized = _normalized(build.big, build, shifted, constants.instance_scale, constants.offset)
    scaled = build.big("Mul", x, build.per_channel(constants.scale))
    return build.last("Add", scaled, normalized)


def _normalized(add, build, shifted, scale, offset):
    return add(
        "InstanceNormalization",
        shifted,
        build.constant(scale),
        build.constant(offset),
        epsilon=build.epsilon,
    )


def _gathered(build, x, constants, changes):
    (chosen,) = np.nonzero(changes)
    part = build.of_channels(len(chosen))
    gathered = part.gather(part.big, x, chosen)
    changed = _all_channels(part, gathered, _of(constants, chosen))
    both = build.of_channels(len(changes) + len(chosen)).big("Concat", x, changed, axis=1)
    places = np.arange(len(changes))
    places[chosen] = len(changes) + np.arange(len(chosen))
    return build.gather(build.last, both, places)


def _of(constants, channels):
    """Returns the constants of some channels, for an input whose mean is already subtracted."""
    scale = constants.scale[channels]
    return constants._replace(
        scale=scale if scale.any() else None,
        offset=constants.offset[channels],
        instance_scale=constants.instance_scale[channels],
        mean=None,
    )


def _convolved(build, x, constants):
    shifted = build.big("Sub", x, build.reference_value(x))
    channels = len(constants.offset)
    normalized = _normalized(build.big, build, shifted, np.ones(channels), np.zeros(channels))
    branch = (constants.instance_scale, constants.offset)
    if constants.scale is None:
        return build.scale_and_shift(build.last, normalized, *branch)
    normalized = build.scale_and_shift(build.big, normalized, *branch)
    scaled = build.scale_and_shift(build.big, x, constants.scale)
    return build.last("Add", scaled, normalized)
