"""Data sockets of netperf's tests, at either end."""

import ctypes
import errno
import os
import random
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
PMTUDISC_DO = 2
SO_MAX_PACING_RATE = 47
TCP_FASTOPEN = 23
TCP_FASTOPEN_CONNECT = 30
SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
BPF_LOAD_WORD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06
NETWORK_HEADER = 0xFFF00000  # offsets from here on count from the IP header
SOURCE_IN_IPV4, SOURCE_IN_IPV6 = 12, 8

Option = tuple[int, int, int]
Ports = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Made:
    """What is asked of a data socket. Sizes in bytes, -1 leaves the kernel's default; `family` is the system's."""

    family: int
    transport: Literal["tcp", "udp"]
    send_buffer: int = -1
    receive_buffer: int = -1
    nodelay: bool = False
    cork: bool = False
    keepalive: bool = False
    routing: bool = True
    priority: int = -1
    tos: int = -1
    congestion: str = ""
    dont_fragment: bool = False
    pacing_rate: int = 0
    max_segment: int = 0
    debug: bool = False
    multicast_ttl: int = -1
    further: tuple[Option, ...] = field(default=())

    def options(self) -> list[Option]:
        """All that is set by a number, before connecting."""
        tcp = self.transport == "tcp"
        six = self.family == socket.AF_INET6
        wanted: list[tuple[bool, Option]] = [
            (tcp, (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)),  # for UDP it would take another's port away
            (self.send_buffer >= 0, (socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)),
            (self.receive_buffer >= 0, (socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)),
            (self.nodelay and tcp, (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)),
            (self.cork and tcp, (socket.IPPROTO_TCP, socket.TCP_CORK, 1)),
            (self.keepalive and tcp, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)),
            (not self.routing, (socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)),
            (self.priority >= 0, (socket.SOL_SOCKET, socket.SO_PRIORITY, self.priority)),
            (self.tos > 0 and not six, (socket.IPPROTO_IP, socket.IP_TOS, self.tos)),
            (self.tos > 0 and six, (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, self.tos)),
            (self.dont_fragment and not six, (socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)),
            (self.dont_fragment and six, (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)),
            (self.pacing_rate > 0, (socket.SOL_SOCKET, SO_MAX_PACING_RATE, self.pacing_rate)),
            (self.max_segment > 0 and tcp, (socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.max_segment)),
            (self.debug, (socket.SOL_SOCKET, socket.SO_DEBUG, 1)),
            (self.multicast_ttl >= 0 and not six, (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self.multicast_ttl)),
            (self.multicast_ttl >= 0 and six, (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self.multicast_ttl)),
        ]
        return [*(option for yes, option in wanted if yes), *self.further]

    def make(self) -> socket.socket:
        """The socket, unbound. Raises OSError where the kernel refuses an option."""
        kind = socket.SOCK_STREAM if self.transport == "tcp" else socket.SOCK_DGRAM
        made = socket.socket(self.family, kind)
        try:
            for level, name, value in self.options():
                made.setsockopt(level, name, value)
            if self.congestion and self.transport == "tcp":
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.congestion.encode("ascii", "replace"))
        except BaseException:
            made.close()
            raise
        return made


def bind(made: socket.socket, address: str, port: int, ports: Ports | None) -> None:
    """Bind to the port asked for, or one that is free: of the range `ports`, where there is one. Raises OSError."""
    candidates = [port]
    if ports is not None:
        low, high = ports
        start = random.randrange(low, high + 1)
        candidates = [port] if low <= port <= high else []
        candidates += [*range(start, high + 1), *range(low, start)]
    elif port:
        candidates.append(0)  # one that is taken is replaced: the other end is told which
    for candidate in candidates:
        try:
            made.bind(place_of(address, candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def buffer_sizes(made: socket.socket) -> tuple[int, int]:
    """SO_SNDBUF and SO_RCVBUF as the kernel has them now."""
    return (
        made.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
    )


def congestion_of(made: socket.socket) -> str:
    """The congestion control in force; "" where there is none."""
    try:
        raw = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    except OSError:
        return ""
    return raw.split(b"\0")[0].decode("ascii", "replace")


def only_from(made: socket.socket, addresses: Sequence[str]) -> None:
    """Have the kernel drop what comes to an unbound socket from elsewhere than the addresses, all of its family."""
    code = []
    for address in addresses:
        words = struct.unpack(f">{4 if ':' in address else 1}I", socket.inet_pton(made.family, address))
        start = NETWORK_HEADER + (SOURCE_IN_IPV6 if made.family == socket.AF_INET6 else SOURCE_IN_IPV4)
        for number, word in enumerate(words):
            left = len(words) - 1 - number
            code.append((BPF_LOAD_WORD, 0, 0, start + 4 * number))
            code.append((BPF_JUMP_EQUAL, 0, 2 * left + 1, word))  # else to behind this address's return
        code.append((BPF_RETURN, 0, 0, 0xFFFFFFFF))
    code.append((BPF_RETURN, 0, 0, 0))
    raw = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in code))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(code), ctypes.addressof(raw)))


def from_everywhere(made: socket.socket) -> None:
    """Undo it, for a socket that has its peer: it would cost a little for each packet."""
    with suppress(OSError):  # it had none
        made.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def scoped(place: Sequence[object]) -> str:
    """The numeric address of what getpeername and the like say, with the scope that a link-local one needs."""
    address = numeric(str(place[0]))
    *_, scope = place  # the last of an IPv6 address's four; an IPv4 one's last is its port
    return f"{address}%{scope}" if scope and ":" in address and "%" not in address else address


def place_of(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """An address as sockets take it. Raises OSError where its scope is none."""
    bare, _, scope = address.partition("%")
    if not scope:
        return address, port
    return bare, port, 0, int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def numeric(address: str) -> str:
    """An address as text without what maps IPv4 into IPv6."""
    return address.removeprefix("::ffff:") if "." in address else address
