"""What stays settled in later trainings, in files, and where a training goes on."""

import keras
import numpy as np
import pytest

from tests.settling.nets import (
    ALL_AT_1,
    BINS,
    build,
    compiled,
    ends,
    fit,
    gates,
    pictures,
    settling,
)


def test_settled_gates_stay_in_a_training_without_the_callback(settled_training):
    model = keras.models.clone_model(settled_training[0])
    model.set_weights(settled_training[0].get_weights())
    compiled(model, keras.optimizers.Adam(0.01, use_ema=True), run_eagerly=True)
    model.fit(*pictures(), epochs=2, verbose=0)
    assert ends(model)["middle"] == ends(model)["back"] == {1.0}


def test_saved_model_stays_settled(settled_training, tmp_path):
    model, _, _ = settled_training
    model.save(tmp_path / "settled.keras")
    loaded = keras.saving.load_model(tmp_path / "settled.keras")
    fit(loaded, keras.callbacks.Callback(), epochs=1)
    assert ends(loaded)["middle"] == ends(loaded)["back"] == {1.0}
    assert np.any(gates(loaded)["front"] != gates(model)["front"])


@pytest.mark.parametrize(
    ("keep", "first", "eager"),
    [
        (None, "settling", True),
        (None, "backup", False),
        (0.3, "settling", False),
        (0.3, "backup", True),
    ],
)
def test_training_that_goes_on_from_a_backup_has_settled_the_same(keep, first, eager, tmp_path):
    """A backup that is written first does not hold what the same epoch then settles."""
    epochs = 3

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def run(*others):
        made = settling(keep=keep, start=0.6, stop=0.6)
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        order = [made, backup] if first == "settling" else [backup, made]
        model = compiled(build(), run_eagerly=eager)
        x, y = pictures()
        callbacks = [*order, *others]
        model.fit(x, y, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks)
        return model

    with pytest.raises(KeyboardInterrupt):
        run(Stop())
    resumed = run()
    whole = compiled(build(), run_eagerly=eager)
    fit(whole, settling(keep=keep, start=0.6, stop=0.6), epochs=epochs, shuffle=False)
    assert {1.0} in ends(resumed).values()
    for name in BINS:
        np.testing.assert_allclose(gates(resumed)[name], gates(whole)[name], rtol=0, atol=1e-5)


def test_training_that_starts_after_the_round_makes_up_for_it():
    model = compiled(build(), run_eagerly=True)
    fit(model, settling(max_cost=0.0), initial_epoch=4)
    assert ends(model) == ALL_AT_1


def test_training_that_ends_before_the_round_says_so():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    with pytest.warns(UserWarning, match=r"settled nothing.*Received: start=0.4, .* epoch 2$"):
        fit(compiled(build(), run_eagerly=True), settling(), callbacks=[Stop()])


def test_next_training_begins_anew():
    settle = settling(max_cost=0.0)
    for epochs in (5, 3):
        fit(compiled(build(bins=("back",)), run_eagerly=True), settle, epochs=epochs)
    assert {row.epoch for row in settle.settled} == {2}
    assert [step.epoch for step in settle.steps] == [2, 2]
