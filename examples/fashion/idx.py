"""Reading IDX files, the format of MNIST and similar sets: arrays of bytes after a short header."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

UNSIGNED_BYTES = 8


def read(path: Path, dimensions: int) -> np.ndarray:
    """Reads an array from a gzipped IDX file.

    The header is two zero bytes, the type of the values, the number of dimensions, and the size
    of each as a big-endian integer of four bytes.

    Args:
        path: of the file.
        dimensions: how many the array must have.

    Returns:
        An array of unsigned bytes.

    Raises:
        ValueError: the file is not gzipped or is cut short, its header does not say unsigned bytes
            of that many dimensions, or its length differs from its header.

    Source: the description of the format at http://yann.lecun.com/exdb/mnist/.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"an IDX file must be gzipped and complete; get it again. Received: {path}: {error}"
        ) from error
    expected = bytes((0, 0, UNSIGNED_BYTES, dimensions))
    header = 4 + 4 * dimensions
    if content[:4] != expected or len(content) < header:
        raise ValueError(
            f"an IDX file of unsigned bytes in {dimensions} dimensions must begin with the bytes "
            f"{expected.hex(' ')} and {dimensions} sizes. Received: {path}, which begins with "
            f"{content[:header].hex(' ') or 'nothing'}"
        )
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).tolist()
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path} must hold as many values as its header says, "
            f"{' x '.join(map(str, shape))} = {math.prod(shape):,}; get it again. "
            f"Received: {len(content) - header:,}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
