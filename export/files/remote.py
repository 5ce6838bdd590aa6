"""Addresses of object stores, which are no paths of files."""

import os
import re

# As `pathlib` leaves it, with one slash of the two. One letter is a drive of Windows.
_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:[/\\]")


def refuse_remote(path: str | os.PathLike) -> None:
    """Checks that a path is one of a file system, before any work is done.

    Raises:
        ValueError: it is an address, such as `gs://bucket/model`.
    """
    if any(map(_SCHEME.match, (os.fsdecode(path), str(path)))):
        raise ValueError(
            "A path must be that of a local file or folder: what is written gets its name in one "
            "step once it is verified, which an object store cannot do. Export to a local folder, "
            "then copy it (gsutil cp -r, or aws s3 cp --recursive), with saved_model.pb last; "
            f"copy what is to be read to a local folder first. Received: {str(path)!r}"
        )
