"""File name endings that `keras-bin export` does not write, and how such files are made."""

import difflib
from pathlib import Path

_WAYS = {
    "keras_bin.export.fold(model).export(path, format='litert') writes it": ".tflite .lite .litert",
    "keras_bin.export.fold(model).export(path, format='openvino') writes it": ".xml .bin",
    "keras_bin.export.fold(model).save(path) writes a folded model, keras-bin convert one with BIN "
    "layers": ".keras",
    "keras_bin.export.fold(model).save(path) writes a folded model": ".h5 .hdf5",
    "a SavedModel is a folder, OUT/<version>, with a saved_model.pb in it": ".pb .pbtxt",
    "coremltools makes it from a SavedModel": ".mlmodel .mlpackage .mlmodelc",
    "tensorflowjs_converter makes it from a SavedModel": ".json",
    "python -m onnxruntime.tools.convert_onnx_models_to_ort makes it from an ONNX file": ".ort",
    "trtexec makes it from an ONNX file": ".engine .plan .trt",
    "pack the folder after it is written": ".zip .tar .gz .tgz .bz2 .xz .7z .zst .whl",
    "keras-bin writes no such file": (
        ".pt .pth .ckpt .safetensors .gguf .npz .npy .pkl .pickle .joblib .msgpack .caffemodel "
        ".prototxt .textproto .onnxtxt .mnn .rknn .dlc .hef .mar .uff .pmml .txt .md .csv .yaml "
        ".yml .toml .py .ipynb .html .png .svg .pdf .jpg .jpeg"
    ),
}
_WAY_OF = {ending: way for way, endings in _WAYS.items() for ending in endings.split()}
ONNX = ".onnx"


def way_to(path: Path) -> str | None:
    """Returns how a file with such a name is made, or None for an ONNX file or a folder.

    A dot alone does not mean a file: `models/v1.2` and `net.v2` are names of folders.
    """
    ending = path.suffix.lower()
    if ending == ONNX:
        return None
    if difflib.get_close_matches(ending, [ONNX], cutoff=0.8):
        return f"Did you mean {path.with_suffix(ONNX)}?"
    way = _WAY_OF.get(ending)
    return way and f"A {ending} file: {way}."
