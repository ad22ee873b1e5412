"""Pairs of sockets with a native loop over each, for the tests of the loops."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pathgauge import _native

PAUSE, RUN, QUIT = 0, 1, 2
PAUSED, RUNNING, ENDED = 1, 2, 3


@contextmanager
def board_of_two(flows: int = 0) -> Iterator[_native.Board]:
    """A board with a slot for each end."""
    memory = os.memfd_create("test")
    os.ftruncate(memory, _native.Board.bytes(2, flows))
    yield _native.Board(memory, 2, flows)
    os.close(memory)


def tcp_pair(*, limited: bool = True) -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    for made in (client, server):
        if limited:
            limit_wait(made)
    return client, server


def udp_pair() -> tuple[socket.socket, socket.socket]:
    one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    one.bind(("127.0.0.1", 0))
    two.bind(("127.0.0.1", 0))
    one.connect(two.getsockname())
    two.connect(one.getsockname())
    for made in (one, two):
        limit_wait(made)
    return one, two


def limit_wait(made: socket.socket) -> None:
    limit = struct.pack("@ll", 0, 50_000)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def over(made: socket.socket, seconds: float = 20.0, **how: Any) -> _native.Transfer:
    deadline = time.monotonic_ns() + int(seconds * 1e9)
    datagrams = made.type == socket.SOCK_DGRAM
    return _native.Transfer(fd=made.fileno(), datagrams=datagrams, deadline_ns=deadline, **how)


def start(loop: Callable[..., int], *arguments: object) -> tuple[threading.Thread, list[int]]:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(loop(*arguments)))
    thread.start()
    return thread, results


def take_edge(board: _native.Board, slot: int) -> tuple[int, ...]:
    edge = board.ask_edge(slot)
    assert board.wait_edge(slot, edge, 2.0)
    return board.edge(slot, edge)[:7]


def ended(thread: threading.Thread, *sockets: socket.socket) -> None:
    thread.join(5)
    assert not thread.is_alive()
    for made in sockets:
        made.close()
