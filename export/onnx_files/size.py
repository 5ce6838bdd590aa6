"""Size of an ONNX file, including its weights in other files."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from .proto import read_proto


def onnx_size(path: Path) -> int:
    """Returns the size in bytes of an ONNX file and the files beside it that hold its weights.

    For any other file, this is just its own size.

    Raises:
        OSError: there is no file, or it cannot be read.
    """
    try:
        proto = read_proto(path)
    except ValueError:
        return path.stat().st_size
    files = {os.path.normpath(path.parent / name) for name in external_locations(proto)}
    return sum(map(os.path.getsize, {os.path.normpath(path), *filter(os.path.isfile, files)}))


def external_locations(proto) -> Iterator[str]:
    """Yields the paths that an ONNX model states for its weights in other files."""
    inside_functions = (_tensors_of(function.node) for function in proto.functions)
    for tensor in itertools.chain(_tensors(proto.graph), *inside_functions):
        yield from (entry.value for entry in tensor.external_data if entry.key == "location")


def _tensors(graph):
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of(graph.node)


def _tensors_of(nodes):
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _tensors(graph)
