"""The command `keras-bin convert`: what it writes, what it says of it, and what it refuses."""

import os
import re
import shutil

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin_cli.program import main
from testing.weights import randomize
from tests.export.kinds import IMAGE

BN = keras.layers.BatchNormalization


@keras.saving.register_keras_serializable(package="tests")
class Normalized(keras.layers.Layer):
    """A layer that holds batch normalization, of which its config says nothing."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = BN()

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs):
        return self.norm(inputs)


@keras.saving.register_keras_serializable(package="tests")
class Choosy(Normalized):
    """A layer that computes something else with a layer of another class."""

    def call(self, inputs):
        return (1 if type(self.norm) is BN else 2) * self.norm(inputs)


@keras.saving.register_keras_serializable(package="tests")
class Halved(keras.layers.Layer):
    """A layer whose config holds half of what it computes with."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return {**super().get_config(), "factor": self.factor / 2}


def bn_model(*first):
    """Two convolutions and a dense layer, each normalized: `norm1`, `norm2` and `norm3`."""
    x = inputs = keras.Input(IMAGE, name="image")
    for layer in first:
        x = layer(x)
    for number in (1, 2):
        x = keras.layers.Conv2D(3 + number, 3, use_bias=False)(x)
        x = keras.layers.ReLU()(BN(name=f"norm{number}")(x))
    x = BN(name="norm3")(keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    return randomize(keras.Model(inputs, x, name="net"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a compiled model, the same for all tests."""
    model = bn_model()
    model.compile("adam", "mse")
    path = tmp_path_factory.mktemp("models") / "bn.keras"
    model.save(path)
    return path


@pytest.fixture
def source(saved, tmp_path):
    return shutil.copy(saved, tmp_path / "bn.keras")


def convert(*arguments):
    return main(["convert", *map(str, arguments)])


def outputs(path):
    images = np.random.default_rng(0).normal(1.5, 2, (5, *IMAGE)).astype("float32")
    model = keras.saving.load_model(path, compile=False)
    return keras.ops.convert_to_numpy(model(images, training=False))


def layer_classes(path):
    model = keras.saving.load_model(path)
    return [type(model.get_layer(f"norm{number}")) for number in (1, 2, 3)]


@pytest.mark.filterwarnings("default:These layers were left")
def test_written_model_is_bin_and_computes_the_same(source, tmp_path, capsys):
    content = source.read_bytes()
    out = tmp_path / "made" / "bin.keras"
    assert convert(source, out) == 0
    assert layer_classes(out) == [*2 * [keras_bin.BatchInstanceNormalization], BN]
    assert isinstance(keras.saving.load_model(out), keras_bin.BINModel)
    assert not keras.saving.load_model(out).compiled
    np.testing.assert_allclose(outputs(out), outputs(source), rtol=1e-5, atol=1e-6)
    assert source.read_bytes() == content
    assert [path.name for path in out.parent.iterdir()] == ["bin.keras"]

    printed = capsys.readouterr()
    first, *table = printed.out.splitlines()
    assert first == f"{out}: BINModel, not compiled; batch normalization layers converted: 2 of 3"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if "│" in line]
    assert cells == [
        ["norm1", "BatchNormalization", "4", "converted", ""],
        ["norm2", "BatchNormalization", "5", "converted", ""],
        ["norm3", "BatchNormalization", "2", "left", "its inputs have no spatial axis"],
    ]
    assert "warning: These layers were left as they are: 'norm3': its inputs" in printed.err


def test_where_and_rho_reach_the_conversion(source, tmp_path, run_json):
    out = tmp_path / "bin.keras"
    code, found, error = run_json("convert", source, out, "--where", "first", "--rho", "0.25")
    assert (code, error) == (0, "")
    assert found == {
        "path": str(out),
        "model": "BINModel",
        "converted": 1,
        "layers": [
            {
                "layer": f"norm{number}",
                "kind": "BatchNormalization",
                "channels": channels,
                "became": "left" if reason else "converted",
                "reason": reason,
            }
            for number, channels, reason in (
                (1, 4, ""),
                (2, 5, "`where` does not select it"),
                (3, 2, "`where` does not select it"),
            )
        ],
    }
    assert layer_classes(out) == [keras_bin.BatchInstanceNormalization, BN, BN]
    (summary,) = keras_bin.rho_summary(keras.saving.load_model(out))
    assert (summary.minimum, summary.maximum) == (0.25, 0.25)


def test_pattern_selects_layers(source, tmp_path, capsys):
    assert convert(source, tmp_path / "bin.keras", "--where", "*2", "--quiet") == 0
    assert layer_classes(tmp_path / "bin.keras") == [BN, keras_bin.BatchInstanceNormalization, BN]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize("destination", ["file", "link"])
def test_existing_destination_is_replaced_on_request_alone(destination, source, tmp_path, capsys):
    out, other = tmp_path / "bin.keras", tmp_path / "other"
    other.write_text("precious")
    out.symlink_to(other) if destination == "link" else shutil.copy(other, out)
    command = [source, out, "--where", "first"]
    assert convert(*command) == 2
    assert "must not exist; choose another, or pass" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert convert(*command, "--overwrite") == 0
    assert layer_classes(out)[0] is keras_bin.BatchInstanceNormalization
    assert other.read_text() == "precious"


REFUSED = {
    "not a .keras file": (["bin.h5"], r"ends in .keras, such as bin.keras; .*'.*bin.h5'"),
    "no name": ([".keras"], r"must be the name of a file .* Received: '.*\.keras'"),
    "folder": (["folder.keras", "--overwrite"], r"the name of a file .*folder.keras"),
    "existing file": (["taken.keras"], r"must not exist; .*--overwrite.*taken.keras"),
    "source": (["bn.keras", "--overwrite"], r"must not be the same file as IN.*bn.keras' for both"),
    "link to the source": (["link.keras", "--overwrite"], r"must not be the same file as IN"),
    "rho above 1": (
        ["bin.keras", "--rho", "1.5"],
        r"'--rho': it must be a number .*: 1.5",
    ),
    "rho is no number": (
        ["bin.keras", "--rho", "nan"],
        r"'--rho': it must be a number .*: nan",
    ),
}


@pytest.mark.parametrize(("arguments", "error"), REFUSED.values(), ids=REFUSED)
def test_wrong_argument_is_refused_before_a_model_is_loaded(
    arguments, error, source, tmp_path, capsys, monkeypatch
):
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "taken.keras").touch()
    os.symlink(source, tmp_path / "link.keras")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("keras_bin_cli.program._work", None)
    assert convert(source, tmp_path / arguments[0], *arguments[1:]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert re.search(error, printed.err)
    assert sorted(tmp_path.iterdir()) == before


def test_pattern_without_a_layer_is_refused(source, tmp_path, run_json):
    code, found, _ = run_json("convert", source, tmp_path / "new" / "bin.keras", "--where", "none")
    assert code == 2
    assert list(found) == ["error"]
    assert "Received: where='none' for model 'net'" in found["error"]["message"]
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.filterwarnings("default:These layers were left")
@pytest.mark.parametrize(
    ("first", "error"),
    [
        (Normalized, "One in which a custom layer or a subclassed model holds converted layers"),
        (lambda: Halved(4.0), "must compute the same when it is loaded"),
    ],
    ids=["does not load", "computes something else"],
)
def test_file_that_would_not_do_is_not_written(first, error, tmp_path, run_json):
    source = tmp_path / "bn.keras"
    bn_model(first()).save(source)
    code, found, _ = run_json("convert", source, tmp_path / "new" / "bin.keras")
    assert code == 1
    assert error in found["error"]["message"]
    assert "Received: model 'net'" in found["error"]["message"]
    assert ".keras-bin-" not in found["error"]["message"]
    assert list(tmp_path.iterdir()) == [source]


def test_layers_that_a_custom_layer_holds_can_be_left(tmp_path):
    source, out = tmp_path / "bn.keras", tmp_path / "bin.keras"
    bn_model(Normalized()).save(source)
    assert convert(source, out, "--where", "norm[12]") == 0
    np.testing.assert_allclose(outputs(out), outputs(source), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("default:These layers were left")
def test_layer_that_turns_out_not_to_convert_is_listed_as_left(tmp_path, run_json):
    source, out = tmp_path / "bn.keras", tmp_path / "bin.keras"
    bn_model(Choosy()).save(source)
    code, found, _ = run_json("convert", source, out)
    assert (code, found["converted"]) == (0, 2)
    assert [layer["became"] for layer in found["layers"]] == [
        "left",
        "converted",
        "converted",
        "left",
    ]
    np.testing.assert_allclose(outputs(out), outputs(source), rtol=1e-5, atol=1e-6)
