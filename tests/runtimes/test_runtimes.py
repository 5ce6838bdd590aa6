"""Exported models under runtimes that share no code with keras_bin, and mostly none with Keras."""

import functools

import numpy as np
import pytest

from tests.runtimes.cases import CASES, Exported, assert_outputs_equal
from tests.runtimes.registry import RUNTIMES
from tests.runtimes.runtime import Runtime, require

# Keras's export to OpenVINO takes seconds. OpenVINO reads the other cases as SavedModels.
OF_THE_IR = ("mixed rho", "dicts", "free sizes", "channels first")
READ = [
    pytest.param(runtime, artifact, case, id=f"{runtime.name}-{artifact}-{case}")
    for case in CASES
    for runtime in RUNTIMES
    for artifact in runtime.artifacts
    if artifact != "OpenVINO IR" or case in OF_THE_IR
]


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Runs a case on a runtime; what was exported and what came out is kept."""
    folder = tmp_path_factory.mktemp("runtimes")

    @functools.cache
    def exported(case):
        return Exported(case, folder / case.replace(" ", "-"))

    @functools.cache
    def serve(runtime, artifact, case):
        require(runtime, artifact)
        files = folder / f"{runtime.name}-{artifact}-{case}".replace(" ", "-")
        return exported(case), runtime.serve(exported(case), artifact, files)

    return serve


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "artifact", "case"), READ)
def test_outputs_equal_the_keras_models(runtime, artifact, case, serve):
    exported, served = serve(runtime, artifact, case)
    assert_outputs_equal(served.results, exported.expected)


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "artifact", "case"), READ)
def test_names_and_free_sizes_are_the_keras_models(runtime, artifact, case, serve):
    exported, served = serve(runtime, artifact, case)
    assert served.inputs == exported.inputs
    assert served.outputs.keys() == set(exported.outputs)
    assert {shape[0] for shape in served.outputs.values()} == {None}


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_expectation_that_is_off_in_one_value_fails(runtime, serve):
    exported, served = serve(runtime, runtime.artifacts[0], "mixed rho")
    perturbed = [{name: np.copy(values) for name, values in b.items()} for b in exported.expected]
    perturbed[-1]["head"][-1, -1] += 2e-5
    with pytest.raises(AssertionError, match="head, batch 16"):
        assert_outputs_equal(served.results, perturbed)


ABSENT = Runtime("absent", ("ONNX",), lambda: "it is missing; get it there", None, None)


def test_missing_runtime_skips_and_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("KERAS_BIN_REQUIRE_RUNTIMES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="it is missing; get it there"):
        require(ABSENT, "ONNX")


def test_missing_runtime_fails_where_runtimes_are_required(monkeypatch):
    monkeypatch.setenv("KERAS_BIN_REQUIRE_RUNTIMES", "1")
    with pytest.raises(pytest.fail.Exception, match="it is missing; get it there"):
        require(ABSENT, "ONNX")


def test_artifact_that_cannot_be_written_skips_even_then(monkeypatch):
    monkeypatch.setenv("KERAS_BIN_REQUIRE_RUNTIMES", "1")
    monkeypatch.setattr("keras.__version__", "3.12.9")
    with pytest.raises(pytest.skip.Exception, match=r"LiteRT is written by Keras from 3\.13 on"):
        require(ABSENT, "LiteRT")
