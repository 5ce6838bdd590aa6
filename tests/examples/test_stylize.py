"""The command that redraws a photo: against the Keras net, and where it refuses."""

import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import stylize
from common.norms import NORMS
from common.transform_net import build_transform_net
from keras_bin.export import export_onnx

# Of pixels from 0 to 1: far below the 1/255 by which written pixels differ.
ATOL = 1e-4


@pytest.fixture(scope="module")
def net():
    """A net that has seen photos of 16x16 pixels, with gates between 0 and 1."""
    keras.utils.set_random_seed(0)
    made = build_transform_net(NORMS["BIN"], widths=(4, 6, 8), blocks=1)
    rng = np.random.default_rng(0)
    for weight in made.trainable_weights:
        if weight.path.endswith("rho"):
            weight.assign(rng.random(weight.shape))
    made(rng.random((4, 16, 16, 3)).astype("float32"), training=True)
    return made


@pytest.fixture(scope="module")
def model(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("stylize") / "style.onnx"
    export_onnx(net, path)
    return path


@pytest.fixture
def photo(tmp_path):
    """A photo of another size than the net has seen, odd on both sides."""
    pixels = np.random.default_rng(1).integers(256, size=(37, 51, 3), dtype="uint8")
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        stylize.main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_photo_of_another_size_is_redrawn_as_keras_does(net, model, photo):
    pixels = stylize.read(photo)
    stylized = stylize.stylize(stylize.load(model), pixels)
    assert stylized.shape == (37, 51, 3)
    assert stylized.std() > 0.01
    np.testing.assert_allclose(stylized, net(pixels[np.newaxis])[0], rtol=0, atol=ATOL)


def test_written_picture_is_that_of_keras_rounded(net, model, photo, capsys):
    target = photo.with_name("stylized.png")
    stylize.main([str(model), str(photo), str(target)])
    assert "51 x 37 pixels" in capsys.readouterr().out
    expected = np.asarray(net(stylize.read(photo)[np.newaxis])[0])
    with Image.open(target) as picture:
        written = np.asarray(picture) / 255
    np.testing.assert_allclose(written, expected, rtol=0, atol=0.5 / 255 + ATOL)
    assert sorted(path.name for path in photo.parent.iterdir()) == ["photo.png", "stylized.png"]


def test_photo_is_turned_upright_and_greys_are_taken(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    Image.new("L", (30, 20), 255).save(tmp_path / "turned.jpg", exif=exif)
    photo = stylize.read(tmp_path / "turned.jpg")
    assert photo.shape == (30, 20, 3)
    assert photo.dtype == np.float32
    np.testing.assert_array_equal(photo, 1)


def test_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    target = tmp_path / "old.png"
    target.write_text("old")

    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ValueError, match="No space left"):
        stylize.write(np.zeros((2, 2, 3)), target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_missing_photo_is_refused(model, tmp_path, capsys):
    error = refusal(capsys, model, tmp_path / "missing.jpg", tmp_path / "new.png")
    assert "argument photo: must be a picture" in error
    assert "missing.jpg" in error


def test_file_that_is_no_picture_is_refused(model, tmp_path, capsys):
    error = refusal(capsys, model, model, tmp_path / "new.png")
    assert "argument photo: must be a picture: cannot identify image file" in error


def test_tiny_photo_is_refused(model, tmp_path, capsys):
    Image.new("RGB", (4, 30)).save(tmp_path / "tiny.png")
    error = refusal(capsys, model, tmp_path / "tiny.png", tmp_path / "new.png")
    assert "argument photo: must be at least 5 pixels wide and high. Received: " in error
    assert "tiny.png, 4x30" in error


def test_smallest_photo_is_redrawn(model, tmp_path):
    Image.new("RGB", (5, 5)).save(tmp_path / "small.png")
    stylize.main([str(model), str(tmp_path / "small.png"), str(tmp_path / "new.png")])


def test_photo_that_pillow_will_not_open_is_refused(model, photo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    error = refusal(capsys, model, photo, tmp_path / "new.png")
    assert "argument photo: must be a picture: Image size (1887 pixels) exceeds limit" in error


def test_missing_model_is_refused(photo, tmp_path, capsys):
    error = refusal(capsys, tmp_path / "missing.onnx", photo, tmp_path / "new.png")
    assert "argument model: must be an ONNX file, there is none. Received: " in error


def test_file_that_is_no_model_is_refused(photo, tmp_path, capsys):
    error = refusal(capsys, photo, photo, tmp_path / "new.png")
    assert "argument model: must be an ONNX file: " in error


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (TensorProto.FLOAT, ["batch", 64, 64, 3]),
        (TensorProto.FLOAT, ["batch", "height", "width", 1]),
        (TensorProto.FLOAT, ["batch", 10]),
        (TensorProto.UINT8, ["batch", "height", "width", 3]),
    ],
    ids=["fixed size", "grey", "no picture", "integers"],
)
def test_model_of_another_kind_is_refused(photo, tmp_path, capsys, kind, shape):
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "graph", ends[:1], ends[1:]
    )
    opset = helper.make_opsetid("", 18)
    onnx.save(
        helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "other.onnx"
    )
    error = refusal(capsys, tmp_path / "other.onnx", photo, tmp_path / "new.png")
    assert "free height and width" in error
    assert str(shape) in error


def test_unknown_format_is_refused(model, photo, capsys):
    error = refusal(capsys, model, photo, photo.with_name("stylized.txt"))
    assert "argument stylized: must end in .png, .jpg or the like. Received: " in error


def test_missing_folder_is_refused(model, photo, capsys):
    error = refusal(capsys, model, photo, photo.parent / "missing" / "stylized.png")
    assert "argument stylized: must be a path that can be written to: " in error


def test_neither_keras_nor_tensorflow_is_imported():
    program = "import sys, stylize; print({'keras', 'tensorflow', 'keras_bin'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=stylize.__file__.rpartition("/")[0],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "set()"
