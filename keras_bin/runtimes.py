"""The runtimes that a trained model can be exported for."""

from typing import Any

ANY, ONNX_RUNTIME, OPENVINO, LITERT, TENSORFLOW = RUNTIMES = (
    "any",
    "onnxruntime",
    "openvino",
    "litert",
    "tensorflow",
)


def check_runtime(runtime: Any) -> None:
    """Checks that `runtime` is one of `RUNTIMES`.

    Raises:
        ValueError: it is not.
    """
    if runtime not in RUNTIMES:
        raise ValueError(
            f'`runtime` must be one of {list(RUNTIMES)}; use "any" if you do not know. '
            f"Received: runtime={runtime!r}"
        )
