"""Standing labs: made to outlive the command that made them, listed, looked into, and taken down."""

import difflib
import os
import secrets
import select
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NoReturn

import msgspec

from pathgauge.endpoints.quota import remove_left
from pathgauge.errors import InternalError, MachineError, UserError
from pathgauge.paths import messages
from pathgauge.paths.journal import Entry, Journal, Record, boot_id, end, identify, is_alive, is_foreign
from pathgauge.paths.namespaces import CLONE_NEWNET, CLONE_NEWUSER, setns, show_own_devices
from pathgauge.paths.process import KeeperProcess
from pathgauge.paths.shaping import shaping
from pathgauge.paths.spec import written
from pathgauge.paths.turned import restore_left
from pathgauge.paths.types import PathSpec, WireSpec
from pathgauge.quantities import quoted

State = Literal["standing", "starting", "dead", "elsewhere", "unreadable"]

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_SYLLABLES = 3
_NAME_TRIES = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A lab of the journal as it stands now; `note` says what to know of one that does not stand."""

    name: str
    state: State
    record: Record | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What `clean` did with one entry of the journal."""

    name: str
    what: str


def up(
    specs: Sequence[PathSpec], wire: WireSpec, *, command: Sequence[str], announce: Callable[[Record], None]
) -> Record:
    """Make a lab that stands until it is taken down. `announce` is called when it does, before it is for good.

    Killed at any point before the end, `clean` finds what there is. Raises UserError and MachineError, leaving nothing.
    """
    if wire.rate is not None:
        shaping(wire.rate)  # refuses a rate that cannot be
    with Journal() as journal:
        record = _created(journal, specs, command)
        try:
            keeper = KeeperProcess.start()
            try:
                return _let_stand(journal, record, keeper, messages.Build(paths=tuple(specs), wire=wire), announce)
            except BaseException:
                keeper.close()
                raise
        except BaseException:
            journal.remove(record.name)
            raise


def _created(journal: Journal, specs: Sequence[PathSpec], command: Sequence[str]) -> Record:
    owner = identify(os.getpid())
    if owner is None:
        raise MachineError("this process is not to be seen in /proc", hint="mount /proc")
    for _ in range(_NAME_TRIES):
        record = Record(
            name="".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(_SYLLABLES)),
            boot=boot_id(),
            state="starting",
            owner=owner,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=list(command),
            paths=[written(spec) for spec in specs],
        )
        if journal.create(record):
            return record
    raise MachineError("no free name for a lab was found", hint="pathgauge lab clean --all")


def _let_stand(
    journal: Journal,
    record: Record,
    keeper: KeeperProcess,
    order: messages.Build,
    announce: Callable[[Record], None],
) -> Record:
    record = msgspec.structs.replace(record, keeper=identify(keeper.process.pid))
    journal.write(record)
    built, descriptors = keeper.build(order)
    for descriptor in descriptors:
        os.close(descriptor)
    record = msgspec.structs.replace(
        record, client=built.paths[0].client, spaces=list(built.spaces), user_namespace=built.user_namespace
    )
    journal.write(record)
    keeper.release(str(journal.file(record.name).absolute()))
    announce(record)
    # The last step: until now, a dead owner means that nobody may know of the lab, and `clean` ends it.
    record = msgspec.structs.replace(record, state="standing")
    journal.write(record)
    return record


def listing() -> list[Listed]:
    """Every lab of this user's journal."""
    with Journal() as journal:
        return [_listed(entry) for entry in journal.entries()]


def _listed(entry: Entry) -> Listed:
    record = entry.record
    if record is None:
        return Listed(entry.name, "unreadable", None, entry.problem)
    if record.boot == boot_id() and (is_foreign(record.owner) or is_foreign(record.keeper)):
        return Listed(entry.name, "elsewhere", record, "it was made in another PID namespace: look after it there")
    if record.state == "starting" and is_alive(record.owner, record.boot):
        return Listed(entry.name, "starting", record, f"process {record.owner.pid} is making it")
    if not is_alive(record.keeper, record.boot):
        return Listed(entry.name, "dead", record, "its keeper is gone")
    if record.state == "starting":
        return Listed(entry.name, "dead", record, "its making was broken off")
    return Listed(entry.name, "standing", record)


