"""Third-party networks are converted, compared, and become rows of a table."""

import json
import subprocess
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks.conversion import __main__ as program
from benchmarks.conversion import applications, costs, parity
from benchmarks.conversion.convert_net import Conversion
from benchmarks.conversion.gates import draw_gates
from benchmarks.conversion.nets import NETS, NOT_EXPORTED
from benchmarks.conversion.row import NOT_FINITE, counts, held, row
from benchmarks.conversion.twins import float64_twin, low_precision_layers
from benchmarks.report import to_json
from benchmarks.zoo import networks
from benchmarks.zoo.net import Net
from benchmarks.zoo.outcome import read_row
from benchmarks.zoo.packages import requirement
from benchmarks.zoo.steps import take
from keras_bin import BatchInstanceNormalization
from tests.benchmarks.test_zoo import RIGHT, fake_run

FOUND = {
    "build": {"parameters": 7, "normalizations": 3},
    "convert": {
        "converted": 2,
        "left": [[1, "why"]],
        "peak": 30e6,
        "weights": 2e7,
        "passes": 2,
        "of passes": 1.1,
    },
    "float64": {"low": 0, "apart": 2e-13},
    "training": {"outputs": 3e-13, "statistics": 4e-16},
    "float32": {"apart": 1e-6, "roundings": 4.5},
    "time": {"of clone": 2.0},
    "revert": {"apart": 0.0},
    "fold": RIGHT,
}


def net_of(*last):
    """Returns a net with batch normalization and dropout, of 2 pixels."""
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((2, 2, 3)), layers.BatchNormalization(), layers.Dropout(0.5), *last]
    )


def test_every_architecture_of_keras_with_batch_normalization_is_there():
    families = {"DenseNet": 3, "EfficientNetB": 8, "EfficientNetV2": 7, "Inception": 2}
    families |= {"MobileNet": 4, "NASNet": 2, "ResNet": 6, "Xception": 1}
    names = applications.names()
    assert len(names) == sum(families.values())
    found = {family: sum(name.startswith(family) for name in names) for family in families}
    assert found == families
    assert {f"apps/{name}" for name in names} <= NETS.keys()


def test_every_package_has_its_line_and_each_family_of_keras_is_exported():
    modules = {net.module for net in NETS.values()} - {"keras"}
    assert all("==" in requirement(module) for module in modules)
    exported = NETS.keys() - NOT_EXPORTED
    named = ("ResNet50", "MobileNetV3Large", "EfficientNetV2B0", "NASNetMobile", "InceptionV3")
    assert {f"apps/{name}" for name in (*named, "DenseNet121", "Xception")} <= exported


@pytest.mark.parametrize(
    ("got", "expected", "value"),
    [
        ([[1.0, 4.0], [10.0]], [[1.5, 4.0], [10.0]], 0.125),
        ([[0.0, 4.0], [9.0]], [[0.0, 4.0], [10.0]], 0.1),
        ([[0.0], [np.inf]], [[0.0], [np.inf]], 0.0),
        ([[np.nan]], [[1.0]], None),
        ([[1e-9]], [[0.0]], None),
    ],
    ids=["first output", "second output", "equal", "not finite", "nothing to compare with"],
)
def test_relative_difference_is_that_of_the_worst_output(got, expected, value):
    got, expected = ([np.array(each) for each in arrays] for arrays in (got, expected))
    assert parity.relative(got, expected) == value


def test_outputs_that_are_missing_are_refused():
    with pytest.raises(ValueError, match=r"as many arrays as are right, 2\. Received: 1"):
        parity.relative([np.zeros(1)], [np.zeros(1)] * 2)


@pytest.mark.parametrize(
    ("converted", "source", "exact", "value"),
    [
        ([1.0, 4.0], [1.0, 3.0], [1.5, 3.0], 2.0),
        ([1.0], [1.0], [1.0], 0.0),
        ([1.5], [1.0], [1.0], None),
    ],
    ids=["two roundings", "equal", "a source without rounding"],
)
def test_difference_is_counted_in_roundings_of_the_source(converted, source, exact, value):
    arrays = [[np.array(each)] for each in (converted, source, exact)]
    assert parity.roundings(*arrays) == value


def test_nets_with_the_same_seeds_draw_alike_in_training():
    inputs = [np.random.default_rng(0).normal(size=(4, 2, 2, 3)).astype("float32")]
    one, other = net_of(), net_of()
    drawn = parity.train(one, inputs)["outputs"][0]
    assert (parity.train(other, inputs)["outputs"][0] != drawn).any()
    fresh = net_of()
    parity.set_seeds(fresh, [state - [0, 1] for state in parity.seeds(one)])
    found = parity.train(fresh, inputs)
    np.testing.assert_array_equal(found["outputs"][0], drawn)
    mean = 0.01 * inputs[0].mean((0, 1, 2))
    np.testing.assert_allclose(found["statistics"][0], mean, rtol=1e-5)


def test_gates_are_drawn_at_both_ends_and_between():
    model = keras.Sequential([keras.Input((2, 2, 400)), BatchInstanceNormalization()])
    draw_gates(model)
    (rho,) = (np.asarray(layer.rho) for layer in model.layers)
    assert 80 < (rho == 0).sum() < 120
    assert 80 < (rho == 1).sum() < 120
    assert ((rho >= 0) & (rho <= 1)).all()


