"""How a SavedModel is described."""

import json

import keras
import pytest
import tensorflow as tf
from keras import layers

from keras_bin.export import export_saved_model
from keras_bin.export.saved_models import reader
from keras_bin.export.saved_models.reader import describe_saved_model
from keras_bin.export.tensorflow_internals import known_dtypes, parse_saved_model
from keras_bin.networks.signature import model_signature
from tests.export.kinds import IMAGE, KINDS, bin_model


class Looping(tf.Module):
    """Doubles its input in a loop, on one of two branches."""

    @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
    def serve(self, x):
        def double():
            return tf.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, tf.math.erf(y)), [0, x])

        total = tf.cond(tf.reduce_sum(x) > 0, lambda: double()[1], lambda: tf.math.sinh(x))
        return {"y": total}


def signature_of(path, name="serving_default"):
    found = describe_saved_model(path)
    return next(signature for signature in found.signatures if signature.name == name)


def convolutions(number):
    x = inputs = keras.Input(IMAGE, name="image")
    for _ in range(number):
        x = layers.ReLU()(layers.Conv2D(2, 3, padding="same")(x))
    return keras.Model(inputs, x)


@pytest.mark.parametrize("kind", ["functional", "dicts", "free_sizes"])
def test_signature_is_that_of_the_model(kind, tmp_path):
    model = KINDS[kind]()
    found = signature_of(export_saved_model(model, tmp_path).path)
    inputs, outputs = model_signature(model)
    assert found.inputs == tuple(sorted(inputs))
    assert [info.name for info in found.outputs] == sorted(info.name for info in outputs)


@pytest.mark.parametrize("number", [1, 3])
def test_operators_that_a_call_runs_are_counted(number, tmp_path):
    operators = signature_of(export_saved_model(convolutions(number), tmp_path).path).operators
    assert {kind: operators[kind] for kind in ("Conv2D", "Relu")} == {
        "Conv2D": number,
        "Relu": number,
    }
    assert operators["Placeholder"] == 1
    assert "PartitionedCall" not in operators
    assert "StatefulPartitionedCall" not in operators


def test_operators_that_save_and_restore_are_left_out(tmp_path):
    bin_model().export(tmp_path, verbose=False)
    operators = signature_of(tmp_path).operators
    assert not {"SaveV2", "RestoreV2", "AssignVariableOp"} & set(operators)
    assert operators["ReadVariableOp"] == 5


def test_operators_are_in_the_order_of_their_number(tmp_path):
    operators = signature_of(export_saved_model(bin_model(), tmp_path).path).operators
    ranked = [(-number, kind) for kind, number in operators.items()]
    assert ranked == sorted(ranked)


def test_branches_and_loops_are_looked_into(tmp_path):
    module = Looping()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    operators = signature_of(tmp_path).operators
    assert operators["Erf"] == operators["Sinh"] == 1
    assert any("If" in kind for kind in operators)
    assert any("While" in kind for kind in operators)


def test_size_version_and_manifest(tmp_path):
    path = export_saved_model(bin_model(), tmp_path).path
    (path / "keras_bin.json").write_text('{"format": 1}')
    found = describe_saved_model(path)
    assert found.size == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    assert found.tensorflow_version == tf.__version__
    assert found.manifest == {"format": 1}


def test_saved_model_of_another_program_has_no_manifest(tmp_path):
    module = Looping()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    assert describe_saved_model(tmp_path).manifest is None


def test_plain_values_survive_strict_json(tmp_path):
    plain = describe_saved_model(export_saved_model(bin_model(), tmp_path).path).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["kind"] == "saved_model"
    assert plain["signatures"][-1]["inputs"] == [
        {"name": "image", "shape": [None, *IMAGE], "dtype": "float32"}
    ]


def rewrite(path, change):
    """Lets a function change the graph of a SavedModel."""
    content = parse_saved_model((path / "saved_model.pb").read_bytes())
    change(content.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(content.SerializeToString())
    return path


@pytest.mark.parametrize("encoding", ["coo_sparse", "composite_tensor"])
def test_output_of_several_tensors_is_described(encoding, tmp_path):
    """TensorFlow 1 and structured signatures have such outputs."""

    def make_sparse(graph):
        for signature in graph.signature_def.values():
            for output in signature.outputs.values():
                name = output.name
                if encoding == "coo_sparse":
                    output.coo_sparse.values_tensor_name = name
                    output.coo_sparse.indices_tensor_name = name
                    output.coo_sparse.dense_shape_tensor_name = name
                else:
                    output.dtype = 0
                    output.composite_tensor.components.add(name=name)

    path = export_saved_model(bin_model(), tmp_path).path
    before = signature_of(path)
    found = signature_of(rewrite(path, make_sparse))
    assert found.operators == before.operators
    dtype = "float32" if encoding == "coo_sparse" else "unknown"
    assert found.outputs == (before.outputs[0]._replace(dtype=dtype),)


@pytest.mark.parametrize("dtype", [0, 9999])
def test_unknown_dtype_is_described(dtype, tmp_path):
    def change(graph):
        graph.signature_def["serving_default"].inputs["image"].dtype = dtype

    found = signature_of(rewrite(export_saved_model(bin_model(), tmp_path).path, change))
    assert [info.dtype for info in found.inputs] == ["unknown"]


@pytest.mark.parametrize("dtype", sorted(known_dtypes()), ids=str)
def test_every_known_dtype_has_a_name(dtype):
    graph = parse_saved_model(b"").meta_graphs.add()
    signature = graph.signature_def["serving_default"]
    signature.inputs["x"].dtype = dtype
    ((_, _, name),) = reader._tensors(signature.inputs)
    assert tf.dtypes.as_dtype(name) == dtype


def test_operator_that_is_missing_is_named(tmp_path):
    def cut(graph):
        graph.signature_def["serve"].outputs["bin"].name = "gone:0"

    path = rewrite(export_saved_model(bin_model(), tmp_path).path, cut)
    with pytest.raises(ValueError, match=r"every operator .*saved_model.pb', in which 'gone' is"):
        describe_saved_model(path)
