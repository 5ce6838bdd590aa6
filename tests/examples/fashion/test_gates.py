"""The table of gates."""

from fashion.gates import gate_table


def run(*layers):
    return {"epochs": [{"rho": []}, {"rho": layers}]}


def test_shares_are_those_of_all_seeds_and_the_last_row_weighs_layers_by_their_gates():
    runs = [run([0.5, 1, 2, 1], [1.0, 0, 0, 12]), run([0.7, 0, 4, 0], [0.9, 0, 6, 6])]
    table = gate_table("BIN", runs)
    assert [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)] == [
        ["1", "4", "0.60", "12.5", "75.0", "12.5"],
        ["2", "12", "0.95", "0.0", "25.0", "75.0"],
        ["all", "16", "0.86", "3.1", "37.5", "59.4"],
    ]
