"""The types of what artifacts say about their export are checked."""

import json
from pathlib import Path

import pytest

from keras_bin.export import export_saved_model
from keras_bin.export.files.facts import GATES, LAYERS, check_facts, parse_json
from keras_bin.export.files.manifest import FACTS, MANIFEST_FILE
from tests.export.kinds import classifier

PATH = Path("models", "1", MANIFEST_FILE)


def keys(value, prefix=""):
    """Yields every key at any depth, joined by dots as in messages."""
    items = value.items() if isinstance(value, dict) else ()
    for name, item in items:
        yield f"{prefix}{name}"
        yield from keys(item, f"{prefix}{name}.")


def test_what_is_written_passes_and_holds_every_key_that_is_read(tmp_path):
    path = export_saved_model(classifier(), tmp_path).path / MANIFEST_FILE
    written = json.loads(path.read_text())
    check_facts(written, FACTS, path)
    expected = {key for key in keys(FACTS) if "<class" not in key}
    assert expected <= set(keys(written))
    assert set(LAYERS[0]) <= set(written["layers"][0])
    assert set(GATES[0]) <= set(written["rho"][0])


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"checks": None, "source": None},
        {"checks": {}, "layers": [], "rho": [{}]},
        {"author": [1], "checks": {"author": 1}},
        {"checks": {"values": {"max_abs": 0, "samples": 3}}},
    ],
    ids=json.dumps,
)
def test_missing_and_other_keys_pass(value):
    check_facts(value, FACTS, PATH)


@pytest.mark.parametrize(
    ("value", "key", "words"),
    [
        ([], "", "an object and is []"),
        ({"checks": []}, "checks", "an object and is []"),
        ({"checks": {"values": {"max_abs": "1e-7"}}}, "checks.values.max_abs", "a number and"),
        ({"checks": {"values": {"samples": 3.5}}}, "checks.values.samples", "an integer and is 3"),
        ({"checks": {"values": {"atol": True}}}, "checks.values.atol", "a number and is True"),
        ({"checks": {"structure": "all"}}, "checks.structure", "a list and is 'all'"),
        ({"checks": {"structure": [1]}}, "checks.structure[0]", "text and is 1"),
        ({"versions": ["keras"]}, "versions", "an object and is ['keras']"),
        ({"versions": {"keras": 3}}, "versions.keras", "text and is 3"),
        ({"source": "net.keras"}, "source", "an object and is 'net.keras'"),
        ({"exported": 0}, "exported", "text and is 0"),
        ({"layers": {}}, "layers", "a list and is {}"),
        ({"layers": [{}, []]}, "layers[1]", "an object and is []"),
        ({"rho": [{"mean": "half"}]}, "rho[0].mean", "a number and is 'half'"),
        ({"rho": [{"mean": "x" * 999}]}, "rho[0].mean", "a number and is 'xxxx"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_types_are_refused_by_file_and_key(value, key, words):
    with pytest.raises(ValueError, match="types that keras_bin writes; export") as caught:
        check_facts(value, FACTS, PATH)
    message = str(caught.value)
    assert f"Received: {str(PATH)!r}, in which {key!r} must be {words}" in message
    assert len(message) < 300


@pytest.mark.parametrize("text", ["", "{", "many", "[1,]", "[" * 100_000], ids=lambda x: x[:5])
@pytest.mark.usefixtures("no_collection")
def test_what_is_no_json_is_named(text):
    with pytest.raises(ValueError, match=r"^The text must be JSON; write the model again"):
        parse_json(text, "The text")
