"""Every section that runs in this process measures what its plan says."""

import dataclasses

import pytest

from benchmarks.__main__ import SECTIONS, parse_arguments
from benchmarks.answers import CASES, answer
from benchmarks.environment import installed
from benchmarks.nets import NETS
from benchmarks.peers import KERAS
from benchmarks.plan import QUICK, shape_name
from benchmarks.tensorflow_peers import TRAINING

PLAN = dataclasses.replace(QUICK, shapes=QUICK.shapes[:1], added_mebibytes=1, rounds=1)
SHAPE = shape_name(PLAN.shapes[0])


def rows(name):
    return SECTIONS[name](PLAN, iter).rows


def test_layer_times_every_peer_with_either_compiler():
    found = [(row["compiled"], row["layer"]) for row in rows("layer")]
    peers = [*TRAINING, *(["official BIN in PyTorch"] if installed("torch") else [])]
    assert found == [(compiler, peer) for compiler in ("tf.function", "XLA") for peer in peers]


def test_floor_counts_three_passes_forward_and_five_backward():
    for row in rows("floor"):
        assert row["MB to move"] == pytest.approx(8 * 4 * 4 * 8 * 8 * 16 / 1e6)
        assert row["keras_bin"].ratio.value > 0


def test_inference_times_the_folded_layer_too():
    found = rows("inference")
    assert [row["layer"] for row in found] == [*KERAS, "FoldedBatchInstanceNormalization"]
    assert all(row[SHAPE].ms.value > 0 for row in found)


def test_scaling_is_relative_to_the_mean_of_its_sizes():
    for compiler in ("tf.function", "XLA"):
        found = [row for row in rows("scaling") if row["compiled"] == compiler]
        assert [row["elements"] for row in found] == [65536, 131072]
        relative = [row["relative to their mean"] for row in found]
        assert sum(relative) == pytest.approx(len(relative))
        for row in found:
            expected = row["ns per element"].value / row["BN, ns per element"].value
            assert row["BIN / BN"].value == pytest.approx(expected)


@pytest.mark.slow
def test_step_times_both_nets(monkeypatch):
    monkeypatch.setitem(NETS, "ResNet-8", NETS["ResNet-8"]._replace(blocks=(), size=8))
    found = rows("step")
    assert [(row["compiled"], row["net"]) for row in found] == [
        ("tf.function", "ResNet-8"),
        ("XLA", "ResNet-8"),
    ]
    assert all(row["BIN / BN"].value > 0 for row in found)


def test_accuracy_is_measured_with_either_compiler():
    section = SECTIONS["accuracy"](PLAN, iter)
    if not installed("torch"):
        assert section.method == "Skipped: PyTorch is not installed."
        pytest.skip("PyTorch is not a dependency; the benchmarks go without it")
    assert len(section.rows) == 2 * len(PLAN.means)
    for row in section.rows:
        # Float32 resolves 3e-5 at 300, and the errors of dgamma and drho add up.
        assert 0 < row["y"].ours < (1e-5 if row["mean"] == 0 else 1e-3)
        assert 0 < row["drho"].ours < (1e-3 if row["mean"] == 0 else 1e-1)


def test_answers_of_the_command_line_are_timed_beside_a_python_that_does_nothing():
    first, *others = rows("answers")
    assert (first["what"], first["time"].ratio) == ("python -c pass", None)
    assert [row["what"] for row in others] == list(CASES)
    assert all(row["time"].ratio.value > 1 for row in others)


def test_answer_with_another_exit_code_is_no_time(tmp_path):
    with pytest.raises(RuntimeError, match="keras-bin inspect none ended with 2"):
        answer(tmp_path, "inspect none", 0)


def test_sections_are_named_as_asked_for():
    expected = "layer floor inference scaling step workers memory first_step jax torch"
    assert list(SECTIONS) == [*expected.split(), "export", "accuracy", "answers"]
    assert parse_arguments(["--only", "jax", "floor"]).only == ["jax", "floor"]


def test_unknown_section_is_refused_with_the_names_there_are(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["--only", "speed"])
    error = capsys.readouterr().err
    assert "'speed'" in error
    assert "first_step" in error
