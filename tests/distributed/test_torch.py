"""Two processes of `torch.distributed`: whose statistics a process uses, and that ranks agree."""

import keras
import numpy as np
import pytest

from testing import reference
from testing.processes import run_together
from tests import cases
from tests.backends import skip_without

pytestmark = pytest.mark.slow
SHAPE, SPLIT, EPSILON = (8, 3, 2, 3), 5, 0.01  # of the layer's input, in parts of 5 and 3 rows
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def case():
    x = cases.random_input(SHAPE).astype("float32")
    return {"x": x, "mask": np.random.default_rng(0).uniform(size=SHAPE[:-1]) < 0.7}


@pytest.fixture(scope="module")
def ranks(case, tmp_path_factory):
    """What the program printed in each of two processes."""
    skip_without("torch")
    folder = tmp_path_factory.mktemp("torch")
    np.savez(folder / "case.npz", **case)
    program = ["-m", "tests.distributed.torch_program", folder]
    environment = {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    return run_together([[*program, rank, 2] for rank in range(2)], folder, environment)


def together(ranks, key, name):
    return np.concatenate([rank[key][name] for rank in ranks])


def assert_equal_runs(found, expected):
    for name in ("losses", "gates", "gradients", "weights"):
        flat = [keras.tree.flatten(run[name]) for run in (found, expected)]
        np.testing.assert_allclose(*flat, err_msg=name, **CLOSE)


@pytest.mark.parametrize(
    ("run", "alone"),
    [
        ("synchronized", "alone"),
        ("uneven", "alone"),
        ("torch.optim", "alone, torch.optim"),
    ],
    ids=["halves", "10 and 6 rows", "torch.optim with clipping"],
)
def test_synchronized_ranks_train_as_one_process(ranks, run, alone):
    for rank in ranks:
        assert_equal_runs(rank[run], rank[alone])
    gates = np.array(ranks[0][run]["gates"])
    assert gates.min() == 0
    assert gates.max() == 1
    assert np.any((gates[-1] > 0) & (gates[-1] < 1))


@pytest.mark.parametrize("run", ["synchronized", "uneven", "torch.optim", "apart"])
def test_ranks_have_equal_gates_after_every_step(ranks, run):
    first, second = (rank[run]["gates"] for rank in ranks)
    assert first == second


def test_ranks_that_are_not_synchronized_keep_statistics_of_their_own(ranks):
    """`DistributedDataParallel` broadcasts buffers; moving statistics are parameters in Keras."""
    for layer in range(2):
        first, second = (rank["apart"]["weights"][layer] for rank in ranks)
        assert first[:3] == second[:3]
        assert np.abs(np.subtract(first[3:], second[3:])).min() > 1e-5


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_synchronized_layer_computes_with_the_rows_of_all_ranks(ranks, case, masked):
    key, weights, x = f"layer, masked {masked}", reference.random_weights(SHAPE[-1]), case["x"]
    mask = case["mask"] if masked else None
    expected = reference.forward(x, weights, mask=mask)
    np.testing.assert_allclose(together(ranks, key, "y"), expected, **CLOSE)
    expected = reference.backward(x, np.cos(x), weights, mask=mask)
    np.testing.assert_allclose(together(ranks, key, "dx"), expected.dx, **CLOSE)
    learned = np.sum([rank[key]["learned"] for rank in ranks], 0)
    np.testing.assert_allclose(learned, expected[1:], **CLOSE)
    for rank in ranks:
        expected = reference.moving_statistics(x, weights, mask=mask)
        np.testing.assert_allclose(rank[key]["moving"], expected, **CLOSE)


def test_layer_that_is_not_synchronized_computes_with_the_rows_of_its_rank(ranks, case):
    weights = reference.random_weights(SHAPE[-1])
    for rank, x in zip(ranks, np.split(case["x"], [SPLIT]), strict=True):
        results = rank["layer, apart"]
        np.testing.assert_allclose(results["y"], reference.forward(x, weights), **CLOSE)
        expected = reference.backward(x, np.cos(x), weights)
        np.testing.assert_allclose(results["dx"], expected.dx, **CLOSE)
        expected = reference.moving_statistics(x, weights)
        np.testing.assert_allclose(results["moving"], expected, **CLOSE)


def test_second_derivatives_are_those_of_all_rows(ranks, case):
    weights, x = reference.random_weights(SHAPE[-1]), case["x"].astype("float64")
    expected = cases.finite_difference(
        lambda v: reference.gradient_penalty(v, np.cos(x), weights, EPSILON), x
    )
    found = np.concatenate([rank["penalty gradient"] for rank in ranks])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_rank_builds_a_model_without_the_others(ranks):
    assert ranks[0]["built"] == [None, 4, 4, SHAPE[-1]]


def test_synchronized_layer_is_not_turned_back_where_keras_would_not_synchronize_it(ranks):
    classes, said = ranks[0]["reverted"]
    assert classes == ["InputLayer", "BatchInstanceNormalization"]
    reason = "BatchNormalization does not accept its arguments: Argument synchronized=True"
    assert sum(reason in each for each in said) == 1
