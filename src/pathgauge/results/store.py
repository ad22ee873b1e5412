"""The document on disk: read with checks, written whole or not at all."""

import contextlib
import os
import shlex
import stat
import sys
import tempfile
from typing import BinaryIO

import msgspec

from pathgauge.errors import MachineError, UserError
from pathgauge.quantities import clean, quoted, quoted_file
from pathgauge.results.document import SCHEMA, Result

GREATEST_FILE = 2**30
_FAMILY, _, _VERSION = SCHEMA.partition("/")
_LONGEST_REASON = 200
_STREAMS = ("/dev/std", "/dev/fd/", "/proc/")


class _Header(msgspec.Struct):
    schema: str | None = None


def encode(result: Result) -> bytes:
    """The document as JSON text for people and programs: indented, but each raw slice on one line."""
    head = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(result, slices=[])), indent=2)
    if not result.slices:
        return head + b"\n"
    rows = b",\n".join(b"    " + msgspec.json.encode(row) for row in result.slices)
    return head.removesuffix(b"[]\n}") + b"[\n" + rows + b"\n  ]\n}\n"


def decode(raw: bytes, name: str) -> Result:
    """The document in these bytes; `name` is for messages. Raises UserError for anything else."""
    try:
        header = msgspec.json.decode(raw, type=_Header)
        _check_schema(header.schema, name)
        return msgspec.json.decode(raw, type=Result)
    except msgspec.ValidationError as error:
        raise UserError(f"{quoted_file(name)} is no {SCHEMA} document: {clean(str(error)[:_LONGEST_REASON])}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        what = str(error) or "it is nested too deeply"
        raise UserError(f"{quoted_file(name)} is broken: {what}", hint="is it whole, and the right file?") from None


def _check_schema(schema: str | None, name: str) -> None:
    if schema == SCHEMA:
        return
    family, _, version = (schema or "").partition("/")
    if family != _FAMILY or not version.isdecimal():
        found = f"its schema is {quoted(schema)}" if schema else "it names no schema"
        raise UserError(
            f"{quoted_file(name)} is not a pathgauge result: {found}", hint="type a file that --json has written"
        )
    raise UserError(
        f"{quoted_file(name)} has schema {quoted(schema or '')}, and this pathgauge reads up to version {_VERSION}",
        hint="read it with the pathgauge that wrote it, or a later one",
    )


def read(path: str) -> Result:
    """The document in a file, `-` for standard input. UserError where it is missing, broken, foreign or too new."""
    if path == "-":
        return decode(_bounded(sys.stdin.buffer, "standard input"), "standard input")
    try:
        with open(path, "rb") as file:
            return decode(_bounded(file, path), path)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{quoted_file(path)} cannot be read: {reason}", hint="pathgauge show FILE") from None


def _bounded(file: BinaryIO, name: str) -> bytes:
    size = os.fstat(file.fileno()).st_size
    raw = b"" if size > GREATEST_FILE else file.read(GREATEST_FILE + 1)
    if size > GREATEST_FILE or len(raw) > GREATEST_FILE:
        raise UserError(f"{quoted_file(name)} is larger than 1 GiB", hint="no document is: is it the right file?")
    return raw


def _destination(path: str) -> tuple[str, bool]:
    """Where the bytes go, symbolic links followed, and whether by renaming; pipes and devices are written directly."""
    if path.startswith(_STREAMS):
        return path, False
    real = os.path.realpath(path)
    if os.path.islink(path) and os.path.exists(path):
        # Let the kernel judge the link (fs.protected_symlinks): following it by name alone would bypass that.
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    try:
        return real, stat.S_ISREG(os.stat(real).st_mode)
    except FileNotFoundError:
        return real, True


def _temporary(real: str) -> tuple[int, str]:
    """A new file beside the target, with the permissions that the target has or would get."""
    folder, mode = os.path.dirname(real), 0o666 & ~_umask()
    with contextlib.suppress(FileNotFoundError):
        mode = stat.S_IMODE(os.stat(real).st_mode)
    descriptor, name = tempfile.mkstemp(prefix=".pathgauge-", suffix=".tmp", dir=folder)
    try:
        os.fchmod(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        os.unlink(name)
        raise
    return descriptor, name


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def check_writable(path: str, option: str = "json") -> None:
    """Try what `write_atomic` will do for this option, and leave nothing: a killed run strews no temporary files.

    Raises UserError where the folder is missing or closed, or the target cannot be replaced.
    """
    try:
        real, renamed = _destination(path)
        if os.path.isdir(real):
            raise IsADirectoryError(21, "it is a folder")
        if os.path.exists(real) and not os.access(real, os.W_OK):
            raise PermissionError(13, "no permission to write")
        if renamed:
            descriptor, name = _temporary(real)
            os.close(descriptor)
            os.unlink(name)
    except OSError as error:
        folder = os.path.dirname(path) or "."
        raise UserError(
            f"--{option}: {quoted_file(path)} cannot be written: {error.strerror}",
            hint=f"is {quoted_file(folder)} a folder that you may write to?",
        ) from None


def write_stream(raw: bytes) -> None:
    """Write a document to standard output. MachineError where that fails; it is then kept as `write_atomic` does."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError(f"standard output could not be written: {error.strerror}", hint=_kept(raw, "FILE")) from None


def write_atomic(path: str, raw: bytes) -> None:
    """Write a document whole, or leave the target as it was: temporary file beside it, fsync, rename.

    Raises MachineError where that fails; the document is then kept in the temporary folder if that works.
    """
    try:
        _write(path, raw)
    except OSError as error:
        raise MachineError(
            f"{quoted_file(path)} could not be written: {error.strerror}", hint=_kept(raw, path)
        ) from None


def _kept(raw: bytes, path: str) -> str:
    kept = _keep(raw)
    return (
        f"the document was kept: {shlex.join(['mv', str(kept), path])}"
        if kept
        else "nor could it be kept elsewhere; set TMPDIR to a free disk"
    )


def _write(path: str, raw: bytes) -> None:
    real, renamed = _destination(path)
    if not renamed:
        with open(path, "wb") as file:
            file.write(raw)
        return
    descriptor, name = _temporary(real)
    try:
        with open(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(descriptor)
        os.rename(name, real)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(os.path.dirname(real))


def _sync_folder(folder: str) -> None:
    """So that the new name survives a power cut; not every file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _keep(raw: bytes) -> str | None:
    """A copy in the temporary folder (TMPDIR), which may be on another disk; None where that fails too."""
    name = None
    try:
        descriptor, name = tempfile.mkstemp(prefix="pathgauge-", suffix=".json")
        with open(descriptor, "wb") as file:
            file.write(raw)
    except OSError:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
        return None
    return name
