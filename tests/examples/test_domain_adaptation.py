"""Two domains, one labelled: the batches, the nets, the claim, and what quick runs leave behind."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import domain_adaptation
from common.digit_styles import STYLES
from common.domains import Domains, Task
from common.norms import NORMS
from common.progress import run_bars
from common.training import PARTS
from domain_adaptation import HALF_BATCH, accuracies, adapt, batches, build_net
from tests.examples.programs import check_picture, make_office_home, read_results, run_program


@pytest.fixture
def task():
    """Black source pictures of the classes 1 to 9, white target pictures."""
    black, white = np.zeros((40, 8, 8, 3), "float32"), np.ones((30, 8, 8, 3), "float32")
    labels = np.arange(40) % 9 + 1
    return Task(black, labels, white, white, np.zeros(30, "int64"), black, labels)


def test_batches_weigh_the_classes_of_the_source_alone(task):
    for pictures, (classes, domain), weights in batches(task).take(3):
        assert pictures.shape == (2 * HALF_BATCH, 8, 8, 3)
        half = np.repeat([0.0, 1.0], HALF_BATCH)
        np.testing.assert_array_equal(pictures[:, 0, 0, 0], half)
        np.testing.assert_array_equal(domain[:, 0], half)
        np.testing.assert_array_equal(weights[0], 1 - half)
        np.testing.assert_array_equal(weights[1], 1)
        assert np.all(classes[:HALF_BATCH] > 0)
        np.testing.assert_array_equal(classes[HALF_BATCH:], 0)


@pytest.mark.parametrize("norm", ["BN", "BIN"])
def test_net_reads_classes_and_tells_domains_apart(norm):
    both, reader = build_net(NORMS[norm], 8, (8, 8, 3), 5)
    assert isinstance(both, NORMS[norm].model_class)
    pictures = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    classes, domain = both(pictures)
    assert (classes.shape, domain.shape) == ((2, 5), (2, 1))
    np.testing.assert_array_equal(reader(pictures), classes)


def test_features_unlearn_domains():
    """A step against its gradient helps the head to tell domains, but makes features alike."""
    both, _ = build_net(NORMS["BN"], 8, (8, 8, 3), 5)
    pictures = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
    is_target = np.array([[0.0], [0.0], [1.0], [1.0]], "float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def domain_loss():
        return loss(is_target, both(pictures, training=True)[1])

    for weight, falls in ((both.get_layer("domain").kernel, True), (both.weights[0], False)):
        with tf.GradientTape() as tape:
            before = domain_loss()
        gradient = tape.gradient(before, weight.value)
        step = 1e-3 * gradient / tf.norm(gradient)
        weight.assign_sub(step)
        assert bool(domain_loss() < before) is falls
        weight.assign_add(step)


@pytest.mark.parametrize("reversal", [True, False])
def test_domains_change_features_only_through_the_reversal(task, reversal, monkeypatch):
    """Two steps whose batches differ in what they call the target, and in nothing else."""

    def features(is_target):
        def one_batch(task):
            pictures = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
            domain = np.array(is_target, "float32")[:, np.newaxis]
            batch = (pictures, (np.arange(4), domain), (np.ones(4), np.ones(4)))
            return tf.data.Dataset.from_tensors(batch).repeat()

        def one_layer(pictures, layers, depth):
            return keras.layers.Conv2D(4, 3, activation="relu")(pictures)

        monkeypatch.setattr(domain_adaptation, "batches", one_batch)
        monkeypatch.setattr(domain_adaptation, "resnet", one_layer)
        domains = Domains((), None, classes=5, depth=8, steps=PARTS, caption="")
        with run_bars(1) as bars, bars.run("", PARTS) as bar:
            return adapt("BN", domains, task, 0, bar, reversal).get_weights()

    one, other = features([0, 0, 1, 1]), features([0, 1, 0, 1])
    same = [np.array_equal(a, b) for a, b in zip(one, other, strict=True)]
    assert all(same) is not reversal


def runs(leads):
    """Two seeds of BN at 50 and 51 %, and of BIN ahead by some points for each pair.

    On the source, all read 90 %. Without reversal, all read 10 % less on both.
    """
    pairs = list(zip(itertools.permutations(list(STYLES)[:3], 2), leads, strict=True))
    return [
        {
            "source": source,
            "target": target,
            "reversal": reversal,
            "norm": norm,
            "seed": seed,
            "on_target": 50.0 + seed + (lead if norm == "BIN" else 0) - (0 if reversal else 10),
            "on_source": 90.0 if reversal else 80.0,
        }
        for reversal in (True, False)
        for seed in (0, 1)
        for (source, target), lead in pairs
        for norm in ("BN", "BIN")
    ]


@pytest.mark.parametrize(
    ("leads", "holds"),
    [((-5, 1, 1, 1, 1, 2), True), ((0,) * 6, True), ((-5, 1, 1, 1, 1, 0), False)],
    ids=["ahead", "level", "behind"],
)
def test_bin_must_not_be_behind_on_the_average(leads, holds):
    (claim,) = domain_adaptation.claims(runs(leads))
    assert claim.holds is holds


def test_mean_is_taken_over_pairs_seed_by_seed():
    rows = accuracies(runs((6, 0, 0, 0, 0, 0)))
    assert rows["clean to inverted"] == {"BN": [50, 51], "BIN": [56, 57]}
    assert rows["mean"] == {"BN": [50, 51], "BIN": [51, 52]}


def test_source_and_runs_without_reversal_have_tables_of_their_own():
    made = runs((0,) * 6)
    assert accuracies(made, reversal=False)["mean"] == {"BN": [40, 41], "BIN": [40, 41]}
    assert accuracies(made, "on_source")["mean"] == {"BN": [90, 90], "BIN": [90, 90]}
    tables = domain_adaptation.tabulate(made)
    means = {table.title: list(table.columns[1].cells)[-1] for table in tables}
    assert means == {
        "Accuracy on the target, with gradient reversal, %": "50.5 ± 0.7",
        "Accuracy on the source, with gradient reversal, %": "90.0 ± 0.0",
        "Accuracy on the target, without gradient reversal, %": "40.5 ± 0.7",
        "Accuracy on the source, without gradient reversal, %": "80.0 ± 0.0",
    }


def test_leads_and_means_are_drawn():
    figure = domain_adaptation.plot(runs((1, 2, 3, 4, 5, 6)), tuple(STYLES)[:3])
    pairs, means, _ = figure.axes
    leads = np.ma.filled(pairs.images[0].get_array(), np.nan)
    np.testing.assert_allclose(leads, [[np.nan, 1, 2], [3, np.nan, 4], [5, 6, np.nan]])
    assert (pairs.get_ylabel(), pairs.get_xlabel()) == ("source", "target")
    bn, bin_ = [50.5, 40.5, 90, 80], [54, 44, 90, 80]
    assert [bar.get_height() for bar in means.patches] == [*bn, *bin_]


def test_bad_office_home_folder_is_refused_before_training(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        domain_adaptation.main(["--office-home", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "argument --office-home: An Office-Home folder must" in capsys.readouterr().err


@pytest.fixture(scope="module", params=["digits", "office-home"])
def finished(request, tmp_path_factory):
    """The domains, the output folder of a quick run, and what it printed.

    The pictures of Office-Home are made smaller than the program makes them.
    """
    output = tmp_path_factory.mktemp("domain_adaptation")
    arguments = ["--quick", "--seeds", 1, "--output", output]
    if request.param == "office-home":
        arguments += ["--office-home", make_office_home(output / "data")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.domains.PICTURE_SIZE", 16)
        return request.param, output, run_program(domain_adaptation, *arguments)


@pytest.mark.slow
def test_results_table_and_picture_are_written(finished):
    domains, output, printed = finished
    results = read_results(output)
    assert [(run["norm"], run["reversal"]) for run in results["runs"]] == [
        (norm, reversal) for reversal in (True, False) for norm in ("BN", "BIN")
    ]
    first = "clean to inverted" if domains == "digits" else "Art to Clipart"
    for text in (printed, (output / "results.md").read_text()):
        for expected in (first, "mean", "BIN - BN", "without gradient reversal"):
            assert expected in " ".join(text.split())
    check_picture(output / "domain_adaptation.png")
