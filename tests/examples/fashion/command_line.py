"""The command line of a program that takes Fashion-MNIST."""

from common.norms import ALL_NORMS
from common.options import add_norms, add_quick, option_parser, read_options
from fashion.options import add_data, add_epochs, add_recipe


def parser():
    made = option_parser("program.py", "What it does.", seeds=2, folder="output/program")
    add_recipe(add_data(made, 20))
    add_epochs(made, 15)
    add_norms(made, ALL_NORMS)
    add_quick(made, "less")
    return made


def read(tmp_path, *arguments):
    return read_options(parser(), [*map(str, arguments), "--output", str(tmp_path / "out")])


def refused(capsys):
    return " ".join(capsys.readouterr().err.split())