def test_twin_computes_in_float64_with_the_same_weights():
    model = net_of(keras.layers.Dense(2))
    twin = float64_twin(lambda: net_of(keras.layers.Dense(2)), model)
    for weight, value in zip(twin.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert {layer.compute_dtype for layer in twin.layers} == {"float64"}
    assert low_precision_layers(twin) == []
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float32", "float32")


def test_layers_that_insist_on_float32_are_named():
    def build():
        return net_of(keras.layers.ReLU(dtype="float32", name="last"))

    assert low_precision_layers(float64_twin(build, build())) == ["last"]


def test_policy_is_as_before_where_a_twin_cannot_be_built():
    with pytest.raises(ZeroDivisionError):
        float64_twin(lambda: 1 / 0, net_of())
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float32", "float32")


def test_clock_counts_calls_and_puts_the_function_back():
    module = SimpleNamespace(double=lambda value: 2 * value)
    function = module.double
    with costs.Clock(module, "double") as clock:
        assert [module.double(value) for value in (1, 2)] == [2, 4]
    assert (clock.calls, module.double) == (2, function)
    assert 0 <= clock.seconds < 1


@pytest.mark.skipif(not costs.RESET.exists(), reason="the peak of memory is read from Linux")
def test_peak_is_raised_by_what_is_held_at_once():
    _, bytes_ = costs.raised_peak(lambda: [np.ones(4_000_000).sum() for _ in range(3)])
    assert 30e6 < bytes_ < 60e6


def test_steps_go_on_but_for_those_that_are_needed(tmp_path):
    path = tmp_path / "found.json"
    steps = {"one": lambda: 1 / 0, "two": lambda: {"value": 2}}
    take(steps, [], path)
    found = json.loads(path.read_text())
    assert found["one"]["error"].startswith("ZeroDivisionError")
    assert found["two"]["value"] == 2
    take(steps, ["one"], path)
    assert list(json.loads(path.read_text())) == ["one"]


def test_row_of_a_network_holds_its_figures():
    found = row("a", FOUND)
    assert (found["BN"], found["converted"], found["note"]) == (3, 2, "1 left: why")
    assert (found["float64"], found["training"], found["statistics"]) == (2e-13, 3e-13, 4e-16)
    assert (found["float32 / rounding"], found["convert / clone_model"]) == (4.5, 2.0)
    assert (found["memory, MB"], found["weights, MB"]) == (30.0, 20.0)
    assert found["fold"].status == "ok"
    assert "ONNX" not in found
    assert held(found) == {
        "float64": True,
        "float32 / rounding": False,
        "convert / clone_model": True,
        "reverted": True,
    }


def test_row_says_what_failed_and_what_is_not_finite():
    failed = {"error": "ValueError: It must be so.\nReceived: that"}
    found = row(
        "a", {**FOUND, "time": failed, "float64": {"low": 2, "apart": None, "own": 3e-8}}, "ended"
    )
    assert found["convert / clone_model"] == "ValueError: It must be so."
    assert found["float64"] == NOT_FINITE
    assert held(found)["float64"] is False
    assert "2 layers stay in float32" in found["note"]
    assert "its own rounding is 3.0e-08" in found["note"]
    assert found["note"].endswith("ended")


@pytest.mark.parametrize("step", ["build", "convert"])
def test_network_that_cannot_be_converted_is_a_note(step):
    found = {**FOUND, step: {"error": "ValueError: It must be so."}}
    assert row("a", found)["note"] == f"does not {step}: ValueError: It must be so."
    assert row("a", {}, "ended")["note"] == "does not build: no result: ended"


def test_rows_are_the_same_after_json():
    rows = [row("a", FOUND), row("b", {}, "ended")]
    assert [read_row(each) for each in json.loads(to_json(rows))] == rows


def test_counts_are_of_the_networks_that_have_the_figure():
    said = counts([row("a", FOUND), row("b", {**FOUND, "float64": {"apart": 1e-9}}), row("c", {})])
    assert "float64 at most 1e-12: 1 of 2" in said
    assert "fold 2 of 2, ONNX 0 of 0" in said


def test_missing_package_is_told_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(networks, "installed", lambda module: False)
    note = program.convert_net("kimm/ResNet18", program.ConversionPlan(1.0, False))["note"]
    assert note.startswith("package missing: kimm==")


def test_only_adds_to_the_rows_of_the_same_day(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(networks, "RESULTS", tmp_path)
    monkeypatch.setattr(subprocess, "run", fake_run(FOUND, 0))
    for name in ("apps/Xception", "apps/MobileNet"):
        program.main(["--only", name])
    (path,) = tmp_path.glob("*-conversion.json")
    (section,) = json.loads(path.read_text())["sections"]
    assert [each["net"] for each in section["rows"]] == ["apps/MobileNet", "apps/Xception"]


def test_each_step_is_taken(tmp_path):
    path = tmp_path / "found.json"
    steps = Conversion(Net(net_of, "keras"), tmp_path).steps(export=False)
    take(steps, [], path)
    found = json.loads(path.read_text())
    assert [found[step].get("error") for step in steps] == [None] * len(steps)
    assert found["convert"]["passes"] == 2
    assert found["time"]["of clone"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small"])
def test_network_of_keras_computes_the_same_as_bin(name, tmp_path):
    path = tmp_path / "found.json"
    steps = Conversion(NETS[f"apps/{name}"], tmp_path).steps(export=False)
    wanted = ("build", "convert", "float64", "training", "float32")
    take({step: steps[step] for step in wanted}, wanted, path)
    found = row(name, json.loads(path.read_text()))
    assert found["converted"] == found["BN"] > 20
    assert found["training"] < 1e-12
    assert found["statistics"] < 1e-12
    assert held(found) == {"float64": True, "float32 / rounding": True}
