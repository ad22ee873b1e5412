"""How fast the loops are with no network between them: what no path can be seen to exceed.

The loops of an arm run as they do on its path, all at once, but over socket pairs, where a message costs its system
calls, one copy in and one out where its method copies, and waking the other end. A path that comes near that rate is
hidden behind the loops.

A mark of low water is left out: a socket pair heeds it otherwise than TCP does. So are rates, quotas and real time: the
loops are to run as fast as they can.
"""

import errno
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Literal, NamedTuple

import msgspec

from pathgauge import _native
from pathgauge.endpoints import methods
from pathgauge.endpoints.messages import Work
from pathgauge.measuring.work import work
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

RUN, QUIT = 1, 2
WARM_SECONDS = 0.02
LOOK_SECONDS = 0.03
LOOKS = 6
DEADLINE_SECONDS = 5.0
LARGEST = 65536  # bytes in one message of a socket pair, whose buffers are small
MOST_LOOPS = 16  # more at once are not measured
MOST_FLOWS = (
    64  # of all loops; with fewer than asked for, which stay in the caches, the rate is one that more do not reach
)

# The methods that a socket pair carries as a connection does. It knows nothing of sends without a copy, of
# UDP_SEGMENT and UDP_GRO, cannot be mapped, and copies what MSG_TRUNC is to drop.
SENT: Mapping[str, tuple[str, ...]] = {
    "tcp": ("copy", "sendfile", "splice", "io-uring"),
    "udp": ("copy", "batch", "io-uring"),
}
RECEIVED: Mapping[str, tuple[str, ...]] = {"tcp": ("copy", "splice", "io-uring"), "udp": ("copy", "batch", "io-uring")}


class Loop(NamedTuple):
    """One of an arm's loops, with the other end's; parameters complete, with the CPUs of both."""

    kind: TestKind
    parameters: Parameters
    flows: int = 1


class _Ends(NamedTuple):
    transport: Literal["tcp", "udp"]
    active: Work
    passive: Work
    flows: int


_seen: dict[tuple["_Ends", ...], float] = {}


def loop_rate(loops: Sequence[Loop], *, again: bool = False) -> float | None:
    """Bytes sent in a second (a stream), or transactions, all loops together, the best of some short looks; None where
    socket pairs cannot tell. The same loops are looked at once, or `again`: the machine may have been busy.
    """
    if len(loops) > MOST_LOOPS or not all(map(_carried, loops)):
        return None
    most = max(1, MOST_FLOWS // len(loops))
    ends = tuple(_ends(loop, most) for loop in loops)
    if again or ends not in _seen:
        _seen[ends] = max(_seen.get(ends, 0.0), _rate(ends))
    return _seen[ends] or None


def _carried(loop: Loop) -> bool:
    kind, given = loop.kind, loop.parameters
    if kind.pattern == "transactions":
        return not kind.connects
    return given.send_method in SENT[kind.transport] and given.receive_method in RECEIVED[kind.transport]


def _ends(loop: Loop, most: int) -> _Ends:
    kind = loop.kind
    active, passive = (
        msgspec.structs.replace(
            each,
            first_size=min(each.first_size, LARGEST),
            second_size=min(each.second_size, LARGEST),
            deadline_ns=0,
            quota=None,
            realtime=None,
            low_water=None,
            rate=None,
        )
        for each in (work(kind, loop.parameters, end) for end in (kind.active, kind.passive))
    )
    return _Ends(kind.transport, active, passive, min(loop.flows, most))


def _rate(loops: tuple[_Ends, ...]) -> float:
    """0 where a loop could not begin."""
    slots, flows = 2 * len(loops), max(ends.flows for ends in loops)
    with ExitStack() as stack:
        memory = os.memfd_create("pathgauge")
        stack.callback(os.close, memory)
        os.ftruncate(memory, _native.Board.bytes(slots, flows))
        board = _native.Board(memory, slots, flows)
        deadline = time.monotonic_ns() + int(DEADLINE_SECONDS * 1e9)
        jobs: list[tuple[Work, list[socket.socket]]] = []  # by slot
        for ends in loops:
            sort = socket.SOCK_STREAM if ends.transport == "tcp" else socket.SOCK_SEQPACKET
            pairs = [socket.socketpair(socket.AF_UNIX, sort) for _ in range(ends.flows)]
            for place, work_of in enumerate((ends.active, ends.passive)):
                own = [stack.enter_context(pair[place]) for pair in pairs]
                jobs.append((msgspec.structs.replace(work_of, deadline_ns=deadline), own))
        for slot, (work_of, own) in enumerate(jobs):
            thread = threading.Thread(target=_run, args=(board, slot, work_of, own), daemon=True)
            thread.start()
            stack.callback(thread.join)
        stack.callback(_stop, board, [own for _, own in jobs])
        rate = _best(board, loops)
        return 0.0 if any(board.error(slot) for slot in range(slots)) else rate


def _run(board: _native.Board, slot: int, work_of: Work, own: Sequence[socket.socket]) -> None:
    """A thread of one loop."""
    try:
        if work_of.cpu is not None:
            os.sched_setaffinity(0, {work_of.cpu})  # of this thread
        methods.run(board, slot, own, work_of, room=0)
    except OSError as error:
        board.fail(slot, error.errno or errno.EINVAL)
    except MemoryError:
        board.fail(slot, errno.ENOMEM)


def _stop(board: _native.Board, sockets: Sequence[Sequence[socket.socket]]) -> None:
    """Order all loops to end, and wake them from their calls."""
    for slot in range(len(sockets)):
        board.order(slot, QUIT)
    for own in sockets:
        for made in own:
            made.shutdown(socket.SHUT_RDWR)


def _best(board: _native.Board, loops: Sequence[_Ends]) -> float:
    for number, ends in enumerate(loops):
        if ends.passive.wait == "spin":
            board.order(2 * number + 1, RUN)
        board.order(2 * number, RUN)
    time.sleep(WARM_SECONDS)
    best, (before, start) = 0.0, (_done(board, loops), time.monotonic())
    for _ in range(LOOKS):
        time.sleep(LOOK_SECONDS)
        after, stop = _done(board, loops), time.monotonic()
        best = max(best, (after - before) / (stop - start))
        before, start = after, stop
    return best


def _done(board: _native.Board, loops: Sequence[_Ends]) -> int:
    """Bytes sent, or transactions, so far."""
    done = 0
    for number, ends in enumerate(loops):
        sent, _, _, _, transactions, _ = board.live(2 * number)
        done += sent if ends.active.loop == "send" else transactions
    return done
