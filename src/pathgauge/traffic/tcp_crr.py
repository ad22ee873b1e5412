"""TCP_CRR: each transaction is a connection of its own: made, one request and one response, closed by the server."""

from pathgauge.traffic.kind import CONNECTIONS, TestKind
from pathgauge.traffic.tcp_rr import METRICS, complete

KIND = TestKind(
    name="TCP_CRR",
    summary="TCP request and response, each over a connection of its own",
    transport="tcp",
    pattern="transactions",
    active="local",
    primary="transaction_rate",
    metrics=METRICS,
    parameters=CONNECTIONS | {"request_size", "response_size", "nodelay"},
    complete=complete,
    connects=True,
)
