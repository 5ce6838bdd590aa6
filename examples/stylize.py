"""Redraw a photo of any size with a net that style_transfer.py has exported.

    python examples/stylize.py style.onnx photo.jpg stylized.png

Needs `onnxruntime`, `numpy` and `pillow`, but neither Keras nor TensorFlow. The name of the new
picture decides its format.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from common.picture_files import read_rgb

SMALLEST = 5  # what the net can reflect at its borders


def load(path: Path) -> onnxruntime.InferenceSession:
    """Opens a net from photos to photos.

    Raises:
        ValueError: the file is missing, is not an ONNX file, or holds another kind of net.
    """
    if not path.is_file():
        raise ValueError(f"must be an ONNX file, there is none. Received: {path}")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # what ONNX Runtime raises has no public base class
        raise ValueError(f"must be an ONNX file: {error}. Received: {path}") from error
    ends = session.get_inputs(), session.get_outputs()
    if not all(len(end) == 1 and _holds_photos(end[0]) for end in ends):
        received = [[(value.name, value.type, value.shape) for value in end] for end in ends]
        raise ValueError(
            "must have one input and one output, both float of shape (batch, height, width, 3) "
            f"with free height and width; use the file of style_transfer.py. Received: {received}"
        )
    return session


def _holds_photos(value):
    free = [not isinstance(size, int) for size in value.shape[1:3]]
    return value.type == "tensor(float)" and free == [True, True] and value.shape[3:] == [3]


def read(path: Path) -> np.ndarray:
    """Reads a photo, upright: shape `(height, width, 3)`, RGB from 0 to 1, float32.

    Raises:
        ValueError: the file is not as `read_rgb` wants it, or the photo is too small.
    """
    photo = read_rgb(path)
    if min(photo.size) < SMALLEST:
        raise ValueError(
            f"must be at least {SMALLEST} pixels wide and high. Received: {path}, "
            f"{photo.width}x{photo.height}"
        )
    return np.asarray(photo, "float32") / 255


def stylize(session: onnxruntime.InferenceSession, photo: np.ndarray) -> np.ndarray:
    """Returns the stylized photo, of the shape and range of `photo`."""
    return session.run(None, {session.get_inputs()[0].name: photo[np.newaxis]})[0][0]


def write(picture: np.ndarray, path: Path) -> None:
    """Writes a picture under a hidden name, and moves it to `path` once it is whole.

    Raises:
        ValueError: the folder cannot be written to.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with hidden.open("xb") as file:
            pixels = np.rint(255 * picture.clip(0, 1)).astype("uint8")
            Image.fromarray(pixels).save(file, format_of(path))
        os.replace(hidden, path)
    except OSError as error:
        raise ValueError(f"must be a path that can be written to: {error}") from error
    finally:
        hidden.unlink(missing_ok=True)


def format_of(path: Path) -> str:
    """Returns the name that Pillow has for the format of a file.

    Raises:
        ValueError: Pillow knows none that it can write.
    """
    name = Image.registered_extensions().get(path.suffix.lower())
    if name not in Image.SAVE:
        raise ValueError(f"must end in .png, .jpg or the like. Received: {path}")
    return name


def main(arguments: list[str] | None = None) -> None:
    """Stylizes one photo."""
    parser = argparse.ArgumentParser(prog="stylize.py", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the ONNX file of style_transfer.py")
    parser.add_argument(
        "photo", type=Path, help=f"a picture of {SMALLEST}x{SMALLEST} pixels or more"
    )
    parser.add_argument("stylized", type=Path, help="the picture to write; an old one is replaced")
    options = parser.parse_args(arguments)
    steps = {
        "stylized": lambda: format_of(options.stylized),
        "photo": lambda: read(options.photo),
        "model": lambda: load(options.model),
    }
    done = {}
    for argument, step in steps.items():
        try:
            done[argument] = step()
        except ValueError as error:
            parser.error(f"argument {argument}: {error}")
    picture = stylize(done["model"], done["photo"])
    try:
        write(picture, options.stylized)
    except ValueError as error:
        parser.error(f"argument stylized: {error}")
    height, width = picture.shape[:2]
    print(f"Written to {options.stylized}: {width} x {height} pixels")


if __name__ == "__main__":
    main()
