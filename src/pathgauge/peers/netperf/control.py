"""The client's control connection to a netserver, stock or ours."""

import os
import socket
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from pathgauge.errors import EndDied, MachineError
from pathgauge.peers.netperf.datasocket import scoped
from pathgauge.peers.netperf.frames import FRAME_BYTES, UNKNOWN_REQUEST, Frame, Kind
from pathgauge.peers.netperf.settings import Family, Settings

CONNECT_SECONDS = 30.0
ANSWER_SECONDS = 120.0
GOODBYE_SECONDS = 2.0

FAMILIES: dict[Family, socket.AddressFamily] = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


class RemoteError(MachineError):
    """netserver could not do what it was asked; it says why by an errno. netperf ends with 255 then."""

    exit_code = 255


class NoConnection(MachineError):
    """There is no control connection. netperf ends with 255 then."""

    exit_code = 255


def resolve(
    host: str, port: int, family: Family, transport: int = socket.SOCK_STREAM
) -> list[tuple[int, tuple[str, int]]]:
    """The addresses of a host: (family, (address, port, ...)). Raises NoConnection where the name has none."""
    try:
        found = socket.getaddrinfo(host or "localhost", port, FAMILIES[family], transport)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is no name"
        raise NoConnection(f"the host {host!r} is not known: {reason}", hint="-H HOST, or -H HOST,6 for IPv6") from None
    return [(each[0], (str(each[4][0]), *each[4][1:])) for each in found]


class Control:
    """One control connection; a context manager that says goodbye as netperf does."""

    def __init__(self, made: socket.socket) -> None:
        self.made = made

    @classmethod
    def open(cls, settings: Settings) -> "Control":
        """Connect, and say the passphrase where there is one. Raises NoConnection."""
        problem: OSError | None = None
        for family, place in resolve(settings.host, settings.port, settings.host_family):
            made = socket.socket(family, socket.SOCK_STREAM)
            try:
                made.settimeout(CONNECT_SECONDS)
                if settings.control_local or settings.local_port:
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    made.bind(
                        (settings.control_local or ("::" if family == socket.AF_INET6 else ""), settings.local_port)
                    )
                made.connect(place)
            except OSError as error:
                made.close()
                problem = error
                continue
            control = cls(made)
            if settings.passphrase:
                control.send(Frame(Kind.PASSPHRASE, settings.remote.cpu, settings.passphrase.encode()))
            return control
        why = (problem.strerror or str(problem)) if problem else "it has no address"
        raise NoConnection(
            f"no netserver at {settings.host or 'localhost'} port {settings.port}: {why}",
            hint="start one there: netserver, or pathgauge netserver",
        )

    @property
    def family(self) -> int:
        return self.made.family

    @property
    def local_address(self) -> str:
        return scoped(self.made.getsockname())

    @property
    def remote_address(self) -> str:
        return scoped(self.made.getpeername())

    def send(self, frame: Frame) -> None:
        """Send one message. Raises EndDied where the server is gone."""
        try:
            self.made.settimeout(ANSWER_SECONDS)
            self.made.sendall(frame.pack())
        except OSError as error:
            raise EndDied(
                f"netserver is gone: {error.strerror or error}", hint="see its log: netserver -d -D"
            ) from None

    def receive(self, seconds: float = ANSWER_SECONDS) -> Frame:
        """The next answer, whatever its type says. Raises EndDied where none comes, RemoteError for an error in it."""
        raw = bytearray()
        limit = time.monotonic() + seconds
        while len(raw) < FRAME_BYTES:
            try:
                self.made.settimeout(max(0.001, limit - time.monotonic()))
                part = self.made.recv(FRAME_BYTES - len(raw))
            except TimeoutError:
                part = b""
            except OSError as error:
                raise EndDied(f"netserver is gone: {error.strerror or error}", hint="was it the passphrase?") from None
            if not part:
                raise EndDied(
                    f"netserver left in the middle of an answer: {len(raw)} of {FRAME_BYTES} bytes came",
                    hint="is it a netserver of 2.6 or later, and the passphrase right (-Z)?",
                )
            raw += part
        frame = Frame.unpack(bytes(raw))
        if frame.status != 0:
            raise RemoteError(f"remote error {frame.status}: {_meaning(frame.status)}")
        return frame

    def ask(self, frame: Frame) -> Frame:
        """Send a request and return its answer."""
        self.send(frame)
        return self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self.made.shutdown(socket.SHUT_WR)
            if error is None:
                self.made.settimeout(GOODBYE_SECONDS)
                self.made.recv(1)
        self.made.close()


def _meaning(status: int) -> str:
    return "netserver does not know this test" if status == UNKNOWN_REQUEST else os.strerror(status & 0x7FFFFFFF)
