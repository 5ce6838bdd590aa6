"""The graph in a `saved_model.pb`, and files that hold none."""

import pytest
import tensorflow as tf

from keras_bin.export.saved_models.meta_graph import read_graph, signatures
from keras_bin.export.saved_models.structure import check_structure
from keras_bin.export.tensorflow_internals import parse_saved_model


def content_of(*graphs):
    content = parse_saved_model(b"")
    for tag in graphs:
        content.meta_graphs.add().meta_info_def.tags.append(tag)
    return content.SerializeToString()


def test_signatures_are_those_of_the_writer(tmp_path):
    double = tf.function(lambda x: {"y": 2 * x}, autograph=False)
    concrete = double.get_concrete_function(tf.TensorSpec((None,), name="x"))
    tf.saved_model.save(tf.Module(), str(tmp_path), {"serve": concrete, "first": concrete})
    graph = read_graph(tmp_path)
    assert set(graph.signature_def) > {"first", "serve"}
    assert list(signatures(graph)) == ["first", "serve"]


@pytest.mark.parametrize(
    "content",
    [b"no proto", b"", content_of("serve", "train")],
    ids=["other", "empty", "two graphs"],
)
@pytest.mark.parametrize("read", [read_graph, check_structure])
def test_file_without_one_graph_is_refused(read, content, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ValueError, match=r"must hold one graph.*Received: '.*saved_model.pb'"):
        read(tmp_path)
