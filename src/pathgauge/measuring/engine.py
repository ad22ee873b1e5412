"""The native engine behind an arm: one client and one server process on a lab, ordered through shared memory."""

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

from pathgauge import _native
from pathgauge.counters.cpu import MachineCpu, MachineCpuReader
from pathgauge.counters.link import LinkCounters
from pathgauge.counters.perf import HardwareCounter
from pathgauge.counters.softnet import SoftnetReader
from pathgauge.endpoints.process import EndProcess
from pathgauge.errors import EndDied
from pathgauge.measuring.awake import Awake
from pathgauge.paths.types import BuiltPath
from pathgauge.traffic.kind import End

ENDED = 3
DYING_SECONDS = 0.2
GLANCE_SECONDS = 0.002

Counters = dict[tuple[str, str], LinkCounters]


class LabView(Protocol):
    """What the engine needs of a lab."""

    @property
    def user_namespace(self) -> int | None: ...
    @property
    def paths(self) -> dict[str, BuiltPath]: ...
    def link_counters(self) -> Counters: ...


@dataclass(frozen=True, slots=True)
class MachineMoment:
    """The machine's own counters at one moment (`time`: CLOCK_MONOTONIC, s; `softnet`: see SoftnetReader)."""

    time: float
    cpu: MachineCpu
    cycles: int | None
    softnet: bytes = b""


@dataclass(slots=True)
class Engine:
    """The two ends and the board, on which each arm has two slots, with room for `flows` each, and a third where each
    way of a transaction is timed apart (`ways`); a context manager. What keeps CPUs `awake` is no load of the machine.
    """

    lab: LabView
    arms: int
    cycles: HardwareCounter | None
    flows: int = 0
    ways: bool = False
    awake: Awake | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    board: _native.Board = field(init=False)
    ends: dict[End, EndProcess] = field(default_factory=dict)
    cpu: MachineCpuReader = field(init=False)
    softnet: SoftnetReader = field(init=False)
    started: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        slots = (3 if self.ways else 2) * self.arms
        memory = os.memfd_create("pathgauge")
        self.stack.callback(os.close, memory)
        try:
            os.ftruncate(memory, _native.Board.bytes(slots, self.flows))
            self.board = _native.Board(memory, slots, self.flows)
            self.cpu = MachineCpuReader()
            self.stack.callback(self.cpu.close)
            self.softnet = self.stack.enter_context(SoftnetReader())
            for name in ("local", "remote"):
                if name == "local" or self._has_server():
                    self.ends[name] = self.stack.enter_context(self._start(name, memory, slots))
        except BaseException:
            self.stack.close()
            raise
        return self

    def _start(self, name: End, memory: int, slots: int) -> EndProcess:
        paths = [each for path in self.lab.paths.values() for each in (path, *path.copies)]
        every = [(path.client_namespace, path.server_namespace) for path in paths]
        spaces = {space for pair in every if (space := pair[name == "remote"]) is not None}
        return EndProcess.start(
            name,
            board=memory,
            slots=slots,
            flows=self.flows,
            user_namespace=self.lab.user_namespace,
            namespaces=sorted(spaces),
        )

    def _has_server(self) -> bool:
        """Whether the server is ours to start."""
        return any(path.server_namespace is not None for path in self.lab.paths.values())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stack.close()

    @property
    def connections(self) -> int:
        """At most so many stand at a time."""
        return self.arms * max(1, self.flows)

    def moment(self) -> MachineMoment:
        """The machine's counters now."""
        cycles = self.cycles.read() if self.cycles else None
        cpu = self.cpu.read()
        if self.awake:
            cpu = replace(cpu, busy=cpu.busy - self.awake.spent())
        return MachineMoment(time.monotonic(), cpu, cycles, self.softnet.read())

    def check(self, slot: int, hint: str = "run it again") -> None:
        """Raise what keeps a slot's loop from answering: a dead end, or an error of its socket, with that hint."""
        ended = self.board.state(slot) == ENDED
        self._check_ends(DYING_SECONDS if ended else 0.0)
        if ended:
            number = self.board.error(slot)
            why = os.strerror(number) if number else "its peer closed the connection"
            raise EndDied(f"a connection ended in mid-slice: {why}", hint=hint)

    def _check_ends(self, seconds: float) -> None:
        """Raise how an end died, if one did, or does in so many seconds: one that is killed is seen to be dead only
        after its sockets were closed.
        """
        limit = time.monotonic() + seconds
        while all(end.alive() for end in self.ends.values()):
            if time.monotonic() >= limit:
                return
            time.sleep(GLANCE_SECONDS)
        raise next(end for end in self.ends.values() if not end.alive()).death()
