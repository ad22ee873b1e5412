"""TCP_RR: one request and one response at a time over one connection."""

from pathgauge.traffic.kind import CPU_METRICS, DEMAND_METRICS, LATENCY_METRICS, TCP_TRANSACTIONS, TestKind
from pathgauge.traffic.parameters import Parameters

METRICS = ("transaction_rate", *LATENCY_METRICS, *CPU_METRICS, *DEMAND_METRICS, "cycles_per_transaction")


def complete(parameters: Parameters, mtu: int) -> Parameters:
    """Nothing is open: request and response are 1 byte unless told otherwise."""
    del mtu
    return parameters


KIND = TestKind(
    name="TCP_RR",
    summary="TCP request and response, one at a time",
    transport="tcp",
    pattern="transactions",
    active="local",
    primary="transaction_rate",
    metrics=(*METRICS, "rtt", "retransmits"),
    parameters=TCP_TRANSACTIONS,
    complete=complete,
)
