"""netserver: listens where netperf's own does, and gives each client a process of its own.

A connection costs a process only once a whole message has come over it. Until then the one listening process holds it,
for a while: so a thousand that never speak cost a thousand descriptors and nothing else.
"""

import errno
import ipaddress
import mmap
import os
import resource
import selectors
import signal
import socket
import stat
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from pathgauge.errors import MachineError
from pathgauge.paths.namespaces import die_with_parent
from pathgauge.peers.netperf import frames
from pathgauge.peers.netperf.control import FAMILIES
from pathgauge.peers.netperf.datasocket import numeric
from pathgauge.peers.netperf.frames import Frame
from pathgauge.peers.netperf.plan import Limits
from pathgauge.peers.netperf.server_options import ServerSettings
from pathgauge.peers.netperf.session import Rules, serve

BACKLOG = 1024
MOST_WAITING = 512  # connections without a process; beyond, the one who has most of them loses one to the next
SPARE_DESCRIPTORS = 64
ACCEPTED_AT_ONCE = 64
SPEAK_SECONDS = 20.0
PLACE_SECONDS = 120.0  # a client waits no longer for an answer
TICK_SECONDS = 1.0
HURRIED_SECONDS = 0.05  # the tick while somebody waits for a place, and the rest after what should not happen
SHARE = 2  # one owner may have this part of all tests at once
GRACE_SECONDS = 60.0  # beyond the longest test, until a place can be lost to somebody who waits
IDLE_SECONDS = 10.0  # the same, without a test
IPV6_OWNED = 64  # bits: whoever has one such network has all its addresses
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(slots=True)
class Waiting:
    """A connection whose first message has not come yet, or which waits for a place; `owner` has its share."""

    control: socket.socket
    address: str
    owner: str
    since: float
    raw: bytearray = field(default_factory=bytearray)

    @property
    def complete(self) -> bool:
        return len(self.raw) == frames.FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Child:
    """A process that serves a client, and its place."""

    owner: str
    since: float
    place: int = 0


class Idleness:
    """Since when the session at each place is without a test, 0 during one; the sessions' processes say so."""

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, 8 * places)

    def note(self, place: int, *, testing: bool) -> None:
        struct.pack_into("d", self._memory, 8 * place, 0.0 if testing else time.monotonic())

    def seconds(self, place: int) -> float:
        """For how long it has been."""
        (since,) = struct.unpack_from("d", self._memory, 8 * place)
        return time.monotonic() - since if since else 0.0


def owner_of(address: str) -> str:
    """Whose an address is, as far as can be told: an IPv6 host can take any address of its network."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, IPV6_OWNED), strict=False))


def allowed(address: str, settings: ServerSettings) -> bool:
    """Whether a client may come from the address."""
    return not settings.allow or any(ipaddress.ip_address(address) in each for each in settings.allow)


def address_of(peer: tuple[object, ...]) -> str:
    """The numeric address alone, without a scope."""
    return numeric(str(peer[0]).partition("%")[0])


def rules_of(settings: ServerSettings) -> Rules:
    """What sessions are told of the command line."""
    return Rules(
        passphrase=settings.passphrase,
        allow=settings.allow,
        limits=Limits(
            max_length=settings.max_length,
            max_buffer=settings.max_buffer,
            max_size=settings.max_size,
            data_ports=settings.data_ports,
        ),
    )


def most_waiting() -> int:
    """How many connections may wait, with the descriptors that this process may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_WAITING if most == resource.RLIM_INFINITY else max(1, min(MOST_WAITING, most - SPARE_DESCRIPTORS))


def filtered(settings: ServerSettings, log: Callable[[str], None]) -> Callable[[str], None]:
    """The log, where one is wanted."""
    wanted = settings.debug or settings.verbosity > 1

    def say(text: str) -> None:
        if wanted:
            log(text)

    return say


