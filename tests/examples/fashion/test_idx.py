"""Reading IDX files: what is read, and what is refused."""

import gzip

import numpy as np
import pytest

from fashion import idx
from tests.examples.programs import write_idx

CUBE = np.arange(24, dtype="u1").reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cube.gz"


def test_arrays_are_read_as_they_were_written(path):
    write_idx(path, CUBE)
    found = idx.read(path, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, CUBE)


def test_sizes_are_big_endian(path):
    path.write_bytes(gzip.compress(bytes((0, 0, 8, 1, 0, 0, 1, 2)) + bytes(258)))
    assert idx.read(path, 1).shape == (258,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x00\x08\x03", "must be gzipped and complete; get it again. Received:"),
        (gzip.compress(bytes(100))[:20], "must be gzipped and complete; get it again. Received:"),
        (gzip.compress(b""), "begin with the bytes 00 00 08 03 and 3 sizes. Received: .*nothing"),
        (gzip.compress(bytes((0, 0, 8, 1, 0, 0, 0, 0))), "which begins with 00 00 08 01 00 00"),
        (gzip.compress(bytes((0, 0, 13, 3)) + bytes(12)), "which begins with 00 00 0d 03 00"),
        (gzip.compress(bytes((0, 0, 8, 3)) + bytes(11)), "which begins with 00 00 08 03 00"),
        (
            gzip.compress(bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4)) + bytes(23)),
            "header says, 2 x 3 x 4 = 24; get it again. Received: 23",
        ),
        (
            gzip.compress(bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4)) + bytes(1025)),
            "2 x 3 x 4 = 24; get it again. Received: 1,025",
        ),
    ],
    ids=["not gzipped", "cut", "empty", "rank", "type", "header cut", "too few", "too many"],
)
def test_other_files_are_refused_with_their_path(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        idx.read(path, 3)
    assert str(path) in str(caught.value)
