"""Making the sockets of a test: in their namespace, with their options set before anything is negotiated."""

import errno
import socket
import struct
import time
from contextlib import suppress
from typing import Literal

from pathgauge.counters.connection import read_memory, socket_settings
from pathgauge.counters.tcp_info import READ_SIZE, decode
from pathgauge.endpoints.messages import Facts, SocketOptions
from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege, UserError
from pathgauge.paths.namespaces import CLONE_NEWNET, setns

Transport = Literal["tcp", "udp"]

IP_BIND_ADDRESS_NO_PORT = 24  # these are missing from Python's socket module
SO_BUSY_POLL = 46
IPPROTO_MPTCP, SOL_MPTCP, MPTCP_INFO = 262, 284, 1
MPTCP_FLAGS = 8  # where they stand in struct mptcp_info
FALLBACK = 1

# A datagram's answer that has not come by then never will.
SILENCE_SECONDS = 0.1
CONNECT_SECONDS = 5.0
BACKLOG = 128
GREETING_SECONDS = 0.5
MOST_STRAYS = 10_000

_SORTS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def make(namespace: int, transport: Transport, *, ipv6: bool, options: SocketOptions) -> socket.socket:
    """A socket that belongs to the namespace; the calling thread stays in it.

    Raises MachineError for what the kernel lacks or refuses, UserError for an option it calls invalid.
    """
    setns(namespace, CLONE_NEWNET)
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    made = _multipath(family) if options.mptcp else socket.socket(family, _SORTS[transport])
    try:
        apply(made, transport, options)
    except BaseException:
        made.close()
        raise
    return made


def apply(made: socket.socket, transport: Transport, options: SocketOptions) -> None:
    """Set the options and the time-outs on a socket that is not connected yet."""
    if options.buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options.buffer)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.buffer)
    if options.dscp is not None:
        field = options.dscp << 2
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, field)
        else:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, field)
    if options.busy_poll is not None:
        _set_busy_poll(made, options.busy_poll)
    if transport == "tcp":
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(options.nodelay))
        if options.congestion is not None:
            _set_congestion(made, options.congestion)


def limit_wait(made: socket.socket) -> None:
    """Let a blocking socket wait for a datagram only so long, after which it counts as lost."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, int(SILENCE_SECONDS * 1e6)))


def connect(made: socket.socket, address: str, peer: tuple[str, int], *, many: bool = False) -> None:
    """Bind to the own address and connect; one of `many` may have a port that a flow to elsewhere has, too. Raises
    MachineError where the peer does not answer.
    """
    made.settimeout(CONNECT_SECONDS)
    try:
        if many:
            made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((address, 0))
        made.connect(peer)
    except OSError as error:
        raise MachineError(
            f"the path from {address} to {peer[0]} does not connect: {error.strerror or error}",
            hint="no route back, or a firewall? see with ping, from inside: pathgauge lab exec, ip netns exec",
        ) from error


def listen(made: socket.socket, at_once: int) -> None:
    """Listen with room for so many connections that wait to be accepted: the kernel drops what finds none, and its
    client asks again a second later. Raises UserError where the kernel gives less.
    """
    made.listen(max(BACKLOG, at_once))
    room = decode(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE)).sacked  # as a listener has it
    if room is not None and room < at_once:
        raise UserError(
            f"{at_once} connections at once do not fit a listener's queue of {room} (net.core.somaxconn)",
            hint=f"--flows {room}, or --threads {-(-at_once // room)}: each thread has a listener of its own",
        )


def require_multipath(made: socket.socket) -> None:
    """Raise MachineError where a connection of Multipath TCP has become one of plain TCP."""
    try:
        info = made.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
        fallen = bool(struct.unpack_from("=I", info, MPTCP_FLAGS)[0] & FALLBACK)
    except (OSError, struct.error):  # as kernels answer on a connection that has
        fallen = True
    if fallen:
        raise MachineError(
            "the connection fell back from Multipath TCP to TCP",
            hint="does something on the path take its options off? leave out --mptcp",
        )


def close_at_once(made: socket.socket) -> None:
    """Let the next close of a connection reset it, after which neither end keeps its ports."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))


def says(made: socket.socket, greeting: bytes) -> bool:
    """Whether the first thing that comes on a connection is the greeting."""
    made.settimeout(GREETING_SECONDS)
    heard = b""
    try:
        while len(heard) < len(greeting):
            more = made.recv(len(greeting) - len(heard))
            if not more:
                return False
            heard += more
    except OSError:
        return False
    return heard == greeting


def greeted(made: socket.socket, greeting: bytes) -> tuple[str, int] | None:
    """Where a datagram with the greeting comes from, as this end sees it; None where none comes in time."""
    until = time.monotonic() + GREETING_SECONDS
    while (left := until - time.monotonic()) > 0:
        made.settimeout(left)
        try:
            heard, peer = made.recvfrom(len(greeting) + 1)
        except OSError:
            return None
        if heard == greeting:
            return str(peer[0]), int(peer[1])
    return None


def drain(made: socket.socket) -> None:
    """Take off a socket what came before it was connected, from whomever."""
    made.settimeout(0)
    with suppress(OSError):
        for _ in range(MOST_STRAYS):
            made.recv(1)


def facts(made: socket.socket, transport: Transport) -> Facts:
    """What the kernel made of the socket's options."""
    congestion = None
    info = b""
    if transport == "tcp":
        name = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        congestion = name.split(b"\0")[0].decode("ascii", "replace")
        info = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    return Facts(
        send_buffer=made.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        receive_buffer=made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
        congestion=congestion,
        tcp_info=info,
        memory=read_memory(made),
        settings=socket_settings(made),
    )


def _multipath(family: int) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
    except OSError as error:
        raise MissingFeature(
            f"there is no Multipath TCP here: {error.strerror}",
            hint="sysctl net.mptcp.enabled=1, in the namespaces of the path; a lab's have it where the kernel has",
        ) from error


def _set_busy_poll(made: socket.socket, microseconds: int) -> None:
    try:
        made.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL, microseconds)
    except PermissionError as error:
        raise MissingPrivilege(
            f"to poll for {microseconds} us takes root here", hint="run as root, or: sysctl net.core.busy_read"
        ) from error
    except OSError as error:
        raise MissingFeature(f"this kernel polls for no socket: {error.strerror}", hint="no --busy-poll") from error


def _set_congestion(made: socket.socket, name: str) -> None:
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode("ascii", "replace"))
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise MissingFeature(
                f"this kernel has no congestion control {name!r}",
                hint=f"modprobe tcp_{name}, or one of those in: sysctl net.ipv4.tcp_available_congestion_control",
            ) from error
        if error.errno == errno.EPERM:
            raise MissingPrivilege(
                f"congestion control {name!r} is not allowed without root",
                hint="run as root, or one of those in: sysctl net.ipv4.tcp_allowed_congestion_control",
            ) from error
        raise UserError(f"congestion control {name!r} is refused: {error.strerror}") from error
