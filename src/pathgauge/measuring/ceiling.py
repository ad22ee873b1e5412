"""How fast the loops are with no network between them: what no path can be seen to exceed.

The loops of a test run over a socket pair, where a message costs its system calls, one copy in and one out, and waking
the other end. A path that comes near that rate is hidden behind the loops.
"""

import os
import socket
import threading
import time
from functools import cache
from typing import Literal

from pathgauge import _native
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

Pattern = Literal["stream", "transactions"]

RUN, QUIT = 1, 2
WARM_SECONDS = 0.02
LOOK_SECONDS = 0.03
LOOKS = 6
DEADLINE_SECONDS = 5.0
LARGEST = 65536  # bytes in one message of a socket pair, whose buffers are small


def loop_rate(kind: TestKind, parameters: Parameters) -> float:
    """Bytes sent in a second (a stream), or transactions, the best of some short looks.

    The parameters are complete, with the CPUs of both ends.
    """
    cpus = parameters.local_cpu, parameters.remote_cpu
    if kind.pattern == "transactions":
        sizes = parameters.request_size, parameters.response_size
        return _rate(kind.pattern, kind.transport, *sizes, cpus, parameters.burst)
    sizes = parameters.send_size or 1, parameters.receive_size or LARGEST
    return _rate(kind.pattern, kind.transport, *sizes, cpus if kind.active == "local" else (cpus[1], cpus[0]))


@cache
def _rate(
    pattern: Pattern,
    transport: Literal["tcp", "udp"],
    first: int,
    second: int,
    cpus: tuple[int | None, int | None],
    ahead: int = 0,
) -> float:
    board, memory = _board()
    sort = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_SEQPACKET
    ends = socket.socketpair(socket.AF_UNIX, sort)
    deadline = time.monotonic_ns() + int(DEADLINE_SECONDS * 1e9)
    sizes = min(first, LARGEST), min(second, LARGEST)

    def loop(slot: int) -> None:
        cpu = cpus[slot]
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})  # of this thread
        transfer = _native.Transfer(
            fd=ends[slot].fileno(), datagrams=transport == "udp", deadline_ns=deadline, ahead=ahead
        )
        if pattern == "stream":
            move = (_native.send_stream, _native.receive_stream)[slot]
            move(board, slot, transfer, _native.Buffers(sizes[slot]))
        else:
            exchange = (_native.request, _native.respond)[slot]
            exchange(board, slot, transfer, _native.Buffers(sizes[0]), _native.Buffers(sizes[1]))

    threads = [threading.Thread(target=loop, args=(slot,), daemon=True) for slot in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        return _best(board, pattern)
    finally:
        for slot in (0, 1):
            board.order(slot, QUIT)
        for end in ends:
            end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for end in ends:
            end.close()
        os.close(memory)


def _board() -> tuple[_native.Board, int]:
    memory = os.memfd_create("pathgauge")
    os.ftruncate(memory, _native.Board.bytes(2))
    return _native.Board(memory, 2), memory


def _best(board: _native.Board, pattern: Pattern) -> float:
    board.order(0, RUN)
    time.sleep(WARM_SECONDS)
    best, (before, start) = 0.0, (_done(board, pattern), time.monotonic())
    for _ in range(LOOKS):
        time.sleep(LOOK_SECONDS)
        after, stop = _done(board, pattern), time.monotonic()
        best = max(best, (after - before) / (stop - start))
        before, start = after, stop
    return best


def _done(board: _native.Board, pattern: Pattern) -> int:
    sent, _, _, _, transactions, _ = board.live(0)
    return sent if pattern == "stream" else transactions
