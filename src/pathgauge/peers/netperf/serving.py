"""Carrying out a plan: the data socket, the loop, the timer, what was counted."""

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from pathgauge import _native
from pathgauge.peers.netperf import datasocket
from pathgauge.peers.netperf.cpu import Use, between
from pathgauge.peers.netperf.cpu import read as read_cpu
from pathgauge.peers.netperf.frames import Flag, Kind
from pathgauge.peers.netperf.plan import LARGEST_DATAGRAM, WIDTH_BYTES, Limits, Plan, Refused
from pathgauge.peers.netperf.work import Work, deadline

BEGIN_SECONDS = 60.0  # within which a client must begin: -s of stock netperf waits here
GLANCE_SECONDS = 0.05
IDLE_SECONDS = 0.3  # in which nothing comes after the test's time, until a client is taken to have stopped
MARKERS = 3  # empty datagrams that say that a test has ended
DEFAULT_SIZE = 4096
FIRST_PORT = 1024  # below are the ports of services: a client that names one gets another

Network = IPv4Network | IPv6Network


class Gone(Exception):
    """The client has closed the control connection."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A data socket that waits for its client, with what is told about it. `plan` has its sizes filled in."""

    plan: Plan
    made: socket.socket
    port: int
    send_buffer: int
    receive_buffer: int


@dataclass(frozen=True, slots=True)
class Served:
    """What came of it: counts, seconds, the CPU if it was asked for, the socket at its end."""

    bytes_sent: int = 0
    bytes_received: int = 0
    send_calls: int = 0
    receive_calls: int = 0
    failed_sends: int = 0
    transactions: int = 0
    elapsed: float = 0.0
    cpu: Use | None = None
    send_buffer: int = -1
    receive_buffer: int = -1
    congestion: str = ""
    retransmits: int = -1
    error: int = 0


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: its address and family, that of this end of the control connection, whether it is still there, and the
    networks that clients may come from (() everywhere).
    """

    address: str
    local_address: str
    family: int
    control: socket.socket
    allow: tuple[Network, ...] = ()

    def check(self) -> None:
        """Raise Gone if it has closed the control connection; more requests in advance are left where they are."""
        if select.select([self.control], [], [], 0)[0] and self.control.recv(1, socket.MSG_PEEK) == b"":
            raise Gone


def prepare(plan: Plan, client: Client, limits: Limits) -> Ready:
    """Make the data socket. Raises Refused where the kernel refuses something."""
    _refuse_reflection(plan, client)
    family = plan.family or client.family
    wanted = datasocket.Made(
        family=family,
        transport=plan.transport,
        send_buffer=plan.send_buffer,
        receive_buffer=plan.receive_buffer,
        nodelay=bool(plan.flags & Flag.NODELAY),
        keepalive=bool(plan.flags & Flag.KEEPALIVE),
        routing=bool(plan.flags & Flag.ROUTING),
        priority=plan.priority,
        tos=plan.tos,
        congestion=plan.congestion,
        dont_fragment=bool(plan.flags & Flag.DONT_FRAGMENT),
        further=_listener_options(plan),
    )
    try:
        made = wanted.make()
    except OSError as error:
        raise Refused(error.errno or errno.EINVAL, f"a data socket: {error.strerror}") from error
    try:
        if sources := _sources(plan, client):
            with suppress(OSError):  # who comes is looked at all the same
                datasocket.only_from(made, sources)
        _bind(made, plan, client, limits)
        if plan.transport == "tcp":
            made.listen(128)
        send_buffer, receive_buffer = datasocket.buffer_sizes(made)
        sized = _sized(plan, send_buffer, receive_buffer)
        return Ready(sized, made, made.getsockname()[1], send_buffer, receive_buffer)
    except OSError as error:
        made.close()
        raise Refused(error.errno or errno.EINVAL, f"a data socket: {error.strerror}") from error


def _sources(plan: Plan, client: Client) -> tuple[str, ...]:
    """The addresses that the data may come from: the client's own and the one that it names, so that nobody else joins
    in. () is any: where the data go to another address of this machine than the control connection does they come from
    another of the client's, too; and the older requests over TCP have no field for a name.
    """
    older = plan.transport == "tcp" and plan.kind != Kind.OMNI
    elsewhere = plan.address and plan.address != _bare(client.local_address)
    if older or elsewhere or (plan.family and plan.family != client.family):
        return ()
    return tuple(dict.fromkeys(_bare(each) for each in (client.address, plan.client_address) if each))


def _welcome(address: str, sources: tuple[str, ...], client: Client) -> bool:
    bare = _bare(datasocket.numeric(address))
    if sources:
        return bare in sources
    return not client.allow or any(ip_address(bare) in each for each in client.allow)


def _bare(address: str) -> str:
    """Without a scope."""
    return address.partition("%")[0]


def _same_host(address: str, other: str) -> bool:
    """Whether both are known to be one host's."""
    first, second = ip_address(_bare(address)), ip_address(_bare(other))
    return first == second or (first.is_loopback and second.is_loopback)


