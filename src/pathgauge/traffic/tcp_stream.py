"""TCP_STREAM: the client sends as fast as the path takes it, goodput is what the server received."""

import msgspec

from pathgauge.traffic.kind import CPU_METRICS, DEMAND_METRICS, TCP_STREAM, TestKind
from pathgauge.traffic.parameters import Parameters

SEND_SIZE = 65536
RECEIVE_SIZE = 131072  # the kernel's default receive buffer, which is netperf's default too

METRICS = ("goodput", *CPU_METRICS, *DEMAND_METRICS, "cycles_per_byte", "rtt", "retransmits")


def complete(parameters: Parameters, mtu: int) -> Parameters:
    """64 KiB sends, as Rick Jones advised in 2007, into 128 KiB receives; the MTU does not matter."""
    del mtu
    return msgspec.structs.replace(
        parameters,
        send_size=parameters.send_size or SEND_SIZE,
        receive_size=parameters.receive_size or RECEIVE_SIZE,
    )


KIND = TestKind(
    name="TCP_STREAM",
    summary="bulk TCP from the client to the server",
    transport="tcp",
    pattern="stream",
    active="local",
    primary="goodput",
    metrics=METRICS,
    parameters=TCP_STREAM,
    complete=complete,
)
