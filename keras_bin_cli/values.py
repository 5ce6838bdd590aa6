"""The types of arguments: numbers within a range, local paths, and words of a choice."""

import difflib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

# As in keras_bin.export.files.remote: pathlib leaves one slash of two, and a single letter is a
# Windows drive.
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+:[/\\]")


class Number(click.ParamType):
    """A number for which a rule holds.

    Args:
        kind: int or float.
        rule: what it must be, as in "must be a finite number, 0 or more".
        holds: whether the rule holds for a finite number.
    """

    name = "number"

    def __init__(self, kind: Callable[[str], Any], rule: str, holds: Callable[[Any], bool]):
        self._kind = kind
        self._rule = rule
        self._holds = holds

    def convert(self, value, param, ctx):
        """Returns the number; fails with the rule and the value."""
        try:
            number = self._kind(value)
            right = math.isfinite(number) and self._holds(number)
        except (ValueError, OverflowError):
            right = False
        if not right:
            self.fail(f"it must be {self._rule}. Received: {value}", param, ctx)
        return number


class LocalPath(click.ParamType):
    """The path of a local file or folder, which need not exist."""

    name = "path"

    def convert(self, value, param, ctx):
        """Returns a `Path`; rejects an empty one, and an address in an object store."""
        if not value:
            self.fail("it must name a file or folder. Received: ''", param, ctx)
        if _ADDRESS.match(value):
            self.fail(
                "it must be the path of a local file or folder. Copy what is to be read to one "
                "first; copy what was written afterwards (gsutil cp -r, or aws s3 cp --recursive), "
                f"saved_model.pb last. Received: {value}",
                param,
                ctx,
            )
        return Path(value)

    def shell_complete(self, ctx, param, incomplete):
        """Lets the shell complete the name of a file or folder."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class Word(click.Choice):
    """One of a set of words; a similar word is taken for a typo.

    Args:
        words: the words.
        elsewhere: what to say about other words whose results can be had in another way.
    """

    def __init__(self, words: tuple[str, ...], elsewhere: dict[str, str] | None = None):
        super().__init__(words)
        self._elsewhere = elsewhere or {}

    def convert(self, value, param, ctx):
        """Returns the word; fails with the possible words and the one that may be meant."""
        if value in self.choices:
            return value
        hint = self._elsewhere.get(value.lower(), "") or did_you_mean(value, self.choices)
        words = " or ".join(self.choices)
        self.fail(f"it must be {words}.{hint} Received: {value}", param, ctx)


def did_you_mean(word: str, words) -> str:
    """Returns a question, with a space before it, or nothing if no word is similar."""
    lower = {each.lower(): each for each in words}
    close = difflib.get_close_matches(word.lower(), lower, n=1)
    return f" Did you mean {lower[close[0]]}?" if close else ""