def _amplifies(plan: Plan) -> bool:
    return plan.transport == "udp" and plan.sends and (not plan.receives or plan.response_size > plan.request_size)


def _refuse_reflection(plan: Plan, client: Client) -> None:
    """No address but the client's own is sent more datagrams than come from it: a server that sends wherever a request
    says floods whoever a stranger names. Raises Refused.
    """
    named = plan.client_address
    if named and _amplifies(plan) and not _same_host(named, client.address):
        raise Refused(errno.EACCES, f"datagrams to {named}, which is not who asks")


def _listener_options(plan: Plan) -> tuple[datasocket.Option, ...]:
    if plan.transport != "tcp":
        return ()
    wanted = (
        (plan.flags & Flag.FAST_OPEN, (socket.IPPROTO_TCP, datasocket.TCP_FASTOPEN, 5)),
        (plan.flags & Flag.DEFER_ACCEPT, (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)),
    )
    return tuple(option for yes, option in wanted if yes)


def _bind(made: socket.socket, plan: Plan, client: Client, limits: Limits) -> None:
    """To the address asked for, else any. For UDP any is the last resort: answers would leave from the address that the
    route prefers, which need not be the one that was asked.
    """
    own = client.local_address if plan.transport == "udp" and made.family == client.family else ""
    port = plan.port if plan.port >= FIRST_PORT else 0
    for address in dict.fromkeys((_scoped(plan.address, client) or own, own, "")):
        try:
            datasocket.bind(made, address, port, limits.data_ports)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL and not isinstance(error, socket.gaierror):
                raise
        else:
            return
    raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


def _scoped(address: str, client: Client) -> str:
    """Requests have no field for the scope that a link-local address needs: then it is the control connection's."""
    scope = client.local_address.partition("%")[2]
    return f"{address}%{scope}" if scope and address and ip_address(address).is_link_local else address


