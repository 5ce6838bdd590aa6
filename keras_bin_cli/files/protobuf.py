"""The fields of a protocol buffer, found without a description of its messages.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from typing import BinaryIO, NamedTuple

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class Fields(NamedTuple):
    """What a file holds at its top level.

    Attributes:
        found: number and wire type of each field.
        whole: whether the last one is complete and ends where the file does.
    """

    found: frozenset[tuple[int, int]]
    whole: bool


def top_level_fields(file: BinaryIO, size: int) -> Fields | None:
    """Returns the fields of a file, or None if it is not a protocol buffer.

    Contents are skipped, so a large file takes no longer than a small one.

    Args:
        file: the file, read from its start.
        size: its size in bytes.
    """
    found: set[tuple[int, int]] = set()
    position = 0
    while position < size:
        tag = _varint(file)
        if tag is None:
            return Fields(frozenset(found), whole=False)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or wire_type not in (VARINT, LENGTH, FIXED32, FIXED64):
            return None
        found.add((number, wire_type))
        if wire_type in (FIXED32, FIXED64):
            file.seek(4 if wire_type == FIXED32 else 8, 1)
        else:
            value = _varint(file)
            if value is None:
                return Fields(frozenset(found), whole=False)
            if wire_type == LENGTH:
                file.seek(value, 1)
        position = file.tell()
    return Fields(frozenset(found), whole=position == size)


def _varint(file):
    """Returns a variable-length number, or None at the end of the file."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
