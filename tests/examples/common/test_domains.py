"""Domains to adapt between: which pictures are the source, the target, and held out."""

import numpy as np
import pytest

from common.domains import digit_domains, office_home_domains
from common.scans import Scans
from tests.examples.programs import make_office_home


def test_source_and_target_are_other_scans_and_change_with_the_seed():
    scans = np.arange(1, 9, dtype="float32")[:, None, None] / 8 * np.ones((8, 8, 8), "float32")
    split = Scans(scans, scans[:2], np.arange(8), np.arange(2))
    domains = digit_domains(split)
    task = domains.task("clean", "inverted", 0)
    source, target = task.source[:, 0, 0, 0], 1 - task.target[:, 0, 0, 0]
    assert sorted([*source, *target]) == pytest.approx(scans[:, 0, 0])
    np.testing.assert_allclose(8 * source - 1, task.source_labels)
    np.testing.assert_allclose(1 - task.target_test[:, 0, 0, 0], scans[:2, 0, 0])
    np.testing.assert_allclose(task.source_test[:, 0, 0, 0], scans[:2, 0, 0])
    np.testing.assert_array_equal(task.source_test_labels, [0, 1])
    assert np.any(domains.task("clean", "inverted", 1).source != task.source)


def test_office_home_is_tested_on_what_was_learnt(tmp_path):
    domains = office_home_domains(make_office_home(tmp_path))
    task = domains.task("Art", "Clipart", 0)
    assert (domains.classes, task.source.shape) == (2, (4, 64, 64, 3))
    np.testing.assert_array_equal(task.source_labels, [0, 0, 1, 1])
    assert task.target is task.target_test
    assert task.source is task.source_test
    assert np.any(task.source != task.target)
