"""Warm-up requests: TensorFlow Serving's messages, with inputs that the signature takes."""

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import export_saved_model
from keras_bin.export.saved_models.warm_up import WARM_UP_FILE, read_warm_up, write_warm_up
from tests.export.folders import no_room
from tests.export.kinds import KINDS
from tests.export.serving import serving
from tests.runtimes.runtime import EXTRA, skip_or_fail

BATCHES = [
    {"x": np.arange(2, dtype="float32").reshape(1, 2), "text": np.array(["größer"])},
    {"x": np.ones((3, 2), "float32"), "text": np.array([b"a", b"", b"\xff"], object)},
]


def records(folder):
    return list(tf.data.TFRecordDataset(str(folder / WARM_UP_FILE)).as_numpy_iterator())


def test_file_has_the_place_that_the_server_reads(tmp_path):
    write_warm_up(tmp_path, "digits", BATCHES)
    assert str(WARM_UP_FILE) == "assets.extra/tf_serving_warmup_requests"
    assert len(records(tmp_path)) == 2


def test_messages_are_tensorflow_servings(tmp_path):
    """TensorFlow Serving's own classes read every field, and write equal bytes."""
    if importlib.util.find_spec("tensorflow_serving") is None:
        skip_or_fail(f"TensorFlow Serving's messages are not installed; {EXTRA}")
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    write_warm_up(tmp_path, "digits", BATCHES)
    for record, batch in zip(records(tmp_path), BATCHES, strict=True):
        log = PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "digits"
        assert request.model_spec.signature_name == "serving_default"
        assert sorted(request.inputs) == sorted(batch)
        np.testing.assert_array_equal(tf.make_ndarray(request.inputs["x"]), batch["x"])
        texts = [text if isinstance(text, bytes) else text.encode() for text in batch["text"]]
        assert tf.make_ndarray(request.inputs["text"]).tolist() == texts
        assert log.SerializeToString(deterministic=True) == record


def test_requests_are_read_back(tmp_path):
    write_warm_up(tmp_path, "digits", BATCHES)
    first, second = read_warm_up(tmp_path)
    np.testing.assert_array_equal(first["x"], BATCHES[0]["x"])
    assert first["text"].tolist() == ["größer".encode()]
    assert second["text"].tolist() == BATCHES[1]["text"].tolist()


def test_a_server_reads_a_thousand_at_most(tmp_path):
    write_warm_up(tmp_path, "digits", BATCHES[:1] * 1000)
    assert len(records(tmp_path)) == 1000
    with pytest.raises(ValueError, match=r"at most 1000.*Received: 1001 batches"):
        write_warm_up(tmp_path / "other", "digits", BATCHES[:1] * 1001)


def test_requests_that_do_not_fit_on_the_disk_are_an_error(tmp_path):
    with no_room(1000), pytest.raises(OSError, match=r"TensorFlow says: .*File too large") as got:
        write_warm_up(tmp_path, "digits", [{"x": np.ones((1, 1000), "float32")}])
    assert got.value.filename == str(tmp_path)


def test_without_batches_there_is_no_file(tmp_path):
    write_warm_up(tmp_path, "digits", [])
    assert list(tmp_path.iterdir()) == []
    assert read_warm_up(tmp_path) == []


@pytest.mark.parametrize("kind", ["dicts", "masked", "free_sizes"])
def test_signature_takes_the_requests_of_an_export(kind, tmp_path):
    path = export_saved_model(KINDS[kind](), tmp_path).path
    batches = read_warm_up(path)
    sizes = {len(array) for batch in batches for array in batch.values()}
    assert sizes == {1, 3}
    serve = serving(path)
    for batch in batches:
        outputs = serve(**{name: tf.constant(value) for name, value in batch.items()})
        assert all(np.isfinite(value).all() for value in outputs.values())


def test_requests_of_an_export_are_such_as_the_model_takes(tmp_path):
    inputs = keras.Input((None,), dtype="int32", name="x")
    table = keras.layers.Embedding(1, 2)
    model = keras.Model(inputs, table(keras.layers.Cropping1D(40)(inputs[:, :, None])[..., 0]))
    requests = read_warm_up(export_saved_model(model, tmp_path).path)
    assert {len(batch["x"]) for batch in requests} == {1, 3}
    for batch in requests:
        assert batch["x"].shape[1] > 80
        assert not batch["x"].any()


def test_requests_of_an_export_are_the_users_own_samples(tmp_path):
    model = KINDS["functional"]()
    samples = np.random.default_rng(0).normal(size=(5, *model.input_shape[1:])).astype("float32")
    path = export_saved_model(model, tmp_path, samples={"image": samples}).path
    assert [len(batch["image"]) for batch in read_warm_up(path)] == [1, 3]
    for batch in read_warm_up(path):
        np.testing.assert_array_equal(batch["image"], samples[: len(batch["image"])])
