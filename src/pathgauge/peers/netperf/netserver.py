"""netserver: listens where netperf's own does, and gives each client a process of its own.

A connection costs a process only once a whole message has come over it. Until then the one listening process holds it,
for a while: so a thousand that never speak cost a thousand descriptors and nothing else.
"""

import ipaddress
import os
import selectors
import signal
import socket
import stat
import time
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
MOST_WAITING = 512  # connections without a whole message; the oldest gives way to the next
SPEAK_SECONDS = 20.0
TICK_SECONDS = 1.0
SHARE = 2  # one address may have this part of all tests at once


@dataclass(slots=True)
class Waiting:
    """A connection whose first message has not come yet, or which waits for a place."""

    control: socket.socket
    address: str
    since: float
    raw: bytearray = field(default_factory=bytearray)

    @property
    def complete(self) -> bool:
        return len(self.raw) == frames.FRAME_BYTES


def listeners(settings: ServerSettings) -> list[socket.socket]:
    """IPv6 first, then IPv4, as netserver does. Raises MachineError where none can be had."""
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
            if made:
                continue
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
        self.log = log
        self.settings = settings
        self.listening = listening
        self.rules = Rules(
            passphrase=settings.passphrase,
            limits=Limits(
                max_length=settings.max_length,
                max_buffer=settings.max_buffer,
                max_size=settings.max_size,
                data_ports=settings.data_ports,
            ),
        )
        self.waiting: dict[int, Waiting] = {}
        self.children: dict[int, str] = {}
        self.selector = selectors.DefaultSelector()
        for each in listening:
            self.selector.register(each, selectors.EVENT_READ)

    def say(self, text: str) -> None:
        """To the log, where one is wanted."""
        if self.settings.debug or self.settings.verbosity > 1:
            self.log(text)

    def run(self) -> NoReturn:
        """Serve for ever."""
        while True:
            for key, _ in self.selector.select(TICK_SECONDS):
                if isinstance(key.fileobj, socket.socket):
                    if key.fileobj in self.listening:
                        self._accept(key.fileobj)
                    else:
                        self._read(self.waiting[key.fd])
            self._reap()
            self._start_complete()
            self._drop_silent()

    def _accept(self, listener: socket.socket) -> None:
        try:
            control, peer = listener.accept()
        except OSError:  # it is gone again, or there are no descriptors left: later
            return
        address = numeric(str(peer[0]).partition("%")[0])
        if self.settings.allow and not any(ipaddress.ip_address(address) in each for each in self.settings.allow):
            self.say(f"{address}: not allowed")
            control.close()
            return
        if len(self.waiting) >= MOST_WAITING:
            self._forget(min(self.waiting.values(), key=lambda each: each.since))
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.waiting[control.fileno()] = Waiting(control, address, time.monotonic())
        self.selector.register(control, selectors.EVENT_READ)

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
        share = max(1, self.settings.max_tests // SHARE)
        for waiting in [each for each in self.waiting.values() if each.complete]:
            if len(self.children) >= self.settings.max_tests:
                return
            if list(self.children.values()).count(waiting.address) < share:
                self._start(waiting)

    def _drop_silent(self) -> None:
        now = time.monotonic()
        for waiting in list(self.waiting.values()):
            if not waiting.complete and now - waiting.since > SPEAK_SECONDS:
                self.say(f"{waiting.address}: silent for {SPEAK_SECONDS:.0f} s")
                self._forget(waiting)

    def _start(self, waiting: Waiting) -> None:
        control = self._take(waiting)
        first = Frame.unpack(bytes(waiting.raw))
        with control:
            if self.settings.serial:
                self._serve_here(control, first)
                return
            parent = os.getpid()
            pid = os.fork()
            if pid:
                self.children[pid] = waiting.address
                return
            code = 70
            try:
                self._become_child(parent)
                serve(control, self.rules, self.say, first)
                code = 0
            finally:
                os._exit(code)

    def _serve_here(self, control: socket.socket, first: Frame) -> None:
        allowed = os.sched_getaffinity(0)
        try:
            serve(control, self.rules, self.say, first)
        finally:
            os.sched_setaffinity(0, allowed)

    def _become_child(self, parent: int) -> None:
        """Only this client's socket stays open, and a signal ends this process as if it had no parent's handler."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent)
        self.selector.close()
        for each in (*self.listening, *(waiting.control for waiting in self.waiting.values())):
            each.close()


def run(settings: ServerSettings, announce: Callable[[str], None], log: Callable[[str], None]) -> None:
    """Be netserver: `announce` tells where it listens, `log` what it does, where that is wanted.

    Returns only where it was started by inetd, or as a daemon's first process. Raises MachineError.
    """
    if _from_inetd():
        with socket.socket(fileno=os.dup(0)) as control:
            serve(control, Server(settings, [], log).rules, log)
        return
    listening = listeners(settings)
    announce(f"pathgauge netserver listens on {described(listening)}")
    if not settings.allow and not settings.host:
        announce("whoever reaches it can use it: --allow CIDR keeps others out")
    if not settings.foreground and not settings.debug and not _detach():
        return
    Server(settings, listening, log).run()


def _from_inetd() -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(0).st_mode) and bool(socket.socket(fileno=os.dup(0)).getpeername())
    except OSError:
        return False


def _detach() -> bool:
    """Go on as a daemon: True in it, False in the process that may end."""
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.close(nowhere)
    return True
