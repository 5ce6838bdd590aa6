"""How long an HDF5 file must be, by its first bytes.

Source: the superblock in the HDF5 file format specification.
"""

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# By the version of the superblock: where the size of addresses is, and, if that is 8, the end of
# the file.
_PLACES = {0: (13, 40), 1: (13, 44), 2: (9, 28), 3: (9, 28)}


def expected_size(head: bytes) -> int:
    """Returns the size that a file must have in bytes, or 0 if its first bytes do not tell.

    Args:
        head: its first bytes: 52, or all that it has.
    """
    places = _PLACES.get(head[8] if len(head) > 8 else 0)
    if places is None:
        return 0
    address_size, end = places
    if len(head) < end + 8:
        return end + 8
    return int.from_bytes(head[end : end + 8], "little") if head[address_size] == 8 else 0
