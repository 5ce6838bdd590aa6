"""The options that name inputs and outputs."""

import keyword
import re
from types import SimpleNamespace

import click

from keras_bin_cli.errors import WrongArguments


def name_options(what: str) -> list[click.Option]:
    """Returns `--input-names` and `--output-names`.

    Args:
        what: what the names are, as in "Names of the {} in ARTIFACT".
    """
    return [
        click.Option(
            [f"--{side}-names"],
            multiple=True,
            metavar="NAME,...",
            help=f"{what.format(f'{side}s')}; separated by commas, in the order in which "
            "keras-bin inspect MODEL lists them.",
        )
        for side in _RULES
    ]


def check_names(options: SimpleNamespace) -> None:
    """Turns the names into lists, or into None if there are none.

    Raises:
        WrongArguments: a name is not possible, or is given twice.
    """
    for side, (holds, rule) in _RULES.items():
        given = getattr(options, f"{side}_names")
        names = [name.strip() for words in given for name in words.split(",")]
        received = f"Received: --{side}-names {','.join(names)!r}"
        if not all(map(holds, names)):
            raise WrongArguments(f"Each name of --{side}-names must {rule}. {received}")
        if len(set(names)) < len(names):
            raise WrongArguments(f"The names of --{side}-names must differ. {received}")
        setattr(options, f"{side}_names", names or None)


def _is_argument(name):
    is_word = re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) is not None
    return is_word and name != "self" and not keyword.iskeyword(name)


def _is_text(name):
    return bool(name) and name.isprintable()


# As in keras_bin.networks.tensor_names, which is not imported here, as it imports Keras.
_RULES = {
    "input": (
        _is_argument,
        "consist of ASCII letters, digits and '_', begin with a letter, and be neither 'self' nor "
        "a Python keyword",
    ),
    "output": (_is_text, "be printable text that is not empty"),
}
