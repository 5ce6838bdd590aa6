"""How BIN layers compute while a model is traced for export."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

_form: contextvars.ContextVar[Callable[..., Any] | None] = contextvars.ContextVar(
    "form", default=None
)


@contextlib.contextmanager
def inference_form(form: Callable[..., Any]) -> Iterator[None]:
    """Makes BIN layers in inference mode compute `form(layer, x, mask)` inside a `with` block.

    This applies to each `BatchInstanceNormalization` that is not learning statistics, and to each
    `FoldedBatchInstanceNormalization`. The form takes `x` in at least float32, and returns it
    normalized.
    """
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def current_form() -> Callable[..., Any] | None:
    """Returns the current form, or None if layers compute as usual."""
    return _form.get()
