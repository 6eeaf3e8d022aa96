"""The lines of a motion file, whatever wrote it: UTF-8 with or without a byte order mark, or an older encoding."""

from __future__ import annotations

from pathlib import Path

from kinegraph.errors import FormatError

__all__ = ["read_bytes", "read_lines", "split_lines"]

_MAX_BYTES = 2**31
_NO_BREAKS = bytes.maketrans(b"\x85\xa0", b"__")


def read_lines(path: Path, what: str) -> list[str]:
    """The file's lines, as UTF-8 where they are; `FormatError` if it has no text.

    Other encodings are taken as Latin-1: numbers and keywords are ASCII in all of them, and only names look odd. What
    would be a line break or a space in Latin-1 alone (half of a letter in others) becomes an underscore.

    Args:
        path: the file.
        what: what it should be, for messages: ``"a BVH file"``.
    """
    data = read_bytes(path, what)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.translate(_NO_BREAKS).decode("latin-1")
    if not text.strip():
        raise FormatError(path, f"the file is empty; expected {what}")
    return split_lines(text)


def split_lines(text: str) -> list[str]:
    """Lines that end with LF, CR LF or CR alone: ``str.splitlines`` breaks at a dozen other characters too."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def read_bytes(path: Path, what: str) -> bytes:
    """The file, not yet decoded; `FormatError` if it cannot be read, is empty or holds binary data."""
    try:
        if path.is_dir():
            raise FormatError(path, f"this is a folder; expected {what}")
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(path, f"{path.stat().st_size} bytes; {what} above 2 GiB is not read, cut it into clips")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FormatError(path, f"cannot be opened as {what}: {reason}") from error
    if b"\0" in data:
        raise FormatError(path, f"binary data where text was expected: this is not {what}")
    if not data or data.isspace():
        raise FormatError(path, f"the file is empty; expected {what}")
    return data
