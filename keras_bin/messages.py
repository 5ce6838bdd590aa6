"""Parts of messages."""

from collections.abc import Collection


def listed(names: Collection[str], limit: int = 8) -> str:
    """Lists names, the first of them if they are many."""
    shown = ", ".join(repr(name) for name in list(names)[:limit]) or "none"
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
