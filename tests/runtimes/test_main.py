"""The program that prints the table of runtimes."""

from tests.runtimes import __main__ as program
from tests.runtimes.cases import CASES
from tests.runtimes.onnx_runtime import ONNX_RUNTIME


def test_table_has_what_ran_what_is_missing_and_what_is_not_tested(monkeypatch, capsys):
    absent = ONNX_RUNTIME._replace(name="absent", missing=lambda: "it is missing")
    monkeypatch.setattr(program, "CASES", {"mixed rho": CASES["mixed rho"]})
    monkeypatch.setattr(program, "RUNTIMES", (ONNX_RUNTIME, absent))
    program.main()
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines()]
    by_name = {row[0]: row[1:] for row in rows if row}
    assert by_name["ONNX Runtime"][:2] == [ONNX_RUNTIME.version(), "ONNX"]
    assert 0 < float(by_name["ONNX Runtime"][2]) < 1e-5
    assert by_name["absent"] == ["", "ONNX", "not run: it is missing"]
    assert by_name["Triton"] == ["", "", "not tested"]
    assert "Outputs reach 1.9. Models: mixed rho" in printed