def listeners(settings: ServerSettings) -> list[socket.socket]:
    """IPv6 first, then IPv4, as netserver does. Raises MachineError where none can be had, or one is another's."""
    wanted = [socket.AF_INET6, socket.AF_INET]
    if settings.family:
        wanted = [FAMILIES[settings.family]]
    made: list[socket.socket] = []
    problem = "no address of that family"
    for each in wanted:
        try:
            places = socket.getaddrinfo(
                settings.host or None, settings.port, each, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            made.append(_listen(each, places[0][4]))
        except socket.gaierror as error:
            problem = error.strerror or problem
        except OSError as error:
            problem = f"port {settings.port}: {error.strerror}"
            if error.errno == errno.EADDRINUSE:  # half of the clients would get somebody else
                for other in made:
                    other.close()
                made.clear()
                break
    if not made:
        raise MachineError(
            f"netserver cannot listen: {problem}", hint="name another port or address: -p PORT, -L ADDRESS"
        )
    return made


def _listen(family: int, place: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        made.listen(BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def described(listening: list[socket.socket]) -> str:
    """Where they listen, for the line at the start."""
    names = []
    for each in listening:
        address, port = each.getsockname()[:2]
        names.append(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
    return " and ".join(names)


class Server:
    """The listening process."""

    def __init__(self, settings: ServerSettings, listening: list[socket.socket], log: Callable[[str], None]) -> None:
        self.say = filtered(settings, log)
        self.settings = settings
        self.listening = listening
        self.rules = rules_of(settings)
        self.places = 1 if settings.serial else settings.max_tests
        self.share = max(1, self.places // SHARE)
        self.idleness = Idleness(self.places)
        self.most_waiting = most_waiting()
        self.waiting: dict[int, Waiting] = {}
        self.children: dict[int, Child] = {}
        self.closed_until = 0.0  # while there is no descriptor for one more connection
        self.selector = selectors.DefaultSelector()
        for each in listening:
            self.selector.register(each, selectors.EVENT_READ)

    def run(self) -> NoReturn:
        """Serve for ever."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as a caller may have had it, no child's end is told
        while True:
            try:
                self.turn()
            except Exception as error:  # noqa: BLE001 - no client must be able to end the server
                self.say(f"a defect: {error!r}")
                time.sleep(HURRIED_SECONDS)

    def turn(self) -> None:
        """Wait for something to happen, and do what is to be done."""
        hurried = self.closed_until or any(each.complete for each in self.waiting.values())
        for key, _ in self.selector.select(HURRIED_SECONDS if hurried else TICK_SECONDS):
            if isinstance(key.fileobj, socket.socket) and key.fileobj in self.listening:
                self._accept_some(key.fileobj)
            elif waiting := self.waiting.get(key.fd):  # not if it gave way to another in this turn
                self._read(waiting)
        self._reap()
        self._start_complete()
        self._drop_old()
        self._open_again()

    def _accept_some(self, listener: socket.socket) -> None:
        try:
            for _ in range(ACCEPTED_AT_ONCE):
                self._welcome(*listener.accept())
        except OSError as error:  # all are accepted, or one is gone again
            if error.errno in FULL:
                self._pause()

    def _pause(self) -> None:
        """No descriptor is left: a waiting connection gives up its own, and nothing is accepted for a moment."""
        self.say("no descriptor is left for another connection")
        if self.waiting:
            self._forget(self._least_worthy())
        if not self.closed_until:
            for each in self.listening:
                self.selector.unregister(each)
        self.closed_until = time.monotonic() + HURRIED_SECONDS

    def _open_again(self) -> None:
        if self.closed_until and time.monotonic() >= self.closed_until:
            self.closed_until = 0.0
            for each in self.listening:
                self.selector.register(each, selectors.EVENT_READ)

    def _welcome(self, control: socket.socket, peer: tuple[object, ...]) -> None:
        address = address_of(peer)
        if not allowed(address, self.settings):
            self.say(f"{address}: not allowed")
            control.close()
            return
        if len(self.waiting) >= self.most_waiting:
            self._forget(self._least_worthy())
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.waiting[control.fileno()] = Waiting(control, address, owner_of(address), time.monotonic())
        self.selector.register(control, selectors.EVENT_READ)

    def _least_worthy(self) -> Waiting:
        """The waiting connection that goes first: the oldest silent one of who has most of them."""
        most = Counter(each.owner for each in self.waiting.values())
        return min(self.waiting.values(), key=lambda each: (-most[each.owner], each.complete, each.since))

    def _read(self, waiting: Waiting) -> None:
        try:
            part = waiting.control.recv(frames.FRAME_BYTES - len(waiting.raw))
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self._forget(waiting)
            return
        waiting.raw += part
        if waiting.complete:
            self.selector.unregister(waiting.control)

    def _forget(self, waiting: Waiting) -> None:
        self._take(waiting).close()

    def _take(self, waiting: Waiting) -> socket.socket:
        del self.waiting[waiting.control.fileno()]
        with suppress(KeyError):
            self.selector.unregister(waiting.control)
        return waiting.control

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                self.children.pop(pid, None)

    def _start_complete(self) -> None:
        """Give the free places to those who wait for one, first to who has the fewest."""
        ready = [each for each in self.waiting.values() if each.complete]
        held = Counter(child.owner for child in self.children.values())
        for waiting in sorted(ready, key=lambda each: (held[each.owner], each.since)):
            if len(self.children) >= self.places:
                self._displace(waiting, held)
                return
            if held[waiting.owner] < self.share:
                held[waiting.owner] += 1
                self._start(waiting)

    def _displace(self, waiting: Waiting, held: Counter[str]) -> None:
        """End a session of somebody who has more of them than who waits, if it has no test, or has lasted longer than
        any test may: no place is anybody's for ever.
        """
        oldest = time.monotonic() - self.settings.max_length - GRACE_SECONDS
        found = [
            (-held[child.owner], child.since, pid)
            for pid, child in self.children.items()
            if held[child.owner] > held[waiting.owner]
            and (child.since < oldest or self.idleness.seconds(child.place) > IDLE_SECONDS)
        ]
        if found:
            pid = min(found)[2]
            self.say(f"{self.children[pid].owner}: loses its place to {waiting.address}")
            os.kill(pid, signal.SIGKILL)

    def _drop_old(self) -> None:
        now = time.monotonic()
        for waiting in list(self.waiting.values()):
            age = now - waiting.since
            if not waiting.complete and age > SPEAK_SECONDS:
                self.say(f"{waiting.address}: silent for {SPEAK_SECONDS:.0f} s")
                self._forget(waiting)
            elif waiting.complete and (age > PLACE_SECONDS or _gone(waiting.control)):
                self.say(f"{waiting.address}: left without a place")
                self._forget(waiting)

    def _start(self, waiting: Waiting) -> None:
        control = self._take(waiting)
        first = Frame.unpack(bytes(waiting.raw))
        place = min(set(range(self.places)) - {child.place for child in self.children.values()})
        self.idleness.note(place, testing=False)
        with control:
            parent = os.getpid()
            try:
                pid = os.fork()
            except OSError as error:
                self.say(f"{waiting.address}: no process: {error.strerror}")
                return
            if pid:
                self.children[pid] = Child(waiting.owner, time.monotonic(), place)
                return
            code = 70
            try:
                self._become_child(parent)
                serve(control, self.rules, self.say, first, lambda testing: self.idleness.note(place, testing=testing))
                code = 0
            except Exception as error:  # noqa: BLE001 - nothing else hears of it
                self.say(f"{waiting.address}: a defect: {error!r}")
            finally:
                os._exit(code)

    def _become_child(self, parent: int) -> None:
        """Only this client's socket stays open, and a signal ends this process as if it had no parent's handler."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent)
        self.selector.close()
        for each in (*self.listening, *(waiting.control for waiting in self.waiting.values())):
            each.close()


def _gone(control: socket.socket) -> bool:
    try:
        return control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def run(settings: ServerSettings, announce: Callable[[str], None], log: Callable[[str], None]) -> None:
    """Be netserver: `announce` tells where it listens, `log` what it does, where that is wanted.

    Returns only where it was started by inetd, or as a daemon's first process. Raises MachineError.
    """
    if (control := _from_inetd()) is not None:
        with control:
            _serve_inetd(control, settings, log)
        return
    listening = listeners(settings)
    announce(f"pathgauge netserver listens on {described(listening)}")
    if not settings.allow and not settings.host:
        announce("whoever reaches it can use it: --allow CIDR keeps others out")
    if not settings.foreground and not settings.debug and not _detach(announce):
        return
    Server(settings, listening, log).run()


def _serve_inetd(control: socket.socket, settings: ServerSettings, log: Callable[[str], None]) -> None:
    for number in range(3):  # what is written there would go to the client
        with suppress(OSError):  # it is closed
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                _to_nowhere(number)
    with suppress(OSError):  # the client is gone already
        if allowed(address_of(control.getpeername()), settings):
            serve(control, rules_of(settings), filtered(settings, log))


def _from_inetd() -> socket.socket | None:
    """The client's connection, where standard input is one."""
    try:
        if not stat.S_ISSOCK(os.fstat(0).st_mode):
            return None
        control = socket.socket(fileno=os.dup(0))
    except OSError:
        return None
    if control.family in (socket.AF_INET, socket.AF_INET6) and control.type == socket.SOCK_STREAM:
        with suppress(OSError):  # it has no peer
            control.getpeername()
            return control
    control.close()
    return None


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def _detach(announce: Callable[[str], None]) -> bool:
    """Go on as a daemon: True in it, False in the process that may end, once it has told the daemon's pid."""
    told, tell = os.pipe()
    if first := os.fork():
        os.close(tell)
        with open(told, "rb") as pipe:
            pid = pipe.read(16).decode()
        os.waitpid(first, 0)
        if not pid:
            raise MachineError("netserver cannot go into the background", hint="-D keeps it in the foreground")
        announce(f"it runs in the background as process {pid}: kill {pid} ends it")
        return False
    os.close(told)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    for number in range(3):
        _to_nowhere(number)
    os.write(tell, str(os.getpid()).encode())
    os.close(tell)
    return True
