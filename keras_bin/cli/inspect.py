"""The command `keras-bin inspect`."""

import json
from pathlib import Path

from rich.table import Table
from rich.text import Text

from keras_bin.cli.arguments import add_command
from keras_bin.export.describe import VersionsFolder, describe
from keras_bin.export.keras_file import KerasFile
from keras_bin.export.onnx_files.onnx_graph import OnnxFile
from keras_bin.export.saved_models.manifest import FORMAT
from keras_bin.export.saved_models.saved_model_file import SavedModelFolder

EXAMPLE = """  keras-bin inspect models/digits/1
    lists the signatures of a SavedModel, and its operators
"""


def add_parser(commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "inspect",
        _inspect,
        help="say what is in a model file or an artifact",
        description="Says what is in a file: inputs, outputs, versions and size; the gates of a\n"
        ".keras model; the operators of a SavedModel or an ONNX file. Artifacts are not run.",
        example=EXAMPLE,
    )
    parser.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="a .keras file, a SavedModel (OUT/<version>), the folder of its versions (OUT), or "
        "an ONNX file",
    )


def _inspect(options, output):
    with output.status(f"reading {options.path}"):
        found = describe(options.path)
    output.show(*_RESULTS[type(found)](found))
    output.data.update(found.as_dict())


def _keras_file(found):
    yield (
        f"{found.path}: Keras model, {found.size:,} bytes, {found.layers} layers, "
        f"{found.parameters:,} parameters"
    )
    yield from _pairs("file", found.metadata)
    yield from _tensors("", found.inputs, found.outputs)
    yield from _gates([layer._asdict() for layer in found.rho])


def _saved_model(found):
    yield (
        f"{found.path}: SavedModel, {found.size:,} bytes, written by TensorFlow "
        f"{found.tensorflow_version}"
    )
    if found.manifest is not None:
        known = found.manifest.get("format") == FORMAT
        yield from (_manifest(found.manifest) if known else _pairs("manifest", found.manifest))
    for signature, names in _distinct(found.signatures):
        yield from _tensors(f"{names}: ", signature.inputs, signature.outputs)
        yield from _operators(f"{names}: ", signature.operators)


def _onnx_file(found):
    opsets = ", ".join(f"{domain or 'ai.onnx'} {v}" for domain, v in found.opsets.items())
    yield (
        f"{found.path}: ONNX file, {found.size:,} bytes, written by {found.producer}; "
        f"operator sets: {opsets}"
    )
    facts = dict(found.metadata)
    if {"keras_bin", "layers", "rho"} <= facts.keys():
        yield from _layers(json.loads(facts.pop("layers")))
        yield from _gates(json.loads(facts.pop("rho")))
    if facts:
        yield from _pairs("metadata", facts)
    yield from _tensors("", found.inputs, found.outputs)
    yield from _operators("", found.operators)


def _manifest(manifest):
    checks, values = manifest["checks"], manifest["checks"]["values"]
    facts = {
        "exported": manifest["exported"],
        "versions": ", ".join(
            f"{name} {version}" for name, version in manifest["versions"].items()
        ),
        **(manifest["source"] or {}),
        "checked": "; ".join(checks["structure"]),
        "largest difference": f"{values['max_abs']:.2g} over {values['samples']} batches "
        f"(allowed: {values['atol']:g} + {values['rtol']:g} * value)",
        "warm-up requests": checks["warm_up"]["records"],
    }
    yield from _pairs("export", facts)
    yield from _layers(manifest["layers"])
    yield from _gates(manifest["rho"])


def _layers(layers):
    columns = ("layer", "class", "became", "into", "why", "channels", "moved gates")
    return _table("normalization layers", columns, (map(_text, row.values()) for row in layers))


def _gates(gates):
    channels, zeros, ones = (
        sum(layer[key] for layer in gates) for key in ("channels", "at_zero", "at_one")
    )
    return _table(
        f"rho: {len(gates)} BIN layers, {channels} channels, {zeros} at 0, {ones} at 1",
        ("layer", "channels", "mean", "least", "greatest", "at 0", "at 1", "< 0.1", "> 0.9"),
        (
            (name, channels, *(f"{x:.3f}" for x in rest[:3]), *rest[3:])
            for name, channels, *rest in (layer.values() for layer in gates)
        ),
    )


def _text(value):
    return "" if value is None else str(value)


def _versions(found):
    yield f"{found.path}: versions of a SavedModel: {len(found.versions)}, {found.size:,} bytes"
    yield from _table("versions", ("version", "bytes"), found.versions)


_RESULTS = {
    KerasFile: _keras_file,
    SavedModelFolder: _saved_model,
    OnnxFile: _onnx_file,
    VersionsFolder: _versions,
}


def _tensors(prefix, inputs, outputs):
    return _table(
        f"{prefix}inputs and outputs",
        ("", "name", "shape", "dtype"),
        (
            (side, tensor.name, ", ".join(map(_size, tensor.shape)), tensor.dtype)
            for side, tensors in (("input", inputs), ("output", outputs))
            for tensor in tensors
        ),
    )


def _size(size):
    return "free" if size is None else str(size)


def _operators(prefix, operators):
    title = f"{prefix}{sum(operators.values())} operators of {len(operators)} kinds"
    return _table(title, ("operator", "number"), operators.items())


def _pairs(title, pairs):
    return _table(title, ("name", "value"), pairs.items())


def _distinct(signatures):
    """Returns signatures that differ in more than their names, each with all its names."""
    names = {}
    for signature in signatures:
        what = (signature.inputs, signature.outputs, tuple(signature.operators.items()))
        names.setdefault(what, (signature, []))[1].append(signature.name)
    return [(signature, " and ".join(all_names)) for signature, all_names in names.values()]


def _table(title, columns, rows):
    """Returns a title, which a narrow table would break into lines, and a table."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return f"\n{title}", table
