"""Requests that TensorFlow Serving runs to warm up a version before it serves it."""

import functools
from pathlib import Path

import numpy as np

from keras_bin.sampling.trial import Batch

from ..files.write_errors import tensorflow_writes
from ..tensorflow_internals import parse_tensor

WARM_UP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000

# Name and type of each field of TensorFlow Serving's messages, by number. On the wire, a tensor is
# the same as bytes, and a map the same as a list of entries.
_MESSAGES = {
    "ModelSpec": {1: ("name", "string"), 3: ("signature_name", "string")},
    "Input": {1: ("key", "string"), 2: ("value", "bytes")},
    "PredictRequest": {1: ("model_spec", "ModelSpec"), 2: ("inputs", ["Input"])},
    "PredictLog": {1: ("request", "PredictRequest")},
    "PredictionLog": {6: ("predict_log", "PredictLog")},
}


def write_warm_up(folder: Path, name: str, batches: list[Batch]) -> None:
    """Writes requests for the signature `serving_default`, one record per batch.

    The file is `folder/assets.extra/tf_serving_warmup_requests`, a TFRecord of `PredictionLog`
    messages; without batches, no file is written. TensorFlow Serving need not be installed.

    Args:
        folder: folder of the SavedModel.
        name: name of the model on the server, which ignores it for warm-up.
        batches: dicts of input arrays; at most 1000, as a server reads no more.

    Raises:
        OSError: the disk is full, or fails.
        ValueError: there are more than 1000 batches.
    """
    import tensorflow as tf

    if len(batches) > MOST_RECORDS:
        raise ValueError(
            f"TensorFlow Serving reads at most {MOST_RECORDS} warm-up requests; leave some out. "
            f"Received: {len(batches)} batches"
        )
    if not batches:
        return
    (folder / WARM_UP_FILE).parent.mkdir(exist_ok=True)
    with tensorflow_writes(folder), tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        for batch in batches:
            log = _prediction_log()()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = "serving_default"
            for key, array in sorted(batch.items()):
                tensor = tf.make_tensor_proto(array)
                request.inputs.add(key=key, value=tensor.SerializeToString(deterministic=True))
            writer.write(log.SerializeToString(deterministic=True))


def read_warm_up(folder: Path) -> list[dict[str, np.ndarray]]:
    """Returns the inputs of every request that `write_warm_up` wrote."""
    import tensorflow as tf

    if not (folder / WARM_UP_FILE).exists():
        return []
    requests = [
        _prediction_log().FromString(record).predict_log.request
        for record in tf.data.TFRecordDataset(str(folder / WARM_UP_FILE)).as_numpy_iterator()
    ]
    return [
        {entry.key: tf.make_ndarray(parse_tensor(entry.value)) for entry in request.inputs}
        for request in requests
    ]


@functools.cache
def _prediction_log():
    """Returns a class for TensorFlow Serving's `PredictionLog`, with the fields that requests need.

    It has its own descriptor pool, as tensorflow-serving-api registers the same names.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_bin/warm_up.proto", package="tensorflow.serving", syntax="proto3"
    )
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for number, (name, kind) in fields.items():
            repeated = isinstance(kind, list)
            field = message.field.add(
                name=name,
                number=number,
                label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
            )
            kind = kind[0] if repeated else kind
            if kind in _MESSAGES:
                field.type = kinds.TYPE_MESSAGE
                field.type_name = f".tensorflow.serving.{kind}"
            else:
                field.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("tensorflow.serving.PredictionLog")
    )
