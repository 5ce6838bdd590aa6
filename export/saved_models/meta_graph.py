"""Reading the graph and the signatures in a SavedModel's `saved_model.pb`."""

from pathlib import Path

from ..files.saved_model import SAVED_MODEL_PB
from ..tensorflow_internals import known_dtypes, parse_saved_model


def read_graph(folder: Path):
    """Returns the MetaGraphDef of a SavedModel.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file is damaged, or does not have exactly one graph.
    """
    from google.protobuf.message import DecodeError

    path = folder / SAVED_MODEL_PB
    try:
        (graph,) = parse_saved_model(path.read_bytes()).meta_graphs
    except (DecodeError, ValueError) as error:
        raise ValueError(
            "A saved_model.pb must hold one graph, as TensorFlow 2 writes it; export the model "
            f"again. Received: {str(path)!r}; protobuf says: {error}"
        ) from error
    return graph


def signatures(graph) -> dict:
    """Returns the SignatureDefs of a MetaGraphDef by name, without TensorFlow's own.

    TensorFlow adds one that initializes the model, for example.
    """
    return {
        name: signature
        for name, signature in sorted(graph.signature_def.items())
        if not name.startswith("__")
    }


def specs(infos) -> dict:
    """Maps names of inputs or outputs to dtype and shape; None is a free size or an unknown rank.

    Args:
        infos: the inputs or outputs of a SignatureDef.
    """
    import tensorflow as tf

    known = known_dtypes()  # an output of several tensors has no dtype
    return {
        name: (
            tf.dtypes.as_dtype(info.dtype).name if info.dtype in known else "unknown",
            None
            if info.tensor_shape.unknown_rank
            else tuple(None if axis.size < 0 else axis.size for axis in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    }
