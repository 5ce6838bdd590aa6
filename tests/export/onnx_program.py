"""Runs ONNX files without Keras: `python -m` this with a path, inputs and outputs for each."""

import sys


def main(arguments):
    sys.modules.update(dict.fromkeys(("keras", "keras_bin", "tensorflow", "onnx", "tf2onnx")))
    import numpy as np
    import onnxruntime

    for path, inputs, outputs in zip(*[iter(arguments)] * 3, strict=True):
        session = onnxruntime.InferenceSession(path)
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, dict(np.load(inputs)))
        np.savez(outputs, **dict(zip(names, values, strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
