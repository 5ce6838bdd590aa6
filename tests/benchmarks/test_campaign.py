"""Generated nets depend only on their seeds, and their wrong artifacts are found."""

import json
import runpy
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.campaign import __main__ as program
from benchmarks.campaign.generate import Net, generate
from benchmarks.campaign.inputs import Range, all_inputs
from benchmarks.campaign.judge import (
    CLIPPED,
    REFUSED,
    RIGHT,
    ROUNDED,
    WRONG,
    Judge,
    Verdict,
)
from benchmarks.campaign.tables import counts, message_class, no_result, sections
from benchmarks.campaign.weights import GATES, INSIDE, OUTSIDE
from benchmarks.oracle import UNIT, model_outputs
from keras_bin import BatchInstanceNormalization

WITHIN = Range(0.5, 1.5, 0)


def net_of(rho, gates="between"):
    inputs = keras.Input((None, 6, 2))
    model = keras.Model(inputs, BatchInstanceNormalization(name="norm")(inputs))
    model.get_layer("norm").rho.assign(rho)
    return Net(model, "a net", WITHIN, gates, "float32")


@pytest.fixture
def judge():
    net = net_of([0.2, 0.7])
    return Judge(net, net.model, 0, UNIT)


@pytest.mark.parametrize("seed", [3, 18], ids=["functional", "subclassed"])
def test_same_seed_makes_the_same_net(seed):
    first, second = generate(seed), generate(seed)
    assert first.description == second.description
    assert "; gates " in first.description
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_seed_makes_another_net():
    assert generate(3).description != generate(5).description


def test_twin_of_a_half_precision_net_takes_its_weights():
    net, twin = generate(51), generate(51, float32=True)
    assert net.policy == "mixed_float16"
    assert twin.model.dtype_policy.name == "float32"
    twin.model.set_weights(net.model.get_weights())
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("name", GATES)
def test_gates_are_what_their_pattern_says(name):
    gates = GATES[name](np.random.default_rng(0), 500)
    inside = np.all((gates >= 0) & (gates <= 1))
    assert inside == (name in INSIDE)
    ends = {"all 0": {0}, "all 1": {1}, "0 and 1": {0, 1}, "mixed with both ends": {0, 1}}
    assert {0, 1} & set(gates) == ends.get(name, set())


def test_inputs_are_ordinary_and_odd():
    made = all_inputs(net_of([1.0, 1.0]).model, WITHIN, seed=0)
    shapes = {fed: array.shape for fed, (array,) in made.items()}
    assert shapes["one sample"] == (1, 20, 6, 2)
    assert shapes["oblong"] == (2, 11, 6, 2)
    assert shapes["tiny"] == (3, 8, 6, 2)
    assert np.ptp(made["constant"][0]) == 0 < np.ptp(made["nearly constant"][0]) < 0.05
    assert len(np.unique(made["saturated"][0])) == 2
    assert made["far from zero"][0].mean() == pytest.approx(30.5, abs=1)


def test_words_are_fed_with_the_signs_that_the_net_takes():
    model = keras.Sequential([keras.Input((9,), dtype="int32"), keras.layers.Embedding(30, 2)])
    (words,) = all_inputs(model, WITHIN._replace(lowest=-9), seed=0)["ordinary"]
    assert words.min() < 0 < words.max()


def test_what_computes_the_same_is_right(judge):
    verdict = judge.judge(lambda inputs: model_outputs(judge.reference, inputs))
    assert (verdict.status, verdict.relative) == (RIGHT, 0)


@pytest.mark.parametrize("only", ["constant", "oblong"])
def test_what_differs_on_one_input_alone_is_wrong(judge, only):
    def run(inputs):
        (output,) = model_outputs(judge.reference, inputs)
        return [output + 0.1 * (inputs[0] is judge.inputs[only][0])]

    verdict = judge.judge(run)
    assert (verdict.status, verdict.fed) == (WRONG, only)
    assert verdict.relative > 0.01


def test_what_does_not_run_is_wrong(judge):
    def run(inputs):
        raise RuntimeError("no kernel")

    verdict = judge.judge(run)
    assert (verdict.status, verdict.message) == (WRONG, "RuntimeError: no kernel")


def test_net_that_is_finite_nowhere_is_not_called_right():
    net = net_of([0.2, 0.7])
    net.model.get_layer("norm").gamma.assign([np.nan, 1.0])
    with pytest.raises(ValueError, match="finite on an input"):
        Judge(net, net.model, 0, UNIT)


def test_what_differs_by_the_rounding_of_the_net_is_told_apart():
    net = net_of([0.0, 0.0])
    net.model.get_layer("norm").gamma.assign([1e6, 1e6])
    judge = Judge(net, net.model, 0, UNIT)
    images = np.full((1, 2, 6, 2), 1e3) + np.eye(6, 2)
    judge.inputs = {"ordinary": [images.astype("float32")]}
    judge.expected["ordinary"] = model_outputs(net.model, judge.inputs["ordinary"])
    relative = 2 * judge._rounding("ordinary")
    (right,) = judge.expected["ordinary"]
    run = lambda inputs: [right + relative * (1 + np.abs(right))]  # noqa: E731
    assert relative > 1e-3
    assert judge.judge(run).status == ROUNDED


