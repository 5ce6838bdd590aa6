"""Instance normalization as arithmetic around ONNX's operator ReduceMean."""


def reduce_mean(build, x, constants):
    """Adds the mean and variance, computed by ReduceMean, and a multiply-add."""
    reference = build.reference_value(x)
    shifted = build.big("Sub", x, reference)  # float32 keeps more digits of its mean
    mean = build.mean(shifted)
    centered = build.big("Sub", shifted, mean)
    variance = build.mean(build.big("Mul", centered, centered))
    epsilon = build.constant(build.epsilon)
    standard_deviation = build.small("Sqrt", build.small("Add", variance, epsilon))
    slope = build.small("Div", build.per_channel(constants.instance_scale), standard_deviation)
    intercept = build.per_channel(constants.offset)
    if constants.scale is not None:
        scale = build.per_channel(constants.scale)
        slope = build.small("Add", slope, scale)
        mean = build.small("Add", mean, reference)
        intercept = build.small("Add", build.small("Mul", mean, scale), intercept)
    return build.last("Add", build.big("Mul", centered, slope), intercept)
