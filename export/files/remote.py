"""Refusing addresses of object stores, which are not local paths."""

import os
import re

# `pathlib` keeps one slash of two. A single letter is a Windows drive.
_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:[/\\]")


def refuse_remote(path: str | os.PathLike) -> None:
    """Checks, before any work is done, that a path is local.

    Raises:
        ValueError: it is an address, such as `gs://bucket/model`.
    """
    if any(map(_SCHEME.match, (os.fsdecode(path), str(path)))):
        raise ValueError(
            "A path must be that of a local file or folder: an artifact is renamed in one step "
            "once it is verified, which object stores cannot do. Write to a local folder, then "
            "copy it (gsutil cp -r, or aws s3 cp --recursive), saved_model.pb last; to read a "
            f"model, copy it to a local folder first. Received: {str(path)!r}"
        )
