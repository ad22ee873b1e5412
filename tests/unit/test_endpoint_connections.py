"""The sockets that TCP_CRR makes by the dozen have the options that were asked of its first."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from loop_pairs import QUIT, RUN, board_of_two
from pathgauge import _native
from pathgauge.endpoints import connections
from pathgauge.endpoints.messages import Connect, SocketOptions, Work

MANY = 50


@pytest.fixture
def board() -> Iterator[_native.Board]:
    with board_of_two(MANY) as made:
        yield made


def work(loop: str, size: int, at_once: int = 1) -> Work:
    return Work(
        loop=loop,  # type: ignore[arg-type]
        first_size=size,
        second_size=size,
        deadline_ns=time.monotonic_ns() + int(20e9),
        cpu=None,
        at_once=at_once,
    )


def order(port: int, size: int, at_once: int = 1, **options: int) -> Connect:
    return Connect(
        slot=0,
        namespace=-1,
        transport="tcp",
        ipv6=False,
        address="127.0.0.1",
        peer_address="127.0.0.1",
        peer_port=port,
        options=SocketOptions(**options),  # type: ignore[arg-type]
        work=work("connect", size, at_once),
    )


def test_each_socket_has_the_options(board: _native.Board) -> None:
    _native.hear_nudges()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = order(listener.getsockname()[1], 1, buffer=20_000, dscp=10)
        board.order(0, RUN)
        thread = threading.Thread(target=connections.ask, args=(board, asked))
        thread.start()
        with listener.accept()[0] as first:
            assert first.recv(1)
            first.send(b"x")
        with listener.accept()[0] as second:
            assert second.recv(1), "another connection for another transaction"
        board.order(0, QUIT)
        while thread.is_alive():
            board.nudge(0)
            thread.join(0.01)
    assert board.live(0)[4] == 1


@pytest.mark.parametrize(("ipv6", "level"), [(False, socket.IPPROTO_IP), (True, socket.IPPROTO_IPV6)])
def test_options_are_those_of_the_family(ipv6: bool, level: int) -> None:
    made = connections._options(SocketOptions(buffer=1000, nodelay=True, dscp=46), ipv6=ipv6)
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in made
    assert {name for where, name, value in made if where == socket.SOL_SOCKET and value == 1000} == {
        socket.SO_SNDBUF,
        socket.SO_RCVBUF,
    }
    assert [value for where, _, value in made if where == level] == [46 << 2]
    assert connections.IPV6_TCLASS == socket.IPV6_TCLASS


@pytest.mark.parametrize("at_once", [1, MANY])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_both_loops_count_the_same(board: _native.Board, size: int, at_once: int) -> None:
    _native.hear_nudges()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)  # which makes the descriptor one that does not block
        port = listener.getsockname()[1]
        threads = [
            threading.Thread(target=connections.answer, args=(board, 1, listener, work("accept", size, at_once))),
            threading.Thread(target=connections.ask, args=(board, order(port, size, at_once))),
        ]
        board.order(0, RUN)
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 5
        while board.live(0)[4] < 20 * at_once and time.monotonic() < deadline:
            time.sleep(0.001)
        assert os.get_blocking(listener.fileno()) is (at_once == 1)
        for slot, thread in zip((1, 0), threads, strict=True):
            board.order(slot, QUIT)
            while thread.is_alive():
                board.nudge(slot)
                thread.join(0.01)
    asked, answered = board.live(0), board.live(1)
    assert 20 * at_once <= asked[4] <= answered[4] <= asked[4] + 1 + at_once
    assert asked[4] * size <= asked[0] <= (asked[4] + at_once) * size
