"""`keras-bin inspect` on artifacts that say less about their export, or something unexpected.

What an artifact says is a JSON object in the file `keras_bin.json`, and in an ONNX file JSON in
its metadata.
"""

import copy
import json

import onnx
import pytest

from keras_bin.export import export_onnx, export_saved_model
from keras_bin_cli.program import main
from testing.weights import randomize
from tests.export.kinds import classifier


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A SavedModel and an ONNX file of one model, with what they say about their export."""
    folder, model = tmp_path_factory.mktemp("written"), randomize(classifier())
    model.save(folder / "net.keras")
    saved = export_saved_model(model, folder / "net", source=folder / "net.keras").path
    path = export_onnx(model, folder / "net.onnx").path
    metadata = {pair.key: pair.value for pair in onnx.load(path).metadata_props}
    return saved, json.loads((saved / "keras_bin.json").read_text()), path, metadata


@pytest.fixture
def inspect_manifest(written, capsys):
    """Inspects the SavedModel with another manifest; returns the exit code and what is printed."""
    saved, manifest, *_ = written

    def run(changed):
        (saved / "keras_bin.json").write_text(json.dumps(changed))
        return main(["inspect", str(saved)]), *capsys.readouterr()

    yield run
    (saved / "keras_bin.json").write_text(json.dumps(manifest))


@pytest.fixture
def inspect_metadata(written, tmp_path, capsys):
    """Inspects the ONNX file with other metadata; returns as `inspect_manifest` does."""

    def run(changed):
        proto = onnx.load(written[2])
        onnx.helper.set_model_props(proto, changed)
        onnx.save(proto, tmp_path / "net.onnx")
        return main(["inspect", str(tmp_path / "net.onnx")]), *capsys.readouterr()

    return run


def key_paths(value, before=()):
    """Yields the path to every key at any depth; of a list, the keys of the first item."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:1])
    for key, item in items:
        yield (*before, key)
        if isinstance(item, (dict, list)):
            yield from key_paths(item, (*before, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def without(value, path, *replacement):
    changed = copy.deepcopy(value)
    *way, last = path
    if replacement:
        at(changed, way)[last] = replacement[0]
    else:
        del at(changed, way)[last]
    return changed


@pytest.mark.parametrize("null", [True, False], ids=["null", "missing"])
def test_every_key_of_a_manifest_may_be_missing(null, written, inspect_manifest):
    for path in key_paths(written[1]):
        changed = without(written[1], path, *([None] if null else []))
        code, printed, error = inspect_manifest(changed)
        assert (code, error) == (0, ""), path
        assert "serve and serving_default: inputs and outputs\n" in printed, path


@pytest.mark.parametrize(
    ("changed", "fragments", "missing"),
    [
        ({"format": 1}, ["SavedModel, "], ["normalization layers", "rho:", "largest"]),
        ({"format": 1, "exported": "[today]"}, ["[today]"], ["checked", "warm-up", "versions"]),
        (
            {"format": 1, "checks": {"values": {"samples": 7, "max_abs": 0.25}}},
            ["0.25 over 7 batches"],
            ["allowed"],
        ),
        (
            {"format": 1, "checks": {"values": {"atol": 0.5, "rtol": 0}}},
            ["(allowed: 0.5 + 0 * value)"],
            ["batches"],
        ),
        (
            {"format": 1, "rho": [{"layer": "a", "channels": 2}, {"channels": 3, "mean": 0.5}]},
            ["rho: 2 BIN layers, 5 channels\n", "0.500"],
            ["at 0", "minimum"],
        ),
        (
            {"format": 1, "layers": [{"layer": "a", "became": "[b]", "more": "no"}]},
            ["normalization layers\n", "[b]"],
            ["channels", "more"],
        ),
        ({"exported": "now", "layers": []}, ["manifest\n", "now"], ["normalization layers"]),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_what_is_there_is_shown(changed, fragments, missing, inspect_manifest):
    code, printed, error = inspect_manifest(changed)
    assert (code, error) == (0, "")
    assert [fragment for fragment in fragments if fragment not in printed] == []
    assert [fragment for fragment in missing if fragment in printed] == []


@pytest.mark.parametrize("value", ["0.1", 7, [], ["a"], {}, {"a": 1}, True], ids=json.dumps)
def test_no_value_of_a_manifest_is_a_traceback(value, written, inspect_manifest):
    """A wrong type is one line that names file and key, or passes if nothing reads the value."""
    refused = 0
    for path in key_paths(written[1]):
        code, _, error = inspect_manifest(without(written[1], path, value))
        assert code in (0, 1), path
        assert error.count("\n") == code, path
        if code:
            refused += 1
            assert error.startswith("keras-bin: error: What an artifact says"), path
            assert f"keras_bin.json', in which '{path[0]}" in error, path
    assert refused >= 20


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("checks",), [], "checks"),
        (("checks", "values", "max_abs"), "1e-7", "checks.values.max_abs"),
        (("checks", "warm_up"), 3, "checks.warm_up"),
        (("versions",), ["keras"], "versions"),
        (("layers", 0), "bin1", "layers[0]"),
        (("rho", 1, "at_one"), "many", "rho[1].at_one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("json_wanted", [[], ["--json"]], ids=["text", "JSON"])
def test_file_and_key_of_another_type_are_named(
    path, value, key, json_wanted, written, inspect_manifest, capsys
):
    inspect_manifest(without(written[1], path, value))
    assert main(["inspect", str(written[0]), *json_wanted]) == 1
    assert f"{str(written[0] / 'keras_bin.json')!r}, in which {key!r}" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["keras_bin", "layers", "rho", "lowering"])
def test_every_key_of_metadata_may_be_missing(key, written, inspect_metadata):
    metadata = {name: text for name, text in written[3].items() if name != key}
    code, printed, error = inspect_metadata(metadata)
    assert (code, error) == (0, "")
    marked = key != "keras_bin"
    assert ("normalization layers\n" in printed) == (marked and key != "layers")
    assert ("rho: 2 BIN layers" in printed) == (marked and key != "rho")
    assert ("instance_normalization" in printed) == (key != "lowering")


@pytest.mark.parametrize("key", ["layers", "rho"])
@pytest.mark.parametrize("text", ["", "many", "[{", '{"a": 1}', '["a"]', '[{"layer": 3}]', "1"])
def test_metadata_of_another_type_is_one_line(text, key, written, inspect_metadata):
    code, printed, error = inspect_metadata({**written[3], key: text})
    assert (code, printed) == (1, "")
    assert error.startswith("keras-bin: error: ")
    assert "net.onnx'" in error
    assert f"'{key}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["null", "[]", "[{}]", "[null]", '[{"layer": "one"}]'])
@pytest.mark.parametrize("key", ["layers", "rho"])
def test_metadata_that_says_less_is_shown(text, key, written, inspect_metadata):
    code, printed, error = inspect_metadata({**written[3], key: text})
    assert (code, error) == (0, "")
    assert ("one" in printed) == ("one" in text)
