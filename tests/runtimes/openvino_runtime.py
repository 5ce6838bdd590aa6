"""OpenVINO, with importers and kernels of its own for every format."""

import importlib.metadata
import importlib.util

from tests.runtimes.runtime import EXTRA, Runtime, Served

# Without this, processors that have bfloat16 compute in it, and are off by 3e-3.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32"}


def missing():
    if importlib.util.find_spec("openvino") is None:
        return f"openvino is missing; {EXTRA}"
    return None


def serve(exported, artifact, _folder):
    import openvino

    core = openvino.Core()
    model = core.compile_model(str(exported.path(artifact)), "CPU", SETTINGS)
    known_as = _tensor_names(exported, artifact)
    inputs = {_name(port, exported.inputs, known_as): port for port in model.inputs}
    outputs = {_name(port, exported.outputs, known_as): port for port in model.outputs}
    if artifact == "OpenVINO IR":
        # Keras's export leaves scalars as outputs where it computes with sizes that are free.
        outputs = {name: outputs[name] for name in exported.outputs}
    results = []
    for batch in exported.batches:
        computed = model({inputs[name]: array for name, array in batch.items()})
        results.append({name: computed[port] for name, port in outputs.items()})
    return Served(_shapes(inputs), _shapes(outputs), results)


def _tensor_names(exported, artifact):
    """Maps the names of tensors to the model's, where a file holds others."""
    if artifact == "LiteRT":  # OpenVINO does not read the signature
        outputs = sorted(exported.outputs)
        return {
            **{f"serving_default_{name}:0": name for name in exported.inputs},
            **{f"StatefulPartitionedCall_1:{i}": name for i, name in enumerate(outputs)},
        }
    if artifact == "OpenVINO IR":  # Keras keeps the names of a dict of outputs only
        return {"Identity:0": exported.outputs[0]}
    return {}


def _name(port, expected, known_as):
    """Returns the name of a port, which may have several, by preference one that is expected."""
    names = [known_as.get(name, name) for name in sorted(port.get_names())]
    return next((name for name in names if name in expected), names[0])


def _shapes(ports):
    return {
        name: tuple(
            None if size.is_dynamic else size.get_length() for size in port.get_partial_shape()
        )
        for name, port in ports.items()
    }


OPENVINO = Runtime(
    "OpenVINO",
    ("ONNX", "SavedModel", "LiteRT", "OpenVINO IR"),
    missing,
    lambda: importlib.metadata.version("openvino"),
    serve,
)