def test_clipped_gates_are_told_apart_and_put_back():
    net = net_of([-0.2, 1.3], OUTSIDE)
    clipped = net_of([0.0, 1.0])
    judge = Judge(net, net.model, 0, UNIT)
    verdict = judge.judge(lambda inputs: model_outputs(clipped.model, inputs))
    assert verdict.status == CLIPPED
    np.testing.assert_allclose(net.model.get_layer("norm").rho, [-0.2, 1.3])


def tried(seed, status, message="", **named):
    verdict = Verdict(status, 1.0, message=message, **named)
    return {"seed": seed, "description": f"net {seed}", "verdicts": {"ONNX": vars(verdict)}}


def test_tables_count_and_tell_how_to_see_a_net_again():
    nets = [
        tried(0, RIGHT, relative=2e-6),
        tried(1, REFUSED, "ValueError: layer 'a_1' has 3 axes\nmore"),
        tried(2, REFUSED, "ValueError: layer 'b' has 12 axes"),
        tried(3, WRONG, relative=0.5, fed="tiny"),
        no_result(4, "the process ended with -9: "),
    ]
    summary, refusals, wrong = sections(nets, 5)
    (row,) = [row for row in summary.rows if row["format"] == "ONNX"]
    assert (row["nets"], row[RIGHT], row[REFUSED], row[WRONG], row["no result"]) == (5, 1, 2, 1, 1)
    assert row["largest"] == 2e-6
    assert refusals.rows[0] == {
        "nets": 2,
        "format": "ONNX",
        "message": "ValueError: layer … has n axes",
        "such as": "1, 2",
    }
    assert [(row["seed"], row["fed"], row["net"]) for row in wrong.rows] == [(3, "tiny", "net 3")]
    assert "ONNX: 1 right, 1 wrong, 2 refused, 1 no result" in counts(nets)


def test_message_class_leaves_out_names_and_numbers():
    assert message_class("E: 'a b' is 1.5e-3 of `x`\n2") == "E: … is n of …"


def test_process_that_ends_costs_one_net_only(monkeypatch):
    calls = []

    def run(command, **options):
        seeds = [int(word) for word in command[3 : command.index("--every")]]
        calls.append(seeds)
        done = seeds[: seeds.index(7)] if 7 in seeds else seeds
        lines = [json.dumps(tried(seed, RIGHT)) for seed in done]
        Path(command[-1]).write_text("\n".join(lines))
        return subprocess.CompletedProcess(command, -9 if 7 in seeds else 0, "", "killed")

    monkeypatch.setattr(subprocess, "run", run)
    parts = list(program.try_nets(program.CampaignPlan(tuple(range(12)))))
    found = [net for part in parts for net in part]
    assert [net["seed"] for net in found] == list(range(12))
    assert found[7]["verdicts"]["ONNX"]["message"] == "the process ended with -9: killed"
    assert calls == [list(range(10)), list(range(8, 12))]
    assert [len(part) for part in parts] == [8, 4]


def test_process_that_leaves_nets_out_does_not_stop_the_rest(monkeypatch):
    monkeypatch.setattr(program, "run_limited", lambda *arguments: "")
    (first, second) = program.try_nets(program.CampaignPlan((3, 4)))
    assert [net["seed"] for net in first + second] == [3, 4]
    assert first[0]["verdicts"]["ONNX"]["message"] == "the process left it out"


def test_interrupted_campaign_has_written_what_it_got_done(monkeypatch, tmp_path):
    def try_nets(plan):
        yield [tried(0, RIGHT, relative=2e-6)]
        yield [tried(1, REFUSED, "no")]
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "try_nets", try_nets)
    monkeypatch.setattr(program, "RESULTS", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        program.main(["--nets", "3"])
    (path,) = tmp_path.glob("*-campaign.json")
    rows = {row["format"]: row for row in json.loads(path.read_text())["sections"][0]["rows"]}
    assert (rows["ONNX"][RIGHT], rows["ONNX"][REFUSED]) == (1, 1)


def test_something_wrong_ends_with_1(monkeypatch, capsys):
    monkeypatch.setattr(program, "try_nets", lambda plan: [[tried(3, WRONG, relative=1.0)]])
    assert program.main(["--only", "3"]) == 1
    assert "3: net 3" in capsys.readouterr().out


@pytest.mark.slow
def test_quick_campaign_exports_nothing_wrong(monkeypatch, capsys):
    def run_here(_limit, module, *arguments):
        monkeypatch.setattr("sys.argv", [module, *arguments])
        runpy.run_module(module, run_name="__main__")

    monkeypatch.setattr(program, "run_limited", run_here)
    assert program.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "fold: 2 right; ONNX: 2 right; SavedModel: 1 right" in printed
