"""The CPU time of `keras-bin export`, beside that of another checkout.

    python -m benchmarks.export_time PYTHON     where PYTHON has the other checkout installed

Both checkouts take turns to export ResNet-50, with BN and with BIN, to ONNX, to a SavedModel, and
to both by one command. The time includes starting Python and loading the model.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.artifacts import make_nets
from benchmarks.nets import NETS

FORMATS = {"ONNX": ["onnx"], "SavedModel": ["saved_model"], "both": ["onnx", "saved_model"]}


def cpu_seconds(python: str, model: Path, formats: list[str]) -> float:
    """Exports a .keras file in its own process; returns the CPU time of that and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        chosen = [word for name in formats for word in ("--format", name)]
        command = [python, "-m", "keras_bin", "export", str(model), f"{folder}/net", "--quiet"]
        subprocess.run([*command, *chosen], check=True, cwd=folder, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measures and prints the median of each case, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description="Time keras-bin export beside another checkout.")
    parser.add_argument("python", help="a Python that has the other checkout installed")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    options = parser.parse_args()
    nets = make_nets(NETS["ResNet-50"]._replace(size=options.size), ["paper"])
    pythons = {"other": options.python, "this": sys.executable}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in (("BN", nets.bn), ("BIN", nets.mixed["paper"])):
            model.save(Path(folder, f"{name}.keras"))
        for name in ("BN", "BIN"):
            for case, formats in FORMATS.items():
                seconds = {checkout: [] for checkout in pythons}
                for _ in range(options.rounds):
                    for checkout, python in pythons.items():
                        path = Path(folder, f"{name}.keras")
                        seconds[checkout].append(cpu_seconds(python, path, formats))
                other, this = (statistics.median(seconds[each]) for each in ("other", "this"))
                print(f"{name}, {case}: {other:.1f} s, now {this:.1f} s, ratio {this / other:.2f}")


if __name__ == "__main__":
    main()
