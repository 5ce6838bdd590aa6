"""The recorded results show what the README and docs/measurements.md say of the exporter."""

import json

import pytest

from benchmarks.report import RESULTS


def rows(section):
    """Returns the rows of the newest results of a section."""
    newest = max(RESULTS.glob(f"*-{section}.json"))
    (found,) = [
        part for part in json.loads(newest.read_text())["sections"] if part["name"] == section
    ]
    return found["rows"]


@pytest.mark.parametrize(("step", "least"), [("fold", 47), ("ONNX", 44), ("SavedModel", 44)])
def test_networks_of_others_become_artifacts(step, least):
    statuses = [row[step]["status"] for row in rows("zoo")]
    assert len(statuses) == 47
    assert statuses.count("ok") >= least
    assert set(statuses) <= {"ok", "refused"}


def test_onnx_files_of_networks_of_others_have_no_transposes_inside():
    """EfficientDet adds up pictures that it stacks first; its 42 are not moved yet."""
    rows_of_files = [row for row in rows("zoo") if row["ONNX"]["status"] == "ok"]
    inner = {row["net"]: row["inner Transpose"] for row in rows_of_files if row["inner Transpose"]}
    assert inner == {"zeromodels/EfficientDetDetect": 42}


def test_no_generated_net_was_exported_wrong():
    formats = {row["format"]: row for row in rows("campaign")}
    assert (formats["ONNX"]["nets"], formats["SavedModel"]["nets"]) == (200, 40)
    assert {row["wrong"] for row in formats.values()} == {0}


def test_command_line_answers_within_three_tenths_of_a_second():
    answers = {row["what"]: row["time"]["ms"]["value"] for row in rows("answers")}
    assert len(answers) == 8
    assert max(answers.values()) < 300
