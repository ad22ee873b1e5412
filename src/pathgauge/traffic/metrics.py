"""The metrics: what each one is of a slice, its unit, its better direction, its margin.

A metric of slices is a ratio of two sums (bits over seconds, CPU time over KiB, ...), so that slices of unequal length
add up rightly; a latency metric is taken from the summed histograms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pathgauge.results.document import Better, Slice
from pathgauge.results.latency import Timed
from pathgauge.traffic.kind import FAIRNESS, LOAD, End, TestKind

KIB = 1024
Terms = Callable[[Slice, TestKind], tuple[float, float] | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `terms` gives numerator and denominator of one slice, None where the slice does not know them.

    `unit_of` is the unit for a pattern (service demand's differs). `judged` says from what its interval comes: `blocks`
    from each block's log-ratio, `sums` from sums over all blocks (ticks and rare events, which one block cannot tell),
    `nothing` where no interval is claimed. `quantile` is set for those taken from histograms of what is `timed`.
    """

    name: str
    unit: str
    better: Better
    default_margin: float
    summary: str
    terms: Terms | None = None
    quantile: float | None = None
    timed: Timed = "transaction"
    judged: Literal["blocks", "sums", "nothing"] = "blocks"
    unit_of_transactions: str = ""

    def unit_for(self, kind: TestKind) -> str:
        """The metric's unit in this test."""
        return self.unit_of_transactions if kind.pattern == "transactions" and self.unit_of_transactions else self.unit


def _seconds(row: Slice, end: End) -> float:
    return row.local_seconds if end == "local" else row.remote_seconds


def _rate(row: Slice, kind: TestKind) -> float:
    """Units of work a second: bytes received, or transactions."""
    if kind.pattern == "transactions":
        return row.transactions / _seconds(row, kind.active)
    return row.bytes_received / _seconds(row, kind.passive)


def _goodput(row: Slice, kind: TestKind) -> tuple[float, float]:
    return 8.0 * row.bytes_received, _seconds(row, kind.passive)


def _send_rate(row: Slice, kind: TestKind) -> tuple[float, float]:
    return 8.0 * row.bytes_sent, _seconds(row, kind.active)


def _loss(row: Slice, kind: TestKind) -> tuple[float, float]:
    del kind
    return float(row.total_bytes_sent - row.total_bytes_received), float(row.total_bytes_sent)


def _transaction_rate(row: Slice, kind: TestKind) -> tuple[float, float]:
    return float(row.transactions), _seconds(row, kind.active)


def _load(row: Slice, end: Literal["local", "remote", "machine"]) -> tuple[float, float] | None:
    spent, seconds = {
        "local": (row.cpu_local_seconds, row.local_seconds),
        "remote": (row.cpu_remote_seconds, row.remote_seconds),
        "machine": (row.machine_busy_seconds, row.machine_seconds),
    }[end]
    return None if spent is None or seconds is None else (spent, seconds)


