"""The program of a `serving_process`: it runs SavedModels, and knows neither Keras nor keras_bin.

It is run from its source. Requests come to standard input, one JSON object a line, and each is
answered by one line on standard output; arrays lie in files. It ends with its standard input.
"""

import json
import os
import sys

import numpy as np


def save_arrays(path: str, arrays: dict) -> None:
    """Writes named arrays of any dtype that TensorFlow knows to an .npz file, unpickled.

    Strings are stored as their bytes and lengths. Numbers that NumPy itself does not know, such
    as bfloat16, lose their dtype in such files, so that all dtypes are named beside them.
    """
    entries, stored = [], {}
    for number, (name, array) in enumerate(arrays.items()):
        array = np.asarray(array)
        entry = {"name": name, "shape": array.shape, "dtype": array.dtype.name}
        if array.dtype.kind in "OSU":
            texts = [x if isinstance(x, bytes) else str(x).encode() for x in array.ravel().tolist()]
            entry["dtype"] = "string"
            entry["lengths"] = [len(text) for text in texts]
            array = np.frombuffer(b"".join(texts), "uint8")
        entries.append(entry)
        stored[f"array{number}"] = array
    np.savez(path, entries=json.dumps(entries), **stored)


def load_arrays(path: str) -> dict:
    """Reads what `save_arrays` wrote; strings are bytes in arrays of objects."""
    arrays = {}
    with np.load(path) as stored:
        for number, entry in enumerate(json.loads(str(stored["entries"]))):
            array = stored[f"array{number}"]
            if entry["dtype"] == "string":
                ends = np.cumsum(entry["lengths"], dtype="int64")
                content = array.tobytes()
                texts = np.empty(len(ends), object)
                texts[:] = [
                    content[end - size : end]
                    for end, size in zip(ends, entry["lengths"], strict=True)
                ]
                array = texts.reshape(entry["shape"])
            elif array.dtype.kind == "V":
                array = array.view(_dtype(entry["dtype"]))
            arrays[entry["name"]] = array
    return arrays


def _dtype(name):
    import tensorflow as tf

    return tf.dtypes.as_dtype(name).as_numpy_dtype


class _Server:
    def __init__(self):
        self._path = self._loaded = self._serve = None

    def load(self, path):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(path)
        self._serve = self._loaded.signatures["serving_default"]
        self._path = path
        return {
            "inputs": _infos(self._serve.structured_input_signature[1]),
            "outputs": _infos(self._serve.structured_outputs),
        }

    def run(self, path, inputs, outputs):
        import tensorflow as tf

        if path != self._path:
            raise ValueError(f"{path} is no longer loaded, as {self._path} is")
        given = {name: tf.constant(value) for name, value in load_arrays(inputs).items()}
        results = self._serve(**given)
        save_arrays(outputs, {name: value.numpy() for name, value in results.items()})
        return {}


def _infos(specs):
    return [(name, spec.shape.as_list(), spec.dtype.name) for name, spec in specs.items()]


def main() -> None:
    """Answers requests until standard input ends."""
    import faulthandler

    faulthandler.enable()
    sys.modules.update(dict.fromkeys(("keras", "keras_bin", "tf_keras")))  # not to be imported
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # the parent may have taken all of its memory
    server = _Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(server, request.pop("do"))(**request)
        except Exception as error:  # the parent raises it
            code = getattr(error, "errno", None)  # of a full disk, for one
            reply = {"error": f"{type(error).__name__}: {error}", "errno": code}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
