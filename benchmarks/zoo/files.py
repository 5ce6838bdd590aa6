"""Where packages keep their files."""

import importlib.util
from pathlib import Path


def package_folder(name: str) -> Path:
    """Returns the folder of a package, without importing it."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])
