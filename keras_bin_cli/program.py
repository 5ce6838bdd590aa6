"""The program: its commands, its exit code, and how errors and warnings are shown."""

import contextlib
import importlib
import sys
import warnings
from collections.abc import Sequence

import click

from keras_bin_cli.command import EXIT_CODES, Request, as_it_is, of_every_command
from keras_bin_cli.commands.convert import convert
from keras_bin_cli.commands.export import export
from keras_bin_cli.commands.fold_report import fold_report
from keras_bin_cli.commands.inspect import inspect
from keras_bin_cli.commands.prune import prune
from keras_bin_cli.commands.quantize import quantize
from keras_bin_cli.commands.verify import verify
from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.output import Output
from keras_bin_cli.process import Process


def main(arguments: Sequence[str] | None = None, process: Process | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the words after the name of the program, by default those of `sys.argv`.
        process: this process, if it does nothing else.

    Returns:
        The exit code, which `keras-bin --help` explains.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    output, stdout = Output(json="--json" in given), sys.stdout
    try:
        request = _program().main(given, "keras-bin", standalone_mode=False)
        if isinstance(request, Request):
            options = request.options
            output = Output(options.json, options.quiet, options.debug, request.is_long, process)
            _work(request, output, process)
        else:  # help or versions, which are printed
            output = Output()
    except SystemExit as end:  # of click: a shell's completion is done, or help met a closed pipe
        if sys.stdout is not stdout:  # click has replaced it
            output.fail(BrokenPipeError())
        else:
            output.code = 1 if end.code else 0
    except (Exception, KeyboardInterrupt) as error:  # any failure is one line and an exit code
        output.fail(error)
    return output.close()


def _work(request, output, process):
    """Imports what a command needs, and runs it."""
    module = f"keras_bin_cli.work.{request.command.replace('-', '_')}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = lambda message, *_args, **_kwargs: output.warn(message)
        if request.options.json or request.options.quiet:  # what layers print is not a result
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        if process is not None:
            with output.starting(), process.starting(request.options.debug):
                importlib.import_module(module)
            stack.enter_context(process.working())
        from keras_bin.errors import ArgumentError
        from keras_bin.stages import stages_told

        try:
            with stages_told(output.tell):
                importlib.import_module(module).run(request.options, output)
        except ArgumentError as error:
            raise WrongArguments(str(error)) from error


def _program():
    return click.Group(
        "keras-bin",
        commands=[
            export(),
            quantize(),
            verify(),
            inspect(),
            convert(),
            fold_report(),
            prune(),
        ],
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_versions,
                help="Print the versions of keras-bin and of its dependencies.",
            ),
            *(
                click.Option(
                    option.opts,
                    is_flag=True,
                    is_eager=True,
                    hidden=True,
                    expose_value=False,
                    callback=_refuse_before_command,
                )
                for option in of_every_command()
            ),
        ],
        help="Batch-Instance Normalization for Keras: work with model files. keras-bin COMMAND "
        "--help shows the options of a command, and examples.",
        no_args_is_help=False,
        epilog=as_it_is(EXIT_CODES),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _refuse_before_command(context, option, given):
    if given:
        name = option.opts[0]
        raise click.UsageError(f"{name} goes after the command: keras-bin COMMAND {name}", context)


def _print_versions(context, _option, asked):
    if asked:
        from keras_bin_cli.versions import versions  # which takes a quarter of the start

        click.echo(versions())
        context.exit()
