"""Describing a SavedModel from its files, without running it."""

import collections
from pathlib import Path
from typing import Any, NamedTuple

from keras_bin.networks.signature import TensorInfo

from ..files.manifest import read_manifest
from ..files.saved_model import SAVED_MODEL_PB
from ..files.size import size_on_disk
from ..results.plain import plain
from .meta_graph import read_graph, signatures, specs

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class ServingSignature(NamedTuple):
    """One signature of a SavedModel.

    Attributes:
        name: the key to call it by, such as `"serving_default"`.
        inputs: names, shapes and dtypes.
        outputs: likewise.
        operators: how many operators of each kind a call runs, most frequent first; those in the
            body of a loop count once.
    """

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: dict[str, int]


class SavedModelFolder(NamedTuple):
    """What the folder of a SavedModel contains.

    Attributes:
        path: the folder, by convention `base/<version>`.
        size: total size of its files, in bytes.
        tensorflow_version: version of TensorFlow that wrote it.
        signatures: its signatures.
        manifest: content of `keras_bin.json`, or None if there is no such file.
    """

    path: Path
    size: int
    tensorflow_version: str
    signatures: tuple[ServingSignature, ...]
    manifest: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold."""
        return {"kind": "saved_model", **plain(self)}


def describe_saved_model(path: Path) -> SavedModelFolder:
    """Describes a SavedModel.

    Raises:
        ValueError: `saved_model.pb` or the manifest cannot be read, or a value in the manifest is
            not of the type that an export writes.
    """
    graph = read_graph(path)
    return SavedModelFolder(
        path=path,
        size=size_on_disk(path),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
        signatures=tuple(
            ServingSignature(
                name,
                _tensors(signature.inputs),
                _tensors(signature.outputs),
                _operators(graph.graph_def, signature, path / SAVED_MODEL_PB),
            )
            for name, signature in signatures(graph).items()
        ),
        manifest=read_manifest(path),
    )


def _tensors(tensors):
    return tuple(
        TensorInfo(name, shape or (), dtype) for name, (dtype, shape) in specs(tensors).items()
    )


def _operators(graph_def, signature, path):
    functions = {
        function.signature.name: function.node_def for function in graph_def.library.function
    }
    counts = collections.Counter()
    waiting = [_needed(graph_def.node, signature, path)]
    while waiting:
        for node in waiting.pop():
            called = [functions[name] for name in _called(node) if name in functions]
            waiting += called
            if node.op not in _CALLS or not called:
                counts[node.op] += 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _needed(nodes, signature, path):
    """Returns the nodes that the outputs of a signature depend on."""
    by_name = {node.name: node for node in nodes}
    needed = {}
    waiting = [_node_name(name) for tensor in signature.outputs.values() for name in _names(tensor)]
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise ValueError(
                "A saved_model.pb must hold every operator that its outputs need; export the "
                f"model again. Received: {str(path)!r}, in which {name!r} is missing"
            )
        if name not in needed:
            needed[name] = by_name[name]
            waiting += map(_node_name, by_name[name].input)
    return list(needed.values())


def _names(tensor):
    """Returns the names of the tensors of an output; a sparse one has several."""
    kind = tensor.WhichOneof("encoding")
    if kind == "composite_tensor":
        return [name for part in tensor.composite_tensor.components for name in _names(part)]
    if kind == "coo_sparse":
        return [part for _, part in tensor.coo_sparse.ListFields()]
    return [tensor.name]


def _called(node):
    """Returns the names of the functions that a node calls."""
    for attribute in node.attr.values():
        functions = [attribute.func, *attribute.list.func]
        yield from (function.name for function in functions if function.name)


def _node_name(tensor):
    return tensor.lstrip("^").split(":")[0]
