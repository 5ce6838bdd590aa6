"""The error of wrong arguments, whose message says what is wrong and what to do."""

import click


class WrongArguments(click.UsageError):
    """Arguments are wrong together, or by what is at the paths that they name."""
