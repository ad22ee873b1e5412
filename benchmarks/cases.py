"""The cases in which the engine and its peers are measured, and what the machine alone would permit in each."""

from collections.abc import Mapping
from dataclasses import dataclass

from pathgauge import _native
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

Peers = Mapping[str, tuple[str, ...]]

STREAM_PEERS: Peers = {"netperf": (), "iperf3": (), "nuttcp": ()}
UDP_PEERS: Peers = {"netperf": (), "iperf3": ()}
ECHO_PEERS: Peers = {"netperf": (), "sockperf": ()}

# Calls of the kernel that one transaction takes, of both ends: TCP_CRR makes, connects and closes a socket, and accepts
# and closes one; the client reads until the server has closed.
CALLS_OF_A_TRANSACTION = {"TCP_RR": 4, "UDP_RR": 4, "TCP_CRR": 10}
SEGMENTS = 64  # that one call sends with UDP_SEGMENT at most
LARGEST_PAYLOAD = 65507


@dataclass(frozen=True, slots=True)
class Case:
    """One case: the engine's parameters, the peers with further options of theirs, and theirs where they differ."""

    name: str
    test: str
    parameters: Parameters
    peers: Peers
    of_peers: Parameters | None = None
    path: str = "host"


def stream(size: int) -> Parameters:
    """iperf3 and nuttcp receive by the size they send by; so do all."""
    return Parameters(send_size=size, receive_size=size)


def exchange(size: int) -> Parameters:
    """Requests and responses of one size."""
    return Parameters(request_size=size, response_size=size)


# sockperf's least message is 14 bytes: it stands beside 1/1, and is compared where the sizes are the same.
PLAIN = (
    Case("TCP_STREAM 64K", "TCP_STREAM", stream(65536), STREAM_PEERS),
    Case("TCP_STREAM 1400", "TCP_STREAM", stream(1400), STREAM_PEERS),
    Case("TCP_STREAM 100", "TCP_STREAM", stream(100), STREAM_PEERS),
    Case("TCP_MAERTS 64K", "TCP_MAERTS", stream(65536), STREAM_PEERS),
    Case("TCP_RR 1/1", "TCP_RR", exchange(1), ECHO_PEERS),
    Case("TCP_RR 1K/1K", "TCP_RR", exchange(1024), ECHO_PEERS),
    Case("TCP_CRR 1/1", "TCP_CRR", exchange(1), {"netperf": ()}),
    Case("UDP_STREAM 1400", "UDP_STREAM", stream(1400), UDP_PEERS),
    Case("UDP_STREAM 64", "UDP_STREAM", stream(64), UDP_PEERS),
    Case("UDP_RR 1/1", "UDP_RR", exchange(1), ECHO_PEERS),
)

_SPLICED = Parameters(send_size=1 << 20, receive_size=256 << 10, send_method="splice")
_SPINNING = Parameters(wait="spin")


def segmented(size: int) -> Parameters:
    """UDP by the kernel's segmentation, both ways."""
    return Parameters(send_size=size, receive_size=65535, send_method="gso", receive_method="gro")


BEST = (
    Case("best TCP over loopback", "TCP_STREAM", _SPLICED, {"iperf3": ("--zerocopy",)}, stream(128 << 10), "loopback"),
    Case("best TCP_RR", "TCP_RR", _SPINNING, {"netperf": ()}, exchange(1)),
    Case("best UDP_RR", "UDP_RR", _SPINNING, {"netperf": ()}, exchange(1)),
    Case("best UDP 64", "UDP_STREAM", segmented(64), {"netperf": ()}, stream(64)),
    Case("best UDP 1400", "UDP_STREAM", segmented(1400), {"iperf3": ()}, stream(1400)),
)


def limit(case: Case, kind: TestKind, parameters: Parameters, cost: _native.OwnCost) -> float:
    """What the case could reach if the kernel did nothing but enter, leave and copy: bit/s, or transactions/s.

    A stream's ends work at once on a CPU each: one copy of each message, one call for it (of 64 datagrams with
    UDP_SEGMENT). In a transaction both ends take turns: each copies both messages, and no one sleeps.
    """
    if kind.pattern == "transactions":
        copied = 2 * (parameters.request_size + parameters.response_size)
        return 1 / (CALLS_OF_A_TRANSACTION[kind.name] * cost.call_ns / 1e9 + copied / cost.copy_rate)
    size = parameters.send_size or 1
    at_once = max(1, min(SEGMENTS, LARGEST_PAYLOAD // size)) if case.parameters.send_method == "gso" else 1
    return 8 * size / (cost.call_ns / 1e9 / at_once + size / cost.copy_rate)
