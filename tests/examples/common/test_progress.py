"""The progress that experiments show."""

from common.progress import run_bars


def test_run_leaves_its_name_result_and_seconds(capsys):
    with run_bars(1) as bars, bars.run("seed 0  BIN", steps=2) as bar:
        bar.epoch_callback().on_epoch_end(0, {"loss": 0.5})
        bar.result = "98.7 %"
    assert 0 <= bar.seconds < 5
    assert f"seed 0  BIN  98.7 %, {bar.seconds} s" in capsys.readouterr().out


def test_bar_of_a_resumed_run_starts_where_that_was_stopped():
    with run_bars(1) as bars, bars.run("seed 0  BIN", steps=5) as bar:
        callback = bar.epoch_callback()
        callback.on_epoch_begin(3)
        callback.on_epoch_end(3, {"loss": 0.5})
        callback.on_epoch_begin(4)
        (_, task) = bar._progress.tasks
        assert (task.completed, task.total) == (4, 5)
        assert task.fields["note"] == "loss 0.5000"
