"""Models from which a BINModel can be made, over the same layers."""

import keras

from keras_bin.keras_internals import own_parts
from keras_bin.messages import listed
from keras_bin.networks.graph import as_functional, check_model, is_graph

_TRAINING = (
    *("compile", "compute_loss", "compute_metrics", "evaluate", "fit", "get_metrics_result"),
    *("make_predict_function", "make_test_function", "make_train_function", "metrics", "predict"),
    *("predict_on_batch", "predict_step", "reset_metrics", "stateless_compute_loss"),
    *("test_on_batch", "test_step", "train_on_batch", "train_step"),
)


def functional_over(model: keras.Model, target: type[keras.Model]) -> keras.Model:
    """Returns a plain Functional model over the layers of a model, to make another model from.

    A subclassed model becomes the only layer.

    Args:
        model: the model.
        target: the class of the other model. Methods for training that `model` and `target` share
            are not lost.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: it is not built, its inputs are unknown, or part of it would be lost.
    """
    check_model(model)
    own = [name for name in _TRAINING if _is_own(model, name, target)]
    if own:
        raise ValueError(
            "`model` must train as a keras.Model does: what its class defines for training would "
            "be lost. Make keras_bin.BINModel the base class, and let `train_step` call "
            "`super().train_step` or `keras_bin.apply_gradients`; or do without these, with "
            f"keras_bin.BINModel(inputs, model(inputs)). Received: model {model.name!r} of class "
            f"{type(model).__name__}, which defines {listed(own)}"
        )
    functional = as_functional(model)
    kept = {id(variable) for variable in functional.variables}
    lost = [variable.path for variable in model.variables if id(variable) not in kept]
    lost += [part.name for part in own_parts(model) if is_graph(model)]
    if lost:
        raise ValueError(
            "`model` must have no weights or metrics besides those of the layers that lead from "
            "its inputs to its outputs: they would be lost. Leave them out, or make "
            "keras_bin.BINModel the base class of the model. "
            f"Received: model {model.name!r} with {listed(lost)}"
        )
    return functional


def _is_own(model, name, target):
    """Tells whether a model or its class defines a name that is from neither Keras nor `target`."""
    if name in vars(model):
        return True
    if getattr(type(model), name) is getattr(target, name):
        return False
    owner = next(cls for cls in type(model).__mro__ if name in vars(cls))
    return not owner.__module__.startswith(("keras.", "keras_bin."))
