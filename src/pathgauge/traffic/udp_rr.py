"""UDP_RR: one request and one response at a time; a lost one is counted and sent again."""

from pathgauge.traffic.kind import TRANSACTIONS, TestKind
from pathgauge.traffic.tcp_rr import METRICS, complete

KIND = TestKind(
    name="UDP_RR",
    summary="UDP request and response, one at a time",
    transport="udp",
    pattern="transactions",
    active="local",
    primary="transaction_rate",
    metrics=METRICS,
    parameters=TRANSACTIONS,
    complete=complete,
)
