"""Training steps in two processes."""

import pytest

from benchmarks.plan import QUICK
from benchmarks.workers import workers


@pytest.mark.slow
def test_synchronized_bin_needs_two_collectives_for_each_layer():
    separate, synchronized = workers(QUICK, iter).rows
    layers = 7  # of ResNet-8; the gradients of all weights are one collective more
    assert separate["collectives, BIN"] == 2
    assert separate["collectives, BN"] == 1
    assert synchronized["collectives, BIN"] == 2 * layers + 1
    assert synchronized["collectives, BN"] == 5 * layers + 1
    assert synchronized["BIN / BN"].value > 0
