"""What the loop gathers: slices with their histograms, blocks of slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pathgauge.counters.tcp_info import TcpInfo
from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram, Timed, Ways


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice, with its transactions' latencies where it has any, those of each way where they were timed apart, and
    the active end's TCP_INFO at both edges; of a crowd, each copy's rate instead.
    """

    row: Slice
    latency: Histogram | None = None
    tcp: tuple[TcpInfo, TcpInfo] | None = None
    rates: tuple[float, ...] = ()
    ways: Ways | None = None

    def times(self, timed: Timed) -> Histogram | None:
        """How long the transactions, or their requests or responses, took; None where that was not timed."""
        if timed == "transaction":
            return self.latency
        return None if self.ways is None else getattr(self.ways, timed)


@dataclass(frozen=True, slots=True)
class Block:
    """All slices of one block by the name of their arm. Void as a whole as soon as one slice is.

    `lab` is the number of the lab it was measured in.
    """

    number: int
    slices: dict[str, list[Measured]]
    seconds: float
    lab: int = 0

    @property
    def void(self) -> str | None:
        """Why the block does not count; None if it does."""
        reasons = (measured.row.void for rows in self.slices.values() for measured in rows)
        return next((reason for reason in reasons if reason is not None), None)


def of_labs(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks of each lab, in the order of the labs."""
    found: dict[int, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.lab, []).append(block)
    return [found[lab] for lab in sorted(found)]


def merged(blocks: Sequence[Block]) -> Block:
    """One block with the slices of all of them."""
    names = blocks[0].slices
    slices = {name: [measured for block in blocks for measured in block.slices[name]] for name in names}
    return Block(blocks[0].number, slices, sum(block.seconds for block in blocks), blocks[0].lab)


@dataclass(frozen=True, slots=True)
class Warmed:
    """What a warm-up showed: its length in seconds, and the messages that came through."""

    seconds: float
    messages: int


class Arm(Protocol):
    """One of the things compared: a path with its parameters, measured by the native engine or by a peer's program.

    `open` makes fresh connections, `warm` runs them uncounted, `measure` runs one slice after a ramp.
    """

    @property
    def name(self) -> str: ...
    def open(self) -> None: ...
    def warm(self, seconds: float) -> Warmed: ...
    def measure(self, ramp: float, seconds: float) -> Measured: ...
    def connection(self) -> Connection: ...
    def close(self) -> None: ...
