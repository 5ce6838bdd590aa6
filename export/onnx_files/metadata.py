"""What an ONNX file says about its own export: who wrote it, from what."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras

import keras_bin
from keras_bin.gates.summaries import RhoSummary

from ..files.facts import GATES, LAYERS, check_facts, parse_json
from ..results.layer_report import LayerFold
from ..results.plain import plain

VERSION = "keras_bin"  # the key that only an export of keras_bin has
FACTS = {"layers": LAYERS, "rho": GATES}  # values that are JSON


def write_metadata(
    proto,
    name: str,
    opset: int,
    lowering: str,
    layers: Sequence[LayerFold],
    rho: Sequence[RhoSummary],
) -> None:
    """Writes the metadata of an ONNX model, in place of what tf2onnx wrote."""
    import onnx
    import tf2onnx

    proto.producer_name = "keras-bin"
    proto.producer_version = keras_bin.__version__
    proto.doc_string = ""
    del proto.opset_import[:]  # tf2onnx also states domains that nothing is used of
    proto.opset_import.add(domain="", version=opset)
    proto.graph.name = name
    onnx.helper.set_model_props(
        proto,
        {
            VERSION: keras_bin.__version__,
            "keras": keras.__version__,
            "tf2onnx": tf2onnx.__version__,
            "lowering": lowering,
            "layers": json.dumps(plain(layers)),
            "rho": json.dumps(plain(rho)),
        },
    )


def read_metadata(proto, path: Path) -> dict[str, str]:
    """Reads the metadata of an ONNX model.

    Args:
        proto: the model.
        path: its file, for the error.

    Raises:
        ValueError: a value has another type than `write_metadata` writes.
    """
    metadata = {pair.key: pair.value for pair in proto.metadata_props}
    for key, expected in FACTS.items() if VERSION in metadata else ():
        if key in metadata:
            where = f"The value of {key!r} in the metadata of {str(path)!r}"
            check_facts(parse_json(metadata[key], where), expected, path, key)
    return metadata
