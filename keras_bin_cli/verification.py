"""The options of a verification."""

from types import SimpleNamespace

import click

from keras_bin_cli.sources import check_samples
from keras_bin_cli.values import LocalPath, Number

_TOLERANCE = Number(float, "a finite number from 0 up", lambda value: value >= 0)


def verification_options() -> list[click.Option]:
    """Returns `--atol`, `--rtol` and `--samples`."""
    return [
        *(
            click.Option(
                [f"--{tolerance}"],
                type=_TOLERANCE,
                metavar="X",
                help=f"{unit} tolerance of the verification. Default: 1e-4; if neither tolerance "
                "is given, the rounding of the model itself is allowed as well.",
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
    """Checks what can be told of the samples at once.

    Raises:
        WrongArguments: `--samples` is not an .npz file.
    """
    if options.samples is not None:
        check_samples(options.samples, "--samples")
