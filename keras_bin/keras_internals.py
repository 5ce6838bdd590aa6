"""All private names of Keras that keras_bin uses.

Checked on Keras 3.9.2 and 3.15.1. "Public" gives the public name that would replace a private one;
"none" means that Keras has none yet. Review this file first for a new release of Keras.
Attributes without an underscore, such as `lora_enabled` of a layer, are used where they are needed.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras

# Public: none. It holds the current call of this thread.
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.constraints import ALL_OBJECTS_DICT

# Public: none; `keras.Model(inputs, outputs)` makes one, and its class has no public name.
from keras.src.models.functional import Functional as Functional
from keras.src.utils import naming

# Public: none; `keras.constraints.get` looks names up in it.
CONSTRAINTS_BY_NAME = ALL_OBJECTS_DICT
to_snake_case = naming.to_snake_case  # makes automatic layer names; public: none
OPTIMIZERS_OF_TORCH = "keras.src.backend.torch.optimizers"  # of one backend; public: none
LAYERS_MODULE = "keras.src.layers."  # where the classes of Keras's own layers are defined

# Attributes that `Layer.__new__` sets on each layer.
MADE_BY_NEW = frozenset(("build", "quantize", "_tracker"))
# Attributes that a layer's calls set: its place in graphs, and its losses.
LEFT_BY_CALLS = frozenset(
    ("_inbound_nodes", "_outbound_nodes", "_losses", "_loss_ids", "_losses_override")
)
# Attributes that `compile` and `fit` set on a model.
LEFT_BY_TRAINING = (
    *("optimizer", "history", "_compile_loss", "_compile_metrics", "_loss_tracker"),
    *("_compile_config", "_compiled_trainable_state", "_eval_epoch_iterator"),
    *("train_function", "test_function", "predict_function"),
)


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a layer and all layers inside it, each once, in order, outer ones first.

    Public: none; `keras.Model.layers` stops at the first level.
    """
    # Not `Layer._flatten_layers`, which reverses the order inside each layer.
    found: dict[int, keras.layers.Layer] = {}
    waiting = [layer]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting += reversed(layers_held(each))
    return list(found.values())