def _softirq(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    del kind
    known = row.machine_softirq_seconds is not None and row.machine_seconds is not None
    return (row.machine_softirq_seconds or 0.0, row.machine_seconds or 0.0) if known else None


def _steal(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    del kind
    known = row.machine_steal_seconds is not None and row.machine_seconds is not None
    return (row.machine_steal_seconds or 0.0, row.machine_seconds or 0.0) if known else None


def _cpu(end: Literal["local", "remote", "machine"]) -> Terms:
    def terms(row: Slice, kind: TestKind) -> tuple[float, float] | None:
        del kind
        return _load(row, end)

    return terms


def _demand(end: Literal["local", "remote", "machine"]) -> Terms:
    def terms(row: Slice, kind: TestKind) -> tuple[float, float] | None:
        load = _load(row, end)
        if load is None:
            return None
        spent, seconds = load
        work = _rate(row, kind) * seconds
        return 1e6 * spent, work if kind.pattern == "transactions" else work / KIB

    return terms


def _cycles(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    if row.cycles is None or row.machine_seconds is None:
        return None
    return float(row.cycles), _rate(row, kind) * row.machine_seconds


def _retransmits(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    return None if row.retransmits is None else (float(row.retransmits), _seconds(row, kind.active))


def _rtt(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    seconds = _seconds(row, kind.active)
    return None if row.rtt_seconds is None else (row.rtt_seconds * seconds, seconds)


def _fairness(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    del kind
    return None if row.fairness is None else (row.fairness, 1.0)


def _beside(row: Slice, kind: TestKind) -> tuple[float, float] | None:
    del kind
    known = row.load_bytes_received is not None and row.load_seconds
    return (8.0 * (row.load_bytes_received or 0), row.load_seconds or 0.0) if known else None


def _way(of: Literal["request", "response"], quantile: float, margin: float, words: str) -> Metric:
    name = f"delay_{of}_p{100 * quantile:.0f}"
    return Metric(name, "s", "lower", margin, words, quantile=quantile, timed=of, judged="sums")


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("goodput", "bit/s", "higher", 0.02, "payload that arrived at the receiver", _goodput),
        Metric("send_rate", "bit/s", "higher", 0.02, "payload that the sender handed to the kernel", _send_rate),
        Metric("loss", "1", "lower", 0.10, "share of the sent payload that never arrived", _loss, judged="sums"),
        Metric("transaction_rate", "1/s", "higher", 0.02, "request and response pairs done", _transaction_rate),
        Metric("latency_mean", "s", "lower", 0.05, "mean time of a transaction", judged="blocks"),
        Metric("latency_p50", "s", "lower", 0.05, "median time of a transaction", quantile=0.5, judged="sums"),
        Metric("latency_p90", "s", "lower", 0.10, "90th percentile of it", quantile=0.9, judged="sums"),
        Metric("latency_p99", "s", "lower", 0.10, "99th percentile of it", quantile=0.99, judged="sums"),
        Metric("latency_p999", "s", "lower", 0.10, "99.9th percentile of it", quantile=0.999, judged="sums"),
        Metric("latency_max", "s", "lower", 0.10, "the longest transaction", quantile=1.0, judged="nothing"),
        _way("request", 0.5, 0.05, "median time of a request's way"),
        _way("request", 0.99, 0.10, "99th percentile of it"),
        _way("response", 0.5, 0.05, "median time of a response's way"),
        _way("response", 0.99, 0.10, "99th percentile of it"),
        Metric("cpu_local", "CPU", "lower", 0.05, "run time of the client's process", _cpu("local")),
        Metric("cpu_remote", "CPU", "lower", 0.05, "run time of the server's process", _cpu("remote")),
        Metric("cpu_machine", "CPU", "lower", 0.05, "non-idle time of the machine", _cpu("machine"), judged="sums"),
        Metric("cpu_softirq", "CPU", "lower", 0.05, "softirq time of the machine, part of it", _softirq, judged="sums"),
        Metric("cpu_steal", "CPU", "lower", 0.05, "time the hypervisor took", _steal, judged="nothing"),
        Metric(
            "service_demand_local",
            "us/KiB",
            "lower",
            0.05,
            "the client's CPU time for a unit of work",
            _demand("local"),
            unit_of_transactions="us/transaction",
        ),
        Metric(
            "service_demand_remote",
            "us/KiB",
            "lower",
            0.05,
            "the server's CPU time for a unit of work",
            _demand("remote"),
            unit_of_transactions="us/transaction",
        ),
        Metric(
            "service_demand_machine",
            "us/KiB",
            "lower",
            0.05,
            "the machine's CPU time for a unit of work",
            _demand("machine"),
            judged="sums",
            unit_of_transactions="us/transaction",
        ),
        Metric("cycles_per_byte", "cycles/byte", "lower", 0.05, "the machine's CPU cycles for a byte", _cycles),
        Metric("cycles_per_transaction", "cycles/transaction", "lower", 0.05, "the machine's cycles for one", _cycles),
        Metric("rtt", "s", "lower", 0.10, "smoothed round-trip time as TCP sees it at the slices' ends", _rtt),
        Metric(FAIRNESS, "1", "higher", 0.05, "Jain's index of what the copies got that ran at once", _fairness),
        Metric(LOAD, "bit/s", "higher", 0.02, "payload of the stream beside the transactions that arrived", _beside),
        Metric("retransmits", "segments/s", "lower", 0.10, "segments sent again", _retransmits, judged="sums"),
    )
}
