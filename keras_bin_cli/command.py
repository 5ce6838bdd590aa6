"""What all commands have in common: their options, their help, and the requests they return."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import click

from keras_bin_cli.errors import WrongArguments

EXIT_CODES = """exit codes:
  0    success, and everything compared agrees
  1    failure; one line on standard error says what failed
  2    wrong arguments; one line says what is wrong, before any work is done
  130  interrupted by Ctrl-C (128 + N by signal N); nothing is left behind
"""


class Request(NamedTuple):
    """A command whose arguments are right, as far as can be told without doing the work.

    Attributes:
        command: its name.
        options: its arguments and options by name.
        is_long: whether its work has stages that are worth a line each.
    """

    command: str
    options: SimpleNamespace
    is_long: bool


def command(
    name: str,
    check: Callable[[SimpleNamespace], None],
    params: Sequence[click.Parameter],
    *,
    short: str,
    description: str,
    examples: str,
    is_long: bool = False,
) -> click.Command:
    """Returns a command that checks its arguments and returns a `Request`.

    Args:
        name: its name.
        check: raises `WrongArguments` if the arguments are wrong; it may change them.
        params: its own arguments and options.
        short: what it does, for the list of commands.
        description: what it does, for its own help.
        examples: indented command lines and what they do.
        is_long: see `Request`.
    """

    def request(**given):
        options = SimpleNamespace(**given)
        if options.json and options.quiet:
            raise WrongArguments("--json and --quiet are mutually exclusive")
        check(options)
        return Request(name, options, is_long)

    return click.Command(
        name,
        callback=request,
        params=[*params, *of_every_command()],
        help=description,
        short_help=short,
        epilog=f"{as_it_is('examples:', examples)}\n\n{as_it_is(EXIT_CODES)}",
    )


def as_it_is(*texts: str) -> str:
    """Returns texts, each starting on its own line, that click does not wrap."""
    return "\n".join(("\b", *(text.rstrip() for text in texts)))


def of_every_command() -> list[click.Option]:
    """Returns the options that every command has."""
    return [
        click.Option(
            ["--json"],
            is_flag=True,
            help="Print one JSON object, including errors, and no other result.",
        ),
        click.Option(["--quiet"], is_flag=True, help="Print errors only."),
        click.Option(
            ["--debug"],
            is_flag=True,
            help="Print the traceback of an error, and TensorFlow's messages at startup.",
        ),
    ]
