"""Times the exports of nets in one runtime after another; run by `benchmarks.export`.

It is a process of its own because TensorFlow's threads can be set only before it starts. Prints,
as JSON, the seconds of every round by runtime, batch and artifact, and what each artifact holds.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from benchmarks.artifacts import GATES, VERIFIED_IMAGES, make_nets
from benchmarks.nets import NETS, Net
from benchmarks.runtimes import FORMATS, RUNTIMES
from benchmarks.timing import interleave

# One file, loaded twice, can differ in speed by up to 10 %, depending on its memory.
LOADS = 2


def measure(
    net: Net,
    gates: Sequence[str],
    rounds: dict[int, int],
    runtimes: Sequence[str],
    threads: int,
    folder: Path,
) -> list[dict]:
    """Exports nets, and times what was written.

    Args:
        net: the net.
        gates: names in `GATES`.
        rounds: how often each artifact is timed, by the number of images in a call.
        runtimes: names in `RUNTIMES`.
        threads: threads of each runtime except TensorFlow, which uses those of the process.
        folder: where artifacts are written.

    Returns:
        For each runtime its name, the description of each artifact, and for each batch the seconds
        of each artifact, for all its loads.
    """
    images, _ = net._replace(batch=max(VERIFIED_IMAGES, *rounds)).data()
    nets = make_nets(net, gates)
    written = {}
    measured = []
    for name in runtimes:
        runtime = RUNTIMES[name]
        kind = FORMATS[runtime.format]
        if runtime.format not in written:
            (folder / runtime.format).mkdir()
            written[runtime.format] = kind.write(nets, images, folder / runtime.format)
        paths = written[runtime.format]
        loaded = {
            (artifact, load): runtime.load(path, threads)
            for load in range(LOADS)
            for artifact, path in paths.items()
        }
        seconds = {}
        for batch, count in rounds.items():
            functions = {key: bind(images[:batch]) for key, bind in loaded.items()}
            timed = interleave(functions, count)
            seconds[batch] = {
                artifact: [s for load in range(LOADS) for s in timed[artifact, load]]
                for artifact in paths
            }
        artifacts = {artifact: kind.describe(path) for artifact, path in paths.items()}
        measured.append({"runtime": name, "artifacts": artifacts, "seconds": seconds})
    return measured


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Time the exports of a net and print JSON.")
    parser.add_argument("net", choices=NETS, help="which net")
    parser.add_argument("--size", type=int, required=True, help="height and width of its images")
    parser.add_argument("--gates", nargs="+", choices=GATES, required=True, help="of BIN nets")
    parser.add_argument("--batches", type=int, nargs="+", required=True, help="images in a call")
    parser.add_argument("--rounds", type=int, nargs="+", required=True, help="for each batch")
    parser.add_argument("--threads", type=int, required=True, help="threads of each runtime")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, required=True, help="which")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    net = NETS[options.net]._replace(size=options.size)
    rounds = dict(zip(options.batches, options.rounds, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(
            net, options.gates, rounds, options.runtimes, options.threads, Path(folder)
        )
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
