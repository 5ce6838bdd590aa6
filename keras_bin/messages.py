"""Parts of messages."""

from collections.abc import Collection

# What to do with a file that lacks rho.
FROM_BATCH_NORMALIZATION = (
    "If it comes from a model with BatchNormalization, load it into that model, and call "
    "keras_bin.convert_batch_normalization(model)."
)


def listed(names: Collection[str], limit: int = 8) -> str:
    """Lists names, or only the first ones if there are many."""
    shown = ", ".join(repr(name) for name in list(names)[:limit]) or "none"
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
