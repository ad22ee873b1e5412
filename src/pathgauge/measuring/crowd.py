"""A crowd: loops measured all at once, over copies of a path, over many flows of one path, or in both directions.

In a slice all of them start and stop together. The slice's numbers are their sums, and how evenly the connections
shared what there was is a metric of its own.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import msgspec

from pathgauge.endpoints.messages import Close
from pathgauge.measuring.arm import GLANCE_SECONDS, PAUSED, EngineArm
from pathgauge.measuring.edges import Edges
from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.measuring.verify import in_packet, why_crowd_void
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram, Ways
from pathgauge.statistics.fairness import jain
from pathgauge.traffic.kind import End, TestKind
from pathgauge.traffic.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Crowd:
    """The arms of several loops as one arm: see measured.Arm. The first one's kind is that of the whole."""

    arms: Sequence[EngineArm]
    others: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return self.arms[0].name

    @property
    def path(self) -> BuiltPath:
        return self.arms[0].path

    @property
    def kind(self) -> TestKind:
        return self.arms[0].kind

    @property
    def parameters(self) -> Parameters:
        return self.arms[0].parameters

    def open(self) -> None:
        """Make fresh connections of each, one after the other."""
        for arm in self.arms:
            arm.open()

    def warm(self, seconds: float) -> Warmed:
        """Run all uncounted; the messages are those of a loop on average, of which each flow should have some."""
        start = time.monotonic()
        before = [arm.came for arm in self.arms]
        self._run(seconds)
        self._pause()
        took = time.monotonic() - start
        came = sum(arm.came for arm in self.arms) - sum(before)
        flows = max(arm.flows for arm in self.arms)
        return Warmed(took, came // (len(self.arms) * max(1, flows // FLOWS_IN_TURN)))

    def measure(self, ramp: float, seconds: float) -> Measured:
        """One slice of all at once; then see whether the devices carried what all of them together moved."""
        lab = self.arms[0].engine.lab
        links = lab.link_counters()
        before = [arm.totals() for arm in self.arms]
        self._run(ramp)
        first = self._edges()
        time.sleep(seconds)
        second = self._edges()
        self._pause()
        parts = zip(self.arms, before, first, second, strict=True)
        pieces = [arm.piece(start, one, two) for arm, start, one, two in parts]
        carried = lab.link_counters()
        rows, latencies = (
            [piece.row for piece in pieces],
            [piece.latency for piece in pieces if piece.latency is not None],
        )
        kinds = [arm.kind for arm in self.arms]
        rates = [
            each for piece, kind in zip(pieces, kinds, strict=True) for each in piece.rates or (rate(piece.row, kind),)
        ]
        whole = msgspec.structs.replace(summed(rows, kinds), fairness=jain(rates))
        devices = [arm.path.devices for arm in self.arms]
        duplex = len({kind.active for kind in kinds}) > 1
        wires = {arm.path.wire for arm in self.arms}
        void = why_crowd_void(
            whole,
            list(zip(rows, devices, strict=True)),
            self.kind,
            self.others,
            links,
            carried,
            None if self.path.rate is None else self.path.rate * len(wires) * (2 if duplex else 1),
            shared=in_packet(self.kind, self.parameters),
            duplex=duplex,
            standing=self.arms[0].standing,
        )
        return Measured(
            row=msgspec.structs.replace(whole, void=void),
            latency=Histogram.summed(latencies) if latencies else None,
            rates=tuple(rates),
            ways=_every_way([piece.ways for piece in pieces if piece.ways is not None]),
        )

    def connection(self) -> Connection:
        """What the first copy's connection negotiated."""
        return self.arms[0].connection()

    def close(self) -> None:
        """End all loops, then close all connections."""
        ends = self.arms[0].engine.ends
        ends["local"].order(Close(slots=[arm.local for arm in self.arms]))
        ends["remote"].order(Close(slots=[arm.remote for arm in self.arms]))

    def _run(self, seconds: float) -> None:
        before = [arm.done for arm in self.arms]
        for arm in self.arms:
            arm.order_run()
        time.sleep(seconds)
        for arm, since in zip(self.arms, before, strict=True):
            arm.await_round(since)

    def _pause(self) -> None:
        board = self.arms[0].engine.board
        for arm in self.arms:
            arm.order_pause()
        self._rouse([(arm.active, partial(board.wait_state, arm.active, PAUSED)) for arm in self.arms])
        for arm in self.arms:
            arm.settle()

    def _edges(self) -> list[Edges]:
        board = self.arms[0].engine.board
        asked = [arm.ask_edges() for arm in self.arms]
        machine = self.arms[0].engine.moment()
        self._rouse([(slot, partial(board.wait_edge, slot, edge)) for edges in asked for slot, edge in edges])
        return [arm.take_edges(edges, machine) for arm, edges in zip(self.arms, asked, strict=True)]

    def _rouse(self, waits: Sequence[tuple[int, Callable[[float], bool]]]) -> None:
        """Give all loops the same glance to answer, and wake those that sleep in a call at once, not one by one."""
        until = time.monotonic() + GLANCE_SECONDS
        late = [slot for slot, wait in waits if not wait(max(0.0, until - time.monotonic()))]
        for slot in late:
            self.arms[0].engine.board.nudge(slot)


def _every_way(ways: Sequence[Ways]) -> Ways | None:
    return Ways(*map(Histogram.summed, zip(*ways, strict=True))) if ways else None


def rate(row: Slice, kind: TestKind) -> float:
    """What one connection got: bytes received in a second, or transactions."""
    if kind.pattern == "transactions":
        return row.transactions / _seconds(row, kind.active)
    return row.bytes_received / _seconds(row, kind.passive)


def summed(rows: Sequence[Slice], kinds: Sequence[TestKind]) -> Slice:
    """The slices of one moment as one. Its length at each end is such that work over length is the sum of the loops'
    rates, whichever end sent; what cannot be summed is that of the first, a mean, or unknown.
    """
    first, whole_kind = rows[0], kinds[0]
    pairs = list(zip(rows, kinds, strict=True))
    seconds = {
        whole_kind.active: _length(
            [(_work(row, kind, kind.active), _seconds(row, kind.active)) for row, kind in pairs]
        ),
        whole_kind.passive: _length(
            [(_work(row, kind, kind.passive), _seconds(row, kind.passive)) for row, kind in pairs]
        ),
    }
    retransmits = [row.retransmits for row in rows if row.retransmits is not None]
    trips = [row.rtt_seconds for row in rows if row.rtt_seconds is not None]
    shortest = [row.min_rtt_seconds for row in rows if row.min_rtt_seconds is not None]
    copied = [(row.zerocopy_sends or 0, row.zerocopy_copied or 0) for row in rows if row.zerocopy_sends is not None]
    mapped = [row.bytes_mapped for row in rows if row.bytes_mapped is not None]
    whole = {name: sum(getattr(row, name) for row in rows) for name in _SUMMED}
    return msgspec.structs.replace(
        first,
        **whole,
        local_seconds=seconds["local"],
        remote_seconds=seconds["remote"],
        cpu_local_seconds=_load(rows, "local", seconds["local"]),
        cpu_remote_seconds=_load(rows, "remote", seconds["remote"]),
        retransmits=sum(retransmits) if len(retransmits) == len(rows) else None,
        busy_seconds=None,
        receive_window_limited_seconds=None,
        send_buffer_limited_seconds=None,
        congestion_window=None,
        rtt_seconds=fmean(trips) if trips else None,
        min_rtt_seconds=min(shortest, default=None),
        zerocopy_sends=sum(sends for sends, _ in copied) if copied else None,
        zerocopy_copied=sum(copies for _, copies in copied) if copied else None,
        bytes_mapped=sum(mapped) if mapped else None,
    )


FLOWS_IN_TURN = 50  # flows that get as long a slice as one would: it holds some messages of each
_SUMMED = (
    "bytes_sent",
    "bytes_received",
    "messages_sent",
    "messages_received",
    "transactions",
    "messages_lost",
    "total_bytes_sent",
    "total_bytes_received",
)


def _seconds(row: Slice, end: End) -> float:
    return row.local_seconds if end == "local" else row.remote_seconds


def _work(row: Slice, kind: TestKind, end: End) -> int:
    if kind.pattern == "transactions":
        return row.transactions
    return row.bytes_sent if end == kind.active else row.bytes_received


def _length(parts: Sequence[tuple[int, float]]) -> float:
    """Work over the sum of the rates; without any work the mean length."""
    rates = math.fsum(work / seconds for work, seconds in parts)
    return sum(work for work, _ in parts) / rates if rates else fmean(seconds for _, seconds in parts)


def _load(rows: Sequence[Slice], end: End, seconds: float) -> float | None:
    """CPU time of an end's one process, which every row has in whole, over that many seconds."""
    loads = []
    for row in rows:
        spent = row.cpu_local_seconds if end == "local" else row.cpu_remote_seconds
        if spent is None:
            return None
        loads.append(spent / _seconds(row, end))
    return fmean(loads) * seconds
