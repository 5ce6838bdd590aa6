"""The pictures of recorded results: nothing in them is cut, and no texts overlap."""

import json

import pytest

import adaptivity
import character_recognition
import classification
import convert
import domain_adaptation
import mixed_domain
from common.styles import STYLES
from fashion.charts import plot_gates, plot_learning
from tests.examples.programs import EXAMPLES
from tests.pictures import check_texts


def recorded(name):
    return json.loads((EXAMPLES / "results" / name / "results.json").read_text())["runs"]


@pytest.mark.parametrize(("norms", "panels"), [(["BN"], 2), (["BN", "BIN"], 3)])
def test_rho_of_two_tasks_has_a_panel_where_bin_was_run(norms, panels):
    runs = [run for run in recorded("adaptivity") if run["norm"] in norms]
    assert len(adaptivity.plot_tasks(runs).axes) == panels


@pytest.mark.parametrize(
    ("name", "plot"),
    [
        ("adaptivity", adaptivity.plot_tasks),
        ("convert", convert.plot),
        ("mixed_domain", mixed_domain.plot),
        ("adaptivity_fashion", adaptivity.plot_tasks),
        ("mixed_domain_fashion", mixed_domain.plot),
        ("mixed_domain_fashion", plot_learning),
        ("classification_fashion", plot_learning),
    ],
)
def test_bars_and_gates_have_room(name, plot):
    check_texts(plot(recorded(name)))


def test_gates_of_many_layers_have_room():
    runs = recorded("mixed_domain_fashion")
    check_texts(plot_gates({"BIN": [run for run in runs if run["norm"] == "BIN"]}))


def test_curves_have_room():
    runs = recorded("classification")
    check_texts(classification.plot(runs, epochs=len(runs[0]["test_accuracy"])))


def test_panels_have_room():
    runs = recorded("character_recognition")
    nets = dict.fromkeys((run["style"], run["depth"]) for run in runs)
    readers = [character_recognition.Reader(*net) for net in nets]
    sizes = sorted({run["size"] for run in runs})
    check_texts(character_recognition.plot(runs, readers, sizes))


def test_pairs_have_room():
    check_texts(domain_adaptation.plot(recorded("domain_adaptation"), tuple(STYLES)))
