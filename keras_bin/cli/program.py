"""The program: its commands, its exit code, and how errors and warnings are shown."""

import argparse
import contextlib
import sys
import warnings
from collections.abc import Sequence

from keras_bin.cli import convert, export, inspect, verify
from keras_bin.cli.arguments import EXIT_CODES
from keras_bin.cli.output import Output
from keras_bin.cli.versions import versions


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the words after the name of the program, by default those of `sys.argv`.

    Returns:
        The exit code: 0 for success, 1 for failure, 130 after Ctrl-C.
        Usage errors exit with code 2.
    """
    options = _parser().parse_args(arguments)
    output = Output(json=options.json, quiet=options.quiet, debug=options.debug)
    code = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = lambda message, *_args, **_kwargs: output.warn(message)
        if options.json or options.quiet:  # what layers print is not a result
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            options.run(options, output)
        except Exception as error:  # any failure is one line and exit code 1
            output.fail(error)
            code = 1
        except KeyboardInterrupt as error:
            output.fail(error)
            code = 130  # the code that shells expect of an interrupted program
    try:
        output.close()
    except OSError as error:  # a full disk, or a closed pipe
        output.fail(error)
        code = 1
    return code


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-bin",
        description="Batch-Instance Normalization for Keras: model files.",
        epilog=f"{EXIT_CODES}\nkeras-bin COMMAND --help shows a command's options and an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=versions())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (export, verify, inspect, convert):
        command.add_parser(commands)
    return parser
