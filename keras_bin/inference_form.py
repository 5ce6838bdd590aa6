"""How BIN layers compute while a model is traced for export."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

_form: contextvars.ContextVar[Callable | None] = contextvars.ContextVar("form", default=None)


@contextlib.contextmanager
def inference_form(form: Callable) -> Iterator[None]:
    """Lets `form(layer, x, mask)` compute what BIN layers give in inference mode.

    It is asked wherever a `BatchInstanceNormalization` that learns no statistics, or a
    `FoldedBatchInstanceNormalization`, is called inside the `with` block, and gives the layer's
    result: `x`, of float32 at least, normalized.
    """
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def current_form() -> Callable | None:
    """Returns the form that is in force, or None where layers compute as they do."""
    return _form.get()