def layers_inside(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the layers inside a layer at any depth; see `all_layers`."""
    return all_layers(layer)[1:]


def layers_held(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the layers directly inside a layer. Public: for models, `keras.Model.layers`."""
    return list(layer._layers)


def outermost_layer() -> keras.layers.Layer | None:
    """Returns the layer or model whose call led to the current one. Public: none."""
    call = get_global_attribute("current_call_ctx")
    return None if call is None else call.entry_layer


def takes_training(layer: keras.layers.Layer) -> bool:
    """Tells whether `call` has a `training` argument. Public: `inspect.signature`."""
    return bool(layer._call_has_training_arg)


class Call(NamedTuple):
    """One call of a layer, or of another operation, in a Functional model.

    Attributes:
        operation: what is called.
        arguments: the arguments, with lists, tuples and dicts flattened.
        input_tensors: the tensors among them.
        outputs: the tensors that it returns.
    """

    operation: Any
    arguments: list[Any]
    input_tensors: list[Any]
    outputs: list[Any]


def calls_in_order(model: keras.Model) -> list[Call]:
    """Returns the calls that a Functional model consists of, in order. Public: none."""
    by_depth = model._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    return [
        Call(
            node.operation,
            keras.tree.flatten((node.arguments.args, node.arguments.kwargs)),
            node.input_tensors,
            node.outputs,
        )
        for node in nodes
        if not node.is_input
    ]


def call_count(operation: keras.Operation) -> int:
    """Returns how often graphs call a layer, or another operation. Public: none."""
    return len(operation._inbound_nodes)


def take_out_of_graphs(operation: keras.Operation) -> None:
    """Removes the record of where an operation was called. Public: none."""
    operation._inbound_nodes = []
    operation._outbound_nodes = []


def set_own_trainable(layer: keras.layers.Layer, trainable: bool) -> None:
    """Freezes or unfreezes a layer. Public: `trainable`, which also sets the layers inside it."""
    layer._trainable = trainable


def lambda_output_shape(layer: keras.layers.Lambda) -> Any:
    """Returns the argument `output_shape` of a Lambda. Public: its `get_config`, as bytecode."""
    return layer._output_shape


def fill_in_config(method: Any) -> Any:
    """Marks a `get_config` that Keras extends for subclasses that do not define one.

    Public: none.
    """
    method._is_default = True
    return method


def compute_loss(model: keras.Model, **arguments: Any) -> Any:
    """Computes the loss of a train step. Public: `compute_loss`.

    The private one also supports models whose own `compute_loss` takes no `training`.
    """
    return model._compute_loss(**arguments)


def track_loss(model: keras.Model, loss: Any, sample_weight: Any) -> None:
    """Updates the metric `loss` of a compiled model. Public: none."""
    model._loss_tracker.update_state(loss, sample_weight=sample_weight)


def tracked_samples(model: keras.Model) -> keras.Variable:
    """Returns the number of samples in the metric `loss` since it was reset.

    Public: `model.metrics`, where one of the user's metrics may have the same name.
    """
    return model._loss_tracker.count


# Optimizers.
def calls_of(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """Returns the variable that counts an optimizer's calls.

    Public: `iterations`, which counts updates; under gradient accumulation several calls make one.
    """
    return optimizer._iterations


def variables_built_with(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer was built with. Public: none."""
    return list(optimizer._trainable_variables)


def updates(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Tells whether a built optimizer was built with a variable. Public: none."""
    return optimizer._var_key(variable) in optimizer._trainable_variables_indices


def moving_average(
    optimizer: keras.optimizers.Optimizer, variable: keras.Variable
) -> keras.Variable:
    """Returns the moving average that an optimizer with `use_ema` keeps. Public: none."""
    return optimizer._model_variables_moving_average[optimizer._get_variable_index(variable)]


def schedule_free_iterate(
    optimizer: keras.optimizers.Optimizer, variable: keras.Variable
) -> keras.Variable | None:
    """Returns the iterate that ScheduleFreeAdamW (Keras >= 3.14) keeps, else None. Public: none."""
    schedule_free = getattr(keras.optimizers, "ScheduleFreeAdamW", ())
    if not isinstance(optimizer, schedule_free):
        return None
    return optimizer._momentums[optimizer._get_variable_index(variable)]


def exclude_too(optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]) -> None:
    """Excludes variables from weight decay, in addition to those that the user has excluded.

    Public: `exclude_from_weight_decay`, which replaces the exclusions of an earlier call.
    """
    excluded: set[Any] = getattr(optimizer, "_exclude_from_weight_decay", set())
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    optimizer.exclude_from_weight_decay(
        var_list=variables, var_names=None if pattern is None else [pattern.pattern]
    )
    optimizer._exclude_from_weight_decay |= excluded


@contextlib.contextmanager
def decay_of_nothing(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Lets an optimizer step in a `with` block even if no variable is left to decay.

    Public: none. Keras 3.15 otherwise gives PyTorch an empty list of tensors, and PyTorch raises.
    """
    if keras.backend.backend() != "torch":
        yield
        return
    decay = optimizer._apply_weight_decay

    def decay_some(variables: list[keras.Variable]) -> None:
        if any(optimizer._use_weight_decay(variable) for variable in variables):
            decay(variables)

    optimizer._apply_weight_decay = decay_some
    try:
        yield
    finally:
        del optimizer._apply_weight_decay


STEP_OF_ALL = "_parallel_update_step"  # on PyTorch: `update_step` for a list. Public: none.


def variable_key(optimizer: keras.optimizers.Optimizer, variable: Any) -> Any:
    """Returns the optimizer's key for a variable, or for its copy on a replica. Public: none."""
    return optimizer._var_key(variable)


# Tracking of a layer's parts, for copies made attribute by attribute. Public: none.
def own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the variables of a layer, without those of the layers inside it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def seed_generators(layer: keras.layers.Layer) -> list[keras.random.SeedGenerator]:
    """Returns the seed generators that a layer holds itself."""
    return list(layer._seed_generators)


def own_parts(layer: keras.layers.Layer) -> list[Any]:
    """Returns the seed generators and metrics that a layer holds."""
    return [*seed_generators(layer), *layer._metrics]


def tracker_of(layer: keras.layers.Layer) -> Any:
    """Returns the object that tracks the parts set on a layer."""
    return layer._tracker


def tracked_lists(layer: keras.layers.Layer) -> dict[str, list[Any]]:
    """Returns the lists in which a layer tracks its parts, by name."""
    return {name: tracked for name, (_, tracked) in layer._tracker.config.items()}


@contextlib.contextmanager
def untracked(layer: keras.layers.Layer) -> Iterator[None]:
    """Stops a layer from tracking what is set on it inside a `with` block."""
    config, layer._tracker.config = layer._tracker.config, {}
    try:
        yield
    finally:
        layer._tracker.config = config


def copy_tracked(
    layer: keras.layers.Layer, new: keras.layers.Layer, copied: Callable[[Any], Any]
) -> None:
    """Makes a copy of a layer track the copies of the layer's parts.

    Args:
        layer: the original.
        new: its copy.
        copied: returns the copy of a part.
    """
    source, target = layer._tracker, new._tracker
    for name, tracked in tracked_lists(new).items():
        tracked[:] = map(copied, source.config[name][1])
        target.stored_ids[name] = set(map(id, tracked))
    if source.locked:
        target.lock(source._lock_violation_msg)