def down(name: str) -> None:
    """Take a lab down. Raises UserError where there is none of that name."""
    with Journal() as journal:
        found = _find(journal, name)
        if found.record is None:
            raise UserError(f"the record of {name} is damaged: {found.note}", hint="pathgauge lab clean")
        if found.state == "elsewhere":
            raise UserError(f"the lab {name} cannot be taken down from here: {found.note}")
        end(found.record.keeper, found.record.boot)
        journal.remove(name)


def clean(*, everything: bool = False) -> list[Cleaned]:
    """Remove what dead owners left, turn back what they turned; with `everything`, take down standing labs, too."""
    left = [Cleaned("turned", line) for line in restore_left()]
    left += [Cleaned("quota", f"{group}: removed") for group in remove_left()]
    with Journal() as journal:
        done = [cleaned for entry in journal.entries() if (cleaned := _clean(journal, _listed(entry), everything))]
        return [*left, *done, *(Cleaned(name, "an unfinished file: removed") for name in journal.remove_temporaries())]


def _clean(journal: Journal, lab: Listed, everything: bool) -> Cleaned | None:
    if lab.state == "elsewhere" or (lab.state in ("standing", "starting") and not everything):
        return None
    if lab.state == "starting" and lab.record is not None and lab.record.keeper is None:
        return None  # there is nothing yet to take down
    ended = lab.record is not None and end(lab.record.keeper, lab.record.boot)
    journal.remove(lab.name)
    if lab.state in ("standing", "starting"):
        return Cleaned(lab.name, "taken down")
    return Cleaned(lab.name, f"{lab.note}: {'taken down' if ended else 'its record removed'}")


def execute(name: str, space: str | None, command: Sequence[str]) -> NoReturn:
    """Turn this process into `command`, inside a namespace of a lab (by default the first path's client's).

    This process must have no other thread. Raises UserError and MachineError.
    """
    with Journal() as journal:
        found = _find(journal, name)
    record = found.record
    if found.state != "standing" or record is None or record.keeper is None:
        raise UserError(f"the lab {name} does not stand: {found.note}", hint="pathgauge lab list")
    spaces = {each.name: each for each in record.spaces}
    wanted = space if space is not None else record.client
    if wanted not in spaces:
        raise UserError(f"the lab {name} has no namespace {quoted(wanted)}", hint=f"it has: {', '.join(spaces)}")
    user_space, network_space = _open_spaces(record, spaces[wanted].descriptor)
    try:
        if user_space is not None:
            setns(user_space, CLONE_NEWUSER)
            os.close(user_space)
        setns(network_space, CLONE_NEWNET)
        os.close(network_space)
    except OSError as error:
        raise MachineError(
            f"the namespaces of {name} cannot be entered: {error.strerror}", hint="do it as root"
        ) from error
    with suppress(OSError):  # where it may not be mounted, /sys shows what it showed before
        show_own_devices()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program started by exec would, too
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        raise UserError(
            f"{quoted(command[0])} cannot be run: {error.strerror}", hint="name a program that is in PATH"
        ) from error


def _open_spaces(record: Record, descriptor: int) -> tuple[int | None, int]:
    """Descriptors of the user namespace, where there is one, and of a network namespace, proven to be the keeper's."""
    keeper = record.keeper
    if keeper is None:
        raise InternalError("a lab stands without a keeper")
    opened: list[int] = []
    try:
        handle = os.pidfd_open(keeper.pid)
        opened.append(handle)
        numbers = [descriptor] if record.user_namespace is None else [descriptor, record.user_namespace]
        network, *user = [os.open(f"/proc/{keeper.pid}/fd/{number}", os.O_RDONLY | os.O_CLOEXEC) for number in numbers]
        opened += [network, *user]
        # Only now: a keeper that lives still was the one whose descriptors these are.
        if identify(keeper.pid) != keeper or select.select([handle], [], [], 0)[0]:
            raise ProcessLookupError
    except OSError as error:
        for number in opened:
            os.close(number)
        why = error.strerror or "its keeper is gone"
        raise MachineError(f"the lab {record.name} cannot be entered: {why}", hint="pathgauge lab list") from error
    os.close(handle)
    return (user[0] if user else None), network


def _find(journal: Journal, name: str) -> Listed:
    entries = {entry.name: entry for entry in journal.entries()}
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=1)
        hint = f"did you mean {near[0]}?" if near else "see them with: pathgauge lab list"
        raise UserError(f"no lab is named {quoted(name)}", hint=hint)
    return _listed(entries[name])
