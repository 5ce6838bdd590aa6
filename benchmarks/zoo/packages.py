"""The names under which the networks' packages are installed."""

from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL = "pip install --no-deps -r benchmarks/zoo/requirements.txt"
DISTRIBUTIONS = {
    "classification_models_3D": "classification-models-3D",
    "tcn": "keras-tcn",
}


def requirement(module: str) -> str:
    """Returns the line of `requirements.txt` that installs a module, such as `kimm==0.2.5`."""
    name = DISTRIBUTIONS.get(module, module.replace("_", "-"))
    lines = (line.strip() for line in REQUIREMENTS.read_text().splitlines())
    return next(line for line in lines if line.partition("==")[0] == name)
