"""UDP_STREAM: the client sends datagrams as fast as it may; goodput is what the server received."""

import msgspec

from pathgauge.errors import UserError
from pathgauge.traffic.kind import CPU_METRICS, DEMAND_METRICS, STREAM, TestKind, udp_payload
from pathgauge.traffic.parameters import Parameters

LARGEST_DATAGRAM = 65535


def complete(parameters: Parameters, mtu: int) -> Parameters:
    """The largest datagram that is not fragmented on any of the paths; receives take any datagram whole.

    UserError where the kernel is to cut what is sent into datagrams that would be fragmented: it does not do both.
    """
    largest = udp_payload(mtu, ipv6=parameters.ipv6)
    if parameters.send_method == "gso" and (parameters.send_size or 0) > largest:
        raise UserError(
            f"gso cuts a send into datagrams of one packet each, and {parameters.send_size} bytes do not fit one",
            hint=f"--send-size {largest}, or less, or --send-method batch",
        )
    return msgspec.structs.replace(
        parameters,
        send_size=parameters.send_size or largest,
        receive_size=parameters.receive_size or LARGEST_DATAGRAM,
    )


KIND = TestKind(
    name="UDP_STREAM",
    summary="bulk UDP from the client to the server, loss counted",
    transport="udp",
    pattern="stream",
    active="local",
    primary="goodput",
    metrics=("goodput", "send_rate", "loss", *CPU_METRICS, *DEMAND_METRICS, "cycles_per_byte"),
    parameters=STREAM,
    complete=complete,
)
