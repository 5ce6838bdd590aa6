"""The work of `keras-bin inspect`."""

import contextlib

from keras_bin.export.describe import VersionsFolder, describe
from keras_bin.export.files.manifest import FORMAT
from keras_bin.export.files.metadata import VERSION, facts_in
from keras_bin.export.files.publish import publish_file, staging
from keras_bin.export.models.keras_file import KerasFile, load_keras_file
from keras_bin.export.onnx_files.reader import OnnxFile
from keras_bin.export.saved_models.reader import SavedModelFolder
from keras_bin.gates.plots import plot_rho
from keras_bin.stages import begin_stage, end_stage
from keras_bin_cli.work.tables import table_of, titled_table

_LAYERS = {
    "layer": "layer",
    "kind": "class",
    "became": "became",
    "into": "into",
    "reason": "why",
    "channels": "channels",
    "snapped": "moved gates",
    "clipped": "clipped gates",
}
_GATES = {
    "layer": "layer",
    "channels": "channels",
    "mean": "mean",
    "minimum": "minimum",
    "maximum": "maximum",
    "at_zero": "at 0",
    "at_one": "at 1",
    "near_zero": "< 0.1",
    "near_one": "> 0.9",
}


def run(options, output):
    """Describes a file, plots its gates if requested, and shows what was found."""
    begin_stage("load")
    found = describe(options.path, options.imports, options.unsafe)
    if options.plot is not None:
        begin_stage("plot")
        model = load_keras_file(found.path, options.imports, options.unsafe)
        with staging(options.plot.parent, options.plot) as staged:
            written = staged / options.plot.name
            plot_rho(model).savefig(written)
            begin_stage("publish")
            publish_file(written, options.plot, overwrite=True)
            end_stage()
        output.data["plot"] = str(options.plot)
    output.show(*_RESULTS[type(found)](found))
    if options.plot is not None:
        output.show(f"\n{options.plot}: distribution of rho")
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
    facts = facts_in(found.metadata, found.path)
    if VERSION in found.metadata:
        yield from _export_facts(facts)
    if texts := {key: text for key, text in found.metadata.items() if key not in facts}:
        yield from _pairs("metadata", texts)
    yield from _tensors("", found.inputs, found.outputs)
    yield from _operators("", found.operators)


def _manifest(manifest):
    checks = _present(manifest, "checks")
    values = {name: x for name, x in _present(checks, "values").items() if x is not None}
    versions = _present(manifest, "versions").items()
    facts = {
        "exported": manifest.get("exported"),
        "versions": ", ".join(f"{name} {version}" for name, version in versions),
        **_present(manifest, "source"),
        "checked": "; ".join(map(str, checks.get("structure") or ())),
        "largest difference": " ".join(_sentences(values)),
        "warm-up requests": _present(checks, "warm_up").get("records"),
    }
    yield from _pairs("export", {name: x for name, x in facts.items() if x not in (None, "")})
    yield from _export_facts(manifest)


def _present(facts, key):
    """Returns the object at a key, or an empty one if an artifact leaves it out."""
    return facts.get(key) or {}


def _sentences(values):
    """Yields the phrases for which all values are known."""
    for sentence in (
        "{max_abs:.2g}",
        "over {samples} batches",
        "(allowed: {atol:g} + {rtol:g} * value)",
    ):
        with contextlib.suppress(KeyError):
            yield sentence.format(**values)


def _export_facts(facts):
    if facts.get("layers") is not None:
        yield from table_of("normalization layers", _LAYERS, facts["layers"])
    if facts.get("rho") is not None:
        yield from _gates(facts["rho"])


def _gates(gates):
    counts = [
        f"{sum(layer[key] for layer in gates)} {words}"
        for key, words in (("channels", "channels"), ("at_zero", "at 0"), ("at_one", "at 1"))
        if all((layer or {}).get(key) is not None for layer in gates)
    ]
    yield from table_of(", ".join((f"rho: {len(gates)} BIN layers", *counts)), _GATES, gates)


def _versions(found):
    yield f"{found.path}: versions of a SavedModel: {len(found.versions)}, {found.size:,} bytes"
    yield from titled_table("versions", ("version", "bytes"), found.versions)


_RESULTS = {
    KerasFile: _keras_file,
    SavedModelFolder: _saved_model,
    OnnxFile: _onnx_file,
    VersionsFolder: _versions,
}


def _tensors(prefix, inputs, outputs):
    return titled_table(
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
    return titled_table(title, ("operator", "number"), operators.items())


def _pairs(title, pairs):
    return titled_table(title, ("name", "value"), pairs.items())


def _distinct(signatures):
    """Returns the signatures that differ in more than their names, each with all its names."""
    names = {}
    for signature in signatures:
        what = (signature.inputs, signature.outputs, tuple(signature.operators.items()))
        names.setdefault(what, (signature, []))[1].append(signature.name)
    return [(signature, " and ".join(all_names)) for signature, all_names in names.values()]
