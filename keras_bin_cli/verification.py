"""The options of a verification."""

from types import SimpleNamespace

import click

from keras_bin_cli.sources import check_samples
from keras_bin_cli.values import LocalPath, Number

_TOLERANCE = Number(float, "a finite number, 0 or more", lambda value: value >= 0)


def verification_options() -> list[click.Option]:
    """Returns `--atol`, `--rtol` and `--samples`."""
    return [
        *(
            click.Option(
                [f"--{tolerance}"],
                type=_TOLERANCE,
                metavar="X",
                help=f"{unit} tolerance of the verification. Default: 1e-4; if neither tolerance "
                "is given, the model's own rounding is allowed as well.",
            )
            for tolerance, unit in (("atol", "Absolute"), ("rtol", "Relative"))
        ),
        click.Option(
            ["--samples"],
            type=LocalPath(),
            metavar="FILE",
            help="An .npz file with an array per input to verify with. Default: generated inputs.",
        ),
    ]


def check_verification(options: SimpleNamespace) -> None:
    """Checks the samples, as far as can be told at once.

    Raises:
        WrongArguments: `--samples` is not an .npz file.
    """
    if options.samples is not None:
        check_samples(options.samples, "--samples")
