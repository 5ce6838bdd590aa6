"""Results as plain values for JSON."""

import math
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """Turns named tuples into dicts, other tuples into lists, and paths into text.

    Numbers that are not finite become text, too, as JSON cannot hold them.
    """
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Path) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value
