"""Transactions with a stream beside them, on the same path over the same time: latency under load."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.edges import Edges
from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.measuring.verify import in_packet, why_void
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import Connection
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Loaded:
    """An arm (measured.Arm) of two: the transactions, whose slices these are, and the stream that loads their path.

    The stream begins before the transactions and ends after them, and rests while another path is measured.
    """

    asking: EngineArm
    load: EngineArm

    @property
    def both(self) -> Sequence[EngineArm]:
        return self.load, self.asking

    @property
    def name(self) -> str:
        return self.asking.name

    @property
    def path(self) -> BuiltPath:
        return self.asking.path

    @property
    def kind(self) -> TestKind:
        return self.asking.kind

    @property
    def parameters(self) -> Parameters:
        return self.asking.parameters

    def open(self) -> None:
        """Make a fresh connection of each."""
        for arm in self.both:
            arm.open()

    def warm(self, seconds: float) -> Warmed:
        """Run both uncounted; the messages are those of the transactions."""
        board, start = self.asking.engine.board, time.monotonic()
        before = board.live(self.asking.passive)[3]
        self._run(seconds)
        self._pause()
        return Warmed(time.monotonic() - start, board.live(self.asking.passive)[3] - before)

    def measure(self, ramp: float, seconds: float) -> Measured:
        """One slice of the transactions, with what the stream brought over meanwhile."""
        lab = self.asking.engine.lab
        links = lab.link_counters()
        before = [arm.totals() for arm in self.both]
        self._run(ramp)
        first = self._edges()
        time.sleep(seconds)
        second = self._edges()
        self._pause()
        parts = zip(self.both, before, first, second, strict=True)
        pieces = [arm.piece(start, one, two) for arm, start, one, two in parts]
        carried = lab.link_counters()
        voids = [
            why_void(
                piece.row,
                arm.kind,
                arm.path.devices,
                arm.others,
                links,
                carried,
                arm.path.rate,
                shared=in_packet(arm.kind, arm.parameters),
                standing=arm.engine.connections,
            )
            for arm, piece in zip(self.both, pieces, strict=True)
        ]
        load, asking = pieces
        row = msgspec.structs.replace(
            asking.row,
            void=voids[1] or (None if voids[0] is None else f"the load beside: {voids[0]}"),
            load_bytes_received=load.row.bytes_received,
            load_seconds=load.row.remote_seconds if self.load.kind.passive == "remote" else load.row.local_seconds,
        )
        return Measured(row=row, latency=asking.latency, tcp=self.asking.tcp(first[1], second[1]), ways=asking.ways)

    def connection(self) -> Connection:
        """What the transactions' connection negotiated."""
        return self.asking.connection()

    def close(self) -> None:
        """End both."""
        for arm in self.both:
            arm.close()

    def _run(self, seconds: float) -> None:
        for arm in self.both:
            arm.order_run()
        time.sleep(seconds)

    def _pause(self) -> None:
        for arm in reversed(self.both):
            arm.order_pause()
            arm.settle()

    def _edges(self) -> list[Edges]:
        asked = [arm.ask_edges() for arm in self.both]
        machine = self.asking.engine.moment()
        return [arm.take_edges(edges, machine) for arm, edges in zip(self.both, asked, strict=True)]
