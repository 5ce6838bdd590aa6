"""Artifacts as they are read back: their signatures, and functions that run them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from keras_bin.networks.signature import Signature, TensorInfo
from keras_bin.runtimes import ANY

from ..extras import require_onnx, require_tensorflow
from ..files.manifest import read_manifest
from ..files.metadata import QUANTIZATION, RUNTIME, VERSION, facts_in
from ..files.saved_model import is_saved_model
from ..results.errors import VerificationError


class Artifact(NamedTuple):
    """A loaded SavedModel or ONNX file.

    Attributes:
        signature: names, shapes and dtypes as the file states them.
        given_names: names that the export gave; see `ExportedModel`.
        runtime: the runtime it was written for, as it states.
        quantization: how it was quantized, as it states; empty if it was not.
        run: maps a dict of input arrays to a dict of output arrays. It raises a
            VerificationError if the runtime cannot run the artifact on them.
    """

    signature: Signature
    run: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    given_names: Mapping[str, list[str] | None] = MappingProxyType({})
    runtime: str = ANY
    quantization: str = ""


def load_artifact(path: Path) -> Artifact:
    """Loads a SavedModel directory with TensorFlow, or an ONNX file with ONNX Runtime.

    Raises:
        FileNotFoundError: neither is at `path`.
        VerificationError: it cannot be loaded, or has no signature `serving_default`.
    """
    if is_saved_model(path):
        return _load_saved_model(path)
    if path.is_file():
        return _load_onnx(path)
    raise FileNotFoundError(
        "`artifact` must be a SavedModel directory (base/<version>) or an ONNX file. "
        f"Received: {str(path)!r}"
    )


def _load_saved_model(path):
    require_tensorflow()
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures["serving_default"]
    except Exception as error:  # TensorFlow's errors share no other class
        raise VerificationError(
            "TensorFlow must be able to load the SavedModel and its signature 'serving_default'; "
            "export the model again. TensorFlow says:",
            [f"{type(error).__name__}: {error}"],
        ) from error

    def infos(specs):
        return tuple(
            TensorInfo(name, tuple(spec.shape), spec.dtype.name) for name, spec in specs.items()
        )

    def run(inputs, keep=loaded):
        outputs = serve(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    manifest = read_manifest(path) or {}
    return Artifact(
        Signature(infos(serve.structured_input_signature[1]), infos(serve.structured_outputs)),
        _in_words(run, "TensorFlow"),
        (manifest.get("model") or {}).get("given_names") or {},
        manifest.get("runtime") or ANY,
    )


def _load_onnx(path):
    require_onnx()
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no other class
        raise VerificationError(
            "ONNX Runtime must be able to load the file; it runs few operators in float64, so "
            "build a float64 model in float32, or export a SavedModel. ONNX Runtime says:",
            [str(error)],
        ) from error

    def infos(arguments):
        return tuple(
            TensorInfo(
                argument.name,
                tuple(size if isinstance(size, int) else None for size in argument.shape),
                _ONNX_DTYPES.get(argument.type, argument.type),
            )
            for argument in arguments
        )

    names = [output.name for output in session.get_outputs()]

    def run(inputs):
        return dict(zip(names, session.run(names, inputs), strict=True))

    metadata = session.get_modelmeta().custom_metadata_map
    return Artifact(
        Signature(infos(session.get_inputs()), infos(session.get_outputs())),
        _in_words(run, "ONNX Runtime"),
        facts_in(metadata, path).get("given_names") or {},
        metadata.get(RUNTIME, ANY) if VERSION in metadata else ANY,
        metadata.get(QUANTIZATION, ""),
    )


def _in_words(run, runtime):
    """Returns a function that calls `run`, and says on which inputs the runtime failed."""

    def run_in_words(inputs):
        try:
            return run(inputs)
        except Exception as error:  # the errors of a runtime share no other class
            arrays = [f"{x!r}: {np.asarray(a).dtype} {np.shape(a)}" for x, a in inputs.items()]
            raise VerificationError(
                f"{runtime} must run the artifact on every batch that the model takes; replace "
                "the layer whose operator it names, or pass `samples` with the sizes and values "
                f"to be served. The batch, and what {runtime} says:",
                [", ".join(arrays) or "without inputs", f"{type(error).__name__}: {error}"],
            ) from error

    return run_in_words


_ONNX_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
    **{
        f"tensor({kind}{bits})": f"{kind}{bits}"
        for kind in ("int", "uint")
        for bits in (8, 16, 32, 64)
    },
}
