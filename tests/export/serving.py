"""Runs exported models as users do: in a process without Keras."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.export.kinds import KINDS
from tests.export.values import arrays, predict

ROOT = Path(__file__).parents[2]
SAVED_MODEL, ONNX = "tests.export.saved_model_program", "tests.export.onnx_program"
BATCHES = (1, 3, 7)


def serving(path, signature="serving_default"):
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures[signature]
    serve.keep = loaded
    return serve


def serve_in_process(program, kinds, export, folder):
    """Exports a model of each kind, and runs all artifacts in one process of their own.

    Args:
        program: `SAVED_MODEL` or `ONNX`, a module of this folder.
        kinds: names of model kinds.
        export: function of a model and a path that writes an artifact and returns its report.
        folder: where artifacts, inputs and outputs are written.

    Returns:
        For each kind the error of its export, or pairs of the flattened outputs of the model
        and the artifact's outputs by name, one for each of `BATCHES`.
    """
    results, arguments = {}, []
    for kind in kinds:
        keras.utils.set_random_seed(0)
        model = KINDS[kind]()
        try:
            report = export(model, folder / kind)
        except Exception as error:
            results[kind] = error
            continue
        results[kind] = []
        for batch in BATCHES:
            inputs, outputs = (folder / f"{kind}{batch}{side}.npz" for side in ("in", "out"))
            values = arrays(model, batch, size=14, seed=batch)
            names = [tensor.name for tensor in model.inputs]
            np.savez(inputs, **dict(zip(names, values, strict=True)))
            arguments += [report.path, inputs, outputs]
            results[kind].append((predict(model, values), outputs))
    subprocess.run([sys.executable, "-m", program, *map(str, arguments)], check=True, cwd=ROOT)
    return {
        kind: pairs
        if isinstance(pairs, Exception)
        else [(expected, dict(np.load(outputs))) for expected, outputs in pairs]
        for kind, pairs in results.items()
    }


def assert_served(pairs, names):
    """Checks what `serve_in_process` returned for one kind; raises its error if it is one."""
    if isinstance(pairs, Exception):
        raise pairs
    assert len(pairs) == len(BATCHES)
    for expected, outputs in pairs:
        assert set(outputs) == set(names or outputs)
        assert len(outputs) == len(expected)
        for name, values in zip(names or outputs, expected, strict=True):
            assert outputs[name].dtype == values.dtype
            assert outputs[name].shape == values.shape
            # float32 rounding, in another order, of values up to 10; the recurrent and the
            # convolutional kinds add up some 100 products.
            np.testing.assert_allclose(
                outputs[name], values, rtol=2e-5, atol=2e-5, err_msg=f"{name} {len(values)}"
            )


# Flattened outputs of the kinds that have several; dicts are flattened in the order of keys.
OUTPUT_NAMES = {"lists": ["z", "a", "z_1"], "dicts": ["image", "mask"]}
