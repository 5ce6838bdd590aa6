"""The progress that experiments show."""

from common.progress import run_bars


def test_run_leaves_its_name_result_and_seconds(capsys):
    with run_bars(1) as bars, bars.run("seed 0  BIN", steps=2) as bar:
        bar.epoch_callback().on_epoch_end(0, {"loss": 0.5})
        bar.result = "98.7 %"
    assert 0 <= bar.seconds < 5
    assert f"seed 0  BIN  98.7 %, {bar.seconds} s" in capsys.readouterr().out
