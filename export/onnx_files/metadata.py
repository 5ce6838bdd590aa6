"""Writing what an ONNX file says about its own export: what wrote it, and from what."""

import json
from collections.abc import Sequence

import keras

import keras_bin

from ..files.metadata import RUNTIME, VERSION
from ..preparation import Preparation
from ..results.layer_report import LayerFold
from ..results.plain import plain


def write_metadata(
    proto,
    prepared: Preparation,
    opset: int,
    lowering: str,
    layers: Sequence[LayerFold],
) -> None:
    """Writes the metadata of an ONNX model, replacing what tf2onnx wrote."""
    import onnx
    import tf2onnx

    proto.producer_name = "keras-bin"
    proto.producer_version = keras_bin.__version__
    proto.doc_string = ""
    del proto.opset_import[:]  # tf2onnx also lists domains that are not used
    proto.opset_import.add(domain="", version=opset)
    proto.graph.name = prepared.exported.model.name
    onnx.helper.set_model_props(
        proto,
        {
            VERSION: keras_bin.__version__,
            "keras": keras.__version__,
            "tf2onnx": tf2onnx.__version__,
            "lowering": lowering,
            RUNTIME: prepared.runtime,
            "given_names": json.dumps(prepared.exported.given_names),
            "layers": json.dumps(plain(layers)),
            "rho": json.dumps(plain(prepared.rho)),
        },
    )
