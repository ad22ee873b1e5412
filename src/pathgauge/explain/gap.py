"""Which gap is to be explained: the metrics by which two paths are compared before anything else, and the choice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pathgauge.results.document import Comparison, VerdictName
from pathgauge.statistics.interval import Interval
from pathgauge.statistics.verdict import decide
from pathgauge.traffic.kind import TestKind

# What may differ where the rate does not, by the pattern of the test and its transport.
SECONDARY = {
    ("stream", "tcp"): (
        "service_demand_machine",
        "service_demand_local",
        "service_demand_remote",
        "rtt",
        "retransmits",
    ),
    ("stream", "udp"): ("loss", "send_rate", "service_demand_machine"),
    ("transactions", "tcp"): ("latency_p50", "latency_p99", "service_demand_machine"),
    ("transactions", "udp"): ("latency_p50", "latency_p99", "service_demand_machine"),
}


@dataclass(frozen=True, slots=True)
class Gap:
    """`slow` is worse than `fast` by `log` (above 0) on the log scale of the metric."""

    metric: str
    slow: str
    fast: str
    log: float
    comparison: Comparison


def metrics_of(kind: TestKind, asked: Sequence[str]) -> tuple[str, ...]:
    """The metrics to look at, the primary one first; those asked for by name, if any, alone."""
    if asked:
        return tuple(name for name in asked if name in kind.metrics)
    others = SECONDARY[kind.pattern, kind.transport]
    return (kind.primary, *(name for name in others if name in kind.metrics))


def choose(rows: Sequence[Comparison]) -> Gap | None:
    """The first metric that differs beyond its margin, the rate before all others; of these the one that differs most
    beside its margin. None where nothing is told to differ.

    A doubt (a drift, say) keeps a verdict back, not a question: what is found to be the cause is proven by itself.
    """
    told = [row for row in rows if _said(row) in ("slower", "faster")]
    if not told:
        return None
    leading = [row for row in told if row.metric == rows[0].metric]
    row = leading[0] if leading else max(told, key=_weight)
    worse = _said(row) == "slower"
    names = row.candidate.path, row.baseline.path
    slow, fast = names if worse else names[::-1]
    return Gap(row.metric, slow, fast, abs(math.log(row.ratio.estimate or 1.0)), row)


def _said(row: Comparison) -> VerdictName:
    """The verdict as it would be without doubts."""
    ratio = row.ratio
    if ratio.estimate is None or ratio.low is None or ratio.high is None:
        return "undecided"
    return decide(Interval(ratio.estimate, ratio.low, ratio.high, ratio.confidence), row.margin, row.better)[0]


def _weight(row: Comparison) -> float:
    return abs(math.log(row.ratio.estimate or 1.0)) / math.log1p(row.margin)
