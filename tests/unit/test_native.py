"""The native loops over real socket pairs: bytes, edges, orders, deadlines, errors."""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge import _native
from pathgauge.results.latency import LARGEST_NS

PAUSE, RUN, QUIT = 0, 1, 2
PAUSED, RUNNING, ENDED = 1, 2, 3


@pytest.fixture
def board() -> Iterator[_native.Board]:
    memory = os.memfd_create("test")
    os.ftruncate(memory, _native.Board.bytes(2))
    yield _native.Board(memory, 2)
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


def deadline(seconds: float = 20.0) -> int:
    return time.monotonic_ns() + int(seconds * 1e9)


def start(loop: Callable[..., int], *arguments: object) -> tuple[threading.Thread, list[int]]:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(loop(*arguments)))
    thread.start()
    return thread, results


def take_edge(board: _native.Board, slot: int) -> tuple[int, ...]:
    edge = board.ask_edge(slot)
    assert board.wait_edge(slot, edge, 2.0)
    return board.edge(slot, edge)[:7]


@pytest.mark.parametrize("size", [1, 1400, 65536])
def test_a_stream_moves_every_byte_and_edges_lie_between(board: _native.Board, size: int) -> None:
    client, server = tcp_pair()
    sender, sent = start(_native.send_stream, board, 0, client.fileno(), False, deadline(), size, 3)
    receiver, received = start(_native.receive_stream, board, 1, server.fileno(), False, deadline(), 131072)
    assert board.wait_state(0, PAUSED, 2.0)
    assert board.live(0)[0] == 0, "nothing may be sent before the order"
    board.order(0, RUN)
    first = take_edge(board, 1)
    time.sleep(0.05)
    second = take_edge(board, 1)
    assert second[0] > first[0]
    assert second[3] > first[3]
    assert second[1] >= first[1]
    board.order(0, PAUSE)
    assert board.wait_state(0, PAUSED, 2.0)
    total = board.live(0)[0]
    limit = time.monotonic() + 5
    while board.live(1)[1] < total and time.monotonic() < limit:
        time.sleep(0.001)
    assert board.live(1)[1] == total
    board.order(0, QUIT)
    sender.join(5)
    client.close()
    receiver.join(5)
    server.close()
    assert sent == [0]
    assert received == [0]
    assert board.state(1) == ENDED


def test_tcp_info_comes_with_an_edge_and_not_for_datagrams(board: _native.Board) -> None:
    for pair, expected in ((tcp_pair, True), (udp_pair, False)):
        board.reset(0)
        one, two = pair()
        thread, _ = start(_native.receive_stream, board, 0, one.fileno(), pair is udp_pair, deadline(), 2048)
        edge = board.ask_edge(0)
        assert board.wait_edge(0, edge, 2.0), "an idle loop takes its edges, too"
        assert bool(board.edge(0, edge)[7]) is expected
        board.order(0, QUIT)
        thread.join(5)
        one.close()
        two.close()


@pytest.mark.parametrize(
    ("datagrams", "request_size", "response_size"),
    [(False, 1, 1), (False, 3000, 200_000), (True, 1, 1), (True, 900, 50)],
)
def test_transactions_are_counted_and_timed(
    board: _native.Board, datagrams: bool, request_size: int, response_size: int
) -> None:
    client, server = udp_pair() if datagrams else tcp_pair()
    asking, asked = start(
        _native.request, board, 0, client.fileno(), datagrams, deadline(), request_size, response_size
    )
    answering, _ = start(_native.respond, board, 1, server.fileno(), datagrams, deadline(), request_size, response_size)
    board.order(0, RUN)
    first = take_edge(board, 0)
    time.sleep(0.1)
    second = take_edge(board, 0)
    board.order(0, PAUSE)
    assert board.wait_state(0, PAUSED, 2.0)
    done = second[6] - first[6]
    counts = memoryview(board.histogram(0)).cast("I")
    assert done > 10
    assert sum(counts) == done, "the histogram holds just the transactions between the edges"
    assert board.live(0)[0] == board.live(0)[4] * request_size
    assert board.live(0)[1] == board.live(0)[4] * response_size
    board.clear_histogram(0)
    assert not any(memoryview(board.histogram(0)).cast("I"))
    for slot in (0, 1):
        board.order(slot, QUIT)
    asking.join(5)
    client.close()
    answering.join(5)
    server.close()
    assert asked == [0]


