"""One iteration of a test at the client: ask, move the data, read what the server counted."""

import os
import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pathgauge import _native
from pathgauge.counters.tcp_info import READ_SIZE, decode
from pathgauge.errors import MachineError, UserError
from pathgauge.peers.netperf import cpu, datasocket, requests, units
from pathgauge.peers.netperf.control import Control, resolve
from pathgauge.peers.netperf.frames import Frame
from pathgauge.peers.netperf.plan import LARGEST_DATAGRAM
from pathgauge.peers.netperf.record import CpuUse, EndRecord
from pathgauge.peers.netperf.requests import Answer, Carried, Local
from pathgauge.peers.netperf.selection import shows_latency
from pathgauge.peers.netperf.settings import RECEIVE, SEND, EndOptions, Family, Settings
from pathgauge.peers.netperf.work import Work, deadline

MARKERS = 3
CLOSE_SECONDS = 60.0  # for the other end to close after this one has
RESULT_SECONDS = 120.0
DRAIN_SECONDS = 5.0
LOSS_SECONDS = 1.0  # without an answer, after which a datagram counts as lost
STEP_SECONDS = 0.05
UNLIMITED = 1e9
DEFAULT_SIZE = 4096
FAST_OPEN: tuple[datasocket.Option, ...] = ((socket.IPPROTO_TCP, datasocket.TCP_FASTOPEN_CONNECT, 1),)
ANYWHERE: dict[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - it connects from there
DEFAULT_PORTS = {"stream": 9, "maerts": 19, "rr": 7}  # discard, chargen, echo: where there is no netserver
FILL = b"netperf\0"

Tell = Callable[[float, int, int], None]  # seconds so far, bytes, transactions


@dataclass(slots=True)
class Once:
    """What one iteration found; `elapsed` in s, on this end's clock; `cpu_seconds` is this process's run time in it."""

    elapsed: float
    local: EndRecord
    remote: EndRecord
    transactions: int = 0
    mss: int = -1
    histogram: bytes = b""
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class Client:
    """A run at the client's end. `stopped` is set when the user ends the test early; what is measured then counts."""

    settings: Settings
    control: Control | None
    tell: Tell
    carried: Carried = field(default_factory=Carried)
    stopped: bool = False
    _options: list[datasocket.Option] = field(default_factory=list)

    def once(self) -> Once:
        """Run one iteration. Raises MachineError."""
        settings = self.settings
        if settings.wait:
            time.sleep(settings.wait)  # before the server's clock starts: so it may be as long as it likes
        family, place, local_address = self._places()
        made = self._socket(family)
        try:
            datasocket.bind(made, local_address, settings.local.port, None)
        except OSError as error:
            made.close()
            raise MachineError(f"the data socket: {error.strerror}", hint="-- -L ADDRESS -P PORT") from None
        rings = self._rings(made)
        server = place[0] if settings.remote.address else ""
        request = self._request(Local(family, self._told(local_address), made.getsockname()[1], *rings, server))
        answer = None
        try:
            if self.control is not None:
                asked = requests.read_answer(settings, self.control.ask(request), request)
                answer, place = asked, (place[0], asked.port, *place[2:])
                self.carried.port, self.carried.cpu_rate = asked.port, asked.cpu_rate
        except BaseException:
            made.close()
            raise
        if settings.test == "TCP_MSS":
            return self._segment(made, place)
        found = self._move(made, place, local_address, rings, answer)
        results = self.control.receive(RESULT_SECONDS + settings.length) if self.control is not None else None
        found.remote = requests.remote_record(settings, answer, results, request.kind)
        return found

    # --- before the data ---------------------------------------------------------------------------------------------

    def _places(self) -> tuple[int, tuple[str, int], str]:
        """The family of the data sockets, where the data go, and the address they come from ("": any)."""
        settings = self.settings
        family = settings.remote.family or settings.local.family
        local = settings.local.address or settings.control_local
        if settings.remote.address:
            host = settings.remote.address
        elif self.control is not None:
            host = self.control.remote_address
        else:
            host = settings.host
        kind = socket.SOCK_STREAM if settings.transport == "tcp" else socket.SOCK_DGRAM
        direction = {SEND: "stream", RECEIVE: "maerts"}.get(settings.direction, "rr")
        port = settings.remote.port or DEFAULT_PORTS[direction]
        found, place = resolve(
            host, port, family or settings.host_family if not settings.remote.address else family, kind
        )[0]
        if local:
            same: Family = 6 if found == socket.AF_INET6 else 4
            local = resolve(local, 0, same, kind)[0][1][0]
        return found, (_masked(place[0], settings.remote.mask), *place[1:]), _masked(local, settings.local.mask)

    def _told(self, local_address: str) -> str:
        """The client's address as the request tells it: needed only where the server is the one to send datagrams."""
        if local_address or self.control is None:
            return local_address
        udp_receiver = self.settings.transport == "udp" and not self.settings.direction & SEND
        return self.control.local_address if udp_receiver else ""

    def _socket(self, family: int) -> socket.socket:
        settings, local = self.settings, self.settings.local
        wanted = datasocket.Made(
            family=family,
            transport=settings.transport,
            send_buffer=local.send_buffer,
            receive_buffer=local.receive_buffer,
            nodelay=local.nodelay,
            cork=local.cork,
            keepalive=settings.keepalive,
            routing=requests.may_route(settings),
            priority=local.priority,
            tos=local.tos,
            congestion=local.congestion,
            dont_fragment=settings.dont_fragment,
            pacing_rate=settings.pacing_rate,
            max_segment=settings.max_segment,
            debug=settings.socket_debug,
            multicast_ttl=settings.multicast_ttl,
            further=FAST_OPEN if settings.fast_open and settings.transport == "tcp" else (),
        )
        self._options = wanted.options()
        try:
            return wanted.make()
        except OSError as error:
            raise MachineError(
                f"a data socket cannot be made: {error.strerror}", hint="is an option too much?"
            ) from None

    def _request(self, local: Local) -> Frame:
        if self.settings.test == "TCP_CC":
            return requests.connections(self.settings, self.carried)
        if not self.settings.migrated:
            return requests.stream(self.settings, self.carried)
        return requests.omni(self.settings, local, self.carried)

    def _sizes(self, made: socket.socket) -> tuple[int, int]:
        """Bytes of each send and of each receive."""
        settings, local = self.settings, self.settings.local
        send_buffer, receive_buffer = datasocket.buffer_sizes(made)
        most = LARGEST_DATAGRAM if settings.transport == "udp" else send_buffer
        if settings.direction == SEND | RECEIVE:
            return settings.request_size, settings.response_size
        send = local.send_size if local.send_size > 0 else min(send_buffer or DEFAULT_SIZE, most)
        return send, local.receive_size if local.receive_size > 0 else receive_buffer or DEFAULT_SIZE

    def _rings(self, made: socket.socket) -> tuple[int, int]:
        """How many buffers are taken in turn for sending and for receiving."""
        settings, sizes, rooms = self.settings, self._sizes(made), datasocket.buffer_sizes(made)
        asked = (settings.local.send_width, settings.local.receive_width)
        usual = [
            1 if settings.transactions else max(2, room // size + 1) for room, size in zip(rooms, sizes, strict=True)
        ]
        first, second = (width or default for width, default in zip(asked, usual, strict=True))
        return first, second

    # --- the data ----------------------------------------------------------------------------------------------------

    def _move(
        self,
        made: socket.socket,
        place: tuple[str, int],
        local_address: str,
        rings: tuple[int, int],
        answer: Answer | None,
    ) -> Once:
        settings = self.settings
        sizes, before = self._sizes(made), datasocket.buffer_sizes(made)
        with Work(made) as work:
            used = cpu.read() if settings.local_cpu_wanted else None
            spent, start = time.process_time(), time.monotonic()
            self._begin(work, place, local_address, sizes, rings, answer)
            self._wait(work, start)
            work.end()
            self._finish(made)
            elapsed, spent = time.monotonic() - start, time.process_time() - spent
            use = cpu.between(used, cpu.read()) if used is not None else None
            if work.error:
                raise MachineError(
                    f"the data connection failed: {os.strerror(work.error)}", hint="is the path still up?"
                )
            found = self._counted(work, elapsed, sizes, rings, before, use)
            self._drain(made)
            found.cpu_seconds = spent
            return found

    def _segment(self, made: socket.socket, place: tuple[str, int]) -> Once:
        """Only connect, and see which segment size was agreed upon; nobody waits for results."""
        with made:
            _connect(made, place, retry=False)
            mss = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        return Once(0.0, EndRecord(self.settings.local), EndRecord(self.settings.remote), mss=mss)

    def _begin(
        self,
        work: Work,
        place: tuple[str, int],
        local_address: str,
        sizes: tuple[int, int],
        rings: tuple[int, int],
        answer: Answer | None,
    ) -> None:
        """Connect, and start the loop."""
        settings, made = self.settings, work.made
        transfer = self._transfer(made, answer)
        local = settings.local
        sending = _buffers(sizes[0], rings[0], local.send_align, local.send_offset, _fill(local))
        receiving = _buffers(sizes[1], rings[1], local.receive_align, local.receive_offset, FILL)
        if settings.connection:
            plan = _native.ConnectPlan(
                local=local_address or ANYWHERE[made.family],
                remote=datasocket.scoped(place),
                port=place[1],
                low=settings.port_low,
                high=settings.port_high,
                options=self._options,
            )
            exchange = [sending, receiving] if settings.direction else []
            work.start(_native.connect_transact, transfer, plan, *exchange)
            return
        _connect(made, place, retry=settings.retry_connect)
        if settings.transport == "udp" and settings.direction & RECEIVE:
            _limit_wait(made, settings.receive_timeout or LOSS_SECONDS)
        if settings.direction == SEND | RECEIVE:
            work.start(_native.request, transfer, sending, receiving)
        elif settings.direction == SEND:
            work.start(_native.send_stream, transfer, sending)
        else:
            work.start(_native.receive_stream, transfer, receiving)

    def _transfer(self, made: socket.socket, answer: Answer | None) -> _native.Transfer:
        settings, local = self.settings, self.settings.local
        datagrams = settings.transport == "udp"
        return _native.Transfer(
            fd=made.fileno(),
            datagrams=datagrams,
            deadline_ns=deadline(UNLIMITED),
            limit=settings.limit,
            ahead=max(0, settings.first_burst) if settings.direction == SEND | RECEIVE else 0,
            pace_count=local.burst if local.interval > 0 else 0,
            pace_ns=round(local.interval * 1e9) if local.burst else 0,
            file=_file(settings, made) if settings.test == "TCP_SENDFILE" else -1,
            record=settings.transactions or settings.latency or shows_latency(settings),
            numbered=answer is not None and answer.ours,
            marked=datagrams and settings.direction == RECEIVE,
            discard=settings.discard and not datagrams,
        )

    def _wait(self, work: Work, start: float) -> None:
        """Until the time is over, the loop has ended, or the user ends it; interim results meanwhile."""
        settings = self.settings
        limit = start + settings.length if settings.length and not settings.limit else float("inf")
        step = min(STEP_SECONDS, abs(settings.interim)) if settings.interim else STEP_SECONDS
        try:
            while not self.stopped and (left := limit - time.monotonic()) > 0:
                if work.ended(min(step, left)):
                    break
                sent, received, _, _, transactions, _ = work.live
                self.tell(time.monotonic() - start, sent + received, transactions)
        except KeyboardInterrupt:  # netperf, too, reports the time that was
            self.stopped = True
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends the program

    def _finish(self, made: socket.socket) -> None:
        """Tell the server that the test is over, and wait until it has closed, too: that belongs to the test."""
        settings = self.settings
        with suppress(OSError):
            if settings.connection:
                return
            if settings.transport == "udp":
                for _ in range(MARKERS if settings.direction & SEND else 0):
                    made.send(b"")
                return
            made.shutdown(socket.SHUT_WR)
            if settings.direction == RECEIVE and not settings.limit:
                return  # the server stops by its own clock
            made.settimeout(CLOSE_SECONDS)
            while made.recv(1 << 16):
                pass

    def _drain(self, made: socket.socket) -> None:
        """Take what a server still sends that stops by its own clock: it may break off the test if nobody does."""
        settings = self.settings
        if settings.transport == "udp" or settings.connection or settings.direction != RECEIVE:
            return
        room, limit = bytearray(1 << 20), time.monotonic() + 1.0 + DRAIN_SECONDS
        with suppress(OSError):
            made.settimeout(DRAIN_SECONDS)
            while time.monotonic() < limit and made.recv_into(room):
                pass

    def _counted(
        self,
        work: Work,
        elapsed: float,
        sizes: tuple[int, int],
        rings: tuple[int, int],
        before: tuple[int, int],
        use: cpu.Use | None,
    ) -> Once:
        settings, made = self.settings, work.made
        sent, received, sends, receives, transactions, lost = work.live
        after = datasocket.buffer_sizes(made)
        tcp = settings.transport == "tcp" and not settings.connection
        info = decode(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE)) if tcp else None
        retransmits = None if info is None else info.total_retrans
        record = EndRecord(
            asked=settings.local,
            bytes_sent=sent,
            bytes_received=received,
            send_calls=sends,
            receive_calls=receives,
            failed_sends=lost,
            send_size=sizes[0],
            receive_size=sizes[1],
            send_width=rings[0],
            receive_width=rings[1],
            send_buffer=before[0],
            send_buffer_end=after[0],
            receive_buffer=before[1],
            receive_buffer_end=after[1],
            retransmits=-1 if retransmits is None else retransmits,
            congestion=datasocket.congestion_of(made) if tcp else "",
            nodelay=settings.local.nodelay,
            priority=settings.local.priority,
            tos=settings.local.tos,
            cpu=_use(use),
        )
        histogram = work.histogram()
        mss = -1 if info is None or info.snd_mss is None else info.snd_mss
        return Once(elapsed, record, EndRecord(settings.remote), transactions, mss, histogram)


def _use(use: cpu.Use | None) -> CpuUse:
    if use is None:
        return CpuUse(count=os.cpu_count() or 1)
    return CpuUse(
        utilisation=use.utilisation,
        user=use.user,
        system=use.system,
        iowait=use.iowait,
        irq=use.irq,
        softirq=use.softirq,
        method="S",
        count=use.count,
        peak=use.peak,
        peak_id=use.peak_id,
    )


def _connect(made: socket.socket, place: tuple[str, int], *, retry: bool) -> None:
    while True:
        try:
            made.connect(place)
        except OSError as error:
            if retry and isinstance(error, ConnectionRefusedError):
                time.sleep(STEP_SECONDS)
                continue
            raise MachineError(
                f"no data connection to {place[0]} port {place[1]}: {error.strerror}",
                hint="does a firewall close that port? -- -P ,PORT names the server's",
            ) from None
        else:
            return


def _limit_wait(made: socket.socket, seconds: float) -> None:
    import struct

    limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


def _buffers(size: int, width: int, align: int, offset: int, fill: bytes) -> _native.Buffers:
    try:
        return _native.Buffers(size, width, max(1, align), offset, fill)
    except (IndexError, MemoryError) as error:
        raise UserError(f"{width} buffers of {size} bytes cannot be had: {error}", hint="smaller -m or -W") from None


def _fill(local: EndOptions) -> bytes:
    if not local.fill_file:
        return FILL
    try:
        with open(local.fill_file, "rb") as file:
            return file.read(1 << 24) or FILL
    except OSError as error:
        raise UserError(f"-F {local.fill_file}: {error.strerror}", hint="name a file that you may read") from None


def _file(settings: Settings, made: socket.socket) -> int:
    """The file that TCP_SENDFILE sends from, kept open for the whole run: the one named, or one of memory."""
    local = settings.local
    size = local.send_size if local.send_size > 0 else datasocket.buffer_sizes(made)[0]
    whole = size * (local.send_width or max(2, datasocket.buffer_sizes(made)[0] // size + 1))
    if local.fill_file:
        try:
            opened = os.open(local.fill_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UserError(f"-F {local.fill_file}: {error.strerror}", hint="name a file that you may read") from None
        if os.fstat(opened).st_size < whole:
            os.close(opened)
            raise UserError(
                f"-F {local.fill_file} holds less than the {whole} bytes of all buffers", hint="smaller -m or -W"
            )
        return opened
    opened = os.memfd_create("netperf")
    os.write(opened, (FILL * (whole // len(FILL) + 1))[:whole])
    return opened


def _masked(address: str, prefix: int) -> str:
    """The address with the bits behind the prefix drawn anew; as it is without one."""
    if not address or prefix < 0:
        return address
    import ipaddress

    parsed = ipaddress.ip_address(address)
    bits = parsed.max_prefixlen - prefix
    drawn = (int(parsed) >> bits << bits) | random.getrandbits(bits) if bits > 0 else int(parsed)
    return str(type(parsed)(drawn))


def throughput(settings: Settings, found: Once) -> float:
    """An iteration's result in the unit it is printed in."""
    letter = units.unit_for(settings)
    moved = moved_bytes(settings, found)
    elapsed = max(found.elapsed, 1e-9)
    return units.figure(letter, moved / elapsed, found.transactions / elapsed)


def moved_bytes(settings: Settings, found: Once) -> int:
    """The bytes that an iteration's rate is made of: both directions of transactions; of a stream what came."""
    if settings.transactions:
        return found.local.bytes_sent + found.local.bytes_received
    if settings.direction == RECEIVE:
        return found.local.bytes_received
    if settings.transport == "udp":
        return found.local.bytes_sent
    return found.remote.bytes_received or found.local.bytes_sent
