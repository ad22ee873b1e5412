"""TCP_BIDIR: TCP_STREAM and TCP_MAERTS at once, over a connection each; goodput is the sum of both directions."""

from pathgauge.traffic.kind import FAIRNESS, TCP_STREAM, TestKind
from pathgauge.traffic.tcp_stream import METRICS, complete

KIND = TestKind(
    name="TCP_BIDIR",
    summary="bulk TCP in both directions at once",
    transport="tcp",
    pattern="stream",
    active="local",
    primary="goodput",
    metrics=(*METRICS, FAIRNESS),
    parameters=TCP_STREAM,
    complete=complete,
    duplex=True,
)
