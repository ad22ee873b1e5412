"""Which native loop carries out an end's work, and what its socket and its memory need for it."""

import os
import socket
from collections.abc import Callable, Sequence

from pathgauge import _native
from pathgauge.endpoints import uring
from pathgauge.endpoints.messages import Work
from pathgauge.endpoints.sockets import SILENCE_SECONDS
from pathgauge.errors import MissingFeature

SO_ZEROCOPY = 60  # these names are not in Python's socket module
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104

RING_BYTES = 16 << 20
FILLING = 1 << 20
STREAM_LENT = 16  # buffers; with fewer the kernel runs out of them, with more they leave the CPU's caches
LARGEST_PAYLOAD = 65507  # of a UDP datagram over IPv4

Loop = Callable[[_native.Board, int, _native.Transfer, _native.Buffers], int]

SENDERS: dict[str, Loop] = {
    "copy": _native.send_stream,
    "sendfile": _native.send_stream,
    "splice": _native.send_spliced,
    "zerocopy": _native.send_zerocopy,
    "batch": _native.send_batches,
    "gso": _native.send_segments,
    "io-uring": _native.send_ring,
    "io-uring-zerocopy": _native.send_ring_zerocopy,
}
RECEIVERS: dict[str, Loop] = {
    "copy": _native.receive_stream,
    "discard": _native.receive_stream,
    "splice": _native.receive_spliced,
    "batch": _native.receive_batches,
    "gro": _native.receive_coalesced,
    "io-uring": _native.receive_ring,
    "mmap": _native.receive_mapped,
}


def require(work: Work, room: int) -> None:
    """Raise MissingFeature or MissingPrivilege where this process cannot do what the work's method takes; `room` is a
    send buffer in bytes.
    """
    if work.method.startswith("io-uring"):
        locked = work.method == "io-uring-zerocopy"
        uring.require(work.first_size * _ring(room, work.first_size) if locked else 0)


def prepare(made: socket.socket, work: Work) -> None:
    """Set on a connected socket what the work's method needs. Raises MissingFeature where the kernel lacks it."""
    wanted = {
        ("send", "zerocopy"): (socket.SOL_SOCKET, SO_ZEROCOPY, 1),
        ("send", "gso"): (SOL_UDP, UDP_SEGMENT, work.first_size),
        ("receive", "gro"): (SOL_UDP, UDP_GRO, 1),
    }.get((work.loop, work.method))
    if wanted is not None:
        try:
            made.setsockopt(*wanted)
        except OSError as error:
            raise MissingFeature(
                f"this kernel does not {work.loop} by {work.method}: {error.strerror}",
                hint=f"--{work.loop}-method copy",
            ) from error
    if work.low_water is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, work.low_water)


def run(board: _native.Board, slot: int, sockets: Sequence[socket.socket], work: Work, room: int) -> None:
    """Run the loop until it ends; `room` is a send buffer in bytes. OSError or MemoryError where it cannot begin."""
    if len(sockets) > 1:
        _run_many(board, slot, sockets, work, room)
        return
    (made,) = sockets
    if work.loop == "send":
        _send(board, slot, made, work, room)
    elif work.loop == "receive":
        buffers = _native.Buffers(work.first_size, _lent(made, work))
        RECEIVERS[work.method](board, slot, _transfer(made, work), buffers)
    else:
        loop = _native.request if work.loop == "request" else _native.respond
        questions, answers = _native.Buffers(work.first_size), _native.Buffers(work.second_size)
        loop(board, slot, _transfer(made, work), questions, answers, peer=work.peer, back=work.back)


def _run_many(board: _native.Board, slot: int, sockets: Sequence[socket.socket], work: Work, room: int) -> None:
    """One loop over all of them."""
    for made in sockets:
        made.setblocking(False)
    flows = _native.Flows(board, slot, [made.fileno() for made in sockets])
    transfer = _transfer(sockets[0], work)
    if work.loop == "send":
        buffers = _native.Buffers(work.first_size, _ring(room, work.first_size))
        _native.send_flows(board, slot, transfer, flows, buffers)
    elif work.loop == "receive":
        _native.receive_flows(board, slot, transfer, flows, _native.Buffers(work.first_size))
    else:
        loop = _native.request_flows if work.loop == "request" else _native.respond_flows
        loop(board, slot, transfer, flows, _native.Buffers(work.first_size), _native.Buffers(work.second_size))


def _send(board: _native.Board, slot: int, made: socket.socket, work: Work, room: int) -> None:
    size = work.first_size * (_segments(work.first_size) if work.method == "gso" else 1)
    width = 1 if work.method == "splice" else _ring(room, size)
    file = _filled(size * width) if work.method == "sendfile" else -1
    bits = 8 * size * (_native.MOST_AT_ONCE if work.method == "batch" else 1)
    try:
        SENDERS[work.method](board, slot, _transfer(made, work, bits, file), _native.Buffers(size, width))
    finally:
        if file >= 0:
            os.close(file)


def period_ns(work: Work, share: int = 1) -> float:
    """From the start of one operation to that of the next, which does so much of what the rate counts; 0 without a
    rate.
    """
    return 0.0 if work.rate is None else 1e9 * share / work.rate


def _transfer(made: socket.socket, work: Work, share: int = 1, file: int = -1) -> _native.Transfer:
    datagrams = made.type != socket.SOCK_STREAM
    return _native.Transfer(
        fd=made.fileno(),
        datagrams=datagrams,
        deadline_ns=work.deadline_ns,
        file=file,
        discard=work.method == "discard",
        spin=work.wait == "spin",
        poll=work.wait == "poll",
        patience_ns=int(SILENCE_SECONDS * 1e9) if datagrams and work.loop == "request" else 0,
        segment=work.first_size if work.method == "gso" else 0,
        ahead=work.ahead,
        period_ns=period_ns(work, share),
    )


def _segments(size: int) -> int:
    """How many datagrams of that size go in one send."""
    return max(1, min(_native.MOST_AT_ONCE, LARGEST_PAYLOAD // size))


def _ring(room: int, size: int) -> int:
    """How many buffers the sender takes in turn: netperf's rule, what the send buffer held at first and one more, so
    that the data sent are as warm in the cache as netperf's.
    """
    return max(1, min(room // size + 1, RING_BYTES // size))


def _lent(made: socket.socket, work: Work) -> int:
    """How many buffers a receiver has: one, but for io_uring, which fills some before it is heard of."""
    if work.method != "io-uring":
        return 1
    wanted = _native.MOST_AT_ONCE if made.type == socket.SOCK_DGRAM else STREAM_LENT
    return max(1, min(wanted, RING_BYTES // work.first_size))


def _filled(size: int) -> int:
    """A file in memory of that many bytes, no two pages alike."""
    file = os.memfd_create("pathgauge")
    try:
        filling = os.urandom(min(size, FILLING))
        for place in range(0, size, len(filling)):
            os.pwrite(file, filling[: size - place], place)
    except BaseException:
        os.close(file)
        raise
    return file
