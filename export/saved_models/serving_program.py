"""The program of a `serving_process`: it runs SavedModels without Keras and keras_bin.

It is run from its source. Requests come pickled to standard input: the name of a method and its
arguments. Each is answered on standard output with a pickled pair: what the method returned, and
what went wrong. The program ends when its standard input does.
"""

import os
import pickle
import sys

import numpy as np

PROTOCOL = 5  # of pickle, which does not copy arrays


class _Server:
    def __init__(self):
        self._path = self._loaded = self._serve = None

    def load(self, path):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(path)
        self._serve = self._loaded.signatures["serving_default"]
        self._path = path
        inputs = self._serve.structured_input_signature[1]
        return _infos(inputs), _infos(self._serve.structured_outputs)

    def run(self, path, inputs):
        import tensorflow as tf

        if path != self._path:
            raise ValueError(f"{path} is no longer loaded, as {self._path} is")
        outputs = self._serve(**{name: tf.constant(value) for name, value in inputs.items()})
        # `numpy()` alone turns tensors without axes into scalars.
        return {
            name: np.array(value.numpy(), value.dtype.as_numpy_dtype)
            for name, value in outputs.items()
        }


def _infos(specs):
    return [(name, spec.shape.as_list(), spec.dtype.name) for name, spec in specs.items()]


def main() -> None:
    """Answers requests until standard input ends."""
    import faulthandler

    faulthandler.enable()
    for name in ("keras", "keras_bin", "tf_keras"):
        sys.modules[name] = None  # type: ignore[assignment]  # forbids the import
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is not a reply
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # the parent may have taken all of its memory
    server = _Server()
    while True:
        try:
            method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            reply: tuple[object, str | None] = getattr(server, method)(*arguments), None
        except Exception as error:  # the parent process raises it
            reply = None, f"{type(error).__name__}: {error}"
        pickle.dump(reply, replies, PROTOCOL)
        replies.flush()


if __name__ == "__main__":
    main()
