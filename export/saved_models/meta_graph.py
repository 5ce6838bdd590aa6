"""Reading the graph and the signatures in a SavedModel's `saved_model.pb`."""

from pathlib import Path

from ..files.saved_model import SAVED_MODEL_PB
from ..tensorflow_internals import parse_saved_model


def read_graph(folder: Path):
    """Returns the MetaGraphDef of a SavedModel.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file is damaged, or has no graph or several.
    """
    from google.protobuf.message import DecodeError

    path = folder / SAVED_MODEL_PB
    try:
        (graph,) = parse_saved_model(path.read_bytes()).meta_graphs
    except (DecodeError, ValueError) as error:
        raise ValueError(
            "A saved_model.pb must hold one graph, as TensorFlow 2 writes it; export the model "
            f"again. Received: {str(path)!r}, of which protobuf says: {error}"
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