def test_a_lost_datagram_is_counted_and_asked_again(board: _native.Board) -> None:
    client, server = udp_pair()
    thread, _ = start(_native.request, board, 0, client.fileno(), True, deadline(), 1, 1)
    board.order(0, RUN)
    server.settimeout(2)
    server.recv(10)  # the first request is swallowed
    again = server.recv(10)  # and comes again
    server.send(b"late answer of another request"[:1])
    time.sleep(0.02)
    assert board.live(0)[4] == 0, "a late answer answers nothing"
    server.send(again)
    limit = time.monotonic() + 5
    while board.live(0)[4] < 1 and time.monotonic() < limit:
        time.sleep(0.001)
    assert board.live(0)[4] == 1
    assert board.live(0)[5] >= 1
    board.order(0, QUIT)
    thread.join(5)
    client.close()
    server.close()


def test_a_deadline_ends_every_loop(board: _native.Board) -> None:
    for loop, sizes in (
        (_native.send_stream, (10, 1)),
        (_native.receive_stream, (10,)),
        (_native.request, (1, 1)),
        (_native.respond, (1, 1)),
    ):
        board.reset(0)
        one, two = tcp_pair()
        board.order(0, RUN)
        begin = time.monotonic()
        thread, _ = start(loop, board, 0, one.fileno(), False, deadline(0.2), *sizes)
        thread.join(3)
        assert not thread.is_alive()
        assert 0.1 < time.monotonic() - begin < 2
        one.close()
        two.close()


def test_a_nudge_wakes_a_loop_that_sleeps(board: _native.Board) -> None:
    _native.hear_nudges()
    board.nudge(0)  # nobody is there to be woken, and nothing happens
    one, two = tcp_pair(limited=False)
    thread, results = start(_native.receive_stream, board, 0, one.fileno(), False, deadline(), 1000)
    assert board.wait_state(0, RUNNING, 2.0)
    time.sleep(0.05)
    edge = board.ask_edge(0)
    assert not board.wait_edge(0, edge, 0.1), "it sleeps, and hears nothing"
    limit = time.monotonic() + 5
    while not board.wait_edge(0, edge, 0.02) and time.monotonic() < limit:
        board.nudge(0)
    assert board.edge(0, edge)[0] > 0
    board.order(0, QUIT)
    while thread.is_alive() and time.monotonic() < limit:
        board.nudge(0)
        thread.join(0.02)
    assert results == [0]
    one.close()
    two.close()


def test_a_loop_that_could_not_begin_is_told(board: _native.Board) -> None:
    board.fail(0, errno.ENOMEM)
    assert board.state(0) == ENDED
    assert board.error(0) == errno.ENOMEM
    assert not board.wait_edge(0, board.ask_edge(0), 5.0)


def test_a_peer_that_goes_away_is_an_error_of_the_sender(board: _native.Board) -> None:
    client, server = tcp_pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    board.order(0, RUN)
    thread, results = start(_native.send_stream, board, 0, client.fileno(), False, deadline(), 1000, 1)
    time.sleep(0.05)
    server.close()
    thread.join(3)
    client.close()
    assert results[0] in (errno.ECONNRESET, errno.EPIPE)
    assert board.error(0) == results[0]
    assert board.state(0) == ENDED
    assert not board.wait_edge(0, board.ask_edge(0), 5.0), "nobody waits for a loop that is gone"


def test_wrong_sizes_and_slots_are_refused(board: _native.Board) -> None:
    with pytest.raises(IndexError):
        board.order(2, RUN)
    for size, ring in ((0, 1), (1, 0), (2**31, 1), (65536, 2**40)):
        with pytest.raises(IndexError):
            _native.send_stream(board, 0, -1, False, 0, size, ring)
    with pytest.raises(IndexError):
        _native.receive_stream(board, 0, -1, False, 0, 0)
    with pytest.raises(IndexError):
        _native.request(board, 0, -1, False, 0, 0, 1)
    for wait in (-1.0, float("nan"), 1e9):
        with pytest.raises(IndexError):
            board.wait_edge(0, 1, wait)


def test_a_board_must_fit_its_memory() -> None:
    memory = os.memfd_create("small")
    os.ftruncate(memory, _native.Board.bytes(1) - 1)
    for slots in (1, 0, 2**40):
        with pytest.raises(IndexError):
            _native.Board(memory, slots)
    os.close(memory)


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_the_histogram_has_the_layout_of_hdr(nanoseconds: int) -> None:
    from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # ships no types

    layout = HdrHistogram(1, LARGEST_NS, 3)
    place = _native.histogram_index(nanoseconds)
    if nanoseconds > LARGEST_NS:
        assert place == _native.HISTOGRAM_SIZE - 1
    else:
        assert place == layout._counts_index_for(nanoseconds)
