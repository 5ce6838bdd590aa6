"""Trains a net for three steps in a fresh process; run by `benchmarks.processes`.

Prints, as JSON, the time from building the model to the end of the first step, and by how much the
three steps raised the peak memory of the process.
"""

import argparse
import json
import re
import time
from pathlib import Path

from benchmarks.nets import NETS, NORMALIZATIONS, compiled_model

STEPS = 3
STATUS = Path("/proc/self/status")


def peak_bytes() -> int | None:
    """Returns the peak memory of the process, None if Linux does not report it.

    Not `resource.getrusage`: its maximum starts at that of the parent process.
    """
    if not STATUS.is_file():
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    return 1024 * int(found[1])


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description="Train a net for three steps and print JSON.")
    parser.add_argument("net", choices=NETS, help="which net")
    parser.add_argument("normalization", choices=NORMALIZATIONS, help="its normalization")
    options = parser.parse_args()
    data = NETS[options.net].data()
    before = peak_bytes()
    start = time.perf_counter()
    model = compiled_model(options.net, options.normalization)
    model.train_on_batch(*data)
    seconds = time.perf_counter() - start
    for _ in range(STEPS - 1):
        model.train_on_batch(*data)
    peak = None if before is None else peak_bytes() - before
    print(json.dumps({"first_step_s": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
