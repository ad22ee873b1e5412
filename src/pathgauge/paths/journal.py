"""The journal: one file for each standing lab, written before what it tells of is done, so that a crash leaves a trace.

A process is known by boot, pid and start time together, and signals go through a pidfd: no other process is ever hit.
"""

import os
import re
import select
import signal
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from pathgauge.errors import MachineError
from pathgauge.paths.messages import Space

FOLDER_VARIABLE = "PATHGAUGE_RUNTIME_DIR"
LONGEST_FILE = 1 << 20
_SUFFIX = ".json"
_TEMPORARY = re.compile(r"\.[a-z0-9-]+\.([0-9]{1,10})-([0-9]{1,20})\.tmp")
_START_FIELD = 22 - 3  # of /proc/PID/stat, counted behind the command's name
_GOODBYE_SECONDS = 3.0


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process of this boot: its pid, when it was started (clock ticks since boot), the PID namespace of that pid."""

    pid: int
    start: int
    space: int = 0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A standing lab. `owner` makes it, as long as it is `starting`; descriptors are numbers in the keeper."""

    schema: Literal["pathgauge.lab/1"] = "pathgauge.lab/1"
    name: str
    boot: str
    state: Literal["starting", "standing"]
    owner: Process
    keeper: Process | None = None
    created: str
    command: list[str]
    paths: list[str]
    client: str = ""
    spaces: list[Space] = []
    user_namespace: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the journal: its record, or what is wrong with it."""

    name: str
    record: Record | None
    problem: str = ""


def boot_id() -> str:
    """What tells this boot of the machine from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identify(pid: int) -> Process | None:
    """The living process with that pid; None where there is none (a zombie lives no more)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()
    if len(fields) <= _START_FIELD or fields[0] in (b"Z", b"X"):
        return None
    return Process(pid=pid, start=int(fields[_START_FIELD]), space=_pid_space())


def _pid_space() -> int:
    """The number of the PID namespace whose processes this one sees in /proc."""
    return os.stat("/proc/self/ns/pid").st_ino


def is_foreign(process: Process | None) -> bool:
    """Whether its pid is one of another PID namespace, from which here nothing can be said of it."""
    return process is not None and process.space not in (0, _pid_space())


def is_alive(process: Process | None, boot: str) -> bool:
    """Whether exactly that process of that boot still lives."""
    return process is not None and boot == boot_id() and identify(process.pid) == process


def end(process: Process | None, boot: str) -> bool:
    """End exactly that process, by SIGTERM and, if it does not heed it, SIGKILL. False where it was gone already.

    Raises MachineError where it may not be ended or does not end.
    """
    if process is None or boot != boot_id():
        return False
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if identify(process.pid) != process:  # the handle stays with the process it was opened for
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], _GOODBYE_SECONDS)[0]:
                return True
    except PermissionError as error:
        raise MachineError(f"process {process.pid} may not be ended by this user", hint="do it as its owner") from error
    finally:
        os.close(handle)
    raise MachineError(f"process {process.pid} does not end", hint=f"look at /proc/{process.pid}/stack")


def folder() -> Path:
    """Where the journal is kept: for root /run/pathgauge, else in $XDG_RUNTIME_DIR, else in the temporary folder."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen)
    user = os.geteuid()
    if user == 0:
        return Path("/run/pathgauge")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    with suppress(OSError):
        if runtime and os.stat(runtime).st_uid == user:
            return Path(runtime, "pathgauge")
    return Path(tempfile.gettempdir(), f"pathgauge-{user}")


class Journal:
    """The journal's folder, held open; a context manager. Raises MachineError where it cannot be had or trusted."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or folder()
        try:
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            self._folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise MachineError(
                f"the journal of labs in {self.path} cannot be opened: {error.strerror}",
                hint=f"name a folder of your own: {FOLDER_VARIABLE}=FOLDER",
            ) from error
        status = os.fstat(self._folder)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            os.close(self._folder)
            raise MachineError(
                f"{self.path} is not this user's alone, so the journal of labs in it cannot be trusted",
                hint=f"remove it, or name a folder of your own: {FOLDER_VARIABLE}=FOLDER",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._folder)

    def file(self, name: str) -> Path:
        """Where the record of a lab is."""
        return self.path / (name + _SUFFIX)

    def create(self, record: Record) -> bool:
        """Write the first record of a lab; False where the name is taken."""
        temporary = self._write_temporary(record)
        try:
            os.link(temporary, record.name + _SUFFIX, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary, dir_fd=self._folder)
        os.fsync(self._folder)
        return True

    def write(self, record: Record) -> None:
        """Replace the record of a lab, whole or not at all."""
        temporary = self._write_temporary(record)
        os.rename(temporary, record.name + _SUFFIX, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.fsync(self._folder)

    def remove(self, name: str) -> None:
        """Forget a lab; one that is not there is forgotten already."""
        with suppress(FileNotFoundError):
            os.unlink(name + _SUFFIX, dir_fd=self._folder)

    def entries(self) -> list[Entry]:
        """Every file of the journal, by name."""
        names = (item.removesuffix(_SUFFIX) for item in os.listdir(self._folder) if item.endswith(_SUFFIX))
        return [entry for name in sorted(names) if (entry := self.entry(name)) is not None]

    def entry(self, name: str) -> Entry | None:
        """One file of the journal; None where there is none."""
        try:
            content = self._read(name + _SUFFIX)
            record = msgspec.json.decode(content, type=Record)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            return Entry(name, None, f"its file is not readable: {error}")
        if record.name != name:
            return Entry(name, None, f'its file is of another lab, "{record.name}"')
        return Entry(name, record)

    def remove_temporaries(self) -> list[str]:
        """Remove unfinished files whose writers are dead, and return their names."""
        removed = []
        for item in os.listdir(self._folder):
            match = _TEMPORARY.fullmatch(item)
            writer = identify(int(match[1])) if match else None
            if match and (writer is None or writer.start != int(match[2])):
                with suppress(FileNotFoundError):
                    os.unlink(item, dir_fd=self._folder)
                    removed.append(item)
        return removed

    def _write_temporary(self, record: Record) -> str:
        writer = identify(os.getpid())
        name = f".{record.name}.{os.getpid()}-{writer.start if writer else 0}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, 0o600, dir_fd=self._folder)
            with open(descriptor, "wb") as target:
                target.write(msgspec.json.encode(record))
                target.flush()
                os.fsync(descriptor)
        except OSError as error:
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
            raise MachineError(
                f"the journal of labs in {self.path} cannot be written: {error.strerror}",
                hint=f"free space there, or name another folder: {FOLDER_VARIABLE}=FOLDER",
            ) from error
        return name

    def _read(self, file: str) -> bytes:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._folder)
        with open(descriptor, "rb") as source:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise ValueError("it is no file of this user's")
            content = source.read(LONGEST_FILE + 1)
        if len(content) > LONGEST_FILE:
            raise ValueError(f"it is longer than {LONGEST_FILE} bytes")
        return content
