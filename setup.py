"""The description on an index of packages; all else about the package stands in setup.cfg."""

import re
from pathlib import Path


def description(readme: str) -> str:
    """Returns the README without the parts, and with text for the links, that need a clone."""
    everywhere = re.sub(r"<!-- in a clone -->\n.*?<!-- end -->\n", "", readme, flags=re.DOTALL)
    return re.sub(r"(?<!!)\[([^\]]*)\]\((?!https://)[^)\s]+\)", r"\1", everywhere)


if __name__ == "__main__":
    from setuptools import setup

    README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    setup(
        long_description=description(README),
        long_description_content_type="text/markdown",
    )
