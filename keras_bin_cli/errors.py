"""The error for wrong arguments, whose message says what is wrong and what to do."""

import click


class WrongArguments(click.UsageError):
    """Arguments do not fit each other, or what is at the paths that they name."""
