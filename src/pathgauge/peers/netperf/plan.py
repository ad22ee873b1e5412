"""What a request asks a server to do, whatever its type: checked, bounded, in one form."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pathgauge.peers.netperf import frames
from pathgauge.peers.netperf.frames import Flag, Kind

PAD_SECONDS = 4.0  # longer than asked, so that it is the client that ends a test which it times
LONGEST_SECONDS = 7200.0
LARGEST_DATAGRAM = 65507
WIDTH_BYTES = 16 << 20
MOST_ALIGNMENT = 1 << 20
LAST_PORT = 65535

Fields = Mapping[str, int | float | str | bytes]


class Refused(Exception):
    """A request that is not carried out: the errno that the client is told, and the reason for the log."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger may ask for: seconds of a test, bytes of a socket buffer and of a message, data ports."""

    max_length: float = LONGEST_SECONDS
    max_buffer: int = 64 << 20
    max_size: int = 16 << 20
    data_ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One test as this server runs it. -1 leaves the default; `limit` is bytes or transactions, `length` seconds (0:
    none is named, and `longest` ends it); `receives` and `sends` are this end's part.
    """

    kind: int
    family: int
    transport: Literal["tcp", "udp"] = "tcp"
    receives: bool = True
    sends: bool = False
    connection: bool = False
    request_size: int = -1
    response_size: int = -1
    send_size: int = -1
    receive_size: int = -1
    send_width: int = 1
    receive_width: int = 1
    send_align: int = 8
    send_offset: int = 0
    receive_align: int = 8
    receive_offset: int = 0
    send_buffer: int = -1
    receive_buffer: int = -1
    flags: int = 0
    cpu: bool = False
    length: float = 0.0
    limit: int = 0
    pad: float = PAD_SECONDS
    longest: float = LONGEST_SECONDS
    port: int = 0
    address: str = ""
    client_address: str = ""
    client_port: int = 0
    burst: int = 0
    interval: float = 0.0
    priority: int = -1
    tos: int = -1
    congestion: str = ""
    discard: bool = False

    @property
    def seconds(self) -> float:
        """After which this end ends the test, should the client not."""
        return self.length + self.pad if self.length else self.longest

    @property
    def exchange(self) -> bool:
        """Whether requests are answered."""
        return self.receives and self.sends


def _whole(fields: Fields, name: str) -> int:
    value = fields[name]
    return value if isinstance(value, int) else 0


def of_omni(payload: bytes, limits: Limits) -> Plan:
    """From an omni request. Raises Refused."""
    fields = frames.OMNI_REQUEST.unpack(payload)
    direction, flags = _whole(fields, "direction"), _whole(fields, "flags")
    protocol, kind = _whole(fields, "protocol"), _whole(fields, "socket_type")
    transports: dict[tuple[int, int], Literal["tcp", "udp"]] = {
        (socket.IPPROTO_TCP, frames.STREAM): "tcp",
        (socket.IPPROTO_UDP, frames.DATAGRAM): "udp",
    }
    transport = transports.get((protocol, kind))
    if transport is None:
        raise Refused(errno.EPROTONOSUPPORT, f"protocol {protocol} with socket type {kind}")
    if str(fields["fill_file"]):
        raise Refused(errno.EACCES, "no file is opened that a client names")
    connection = bool(flags & Flag.CONNECTION)
    if direction & ~(frames.TRANSMIT | frames.RECEIVE) or (direction == 0 and not connection):
        raise Refused(errno.EINVAL, f"direction {direction}")
    if connection and transport == "udp":
        raise Refused(errno.EPROTONOSUPPORT, "connections over UDP")
    receives, sends = bool(direction & frames.RECEIVE), bool(direction & frames.TRANSMIT)
    length = _whole(fields, "length")
    family = _whole(fields, "family")
    plan = Plan(
        kind=Kind.OMNI,
        family=_family(family),
        transport=transport,
        receives=receives,
        sends=sends,
        connection=connection,
        request_size=_whole(fields, "request_size") if receives and sends else -1,
        response_size=_whole(fields, "response_size") if receives and sends else -1,
        send_size=_whole(fields, "send_size"),
        receive_size=_whole(fields, "receive_size"),
        send_width=_whole(fields, "send_width"),
        receive_width=_whole(fields, "receive_width"),
        send_align=_whole(fields, "send_align"),
        send_offset=_whole(fields, "send_offset"),
        receive_align=_whole(fields, "receive_align"),
        receive_offset=_whole(fields, "receive_offset"),
        send_buffer=_whole(fields, "send_buffer"),
        receive_buffer=_whole(fields, "receive_buffer"),
        flags=flags,
        cpu=bool(flags & Flag.CPU),
        length=float(max(0, length)),
        limit=max(0, -length),
        pad=0.0 if sends and not receives else PAD_SECONDS,
        port=_whole(fields, "port"),
        address=_address(fields, "server_ip", family),
        client_address=_address(fields, "client_ip", family),
        client_port=_whole(fields, "client_port"),
        burst=_whole(fields, "burst"),
        interval=_whole(fields, "interval_usecs") / 1e6,
        priority=_whole(fields, "priority"),
        tos=_whole(fields, "tos"),
        congestion=str(fields["congestion"]),
        discard=bool(_whole(fields, "receive_avoid")),
    )
    return bounded(plan, limits)


def of_stream(payload: bytes, limits: Limits, kind: Kind) -> Plan:
    """From a classic TCP_STREAM request, or a TCP_MAERTS one, where this end sends."""
    fields = frames.STREAM_REQUEST.unpack(payload)
    sends = kind == Kind.TCP_MAERTS
    length = _whole(fields, "length")
    plan = Plan(
        kind=kind,
        family=_family(_whole(fields, "family")),
        receives=not sends,
        sends=sends,
        send_size=(_whole(fields, "size") or -1) if sends else -1,
        receive_size=-1 if sends else (_whole(fields, "size") or -1),
        send_align=_whole(fields, "align"),
        send_offset=_whole(fields, "offset"),
        receive_align=_whole(fields, "align"),
        receive_offset=_whole(fields, "offset"),
        send_buffer=_whole(fields, "send_buffer"),
        receive_buffer=_whole(fields, "receive_buffer"),
        flags=Flag.ROUTING | (Flag.NODELAY if _whole(fields, "nodelay") else 0),
        cpu=bool(_whole(fields, "cpu")),
        # Byte-limited runs send their bytes here, as if they were seconds: the client's end ends those.
        length=float(min(max(0, length), limits.max_length)),
        pad=0.0 if sends else PAD_SECONDS,
        port=_whole(fields, "port"),
        discard=bool(_whole(fields, "receive_avoid")),
    )
    return bounded(plan, limits)


def of_transactions(payload: bytes, limits: Limits, kind: Kind) -> Plan:
    """From a classic TCP_RR, TCP_CRR, UDP_RR or TCP_CC request."""
    fields = frames.RR_REQUEST.unpack(payload)
    length = _whole(fields, "length")
    exchange = kind != Kind.TCP_CC
    plan = Plan(
        kind=kind,
        family=_family(_whole(fields, "family")),
        transport="udp" if kind == Kind.UDP_RR else "tcp",
        receives=exchange,
        sends=exchange,
        connection=kind in (Kind.TCP_CRR, Kind.TCP_CC),
        request_size=_whole(fields, "request_size") if exchange else -1,
        response_size=_whole(fields, "response_size") if exchange else -1,
        send_align=_whole(fields, "send_align"),
        send_offset=_whole(fields, "send_offset"),
        receive_align=_whole(fields, "receive_align"),
        receive_offset=_whole(fields, "receive_offset"),
        send_buffer=_whole(fields, "send_buffer"),
        receive_buffer=_whole(fields, "receive_buffer"),
        flags=Flag.ROUTING | (Flag.NODELAY if _whole(fields, "nodelay") else 0),
        cpu=bool(_whole(fields, "cpu")),
        length=float(max(0, length)),
        limit=max(0, -length),
        port=_whole(fields, "port"),
    )
    return bounded(plan, limits)


def of_datagrams(payload: bytes, limits: Limits) -> Plan:
    """From a classic UDP_STREAM request."""
    fields = frames.UDP_REQUEST.unpack(payload)
    plan = Plan(
        kind=Kind.UDP_STREAM,
        family=_family(_whole(fields, "family")),
        transport="udp",
        receive_size=_whole(fields, "size") or -1,
        receive_align=_whole(fields, "align"),
        receive_offset=_whole(fields, "offset"),
        receive_buffer=_whole(fields, "receive_buffer"),
        flags=Flag.ROUTING,
        cpu=bool(_whole(fields, "cpu")),
        length=float(max(0, _whole(fields, "length"))),
        port=_whole(fields, "port"),
    )
    return bounded(plan, limits)


def bounded(plan: Plan, limits: Limits) -> Plan:
    """The plan, if a stranger may ask for it. Raises Refused."""
    if plan.length > limits.max_length:
        raise Refused(errno.EPERM, f"a test of {plan.length:.0f} s; --max-length allows {limits.max_length:.0f}")
    for name in ("send_buffer", "receive_buffer"):
        asked = getattr(plan, name)
        if asked > limits.max_buffer:
            raise Refused(errno.ENOBUFS, f"a socket buffer of {asked} bytes; --max-buffer allows {limits.max_buffer}")
    for name in ("send_size", "receive_size", "request_size", "response_size"):
        asked = getattr(plan, name)
        if asked > limits.max_size:
            raise Refused(errno.EMSGSIZE, f"a message of {asked} bytes; --max-size allows {limits.max_size}")
    if plan.exchange and (plan.request_size <= 0 or plan.response_size <= 0):
        raise Refused(errno.EINVAL, f"a request of {plan.request_size} and a response of {plan.response_size} bytes")
    for name in ("send_align", "send_offset", "receive_align", "receive_offset"):
        if not 0 <= getattr(plan, name) <= MOST_ALIGNMENT:
            raise Refused(errno.EINVAL, f"{name} {getattr(plan, name)}")
    if not (0 <= plan.port <= LAST_PORT and 0 <= plan.client_port <= LAST_PORT):
        raise Refused(errno.EINVAL, f"port {plan.port} or {plan.client_port}")
    return replace(plan, longest=limits.max_length)


def _family(number: int) -> int:
    families = {frames.UNSPECIFIED: 0, frames.IPV4: socket.AF_INET, frames.IPV6: socket.AF_INET6}
    if number not in families:
        raise Refused(errno.EAFNOSUPPORT, f"address family {number}")
    return int(families[number])


def _address(fields: Fields, name: str, family: int) -> str:
    raw = fields[name]
    return frames.unpack_address(raw if isinstance(raw, bytes) else bytes(16), family)
