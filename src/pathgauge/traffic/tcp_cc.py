"""TCP_CC: each transaction is a connection that is made and closed by the server, with nothing sent over it."""

import msgspec

from pathgauge.traffic.kind import CONNECTIONS, TestKind
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.tcp_rr import METRICS


def complete(parameters: Parameters, mtu: int) -> Parameters:
    """Nothing is sent."""
    del mtu
    return msgspec.structs.replace(parameters, request_size=0, response_size=0)


KIND = TestKind(
    name="TCP_CC",
    summary="TCP connections made and closed, nothing sent",
    transport="tcp",
    pattern="transactions",
    active="local",
    primary="transaction_rate",
    metrics=METRICS,
    parameters=CONNECTIONS,
    complete=complete,
    connects=True,
)
