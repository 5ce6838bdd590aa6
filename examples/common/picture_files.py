"""Reading picture files with Pillow alone."""

from pathlib import Path

from PIL import Image, ImageOps


def read_rgb(path: Path) -> Image.Image:
    """Reads a picture, upright and in RGB.

    Raises:
        ValueError: the file is missing, is not a picture, has more than 8 bits per pixel and
            channel, or is larger than Pillow opens.
    """
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"must be a picture: {error}. Received: {path}") from error
    if upright.mode[0] in "IF":  # Pillow would cut every value above 255 down to it
        raise ValueError(
            "must be a picture of 8 bits per pixel and channel; convert it. "
            f"Received: {path}, of Pillow's mode {upright.mode}"
        )
    return upright.convert("RGB")


def is_readable(path: Path) -> bool:
    """Returns whether Pillow reads files with a name like this."""
    return Image.registered_extensions().get(path.suffix.lower()) in Image.OPEN
