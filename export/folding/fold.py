"""Folding a trained model for inference."""

import keras

from keras_bin.comparing.compare import compare
from keras_bin.comparing.original import Tolerance
from keras_bin.gates.finding import bin_layers
from keras_bin.networks.copying import copy_model
from keras_bin.networks.graph import as_functional, check_model
from keras_bin.networks.rebuilding import CopyError
from keras_bin.runtimes import ANY, OPENVINO, check_runtime
from keras_bin.stages import begin_stage

from ..models.exported_gates import ExportedGates, exported_rho
from ..models.rho_tolerance import check_rho_tolerance
from ..results.errors import ValuesError
from ..results.layer_report import FoldReport, LayerFold
from .plan import FoldPlan, plan_folding

TOLERANCE = Tolerance(half=0.03, single=1e-3, double=1e-3)
# Nearly constant images lose digits.
OPENVINO_TOLERANCE = Tolerance(half=0.03, single=1e-2, double=1e-2)


def fold(model: keras.Model, rho_tolerance: float = 0.0, runtime: str = ANY) -> keras.Model:
    """Returns a new model for inference in which normalization layers are folded into constants.

    The running statistics, rho (clipped to [0, 1]), gamma and beta of every
    `BatchInstanceNormalization`, and of every `keras.layers.BatchNormalization`, become
    per-channel constants, computed in float64 and cast once.

    - A batch normalization, or a BIN layer whose every rho is 1, becomes an affine map. The
      convolution or dense layer before it absorbs this map into its weights, if that layer has
      no activation, is called once, and nothing else reads its output.
    - If every rho is 0, the layer becomes one instance normalization.
    - Otherwise, the layer computes statistics once, and multiplies and adds once. The layer
      before absorbs the channels whose rho is 1, and the running mean of the others.

    All other layers are copied with their weights; shared layers stay shared. Custom layers are
    copied attribute by attribute, not from their `get_config`. BIN layers inside them are folded,
    whether they are attributes or in lists or dicts. If the copy of a custom layer then does not
    run, or computes something else (its `call` reads weights of a BIN layer, or sets
    `training=True` for it), no BIN layer inside a custom layer is folded. Normalization layers
    that override `call` are copied unfolded. The batch size of the inputs becomes None,
    half-precision models become float32, and `model` itself does not change. `fold_report`
    tells what became of each layer.

    The result computes what `model(x, training=False)` and `model.predict` compute. In both, Keras
    ignores a `training=True` in the graph of a model, so the copy of the graph leaves it out. The
    result is compared on one generated batch with `model`, whose rho is clipped and moved for it.
    It is not compared if the model does not run on that batch, or if its outputs are random or
    not finite.

    Args:
        model: a built Functional or Sequential model, nested ones included, or a subclassed
            model of one input tensor.
        rho_tolerance: gates this close to 0 or 1 are moved there; at least 0, below 0.5.
        runtime: what will run the result: `"any"`, `"onnxruntime"`, `"openvino"`, `"litert"` or
            `"tensorflow"`. Each is fastest with different operators; docs/runtimes.md has the
            figures. `"any"` avoids what is slow in any of them, and keeps the most digits.
            `"litert"` and `"tensorflow"` do the same, as nothing else was faster there.

    Returns:
        An uncompiled `keras.Model` with the inputs, outputs and names of `model`.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is not built or cannot be made Functional, a weight of a
            normalization layer is not finite, a layer cannot be copied, or `rho_tolerance` or
            `runtime` cannot be used.
        ValuesError: the result does not compute what `model` does, or uses its weights;
            a subclass of ValueError.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization()(x))  # rho is 1
    >>> [layer.name for layer in fold(model).layers][1:]
    ['conv2d', 'batch_instance_normalization']
    """
    return _folded(model, rho_tolerance, runtime)[0]


def fold_report(model: keras.Model, rho_tolerance: float = 0.0) -> list[LayerFold]:
    """Tells what `fold` makes of each normalization layer, in the order of computation.

    Args:
        model: as for `fold`.
        rho_tolerance: as for `fold`.

    Returns:
        A `LayerFold` for each layer, in a list that is displayed as a table.

    Raises:
        TypeError: as for `fold`.
        ValueError: as for `fold`.
        ValuesError: as for `fold`.

    Example:
    >>> import keras, keras_bin
    >>> from keras_bin.export import fold_report
    >>> inputs = keras.Input((8, 8, 3))
    >>> model = keras.Model(inputs, keras_bin.BatchInstanceNormalization(name="bin")(inputs))
    >>> (layer,) = fold_report(model)
    >>> layer.became, layer.reason
    ('affine map', 'its input is an input of the model, or of the model that it is in')
    """
    return FoldReport(_folded(model, rho_tolerance)[1].layers)


def check_folded(
    model: keras.Model, folded: keras.Model, rho_tolerance: float = 0.0, runtime: str = ANY
) -> None:
    """Checks on one batch that a folded model computes what the original computes.

    Nothing is checked if the original does not run on generated inputs, or if its outputs are
    random or not finite.

    Args:
        model: the original; its gates are clipped and moved for the comparison.
        folded: the folded model.
        rho_tolerance: as for `fold`.
        runtime: as for `fold`.

    Raises:
        ValuesError: an output differs, or `folded` uses a weight of `model`.
    """
    gates = ExportedGates(model, rho_tolerance).values
    tolerance = OPENVINO_TOLERANCE if runtime == OPENVINO else TOLERANCE
    found = compare(model, folded, tolerance, gates)
    if found.differences:
        uses = f"uses the weights of {found.uses} and " if found.uses else ""
        raise ValuesError(
            "A folded model must compute in inference mode what the model itself computes; a "
            "custom layer that sets `training=True` for a layer inside it, or that calls one "
            "through a function or a global name, breaks that. Change the layer, or export "
            "the model with export_saved_model or export_onnx, which copy no layers. "
            f"Received: model {model.name!r}, whose copy {uses}differs in:",
            list(found.differences),
        )


def _folded(
    model: keras.Model, rho_tolerance: float, runtime: str = ANY
) -> tuple[keras.Model, FoldPlan]:
    """Folds inside custom layers, too, if they then still compute what they did before."""
    check_model(model)
    check_rho_tolerance(rho_tolerance)
    check_runtime(runtime)
    graph = as_functional(model)
    try:
        return _carried_out(
            plan_folding(graph, rho_tolerance, runtime), graph, rho_tolerance, runtime
        )
    except (CopyError, ValuesError):
        plan = plan_folding(graph, rho_tolerance, runtime, inside=False)
    try:
        return _carried_out(plan, graph, rho_tolerance, runtime)
    except CopyError as error:
        raise CopyError(
            f"{error} To leave every layer as it is, export the model with export_saved_model or "
            "export_onnx, which copy none."
        ) from error


def _carried_out(
    plan: FoldPlan, graph: keras.Model, rho_tolerance: float, runtime: str
) -> tuple[keras.Model, FoldPlan]:
    begin_stage("fold")
    folded = copy_model(graph, plan.replacements)
    for layer in bin_layers(folded):
        if layer.rho is not None:  # None if another layer holds it but never calls it
            layer.rho.assign(exported_rho(layer, rho_tolerance))
    begin_stage("verify")
    check_folded(graph, folded, rho_tolerance, runtime)
    return folded, plan
