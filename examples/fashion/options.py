"""The options of the experiments that accept Fashion-MNIST besides their own pictures."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from common.norms import ALL_NORMS, NORMS
from common.options import above_zero, positive, zero_or_more, zero_to_one
from common.scans import Scans
from fashion.data import load_fashion_scans
from fashion.training import RECIPE, SCHEDULES, Recipe

FASHION = "fashion"
ONLY_FASHION = (
    "folder",
    "pictures",
    "deterministic",
    "rate",
    "schedule",
    "weight_decay",
    "rho_start",
)
QUICK_SCANS = 128  # to train on, and to test on
QUICK_RECIPE = Recipe(net="resnet-8", epochs=2)


def add_data(
    parser: ArgumentParser,
    pictures: int,
    others: Sequence[str] = ("digits",),
    meaning: str = "learn",
):
    """Adds the option `--data`, and a group of those that need Fashion-MNIST.

    Args:
        parser: of the program.
        pictures: how many training pictures of Fashion-MNIST are used by default.
        others: the other data that a program accepts, the default first.
        meaning: what the program does with the pictures.

    Returns:
        The group, for more such options.
    """
    parser.add_argument(
        "--data",
        choices=[*others, FASHION],
        default=others[0],
        help="(default: %(default)s); others have a default output folder of their own, such as "
        f"{parser.get_default('default_output').name}_{FASHION}",
    )
    group = parser.add_argument_group(f"with --data {FASHION}")
    add_files(group, pictures, meaning)
    return group


def add_files(parser, pictures: int, meaning: str = "learn") -> None:
    """Adds the options for where the pictures are, and how many are used.

    Args:
        parser: or a group.
        pictures: how many training pictures are used by default.
        meaning: what the program does with them.
    """
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="where the four files of Fashion-MNIST are (default: the folder of Debian's package "
        "dataset-fashion-mnist, or Keras's cache, into which Keras downloads them)",
    )
    parser.add_argument(
        "--pictures",
        type=positive,
        metavar="N",
        help=f"{meaning} the first N training pictures (default: {pictures})",
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="repeat runs bit for bit, which takes longer",
    )


def add_recipe(group) -> None:
    """Adds to the group of `add_data` how a net is trained."""
    group.add_argument(
        "--rate",
        type=above_zero,
        metavar="RATE",
        help=f"learning rate at the start (default: {RECIPE.learning_rate})",
    )
    group.add_argument(
        "--schedule",
        choices=list(SCHEDULES),
        help=f"of the learning rate (default: {RECIPE.schedule})",
    )
    group.add_argument(
        "--weight-decay",
        type=zero_or_more,
        metavar="DECAY",
        help=f"of all weights but rho (default: {RECIPE.weight_decay})",
    )
    group.add_argument(
        "--rho-start",
        type=zero_to_one,
        metavar="RHO",
        help=f"where rho starts, if it learns, from 0 to 1 (default: {RECIPE.rho_start})",
    )


def add_epochs(parser: ArgumentParser, others: int) -> None:
    """Adds the option `--epochs`; `others` is its default with other data than Fashion-MNIST."""
    parser.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help=f"passes over the pictures (default: {others}, with `--data {FASHION}` "
        f"{RECIPE.epochs})",
    )


def check_data(parser: ArgumentParser, options: Namespace) -> None:
    """Exits if an option needs Fashion-MNIST and the data are others."""
    if options.data == FASHION:
        return
    for name in ONLY_FASHION:
        if vars(options).get(name) is not None:
            option = name.replace("_", "-")
            parser.error(
                f"argument --{option}: needs `--data {FASHION}`. Received: --data {options.data}"
            )


def digit_norms(parser: ArgumentParser, options: Namespace) -> list[str]:
    """Returns the normalizations to compare on digits, or exits if one needs more."""
    norms = options.norm or list(NORMS)
    for norm in norms:
        if "block" in ALL_NORMS[norm].places:
            parser.error(
                f"argument --norm: {norm} needs a net of residual blocks, and so `--data "
                f"{FASHION}`. Received: --data {options.data}"
            )
    return norms


def read_recipe(options: Namespace) -> Recipe:
    """Returns how to train a net."""
    base = QUICK_RECIPE if options.quick else RECIPE
    return base._replace(
        net=vars(options).get("net") or base.net,
        epochs=options.epochs or base.epochs,
        learning_rate=options.rate or base.learning_rate,
        schedule=options.schedule or base.schedule,
        weight_decay=base.weight_decay if options.weight_decay is None else options.weight_decay,
        rho_start=base.rho_start if options.rho_start is None else options.rho_start,
    )


def load_or_end(parser: ArgumentParser, options: Namespace) -> Scans:
    """Loads all of Fashion-MNIST, or exits if that is not possible."""
    try:
        return load_fashion_scans(options.folder)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def read_scans(
    parser: ArgumentParser, options: Namespace, pictures: int, held_out: int, least: int = 1
) -> Scans:
    """Loads what the options say of Fashion-MNIST, or exits if that is not possible.

    Args:
        parser: of the program.
        options: those of `add_files`, and `quick`.
        pictures: how many training pictures are used by default.
        held_out: how many test pictures to use.
        least: how many training pictures the program needs.
    """
    scans = load_or_end(parser, options)
    number = number_of_pictures(parser, options, pictures, scans, least)
    return scans.first(number, QUICK_SCANS if options.quick else held_out)


def number_of_pictures(
    parser: ArgumentParser,
    options: Namespace,
    default: int,
    scans: Scans,
    least: int = 1,
    kept_back: int = 0,
) -> int:
    """Returns how many training pictures to use, or exits if there are too few.

    Args:
        parser: of the program.
        options: those of `add_files`, and `quick`.
        default: how many to use if the options do not say.
        scans: the files hold these.
        least: how many the program needs.
        kept_back: how many training pictures must be left.
    """
    held = len(scans.train_scans)
    most = held - kept_back
    if most < least:
        parser.error(
            f"the files must hold {least + kept_back} training pictures or more. Received: {held}"
        )
    default = max(least, min(QUICK_SCANS if options.quick else default, most))
    wanted = default if options.pictures is None else options.pictures
    if not least <= wanted <= most:
        parser.error(
            f"argument --pictures: must be from {least} to {most}, with the files at hand. "
            f"Received: {wanted}"
        )
    return wanted
