"""Batches for programs outside Python: files of raw float32, and lines that name them.

A job is fed to the program's standard input, one line for each thing to do:

    input NAME FILE RANK SIZE...
    output NAME FILE
    run

A run takes the inputs and makes the outputs of the lines since the run before. For each output
the program writes the file and prints `FILE RANK SIZE...`.
"""

import subprocess
from pathlib import Path

import numpy as np


def run_job(
    command: list,
    folder: Path,
    batches: list[dict[str, np.ndarray]],
    inputs: dict[str, str],
    outputs: dict[str, str],
) -> tuple[list[dict[str, np.ndarray]], list[str]]:
    """Runs a program on all batches.

    Args:
        command: the program and its arguments.
        folder: where the files are written; it is made, and the program runs in it.
        batches: float32 arrays by name, for each batch.
        inputs: maps the names of inputs to those that the program knows.
        outputs: likewise for outputs.

    Returns:
        The outputs by name for each batch, and the lines that name no output.
    """
    folder.mkdir()
    job, files = [], {}
    for number, batch in enumerate(batches):
        for name, array in batch.items():
            (folder / f"{number}-{name}").write_bytes(array.tobytes())
            sizes = " ".join(map(str, array.shape))
            job.append(f"input {inputs[name]} {number}-{name} {array.ndim} {sizes}")
        for name, known_as in outputs.items():
            files[f"{number}-{name}"] = (number, name)
            job.append(f"output {known_as} {number}-{name}")
        job.append("run")
    done = subprocess.run(
        [str(word) for word in command],
        input="\n".join(job) + "\n",
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed: {done.stderr}")
    results, others = [{} for _ in batches], []
    for line in done.stdout.splitlines():
        file, *sizes = line.split()
        if file in files:
            number, name = files[file]
            values = np.frombuffer((folder / file).read_bytes(), "float32")
            results[number][name] = values.reshape([int(size) for size in sizes[1:]])
        else:
            others.append(line)
    return results, others
