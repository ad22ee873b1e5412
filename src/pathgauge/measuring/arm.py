"""An arm over the native engine: opening, warming, measuring and closing one path's connections."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from pathgauge.counters.tcp_info import TcpInfo, decode
from pathgauge.endpoints.messages import (
    Accept,
    Close,
    Connect,
    Describe,
    Done,
    Facts,
    Greet,
    NetperfDone,
    Prepare,
    SocketOptions,
    Work,
)
from pathgauge.endpoints.process import EndProcess
from pathgauge.endpoints.tls import make_keys
from pathgauge.errors import InternalError, MachineError
from pathgauge.measuring.edges import Edges, EndMoment, Span, counts, row_between
from pathgauge.measuring.engine import Engine, MachineMoment
from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.measuring.verify import in_packet, why_void
from pathgauge.measuring.work import low_water, spins, work
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram, Ways
from pathgauge.traffic.kind import FAIRNESS, End, TestKind
from pathgauge.traffic.methods import ZEROCOPY, is_plain
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.tls import is_encrypted
from pathgauge.traffic.ways import timed_apart

PAUSE, RUN = 0, 1
PAUSED = 1
PATIENCE_SECONDS = 10.0  # within which a loop must answer an order
GLANCE_SECONDS = 0.02  # a loop that has not answered by then sleeps in a call, and is woken
# On a schedule the next message may be long in coming. An end that is woken notes an edge between two messages, one
# that is not, at a message: as many as there are between those is the load's rate only where both edges are alike.
SCHEDULED_GLANCE_SECONDS = 0.001
DRAIN_SECONDS = 0.3
POLL_SECONDS = 0.0002
GREETING_BYTES = 16
GREETINGS = 6  # half a second apart
FLOWS_AT_ONCE = 64  # that are connected before they are accepted; a listener's queue holds twice as many
GOLDEN = 0.618033988749895  # steps of that part of a whole spread evenly over it, however many there are


@dataclass(slots=True)
class EngineArm:
    """One path with one test's parameters, over the native engine. `index` is its place on the board.

    Where the path has `copies` (it is the first of them), each connection goes by another, and the rest are idle. One
    loop at each end serves all `flows`, which are connections between the same addresses; of a test whose transactions
    are connections, so many are under way at once.
    """

    engine: Engine
    name: str
    path: BuiltPath
    kind: TestKind
    parameters: Parameters
    index: int
    others: tuple[tuple[str, str], ...] = ()
    quiet_seconds: float = 0.005
    port: int = 0
    copies: tuple[BuiltPath, ...] = ()
    opened: int = 0
    flows: int = 1
    completed: tuple[int, int] = (0, 0)  # zero-copy sends completed and copied, at the start of a slice
    mapped: int = 0  # bytes, then

    @property
    def local(self) -> int:
        return 2 * self.index

    @property
    def remote(self) -> int:
        return 2 * self.index + 1

    @property
    def active(self) -> int:
        return self.local if self.kind.active == "local" else self.remote

    @property
    def passive(self) -> int:
        return self.remote if self.kind.active == "local" else self.local

    @property
    def back(self) -> int | None:
        """The slot where the responses' times are kept; None where the ways are not timed apart."""
        return 2 * self.engine.arms + self.index if timed_apart(self.kind, self.parameters) else None

    @property
    def _slots(self) -> list[int]:
        return [slot for slot in (self.local, self.remote, self.back) if slot is not None]

    @property
    def _at_once(self) -> int:
        return self.flows if self.kind.connects else 1

    @property
    def standing(self) -> int:
        """At most so many connections stand at a time while another path is measured, those of all paths."""
        return self.engine.arms if self.kind.connects else self.engine.connections

    def _options(self, end: End) -> SocketOptions:
        given = self.parameters
        return SocketOptions(
            buffer=given.local_buffer if end == "local" else given.remote_buffer,
            nodelay=given.nodelay,
            congestion=given.congestion if self.kind.transport == "tcp" else None,
            dscp=given.dscp,
            busy_poll=given.busy_poll,
            mptcp=given.mptcp and "mptcp" in self.kind.parameters,
        )

    def _work(self, end: End) -> Work:
        made = work(self.kind, self.parameters, end, self._at_once)
        if self.back is None:
            return made
        peer = self.passive if end == self.kind.active else self.active
        return msgspec.structs.replace(made, peer=peer, back=self.back)

    def open(self) -> None:
        """Make a fresh connection, with a loop at each end of it; the active one waits for its order."""
        self._take_turns()
        family: Literal["ipv4", "ipv6"] = "ipv6" if self.parameters.ipv6 else "ipv4"
        path = self.path
        # Between ends that were not built here addresses may be translated in ways that cannot be known.
        greeting = secrets.token_bytes(GREETING_BYTES) if path.spec.found is not None else b""
        local, remote = self.engine.ends["local"], self.engine.ends["remote"]
        for slot in self._slots:
            self.engine.board.reset(slot)
        if self.port == 0 or self.kind.transport == "udp":
            prepare = Prepare(
                key=self.index,
                namespace=self.path.server_space,
                transport=self.kind.transport,
                ipv6=self.parameters.ipv6,
                address=path.server_addresses[family],
                options=self._options("remote"),
                at_once=self._at_once,
            )
            (self.port,) = _ports(remote.order(prepare))
        lasting = 1 if self.kind.connects else self.flows
        for first in range(0, lasting, FLOWS_AT_ONCE):
            some = min(FLOWS_AT_ONCE, lasting - first)
            self._join(local, remote, greeting, some, gather=first + some < lasting)

    def _join(self, local: EndProcess, remote: EndProcess, greeting: bytes, flows: int, *, gather: bool) -> None:
        """Connect so many of the flows, and let the loops begin if these are the last."""
        path = self.path
        family: Literal["ipv4", "ipv6"] = "ipv6" if self.parameters.ipv6 else "ipv4"
        keys = make_keys(self.parameters.tls or "") if is_encrypted(self.kind, self.parameters) else None
        connect = Connect(
            slot=self.local,
            namespace=path.client_namespace,
            transport=self.kind.transport,
            ipv6=self.parameters.ipv6,
            address=path.client_addresses[family],
            peer_address=path.reached_addresses[family],
            peer_port=self.port,
            options=self._options("local"),
            work=self._work("local"),
            greeting=greeting,
            keys=keys,
            flows=flows,
            gather=gather,
        )
        own = _ports(local.order(connect))
        accept = Accept(
            slot=self.remote,
            key=self.index,
            peer_address=path.seen_addresses[family],
            peer_ports=own,
            work=self._work("remote"),
            greeting=greeting,
            keys=keys,
            gather=gather,
        )
        for _ in range(GREETINGS):
            if all(_ports(remote.order(accept))):
                return
            local.order(Greet(slot=self.local, greeting=greeting))
        raise MachineError(
            f"{self.name}: no datagram from {path.client_addresses[family]} comes to {path.reached_addresses[family]}",
            hint="is there a firewall that lets only TCP through? try --test TCP_STREAM --test TCP_RR",
        )

    def _take_turns(self) -> None:
        if len(self.copies) > 1:
            before = self.path
            self.path = self.copies[int(self.opened * GOLDEN % 1.0 * len(self.copies))]
            if (self.path.server_namespace, self.path.server_addresses) != (
                before.server_namespace,
                before.server_addresses,
            ):
                self.port = 0
        self.opened += 1

    def warm(self, seconds: float) -> Warmed:
        """Run uncounted."""
        before, start = self.came, time.monotonic()
        self._run(seconds)
        self._pause()
        return Warmed(time.monotonic() - start, self.came - before)

    @property
    def came(self) -> int:
        """How many messages have come, or connections where these are the transactions."""
        live = self.engine.board.live(self.passive)
        return live[4] if self.kind.connects else live[3]

    def _run(self, seconds: float) -> None:
        self.order_run()
        time.sleep(seconds)

    def order_run(self) -> None:
        """Let the active loop run, and a reader spin."""
        if spins(self.kind, self.parameters):
            self.engine.board.order(self.passive, RUN)
        self.engine.board.order(self.active, RUN)

    def measure(self, ramp: float, seconds: float) -> Measured:
        """One slice: ramp, edge, run, edge, pause, drain; then see whether the path's devices carried it."""
        links = self.engine.lab.link_counters()
        before = self.totals()
        self._run(ramp)
        first = self._edges()
        time.sleep(seconds)
        second = self._edges()
        self._pause()
        row, latency, _, ways = self.piece(before, first, second)
        carried = self.engine.lab.link_counters()
        shared = in_packet(self.kind, self.parameters)
        void = why_void(
            row,
            self.kind,
            self.path.devices,
            self.others,
            links,
            carried,
            self.path.rate,
            shared=shared,
            standing=self.standing,
        )
        fairness = 1.0 if FAIRNESS in self.kind.metrics else None  # beside arms of several connections
        row = msgspec.structs.replace(row, void=void, fairness=fairness)
        return Measured(row=row, latency=latency, tcp=self.tcp(first, second), ways=ways)

    def tcp(self, first: Edges, second: Edges) -> tuple[TcpInfo, TcpInfo] | None:
        """The active end's TCP_INFO at both edges; None where there is none."""
        local = self.kind.active == "local"
        start, stop = ((edges[0] if local else edges[1]).tcp_info for edges in (first, second))
        return (decode(start), decode(stop)) if start and stop else None

    def totals(self) -> tuple[int, int, int]:
        """Bytes sent, messages lost and bytes received so far, at the start of a slice."""
        board = self.engine.board
        for slot in self._slots:
            board.clear_histogram(slot)
        self.completed, self.mapped = board.zerocopy(self.active), board.mapped(self.passive)
        sent = board.live(self.active)
        return sent[0], sent[5], board.live(self.passive)[1]

    def piece(
        self,
        before: tuple[int, int, int],
        first: Edges,
        second: Edges,
    ) -> "Piece":
        """A slice that was paused and drained."""
        board = self.engine.board
        active = board.live(self.active)
        sent, lost = active[0] - before[0], active[5] - before[1]
        received = board.live(self.passive)[1] - before[2]
        row = row_between(self.name, self.kind, self.engine.started, first, second, sent, received)
        row = msgspec.structs.replace(row, messages_lost=lost)
        if self.kind.pattern == "stream" and self.parameters.send_method in ZEROCOPY:
            sends, copied = board.zerocopy(self.active)
            row = msgspec.structs.replace(
                row, zerocopy_sends=sends - self.completed[0], zerocopy_copied=copied - self.completed[1]
            )
        if self.kind.pattern == "stream" and self.parameters.receive_method == "mmap":
            row = msgspec.structs.replace(row, bytes_mapped=board.mapped(self.passive) - self.mapped)
        latency = self._times(self.active) if self.kind.pattern == "transactions" else None
        ways = None if self.back is None else Ways(self._times(self.passive), self._times(self.back))
        return Piece(row, latency, self._rates(first, second), ways)

    def _times(self, slot: int) -> Histogram:
        return Histogram.from_counts(self.engine.board.histogram(slot))

    def _rates(self, first: Edges, second: Edges) -> tuple[float, ...]:
        """What each flow got in a second: bytes received, or transactions."""
        streams = self.kind.pattern == "stream"
        counting = self.kind.passive if streams else self.kind.active
        span = Span(first[0], second[0]) if counting == "local" else Span(first[1], second[1])
        start, stop = counts(span.start, self.flows), counts(span.stop, self.flows)
        return tuple((after - before) / span.seconds for before, after in zip(start, stop, strict=True))

    def _edges(self) -> Edges:
        asked = self.ask_edges()
        return self.take_edges(asked, self.engine.moment())

    def ask_edges(self) -> list[tuple[int, int]]:
        """Ask both loops for their counters as they are now."""
        return [(slot, self.engine.board.ask_edge(slot)) for slot in (self.passive, self.active)]

    def take_edges(self, asked: list[tuple[int, int]], machine: MachineMoment) -> Edges:
        """What they answered: the local end, the remote one, and the machine as it was then."""
        board = self.engine.board
        for slot, edge in asked:
            self._await(slot, partial(board.wait_edge, slot, edge))
        edges = {
            slot: EndMoment(*board.edge(slot, edge), board.flows(slot, edge) if self.flows > 1 else b"")
            for slot, edge in asked
        }
        return edges[self.local], edges[self.remote], machine

    def _pause(self) -> None:
        self.order_pause()
        self.settle()

    @property
    def done(self) -> int:
        """How many transactions are over."""
        return self.engine.board.live(self.active)[4]

    def await_round(self, before: int) -> None:
        """Wait until as many connections have ended as are under way at once: only from then on does one end for each
        that begins.
        """
        limit = time.monotonic() + PATIENCE_SECONDS
        while self.kind.connects and self.done - before < self.flows and time.monotonic() < limit:
            self._check(self.active)
            time.sleep(POLL_SECONDS)

    def order_pause(self) -> None:
        """Let the active loop stop after the message it is at."""
        self.engine.board.order(self.active, PAUSE)

    def settle(self) -> None:
        """Wait until it has stopped and the path is empty. A reader that spun sleeps from then on: it would take its
        CPU from the other paths.
        """
        self._await(self.active, partial(self.engine.board.wait_state, self.active, PAUSED))
        if self.kind.pattern == "stream":
            self._drain()
        if spins(self.kind, self.parameters):
            self.engine.board.order(self.passive, PAUSE)

    def _await(self, slot: int, wait: Callable[[float], bool]) -> None:
        limit = time.monotonic() + PATIENCE_SECONDS
        glance = GLANCE_SECONDS if self.parameters.rate is None else SCHEDULED_GLANCE_SECONDS
        while not wait(glance):
            self._check(slot)
            self.engine.board.nudge(slot)
            if time.monotonic() > limit:
                raise MachineError(
                    f"{self.name}: an end did not move for {PATIENCE_SECONDS:.0f} s",
                    hint="the path may be too slow for this size: try a smaller --send-size or a faster --wire rate",
                )

    def _check(self, slot: int) -> None:
        plain = (
            ""
            if is_plain(self.kind, self.parameters)
            else ", or the plain way: --send-method copy --receive-method copy"
        )
        self.engine.check(slot, f"run it again{plain}")

    def _drain(self) -> None:
        """Wait until what was sent has come, or nothing more comes: the next slice must not find this one's rest."""
        board = self.engine.board
        patience = self.quiet_seconds if self.kind.transport == "udp" else DRAIN_SECONDS
        last, moved = -1, time.monotonic()
        while True:
            received = board.live(self.passive)[1]
            if received == board.live(self.active)[0]:
                return
            now = time.monotonic()
            if received != last:
                last, moved = received, now
            elif now - moved > patience:
                self._check(self.passive)
                return
            elif low_water(self.kind, self.parameters) is not None:
                board.nudge(self.passive)  # it sleeps until more comes than is left
            time.sleep(POLL_SECONDS)

    def connection(self) -> Connection:
        """What was negotiated on the open connection."""
        local = self.engine.ends["local"].order(Describe(slot=self.local))
        remote = self.engine.ends["remote"].order(Describe(slot=self.remote))
        if not isinstance(local, Facts) or not isinstance(remote, Facts):
            raise InternalError("an end answered a question of facts with something else")
        info = decode(local.tcp_info) if local.tcp_info else None
        return Connection(
            path=self.name,
            mss=info.snd_mss if info else None,
            local_send_buffer=local.send_buffer,
            local_receive_buffer=local.receive_buffer,
            remote_send_buffer=remote.send_buffer,
            remote_receive_buffer=remote.receive_buffer,
            congestion=local.congestion if self.kind.active == "local" else remote.congestion,
        )

    def close(self) -> None:
        """End the loops and close the connection."""
        self.engine.ends["local"].order(Close(slots=[self.local]))
        self.engine.ends["remote"].order(Close(slots=[self.remote]))


class Piece(NamedTuple):
    """A slice of one loop: its row, the latencies of its transactions, what each of several flows got in a second
    (bytes received, or transactions), and the times of each way.
    """

    row: Slice
    latency: Histogram | None
    rates: tuple[float, ...]
    ways: Ways | None = None


def _ports(reply: Done | Facts | NetperfDone) -> list[int]:
    if not isinstance(reply, Done):
        raise InternalError("an end answered an order with facts")
    return reply.ports
