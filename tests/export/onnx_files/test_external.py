"""ONNX files with a second file for their weights, at a limit that small models reach."""

import errno

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from keras_bin.export import ValuesError, export_onnx, verify
from keras_bin.export.models import weight_size
from keras_bin.export.onnx_files import external
from keras_bin.export.onnx_files.external import ExternalWeights
from testing.weights import randomize
from tests.export.folders import contents
from tests.export.kinds import KINDS, bin_model, classifier


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    monkeypatch.setattr(weight_size, "LARGEST_INSIDE", 0)
    monkeypatch.setattr(external, "SMALLEST_OUTSIDE", 100)


def outside(path):
    """Returns the shapes of the weights outside an ONNX file."""
    proto = onnx.load(path, load_external_data=False)
    return [list(tensor.dims) for tensor in proto.graph.initializer if tensor.external_data]


@pytest.mark.parametrize("kind", ["functional", "recurrent", "convolutions", "shared_model"])
def test_large_weights_are_in_a_second_file(kind, tmp_path):
    report = export_onnx(KINDS[kind](), tmp_path / "model.onnx")
    assert outside(report.path)
    assert report.max_abs_difference < 1e-5
    assert [name.split(".")[-1] for name in contents(tmp_path)] == ["onnx", "data"]


def test_inputs_are_those_of_the_model_and_kernels_are_stored_as_onnx_reads_them(tmp_path):
    path = export_onnx(randomize(classifier()), tmp_path / "model.onnx").path
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == ["image"]
    assert outside(path) == [[4, 3, 3, 3], [5, 4, 3, 3]]
    assert [node.op_type for node in graph.node].count("Transpose") == 1


@pytest.mark.skipif(
    not hasattr(layers, "ReversibleEmbedding"), reason="this Keras has no ReversibleEmbedding"
)
def test_weight_that_is_read_as_it_is_and_transposed_is_stored_as_it_is(tmp_path):
    inputs, tied = keras.Input((5,), dtype="int32"), layers.ReversibleEmbedding(9, 4)
    model = keras.Model(inputs, tied(tied(inputs), reverse=True))
    report = export_onnx(model, tmp_path / "model.onnx")
    assert outside(report.path) == [[9, 4]]
    assert report.max_abs_difference < 1e-5


def test_weights_that_fit_stay_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_size, "LARGEST_INSIDE", 10_000)
    path = export_onnx(classifier(), tmp_path / "model.onnx").path
    assert outside(path) == []
    assert contents(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize(("limit", "number"), [(4 * 3 * 3 * 3 * 4, 2), (500, 1), (10_000, 0)])
def test_small_weights_stay_inside(limit, number, monkeypatch):
    monkeypatch.setattr(external, "SMALLEST_OUTSIDE", limit)
    assert len(ExternalWeights(classifier()).weights) == number


def test_overwriting_replaces_both_files(tmp_path):
    path = tmp_path / "model.onnx"
    before = set(contents(export_onnx(classifier(), path).path.parent))
    other = randomize(classifier(), seed=1)
    export_onnx(other, path, overwrite=True)
    assert len(contents(tmp_path)) == 2
    assert set(contents(tmp_path)) & before == {"model.onnx"}
    assert verify(path, other).passed


def test_file_without_a_second_one_takes_the_old_ones_place(tmp_path):
    path = export_onnx(classifier(), tmp_path / "model.onnx").path
    with pytest.warns(match="Clients of .* have to change"):
        export_onnx(bin_model(), path, overwrite=True)
    assert contents(tmp_path) == ["model.onnx"]


def test_what_another_program_wrote_beside_is_kept(tmp_path):
    path = export_onnx(classifier(), tmp_path / "model.onnx").path
    for name in ("model.onnx.data", "other.onnx.12345678.data", "model.onnx.12345678.data"):
        (tmp_path / name).touch()
    export_onnx(randomize(classifier(), seed=1), path, overwrite=True)
    assert len(contents(tmp_path)) == 5


def test_old_file_that_is_no_onnx_is_replaced(tmp_path):
    (tmp_path / "model.onnx").write_text("no protobuf")
    with pytest.warns(match="It is not known whether clients of .* have to change"):
        export_onnx(classifier(), tmp_path / "model.onnx", overwrite=True)
    assert len(contents(tmp_path)) == 2


def test_second_file_is_not_left_by_a_failure(tmp_path, monkeypatch):
    path = export_onnx(classifier(), tmp_path / "model.onnx").path
    before = contents(tmp_path)
    publish_file = external.publish_file

    def fail_at_the_model(staged, destination, overwrite):
        if destination == path:
            raise OSError(errno.ENOSPC, "No space left")
        publish_file(staged, destination, overwrite)

    monkeypatch.setattr(external, "publish_file", fail_at_the_model)
    with pytest.raises(OSError, match="No space left"):
        export_onnx(classifier(), path, overwrite=True)
    assert contents(tmp_path) == before


def test_wrong_weights_are_found(tmp_path):
    """The compared values come from the second file."""
    model = classifier()
    path = export_onnx(model, tmp_path / "model.onnx").path
    (data,) = tmp_path.glob("*.data")
    values = np.fromfile(data, "float32")
    (1.5 * values).tofile(data)
    with pytest.raises(ValuesError):
        verify(path, model)
