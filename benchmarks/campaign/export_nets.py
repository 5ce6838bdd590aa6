"""Exports generated nets in a fresh process; run by `benchmarks.campaign`.

Appends a line of JSON to a file for each net.
"""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.campaign.judge import try_net


def main() -> None:
    """Exports and writes."""
    parser = argparse.ArgumentParser(description="Export generated nets.")
    parser.add_argument("seeds", type=int, nargs="+", help="of the nets")
    parser.add_argument("--every", type=int, required=True, help="which also as a SavedModel")
    parser.add_argument("--to", type=Path, required=True, help="the file to append to")
    options = parser.parse_args()
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found = try_net(seed, Path(folder), saved_model=seed % options.every == 0)
        with options.to.open("a") as file:
            file.write(json.dumps({"seed": seed, **found}) + "\n")


if __name__ == "__main__":
    main()
