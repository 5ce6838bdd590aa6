"""One net for several styles: the claim, and what a quick run leaves behind."""

import pytest

import mixed_domain
from common.norms import NORMS
from common.styles import STYLES
from tests.examples.programs import check_picture, read_results, run_program


def runs(bn, bin_):
    """Two runs of BN and BIN, around an accuracy each, the same in every style."""
    return [
        {"norm": norm, "accuracy": dict.fromkeys(STYLES, accuracy + spread)}
        for spread in (-1, 1)
        for norm, accuracy in (("BN", bn), ("BIN", bin_))
    ]


@pytest.mark.parametrize(("bin_", "holds"), [(96.1, True), (97, True), (96.05, False), (94, False)])
def test_bin_must_be_a_point_ahead(bin_, holds):
    (claim,) = mixed_domain.claims(runs(95.1, bin_))
    assert claim.holds is holds
    assert f"BIN ({bin_:.2f} %)" in claim.sentence


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a quick run, and what it printed."""
    output = tmp_path_factory.mktemp("mixed_domain")
    return output, run_program("mixed_domain.py", "--quick", "--seeds", 1, "--output", output)


@pytest.mark.slow
def test_bin_is_ahead_within_two_epochs(finished):
    results = read_results(finished[0])
    assert [run["norm"] for run in results["runs"]] == list(NORMS)
    assert results["settings"]["epochs"] == 2
    assert results["claims"][0]["holds"], results["claims"]


@pytest.mark.parametrize(("norm", "panels"), [("BN", 1), ("BIN", 2)])
def test_rho_has_a_panel_where_bin_was_run(norm, panels):
    made = [{**run, "rho": [0.5]} for run in runs(90, 91) if run["norm"] == norm]
    assert len(mixed_domain.plot(made).axes) == panels


@pytest.mark.slow
def test_table_and_picture_are_written(finished):
    output, printed = finished
    for text in (printed, (output / "results.md").read_text()):
        for expected in (*STYLES, "mean", "BN+IN", "BIN - BN"):
            assert expected in text
    check_picture(output / "mixed_domain.png")
