"""Functions whose weights are constants."""

from keras_bin.export.signature import Signature


def freeze(serve, signature: Signature, further: int = 0):
    """Returns a `tf.function` that computes what `serve` does, with its weights as constants.

    TensorFlow works out once what depends on constants alone, and its kernels keep constant
    weights in the layout that suits them.

    Args:
        serve: what `serving_function` returns.
        signature: the signature that it was made for.
        further: number of arguments of `serve` after the inputs.

    Returns:
        The function, and what it still reads from outside: tensors, such as lookup tables. It
        cannot be called if there are any.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    frozen = convert_to_constants.convert_variables_to_constants_v2(
        serve.get_concrete_function(), lower_control_flow=False, aggressive_inlining=True
    )
    outputs = sorted(signature.outputs)  # by name, as TensorFlow flattens a dict

    @tf.function(input_signature=serve.input_signature, autograph=False)
    def serve_frozen(*tensors):
        results = {}
        for info, result in zip(outputs, frozen(*tensors), strict=True):
            if result.shape.is_compatible_with(info.shape):
                result.set_shape(info.shape)  # some sizes are lost where they become constants
            results[info.name] = result
        return results

    return serve_frozen, frozen.inputs[len(signature.inputs) + further :]
