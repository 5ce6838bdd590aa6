"""Files of other programs, by their first bytes."""

import codecs

_STARTS = (
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file with git lfs pull"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"(\xb5/\xfd", "a Zstandard archive"),
    (b"PK\5\6", "an empty zip archive"),
    (b"\x80\2", "a pickle"),
    (b"\x80\3", "a pickle"),
    (b"\x80\4", "a pickle"),
    (b"\x80\5", "a pickle"),
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"GGUF", "a GGUF file"),
)
_AT_4 = {b"TFL3": "a LiteRT file", b"ORTM": "an ORT file of ONNX Runtime"}
_TEXTS = (
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML file"),
    (b"<", "an XML file"),
    (b"{", "a JSON file"),
)


def foreign_kind(head: bytes) -> str | None:
    """Returns the kind of a file that no command takes, or None if its first bytes do not tell.

    Args:
        head: its first bytes, at least one.
    """
    if head[4:8] in _AT_4:
        return _AT_4[head[4:8]]
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if not _is_text(head):
        return None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((kind for start, kind in _TEXTS if text.startswith(start)), "a text file")


def _is_text(head):
    """Tells whether bytes are the start of UTF-8 text without control characters."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\n\r\f" for character in text)
