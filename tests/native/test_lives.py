"""Connections are started and stopped with their loops, 10,000 times, and nothing stays behind."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from pathgauge import _native
from pathgauge.endpoints import sockets
from pathgauge.endpoints.end import End
from pathgauge.endpoints.messages import Accept, Close, Connect, Done, Prepare, SocketOptions, Work

LIVES = 10_000
WARM = 500  # lives until allocators and Python's own caches have what they want
RUN = 1
LOOPBACK = "127.0.0.1"


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> Iterator[End]:
    """Both ends in this process and in its own namespace."""
    monkeypatch.setattr(sockets, "setns", lambda space, kind: None)
    memory = os.memfd_create("test")
    os.ftruncate(memory, _native.Board.bytes(2))
    made = End(_native.Board(memory, 2))
    yield made
    for waiting, _ in made.waiting.values():
        waiting.close()
    os.close(memory)


def held() -> tuple[int, int, int]:
    """Descriptors, threads, resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), pages * os.sysconf("SC_PAGE_SIZE")


def prepare(end: End, transport: Literal["tcp", "udp"]) -> int:
    order = Prepare(key=0, namespace=-1, transport=transport, ipv6=False, address=LOOPBACK, options=SocketOptions())
    done = end.carry_out(order)
    assert isinstance(done, Done)
    return done.ports[0]


def work(loop: Literal["send", "receive", "request", "respond"]) -> Work:
    deadline = time.monotonic_ns() + 60 * 10**9
    return Work(loop=loop, first_size=1000, second_size=1000, deadline_ns=deadline, cpu=None)


def live(end: End, transport: Literal["tcp", "udp"], port: int, *, talk: bool) -> None:
    """One connection from its start over some messages to its end."""
    for slot in (0, 1):
        end.board.reset(slot)
    asks = Connect(
        slot=0,
        namespace=-1,
        transport=transport,
        ipv6=False,
        address=LOOPBACK,
        peer_address=LOOPBACK,
        peer_port=port,
        options=SocketOptions(),
        work=work("request" if talk else "send"),
    )
    done = end.carry_out(asks)
    assert isinstance(done, Done)
    answer = work("respond" if talk else "receive")
    end.carry_out(Accept(slot=1, key=0, peer_address=LOOPBACK, peer_ports=done.ports, work=answer))
    end.board.order(0, RUN)
    limit = time.monotonic() + 10
    while end.board.live(1)[1] == 0:
        assert time.monotonic() < limit, "nothing is moved"
    end.carry_out(Close(slots=[0, 1]))
    assert [end.board.error(slot) for slot in (0, 1)] == [0, 0]


def test_nothing_stays_of_ten_thousand_connections(end: End) -> None:
    listening = prepare(end, "tcp")
    listener = end.waiting[0]
    before = held()
    for count in range(LIVES):
        if count == WARM:
            before = held()
        if count % 4 < 2:
            end.waiting[0] = listener
            live(end, "tcp", listening, talk=count % 2 == 0)
        else:
            live(end, "udp", prepare(end, "udp"), talk=count % 2 == 0)
    end.waiting[0] = listener
    after = held()
    assert after[:2] == before[:2], "descriptors and threads"
    assert after[2] - before[2] < 4 << 20, "a leak of half a kilobyte a life shows"
