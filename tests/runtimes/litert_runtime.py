"""LiteRT, which was called TensorFlow Lite, in the package ai-edge-litert."""

import importlib.metadata
import importlib.util

from tests.runtimes.runtime import EXTRA, Runtime, Served


def missing():
    if importlib.util.find_spec("ai_edge_litert") is None:
        return f"ai-edge-litert is missing; {EXTRA}"
    return None


def serve(exported, artifact, _folder):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported.path(artifact)))
    run = interpreter.get_signature_runner("serving_default")
    # Keras keeps the names of a dict of outputs, and calls others output_0, output_1, ...
    single = {"output_0": exported.outputs[0]}

    def named(values):
        return {single.get(name, name): value for name, value in values.items()}

    return Served(
        _shapes(run.get_input_details()),
        named(_shapes(run.get_output_details())),
        [named(run(**batch)) for batch in exported.batches],
    )


def _shapes(details):
    return {
        name: tuple(None if size == -1 else int(size) for size in detail["shape_signature"])
        for name, detail in details.items()
    }


LITERT = Runtime(
    "LiteRT", ("LiteRT",), missing, lambda: importlib.metadata.version("ai-edge-litert"), serve
)
