"""What became of a network that was converted, as a row of a table."""

from collections.abc import Mapping, Sequence

from benchmarks.zoo.outcome import FORMATS, Outcome, headline, outcome

NOT_FINITE = "not finite"
ASKED = {
    "float64": 1e-12,
    "float32 / rounding": 4.0,
    "convert / clone_model": 2.5,
    "reverted": 0.0,
}


def row(name: str, found: Mapping, ended: str = "") -> dict:
    """Makes the row of a network.

    Args:
        name: of the network.
        found: what `benchmarks.conversion.convert_net` wrote, by step.
        ended: why its process ended before all steps were done; empty if it did not.
    """
    for step in ("build", "convert"):
        error = found.get(step, {"error": f"no result: {ended}"}).get("error")
        if error:
            return {"net": name, "note": headline(f"does not {step}: {error}")}
    built, converted = found["build"], found["convert"]
    return {
        "net": name,
        "parameters": built["parameters"],
        "BN": built["normalizations"],
        "converted": converted["converted"],
        "float64": _value(found, "float64", "apart"),
        "training": _value(found, "training", "outputs"),
        "statistics": _value(found, "training", "statistics"),
        "float32": _value(found, "float32", "apart"),
        "float32 / rounding": _value(found, "float32", "roundings"),
        "convert / clone_model": _value(found, "time", "of clone"),
        "passes": converted["passes"],
        "comparison / passes": converted["of passes"],
        "memory, MB": _megabytes(converted["peak"]),
        "weights, MB": _megabytes(converted["weights"]),
        "reverted": _value(found, "revert", "apart"),
        **_outcomes(found),
        "note": "; ".join(_notes(found, ended)) or None,
    }


def held(row: Mapping) -> dict[str, bool]:
    """Returns which bounds in `ASKED` a row keeps, if it has the figure."""
    return {
        column: isinstance(row[column], float) and row[column] <= bound
        for column, bound in ASKED.items()
        if row.get(column) is not None
    }


def counts(rows: Sequence[Mapping]) -> str:
    """Returns how many networks keep each bound, and how many were exported."""
    kept = [held(each) for each in rows]
    said = [
        f"{column} at most {bound:g}: {sum(each.get(column, False) for each in kept)} of "
        f"{sum(column in each for each in kept)}"
        for column, bound in ASKED.items()
    ]
    for step in FORMATS:
        tried = [each[step] for each in rows if step in each]
        said.append(f"{step} {sum(each.status == 'ok' for each in tried)} of {len(tried)}")
    return ", ".join(said)


def _value(found, step, name):
    """Returns a figure; the message if the step failed, None if it was not taken."""
    if step not in found:
        return None
    if "error" in found[step]:
        return headline(found[step]["error"])
    if name not in found[step]:
        return None
    value = found[step][name]
    return NOT_FINITE if value is None else float(value)


def _megabytes(size):
    return None if size is None else size / 1e6


def _outcomes(found) -> dict[str, Outcome]:
    return {step: outcome(found[step]) for step in FORMATS if step in found}


def _notes(found, ended):
    """Yields the remarks on a row."""
    for count, reason in found["convert"]["left"]:
        yield f"{count} left: {reason}"
    low = found.get("float64", {}).get("low")
    if low:
        yield f"{low} layers stay in float32 when the net is built in float64"
    own = found.get("float64", {}).get("own")
    if own is not None:
        yield f"in float64 its own rounding is {own:.1e}"
    if not found.get("training", {}).get("seeds kept", True):
        yield "seeds differ"
    if ended:
        yield ended
