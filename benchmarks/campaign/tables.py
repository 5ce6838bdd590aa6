"""What became of generated nets, as tables."""

import collections
import re
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.campaign.judge import (
    CLIPPED,
    REFUSED,
    RIGHT,
    ROUNDED,
    WRONG,
    Verdict,
)
from benchmarks.oracle import ALLOWED, ROUNDINGS
from benchmarks.report import Section

NO_RESULT = "no result"
STATUSES = (RIGHT, ROUNDED, CLIPPED, WRONG, REFUSED, NO_RESULT)
FORMATS = ("fold", "ONNX", "SavedModel")


def no_result(seed: int, reason: str) -> dict:
    """Returns the result for a net whose process ended."""
    verdict = Verdict(NO_RESULT, message=reason)
    return {"seed": seed, "description": "", "verdicts": {"ONNX": vars(verdict)}}


def sections(tried: Sequence[Mapping], every: int) -> list[Section]:
    """Makes the tables.

    Args:
        tried: seed, description and verdicts of each net.
        every: one net in `every` was also exported as a SavedModel.
    """
    return [
        Section(
            "campaign",
            "generated nets",
            f"{len(tried)} nets, each folded and exported to ONNX, one in {every} also as a "
            "SavedModel; then fed ordinary and odd inputs of this program's own and compared with "
            "the model itself, a half-precision one in float32. Right is every output that "
            f"differs by at most {ALLOWED:g} * (1 + its value) on all of them; right but for "
            f"rounding by at most {ROUNDINGS} times what the model's outputs change by when every "
            "weight and input moves by one unit in its last place; right with gates clipped is "
            "a net whose gates are outside [0, 1]. Largest is the largest relative "
            "difference of a right net; seconds are the median of a format.",
            [_summary(name, tried) for name in FORMATS],
        ),
        Section(
            "refusals",
            "why nets were refused",
            "By the first line of the message, numbers and names left out.",
            list(_refusals(tried)),
        ),
        Section(
            "wrong",
            "nets that were exported and compute something else",
            "Each by `python -m benchmarks.campaign --only SEED`.",
            list(_wrong(tried)),
        ),
    ]


def counts(tried: Sequence[Mapping]) -> str:
    """Returns the numbers in a line."""
    parts = []
    for name in FORMATS:
        found = collections.Counter(verdict["status"] for verdict in _verdicts(tried, name))
        numbers = ", ".join(f"{found[status]} {status}" for status in STATUSES if found[status])
        parts.append(f"{name}: {numbers or 'none'}")
    return "; ".join(parts)


def message_class(message: str) -> str:
    """Returns the first line of a message without what differs from net to net."""
    first = (message.splitlines() or [""])[0]
    first = re.sub(r"'[^']*'|\"[^\"]*\"|<[^>]*>|`[^`]*`", "…", first)
    return re.sub(r"\d+(\.\d+)?(e-?\d+)?", "n", first)


def _verdicts(tried, name):
    return [net["verdicts"][name] for net in tried if name in net["verdicts"]]


def _summary(name, tried):
    found = _verdicts(tried, name)
    numbers = collections.Counter(verdict["status"] for verdict in found)
    largest = [v["relative"] for v in found if v["status"] == RIGHT and v["relative"] is not None]
    seconds = sorted(verdict["seconds"] for verdict in found)
    return {
        "format": name,
        "nets": len(found),
        **{status: numbers[status] for status in STATUSES},
        "largest": max(largest, default=None),
        "s": seconds[len(seconds) // 2] if seconds else None,
    }


def _refusals(tried: Sequence[Mapping]) -> Iterator[dict]:
    classes = collections.defaultdict(list)
    for net in tried:
        for name, verdict in net["verdicts"].items():
            if verdict["status"] in (REFUSED, NO_RESULT):
                classes[name, message_class(verdict["message"])].append(net["seed"])
    for (name, message), seeds in sorted(classes.items(), key=lambda pair: -len(pair[1])):
        some = ", ".join(map(str, seeds[:5]))
        yield {"nets": len(seeds), "format": name, "message": message, "such as": some}


def _wrong(tried: Sequence[Mapping]) -> Iterator[dict]:
    for net in tried:
        for name, verdict in net["verdicts"].items():
            if verdict["status"] == WRONG:
                yield {
                    "seed": net["seed"],
                    "format": name,
                    "fed": verdict["fed"],
                    "relative": verdict["relative"],
                    "net": net["description"],
                    "message": verdict["message"] or None,
                }
