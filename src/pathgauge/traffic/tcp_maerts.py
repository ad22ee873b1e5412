"""TCP_MAERTS: TCP_STREAM backwards: the server sends, goodput is what the client received."""

from pathgauge.traffic.kind import TCP_STREAM, TestKind
from pathgauge.traffic.tcp_stream import METRICS, complete

KIND = TestKind(
    name="TCP_MAERTS",
    summary="bulk TCP from the server to the client",
    transport="tcp",
    pattern="stream",
    active="remote",
    primary="goodput",
    metrics=METRICS,
    parameters=TCP_STREAM,
    complete=complete,
)