def _sized(plan: Plan, send_buffer: int, receive_buffer: int) -> Plan:
    """The plan with the sizes that the client left to this end."""
    most = LARGEST_DATAGRAM if plan.transport == "udp" else WIDTH_BYTES
    default = min(receive_buffer, WIDTH_BYTES)
    send = plan.response_size if plan.exchange else plan.send_size if plan.send_size > 0 else send_buffer
    receive = plan.request_size if plan.exchange else plan.receive_size if plan.receive_size > 0 else default
    send, receive = min(send or DEFAULT_SIZE, most), receive or DEFAULT_SIZE
    return replace(
        plan,
        send_size=send if plan.sends else plan.send_size,
        receive_size=receive if plan.receives else plan.receive_size,
        send_width=_width(plan.send_width, send, plan.send_align, 1 if plan.exchange else send_buffer // send + 1),
        receive_width=_width(
            plan.receive_width, receive, plan.receive_align, 1 if plan.exchange else receive_buffer // receive + 1
        ),
    )


def _width(asked: int, size: int, align: int, default: int) -> int:
    """How many buffers; no more than fit, each taking whole steps of its alignment."""
    step = _power(align)
    stride = -(-size // step) * step
    return max(1, min(asked if asked > 0 else default, WIDTH_BYTES // stride))


def _power(align: int) -> int:
    """The alignment raised to a power of two, which it must be."""
    return 1 << max(0, align - 1).bit_length()


def run(ready: Ready, client: Client) -> Served:
    """Serve the client until the test ends. Raises Gone; closes the data socket in any case."""
    with ready.made:
        if ready.plan.connection:
            return _connections(ready, client)
        made = _accept(ready, client) if ready.plan.transport == "tcp" else _await_datagram(ready, client)
    if made is None:
        return Served(send_buffer=ready.send_buffer, receive_buffer=ready.receive_buffer)
    return _move(ready, made, client)


def _wait(made: socket.socket, client: Client, seconds: float) -> bool:
    """Whether something came in that time. Raises Gone."""
    limit = time.monotonic() + seconds
    while (left := limit - time.monotonic()) > 0:
        client.check()
        if select.select([made], [], [], min(GLANCE_SECONDS, left))[0]:
            return True
    return False


def _accept(ready: Ready, client: Client) -> socket.socket | None:
    """The client's connection; others' are closed."""
    sources = _sources(ready.plan, client)
    ready.made.setblocking(False)  # a connection may be gone again before it is taken
    limit = time.monotonic() + BEGIN_SECONDS
    while _wait(ready.made, client, limit - time.monotonic()):
        with suppress(BlockingIOError, ConnectionError):
            made, peer = ready.made.accept()
            if _welcome(str(peer[0]), sources, client):
                datasocket.from_everywhere(made)
                made.settimeout(None)
                return made
            made.close()
    return None


def _await_datagram(ready: Ready, client: Client) -> socket.socket | None:
    """The socket, connected to where the client's datagrams come from; others' are dropped."""
    plan, made = ready.plan, ready.made
    if not plan.receives:
        target = _scoped(plan.client_address, client) or client.address
        made.connect(datasocket.place_of(target, plan.client_port))
        return made.dup()
    sources, amplifies = _sources(plan, client), _amplifies(plan)
    limit = time.monotonic() + BEGIN_SECONDS
    while _wait(made, client, limit - time.monotonic()):
        with suppress(BlockingIOError, ConnectionError):  # a datagram that is not whole wakes, and is not there
            _, peer = made.recvfrom(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            address = datasocket.numeric(str(peer[0]))
            if _welcome(address, sources, client) and not (amplifies and not _same_host(address, client.address)):
                made.connect(peer)
                datasocket.from_everywhere(made)
                return made.dup()
            made.recv(1, socket.MSG_DONTWAIT)
    return None


def _move(ready: Ready, made: socket.socket, client: Client) -> Served:
    plan = ready.plan
    datagrams = plan.transport == "udp"
    transfer = _native.Transfer(
        fd=made.fileno(),
        datagrams=datagrams,
        deadline_ns=deadline(plan.seconds),
        limit=plan.limit,
        pace_count=plan.burst if plan.interval > 0 else 0,
        pace_ns=round(plan.interval * 1e9) if plan.burst else 0,
        marked=datagrams,
        discard=plan.discard and not datagrams,
    )
    receiving = (plan.receive_size, plan.receive_width, plan.receive_align, plan.receive_offset)
    sending = (plan.send_size, plan.send_width, plan.send_align, plan.send_offset)
    rings = [_buffers(*receiving)] if plan.receives else []
    rings += [_buffers(*sending)] if plan.sends else []
    loop = _native.respond if plan.exchange else _native.send_stream if plan.sends else _native.receive_stream
    with Work(made) as work:
        started = _Started(plan)
        work.start(loop, transfer, *rings)
        idle = _Idle(work, started.time + plan.length) if plan.length and plan.receives else None
        _watch(work, client, plan.seconds, done=idle)
        work.end()
        _finish(made, plan)  # first of all: the client's clock runs until it hears of it
        return started.counted(work)


def _buffers(size: int, width: int, align: int, offset: int) -> _native.Buffers:
    return _native.Buffers(size, width, _power(align), offset, b"netperf\0")


def _watch(work: Work, client: Client, seconds: float, *, done: Callable[[], bool] | None = None) -> None:
    """Until the loop ends, it is `done`, or its time is over. Raises Gone."""
    limit = time.monotonic() + seconds
    while not work.ended(min(GLANCE_SECONDS, limit - time.monotonic())):
        client.check()
        if time.monotonic() >= limit or (done is not None and done()):
            return


class _Started:
    """A test that began now: what it came to is reckoned from here."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.time = time.monotonic()
        self._cpu = read_cpu() if plan.cpu else None

    def counted(self, work: Work) -> Served:
        """What it came to. A server that had to find out for itself that the test was over was idle meanwhile: neither
        its seconds nor its idleness count.
        """
        sent, received, sends, receives, transactions, lost = work.live
        made, plan = work.made, self.plan
        whole = time.monotonic() - self.time
        elapsed = min(whole, plan.length) if plan.length else whole
        used = between(self._cpu, read_cpu()) if self._cpu is not None else None
        send_buffer, receive_buffer = datasocket.buffer_sizes(made)
        return Served(
            bytes_sent=sent,
            bytes_received=received,
            send_calls=sends,
            receive_calls=receives,
            failed_sends=lost,
            transactions=transactions,
            elapsed=elapsed,
            cpu=used.stretched(whole / elapsed) if used is not None and elapsed > 0 else used,
            send_buffer=send_buffer,
            receive_buffer=receive_buffer,
            congestion=datasocket.congestion_of(made) if plan.transport == "tcp" else "",
            retransmits=_retransmits(made) if plan.transport == "tcp" and plan.sends else -1,
            # A client that closes with bytes unread, or is gone, has ended the test; nothing is wrong here.
            error=0 if work.error in (errno.ECONNRESET, errno.EPIPE) else work.error,
        )


def _retransmits(made: socket.socket) -> int:
    from pathgauge.counters.tcp_info import READ_SIZE, decode

    try:
        found = decode(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE)).total_retrans
    except OSError:
        return -1
    return -1 if found is None else found


def _finish(made: socket.socket, plan: Plan) -> None:
    """Tell the client that this end has done its part."""
    with suppress(OSError):
        if plan.transport == "udp":
            for _ in range(MARKERS):
                made.send(b"", socket.MSG_DONTWAIT)
        else:
            made.shutdown(socket.SHUT_WR)


def _connections(ready: Ready, client: Client) -> Served:
    plan, made = ready.plan, ready.made
    if not _wait(made, client, BEGIN_SECONDS):
        return Served()
    transfer = _native.Transfer(fd=made.fileno(), datagrams=False, deadline_ns=deadline(plan.seconds), limit=plan.limit)
    rings = [_buffers(plan.request_size, 1, 8, 0), _buffers(plan.response_size, 1, 8, 0)] if plan.exchange else []
    with Work(made.dup()) as work:
        started = _Started(plan)
        work.start(_native.accept_transact, transfer, *rings)
        idle = _Idle(work, started.time + plan.length) if plan.length else None
        _watch(work, client, plan.seconds, done=idle)
        work.end()
        return started.counted(work)


class _Idle:
    """Whether, the test's time being over, nothing came for a while: then the client has stopped, and need not wait for
    a timer that is longer than its own, should it not say so or should its word be lost.
    """

    def __init__(self, work: Work, since: float) -> None:
        self._work = work
        self._since = since
        self._seen: tuple[int, ...] = ()
        self._moved = since

    def __call__(self) -> bool:
        now = time.monotonic()
        seen = self._work.live
        if seen != self._seen or now < self._since:
            self._seen, self._moved = seen, now
        return now - self._moved > IDLE_SECONDS
