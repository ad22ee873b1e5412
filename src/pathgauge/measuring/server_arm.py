"""An arm whose far end is a netserver: a slice is one run of our netperf, on connections of its own.

What the server counts is what it reports; all else of the far end is unknown.
"""

import math
from dataclasses import dataclass

import msgspec

from pathgauge.endpoints.messages import NetperfDone, NetperfRun
from pathgauge.errors import InternalError
from pathgauge.measuring.edges import with_machine
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.measuring.verify import in_packet, why_void
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

SLICE_SECONDS = 1.0  # the shortest that a stock netserver can be asked for


@dataclass(slots=True)
class ServerArm:
    """One path with one test's parameters. `remote_cpu` is the server's CPU as the user named it, None where not."""

    engine: Engine
    name: str
    path: BuiltPath
    kind: TestKind
    parameters: Parameters
    port: int
    remote_cpu: int | None
    others: tuple[tuple[str, str], ...] = ()
    seen: NetperfDone | None = None

    def open(self) -> None:
        """Nothing to do: each slice has connections of its own."""

    def warm(self, seconds: float) -> Warmed:
        """Nothing to do: netperf's tests have no warm-up."""
        return Warmed(seconds, 1)

    def words(self, seconds: float) -> list[str]:
        """netperf's command line for a slice."""
        given, kind = self.parameters, self.kind
        (family,) = self.path.server_addresses
        server = self.path.server_addresses[family]
        mine = self.path.client_addresses[family]
        version = "6" if family == "ipv6" else "4"
        words = ["-H", f"{server},{version}", "-p", str(self.port), "-t", kind.name, "-l", f"{seconds:g}", "-C"]
        words += ["-Y", str(given.dscp << 2)] if given.dscp is not None else []
        words += ["-T", f",{self.remote_cpu}"] if self.remote_cpu is not None else []
        words += ["--", "-L", f"{mine},{version}"]
        if kind.pattern == "transactions":
            words += ["-r", f"{given.request_size},{given.response_size}"] if given.request_size else []
            words += ["-b", str(given.burst)] if given.burst else []
        elif kind.active == "local":
            words += ["-m", str(given.send_size), "-M", str(given.receive_size)]
        else:
            words += ["-m", f",{given.send_size}", "-M", f",{given.receive_size}"]
        words += ["-s", str(given.local_buffer)] if given.local_buffer is not None else []
        words += ["-S", str(given.remote_buffer)] if given.remote_buffer is not None else []
        words += ["-D"] if given.nodelay and kind.transport == "tcp" else []
        if given.congestion is not None and kind.transport == "tcp":
            words += ["-K", f"{given.congestion},{given.congestion}"]
        return [*words, "-R", "1"] if kind.transport == "udp" else words

    def measure(self, ramp: float, seconds: float) -> Measured:
        """One slice."""
        del ramp
        engine = self.engine
        links, start = engine.lab.link_counters(), engine.moment()
        order = NetperfRun(
            namespace=self.path.client_namespace, words=self.words(seconds), cpu=self.parameters.local_cpu
        )
        found = engine.ends["local"].order(order)
        if not isinstance(found, NetperfDone):
            raise InternalError("an end answered a run of netperf with something else")
        stop, carried = engine.moment(), engine.lab.link_counters()
        self.seen = found
        row = with_machine(self._row(found), engine.started, start, stop)
        void = why_void(
            row, self.kind, self.path.devices, self.others, links, carried, shared=in_packet(self.kind, self.parameters)
        )
        latency = None if found.latency is None else Histogram.decode(found.latency)
        return Measured(row=msgspec.structs.replace(row, void=void), latency=latency)

    def _row(self, found: NetperfDone) -> Slice:
        """Streams: what the sender sent and the receiver received; transactions: requests and responses."""
        sent, received = found.bytes_sent, found.remote_bytes_received
        calls_sent, calls_received = found.messages_sent, found.remote_receive_calls
        if self.kind.active == "remote":
            sent, received = found.remote_bytes_sent, found.bytes_received
            calls_sent, calls_received = found.remote_send_calls, found.messages_received
        return Slice(
            test=self.kind.name,
            path=self.name,
            block=0,
            position=0,
            start=math.nan,
            local_seconds=found.elapsed,
            remote_seconds=found.elapsed,
            bytes_sent=sent,
            bytes_received=received,
            messages_sent=calls_sent,
            messages_received=calls_received,
            messages_lost=found.messages_lost,
            transactions=found.transactions,
            total_bytes_sent=sent,
            total_bytes_received=received,
            cpu_local_seconds=found.cpu_seconds,
            cpu_remote_seconds=found.remote_cpu_seconds,
            retransmits=found.retransmits if self.kind.active == "local" else None,
            mss=found.mss,
        )

    def connection(self) -> Connection:
        """What the last slice's connection came to."""
        found = self.seen
        if found is None:
            return Connection(path=self.name)
        return Connection(
            path=self.name,
            mss=found.mss,
            local_send_buffer=found.send_buffer,
            local_receive_buffer=found.receive_buffer,
            remote_send_buffer=found.remote_send_buffer,
            remote_receive_buffer=found.remote_receive_buffer,
            congestion=found.congestion if self.kind.active == "local" else None,
        )

    def close(self) -> None:
        """Nothing is open."""
