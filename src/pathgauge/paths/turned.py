"""What was turned in namespaces that are not ours, written down before it is done, so that a crash leaves a trace.

One file for each keeper that turns something, beside the journal of labs: who it is, and how each thing is turned back.
The keeper turns everything back at its own end; only if it is killed is the file left for the next who looks.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pathgauge.errors import MachineError, PathgaugeError
from pathgauge.paths.journal import LONGEST_FILE, Journal, Process, boot_id, identify, is_alive, is_foreign
from pathgauge.paths.turning import Turn, turn

FOLDER = "turned"
_NAMED = Path("/run/netns")


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper has turned: namespaces, each as the device and inode of its file; the turns back, in order."""

    schema: str = "pathgauge.turned/1"
    boot: str
    keeper: Process
    spaces: dict[str, tuple[int, int]]
    undo: list[Turn]


@dataclass(slots=True)
class Trace:
    """The file of this process. Raises MachineError where it cannot be written: then nothing may be turned."""

    spaces: Mapping[str, int]
    file: Path = field(init=False)
    keeper: Process = field(init=False)

    def __post_init__(self) -> None:
        known = identify(os.getpid())
        if known is None:
            raise MachineError("this process is not to be seen in /proc", hint="mount /proc")
        self.keeper = known
        self.file = _folder() / f"{known.pid}-{known.start}.json"

    def write(self, undo: Sequence[Turn]) -> None:
        """How all that is turned, or is about to be, is turned back; nothing: forget it."""
        if not undo:
            _forget(self.file)
            return
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        record = Turned(boot=boot_id(), keeper=self.keeper, spaces=_identities(self.spaces), undo=list(undo))
        try:
            descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=".", suffix=".tmp")
            with open(descriptor, "wb") as target:
                target.write(msgspec.json.encode(record))
                target.flush()
                os.fsync(descriptor)
            os.rename(name, self.file)
        except OSError as error:
            raise MachineError(
                f"{self.file.parent} cannot be written: {error.strerror}", hint="free space there"
            ) from None


def restore_left() -> list[str]:
    """Turn back what dead keepers left turned; a line of what was done for each thing."""
    done: list[str] = []
    with suppress(MachineError):
        for file in sorted(_folder().glob("*.json")):
            record = _read(file)
            if record is not None and (is_foreign(record.keeper) or is_alive(record.keeper, record.boot)):
                continue
            if record is not None and record.boot == boot_id():
                done += _restore(record)
            _forget(file)
    return done


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)
    with suppress(OSError):  # others are there yet
        file.parent.rmdir()


def _restore(record: Turned) -> Iterator[str]:
    for each in record.undo:
        found = _open(*record.spaces.get(each.space, (0, 0)))
        if found is None:
            yield f"{each.space} is gone, and with it {each.target}"
            continue
        try:
            turn(found, each)
            yield f"{each.space}: turned back to {each.words}"
        except PathgaugeError as error:
            yield f"{each.space}: {each.words} could not be turned back: {error}; by hand: {each.command}"
        finally:
            os.close(found)


def _open(device: int, inode: int) -> int | None:
    """A namespace by its file's device and inode, wherever it has a name now."""
    for file in _candidates():
        with suppress(OSError):
            status = os.stat(file)
            if (status.st_dev, status.st_ino) == (device, inode):
                descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                opened = os.fstat(descriptor)
                if (opened.st_dev, opened.st_ino) == (device, inode):
                    return descriptor
                os.close(descriptor)
    return None


def _candidates() -> Iterator[Path]:
    yield Path("/proc/self/ns/net")
    if _NAMED.is_dir():
        yield from _NAMED.iterdir()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            yield process / "ns/net"


def _identities(spaces: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    status = {name: os.fstat(descriptor) for name, descriptor in spaces.items()}
    return {name: (found.st_dev, found.st_ino) for name, found in status.items()}


def _read(file: Path) -> Turned | None:
    try:
        with file.open("rb") as source:
            return msgspec.json.decode(source.read(LONGEST_FILE), type=Turned)
    except (OSError, ValueError):
        return None


def _folder() -> Path:
    with Journal() as journal:  # makes sure that it is this user's alone
        return journal.path / FOLDER
