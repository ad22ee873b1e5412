"""One client's control connection at the server: requests are read, carried out one after another, and answered."""

import errno
import hmac
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pathgauge.errors import MachineError
from pathgauge.peers.netperf import answers, frames, plan, serving
from pathgauge.peers.netperf.datasocket import scoped
from pathgauge.peers.netperf.frames import Frame, Kind
from pathgauge.peers.netperf.plan import Limits, Plan, Refused
from pathgauge.peers.netperf.serving import Client, Gone, Network

PASSPHRASE_SECONDS = 20.0
SILENCE_SECONDS = 300.0  # without a request
FRAME_SECONDS = 10.0  # from a message's first byte to its last
SEND_SECONDS = 10.0
MOST_CPUS = 1 << 16  # what the kernel is asked about grows with a CPU's number
UNSUPPORTED = "the request's type is none that this server has"

Say = Callable[[str], None]
Testing = Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """How clients are served: the passphrase ("" for none), the networks they come from (() all), what they may ask."""

    passphrase: str = ""
    allow: tuple[Network, ...] = ()
    limits: Limits = field(default_factory=Limits)


def serve(
    control: socket.socket, rules: Rules, say: Say, first: Frame | None = None, testing: Testing = lambda _: None
) -> None:
    """Serve one client until it leaves, breaks the protocol or is silent for too long. `first` is its first message, if
    that has been read already; `say` tells the log, `testing` hears when a test begins and when it has ended.
    """
    with suppress(Gone, OSError):
        client = _client(control, rules)
        request = first or receive(control, PASSPHRASE_SECONDS)
        if rules.passphrase:
            if request is None or not _knows(request, rules.passphrase):
                say(f"{client.address}: not the passphrase")
                return
            request = receive(control, SILENCE_SECONDS)
        while request is not None:
            testing(request.kind in _REQUESTS)
            _answer(request, client, rules, say)
            testing(False)
            request = receive(control, SILENCE_SECONDS)


def _client(control: socket.socket, rules: Rules) -> Client:
    """Who is at the other end. Raises OSError where nobody is any more."""
    peer, local = scoped(control.getpeername()), scoped(control.getsockname())
    mapped = control.family == socket.AF_INET6 and ":" not in peer
    return Client(
        address=peer,
        local_address=local,
        family=socket.AF_INET if mapped else control.family,
        control=control,
        allow=rules.allow,
    )


def receive(control: socket.socket, silence: float) -> Frame | None:
    """The next message; None where the client is gone, silent for `silence` s, or slow in the middle of a message."""
    raw = bytearray()
    limit = time.monotonic() + silence
    while len(raw) < frames.FRAME_BYTES:
        left = limit - time.monotonic()
        if left <= 0:
            return None
        control.settimeout(left)
        try:
            part = control.recv(frames.FRAME_BYTES - len(raw))
        except OSError:  # a time-out is one, too
            return None
        if not part:
            return None
        if not raw:
            limit = time.monotonic() + FRAME_SECONDS
        raw += part
    return Frame.unpack(bytes(raw))


def send(control: socket.socket, frame: Frame) -> None:
    """Send one message. Raises OSError where the client does not take it."""
    control.settimeout(SEND_SECONDS)
    control.sendall(frame.pack())


def _knows(request: Frame, passphrase: str) -> bool:
    """Whether the message holds the passphrase; compared in a time that does not tell how much of it is right."""
    given = request.payload.split(b"\0")[0] if request.kind == Kind.PASSPHRASE else b""
    return hmac.compare_digest(given, passphrase.encode(errors="surrogateescape"))


def _answer(request: Frame, client: Client, rules: Rules, say: Say) -> None:
    kind = request.kind
    simple = {Kind.DEBUG_ON: Frame(Kind.DEBUG_OK), Kind.DEBUG_OFF: Frame(Kind.DEBUG_OK), Kind.SYSINFO: _system()}
    if kind == Kind.PASSPHRASE:
        return  # none is wanted: no answer
    if kind in simple:
        send(client.control, simple[Kind(kind)])
    elif kind == Kind.CALIBRATE:
        calibration = {"rate": float(os.sysconf("SC_CLK_TCK")), "cpus": os.cpu_count() or 1}
        send(client.control, Frame(kind, 0, frames.CALIBRATION.pack(calibration)))
    elif kind in _REQUESTS:
        _test(request, client, rules, say)
    else:
        say(f"{client.address}: type {kind}: {UNSUPPORTED}")
        send(client.control, Frame(kind + 1 if 0 <= kind < 1 << 16 else 0, frames.UNKNOWN_REQUEST))


def _test(request: Frame, client: Client, rules: Rules, say: Say) -> None:
    kind = Kind(request.kind)
    try:
        _bind_to(request.status)
        asked = _REQUESTS[kind](request.payload, rules.limits)
        ready = serving.prepare(asked, client, rules.limits)
    except Refused as refused:
        say(f"{client.address}: {kind.name} refused: {refused}")
        send(client.control, Frame(kind + 1, refused.number))
        return
    what = _described(ready.plan)
    say(f"{client.address}: {what} on port {ready.port}")
    try:
        send(client.control, Frame(kind + 1, 0, answers.RESPONSES[kind](ready)))
        served = serving.run(ready, client)
    except (Refused, MachineError, OSError, MemoryError, RuntimeError, ValueError, IndexError) as error:
        number = error.number if isinstance(error, Refused) else getattr(error, "errno", None) or errno.EINVAL
        say(f"{client.address}: {what} failed: {error}")
        send(client.control, Frame(kind + 2, number))
        return
    finally:
        ready.made.close()
    say(
        f"{client.address}: {what}: {served.bytes_received} bytes came, "
        f"{served.bytes_sent} went, {served.elapsed:.2f} s"
    )
    send(client.control, Frame(kind + 2, served.error, answers.RESULTS[kind](ready, served)))


def _bind_to(number: int) -> None:
    """Run on the CPU that the client names; one that is not to be had is as good as none named, as in netserver."""
    if 0 <= number < MOST_CPUS:
        with suppress(OSError):
            os.sched_setaffinity(0, {number})


def _described(asked: Plan) -> str:
    way = {(True, True): "exchange", (True, False): "receive", (False, True): "send", (False, False): "accept"}
    name = Kind(asked.kind).name
    return f"{name} ({asked.transport}, {way[asked.receives, asked.sends]})"


def _system() -> Frame:
    return Frame(Kind.SYSINFO + 1, 0, b",Deprecated,Deprecated,Deprecated,Deprecated")


def _stream(kind: Kind) -> Callable[[bytes, Limits], Plan]:
    return lambda payload, limits: plan.of_stream(payload, limits, kind)


def _transactions(kind: Kind) -> Callable[[bytes, Limits], Plan]:
    return lambda payload, limits: plan.of_transactions(payload, limits, kind)


_REQUESTS: dict[Kind, Callable[[bytes, Limits], Plan]] = {
    Kind.OMNI: plan.of_omni,
    Kind.UDP_STREAM: plan.of_datagrams,
    **{kind: _stream(kind) for kind in answers.STREAMS},
    **{kind: _transactions(kind) for kind in answers.TRANSACTIONS},
}
