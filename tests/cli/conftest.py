import json

import pytest

from keras_bin_cli.program import main
from tests.export.kinds import bin_model


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "model.keras"
    bin_model().save(path)
    return path


@pytest.fixture
def run_json(capsys):
    """Runs a command with --json; returns its exit code, its object and its standard error."""

    def run(*arguments):
        code = main([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out), printed.err

    return run
