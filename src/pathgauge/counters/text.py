"""What the readers of the kernel's text files share: bounded reading, whole lines, numbers.

The parsers built on this raise nothing: what is not in the form that Linux writes is left out, and so unknown.
"""

import os
from pathlib import Path

LARGEST = 16 << 20  # bytes; /proc/interrupts of a machine with hundreds of CPUs is the largest file read
MOST_LINES = 1 << 16
_SHORT_CHUNK = 2048  # bytes: the kernel fills at least a page while it has more to say
_DIGITS = 20  # of the largest 64-bit number


def read_whole(source: str | Path | int) -> bytes:
    """A file by its path, or an open descriptor from its beginning; b"" where it cannot be read."""
    if isinstance(source, int):
        return _read_descriptor(source)
    try:
        with open(source, "rb", buffering=0) as file:
            return _read_descriptor(file.fileno())
    except (OSError, ValueError):
        return b""


def _read_descriptor(descriptor: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        while size < LARGEST and (chunk := os.pread(descriptor, 1 << 16, size)):
            chunks.append(chunk)
            size += len(chunk)
    except OSError:
        return b""
    return b"".join(chunks)


def read_table(descriptor: int) -> bytes:
    """As `read_whole`, of a file that the kernel writes line by line, without a last call only to see that there is no
    more; OSError is the caller's.
    """
    whole = chunk = os.pread(descriptor, 1 << 16, 0)
    while len(chunk) >= _SHORT_CHUNK:
        chunk = os.pread(descriptor, 1 << 16, len(whole))
        whole += chunk
    return whole


def read_line(path: str | Path) -> str | None:
    """A small file's text, runs of blanks made one; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return " ".join(file.read(4096).decode("utf-8", "replace").split())
    except (OSError, ValueError):
        return None


def whole_lines(text: bytes) -> list[bytes]:
    """The lines that end with a newline: of one cut short the last number might be another."""
    return text[:LARGEST].split(b"\n", MOST_LINES)[:-1]


def number(word: bytes, base: int = 10) -> int | None:
    """A number of up to 64 bits without a sign, None for anything else."""
    if not word or len(word) > _DIGITS or not word.isalnum():
        return None
    try:
        value = int(word, base)
    except ValueError:
        return None
    return value if value < 1 << 64 else None


def signed(word: bytes) -> int | None:
    """A number that may have a minus before it."""
    value = number(word.removeprefix(b"-"))
    return -value if value is not None and word.startswith(b"-") else value


def name(word: bytes) -> str | None:
    """A word as the kernel names its counters: letters, digits, underscores; None for anything else."""
    text = word.decode("ascii", "replace")
    return text if text.isascii() and text.isidentifier() and len(text) <= 64 else None  # noqa: PLR2004 - long enough
