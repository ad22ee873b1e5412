"""What an arm's ends and the machine had counted at the edges of a slice, and the row that two edges make."""

from dataclasses import dataclass

import msgspec

from pathgauge.counters.softnet import packets_by_cpu
from pathgauge.counters.tcp_info import TcpInfo, decode
from pathgauge.measuring.engine import MachineMoment
from pathgauge.results.document import Slice
from pathgauge.traffic.kind import TestKind

NO_MIN_RTT = 2**32 - 1  # what the kernel says before it has measured one


@dataclass(frozen=True, slots=True)
class EndMoment:
    """One end's counters at one edge."""

    time_ns: int
    cpu_ns: int
    bytes_sent: int
    bytes_received: int
    messages_sent: int
    messages_received: int
    transactions: int
    tcp_info: bytes
    flows: bytes = b""


Edges = tuple[EndMoment, EndMoment, MachineMoment]  # the local end, the remote one, the machine


def counts(moment: EndMoment, flows: int) -> memoryview:
    """What each flow had done then; behind the sum of what they had sent again. Empty where there is only one."""
    return memoryview(moment.flows).cast("Q")[1 : flows + 1]


@dataclass(frozen=True, slots=True)
class Span:
    """One end between the two edges of a slice."""

    start: EndMoment
    stop: EndMoment

    @property
    def seconds(self) -> float:
        return (self.stop.time_ns - self.start.time_ns) / 1e9

    @property
    def cpu_seconds(self) -> float:
        return (self.stop.cpu_ns - self.start.cpu_ns) / 1e9


def row_between(
    name: str, kind: TestKind, started: float, first: Edges, second: Edges, sent: int, received: int
) -> Slice:
    """One arm's slice, whose `sent` and `received` bytes include what came outside of the edges; `started` is when the
    run began.
    """
    local, remote = Span(first[0], second[0]), Span(first[1], second[1])
    active, passive = (local, remote) if kind.active == "local" else (remote, local)
    row = Slice(
        test=kind.name,
        path=name,
        block=0,
        position=0,
        start=0.0,
        local_seconds=local.seconds,
        remote_seconds=remote.seconds,
        bytes_sent=active.stop.bytes_sent - active.start.bytes_sent,
        bytes_received=passive.stop.bytes_received - passive.start.bytes_received,
        messages_sent=active.stop.messages_sent - active.start.messages_sent,
        messages_received=passive.stop.messages_received - passive.start.messages_received,
        transactions=active.stop.transactions - active.start.transactions,
        total_bytes_sent=sent,
        total_bytes_received=received,
        cpu_local_seconds=local.cpu_seconds,
        cpu_remote_seconds=remote.cpu_seconds,
    )
    row = with_machine(row, started, first[2], second[2])
    if active.stop.flows and not kind.connects:
        return of_flows(row, active)
    return with_tcp_info(row, decode(active.start.tcp_info), decode(active.stop.tcp_info))


def with_machine(row: Slice, started: float, start: MachineMoment, stop: MachineMoment) -> Slice:
    """The slice with when it began, and what the machine did between two moments."""
    return msgspec.structs.replace(
        row,
        start=start.time - started,
        machine_seconds=stop.time - start.time,
        machine_busy_seconds=stop.cpu.busy - start.cpu.busy,
        machine_softirq_seconds=stop.cpu.softirq - start.cpu.softirq,
        machine_steal_seconds=stop.cpu.steal - start.cpu.steal,
        packets_by_cpu=packets_by_cpu(start.softnet, stop.softnet),
        cycles=None if stop.cycles is None or start.cycles is None else stop.cycles - start.cycles,
    )


def with_tcp_info(row: Slice, start: TcpInfo, stop: TcpInfo) -> Slice:
    """The slice with what TCP_INFO of the active end says: differences of its counters, the last of its gauges."""
    return msgspec.structs.replace(
        row,
        retransmits=_difference(start.total_retrans, stop.total_retrans),
        busy_seconds=_seconds(_difference(start.busy_time, stop.busy_time)),
        receive_window_limited_seconds=_seconds(_difference(start.rwnd_limited, stop.rwnd_limited)),
        send_buffer_limited_seconds=_seconds(_difference(start.sndbuf_limited, stop.sndbuf_limited)),
        mss=stop.snd_mss,
        congestion_window=stop.snd_cwnd,
        rtt_seconds=_seconds(stop.rtt),
        min_rtt_seconds=_seconds(None if stop.min_rtt == NO_MIN_RTT else stop.min_rtt),
    )


def of_flows(row: Slice, active: Span) -> Slice:
    """The slice with what TCP_INFO of all flows says; one of them tells nothing of the others' windows and times."""
    start, stop = (memoryview(moment.flows).cast("Q")[0] for moment in (active.start, active.stop))
    return msgspec.structs.replace(row, retransmits=stop - start, mss=decode(active.stop.tcp_info).snd_mss)


def _difference(start: int | None, stop: int | None) -> int | None:
    return None if start is None or stop is None else stop - start


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6
