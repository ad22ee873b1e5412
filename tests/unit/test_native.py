"""The native loops over real socket pairs: bytes, edges, orders, deadlines, errors."""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_pairs import (
    ENDED,
    PAUSE,
    PAUSED,
    QUIT,
    RUN,
    RUNNING,
    board_of_two,
    ended,
    over,
    start,
    take_edge,
    tcp_pair,
    udp_pair,
)
from pathgauge import _native
from pathgauge.results.latency import LARGEST_NS


@pytest.fixture
def board() -> Iterator[_native.Board]:
    with board_of_two() as made:
        yield made


@pytest.mark.parametrize("size", [1, 1400, 65536])
def test_a_stream_moves_every_byte_and_edges_lie_between(board: _native.Board, size: int) -> None:
    client, server = tcp_pair()
    sender, sent = start(_native.send_stream, board, 0, over(client), _native.Buffers(size, 3))
    receiver, received = start(_native.receive_stream, board, 1, over(server), _native.Buffers(131072))
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
        thread, _ = start(_native.receive_stream, board, 0, over(one), _native.Buffers(2048))
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
    sizes = request_size, response_size
    asking, asked = start(_native.request, board, 0, over(client), *map(_native.Buffers, sizes))
    answering, _ = start(_native.respond, board, 1, over(server), *map(_native.Buffers, sizes))
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
    thread, _ = start(_native.request, board, 0, over(client), _native.Buffers(1), _native.Buffers(1))
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
    for loop, rings in (
        (_native.send_stream, 1),
        (_native.receive_stream, 1),
        (_native.request, 2),
        (_native.respond, 2),
    ):
        board.reset(0)
        one, two = tcp_pair()
        board.order(0, RUN)
        begin = time.monotonic()
        thread, _ = start(loop, board, 0, over(one, seconds=0.2), *[_native.Buffers(10)] * rings)
        thread.join(3)
        assert not thread.is_alive()
        assert 0.1 < time.monotonic() - begin < 2
        one.close()
        two.close()


def test_a_nudge_wakes_a_loop_that_sleeps(board: _native.Board) -> None:
    _native.hear_nudges()
    board.nudge(0)  # nobody is there to be woken, and nothing happens
    one, two = tcp_pair(limited=False)
    thread, results = start(_native.receive_stream, board, 0, over(one), _native.Buffers(1000))
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


def test_a_run_that_is_over_before_it_was_noticed_ends_nothing(board: _native.Board) -> None:
    client, server = udp_pair()
    sender, _ = start(_native.send_stream, board, 0, over(client), _native.Buffers(1))
    assert board.wait_state(0, PAUSED, 2.0)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        board.order(0, RUN)
        board.order(0, PAUSE)
    assert board.wait_state(0, PAUSED, 2.0)
    board.order(0, QUIT)
    assert board.wait_state(0, ENDED, 2.0)
    ended(sender, client, server)


def test_a_loop_that_could_not_begin_is_told(board: _native.Board) -> None:
    board.fail(0, errno.ENOMEM)
    assert board.state(0) == ENDED
    assert board.error(0) == errno.ENOMEM
    assert not board.wait_edge(0, board.ask_edge(0), 5.0)


def test_a_peer_that_goes_away_is_an_error_of_the_sender(board: _native.Board) -> None:
    client, server = tcp_pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    board.order(0, RUN)
    thread, results = start(_native.send_stream, board, 0, over(client), _native.Buffers(1000))
    time.sleep(0.05)
    server.close()
    thread.join(3)
    client.close()
    assert results[0] in (errno.ECONNRESET, errno.EPIPE)
    assert board.error(0) == results[0]
    assert board.state(0) == ENDED
    assert not board.wait_edge(0, board.ask_edge(0), 5.0), "nobody waits for a loop that is gone"


def test_a_limit_ends_a_stream_and_a_ring_is_sent_in_turn(board: _native.Board) -> None:
    client, server = tcp_pair()
    board.order(0, RUN)
    buffers = _native.Buffers(5, 2, fill=b"abc")
    thread, results = start(_native.send_stream, board, 0, over(client, limit=12), buffers)
    ended(thread, client)
    assert results == [0]
    text = b""
    while part := server.recv(100):
        text += part
    assert text == b"abcab" + b"cabca" + b"abcab", "the pattern goes on from buffer to buffer"
    server.close()


def test_sendfile_sends_the_ring_of_a_file(board: _native.Board, tmp_path: Path) -> None:
    file = tmp_path / "ring"
    file.write_bytes(b"0123456789")
    client, server = tcp_pair()
    board.order(0, RUN)
    with file.open("rb") as opened:
        how = over(client, limit=15, file=opened.fileno())
        ended(start(_native.send_stream, board, 0, how, _native.Buffers(5, 2))[0], client)
    assert server.recv(100) == b"0123456789" + b"01234"
    server.close()


@pytest.mark.parametrize("datagrams", [False, True])
def test_requests_in_flight_are_counted_and_limited(board: _native.Board, datagrams: bool) -> None:
    client, server = udp_pair() if datagrams else tcp_pair()
    board.order(0, RUN)
    asking, asked = start(
        _native.request, board, 0, over(client, limit=50, ahead=4, record=True), *map(_native.Buffers, (3, 2))
    )
    flight = b""
    server.settimeout(2)
    while len(flight) < 15:
        flight += server.recv(100)
    assert len(flight) == 15, "five are under way before the first is answered"
    for _ in range(5):
        server.send(b"ok")
    answering, _ = start(_native.respond, board, 1, over(server), *map(_native.Buffers, (3, 2)))
    asking.join(5)
    assert asked == [0]
    assert board.live(0)[4] == 50
    assert sum(memoryview(board.histogram(0)).cast("I")) == 50
    board.order(1, QUIT)
    client.close()
    ended(answering, server)


def test_operations_are_paced(board: _native.Board) -> None:
    one, two = udp_pair()
    board.order(0, RUN)
    begin = time.monotonic()
    how = over(one, limit=20 * 10, pace_count=5, pace_ns=20_000_000)
    ended(start(_native.send_stream, board, 0, how, _native.Buffers(10))[0], one, two)
    assert time.monotonic() - begin > 0.058, "20 messages, 5 in 20 ms: three intervals pass"
    assert board.live(0)[2] == 20


def test_an_empty_datagram_ends_a_loop_that_heeds_it(board: _native.Board) -> None:
    for loop, rings in ((_native.receive_stream, 1), (_native.respond, 2)):
        board.reset(0)
        one, two = udp_pair()
        thread, _ = start(loop, board, 0, over(one, marked=True), *[_native.Buffers(10)] * rings)
        two.send(b"0123456789")
        two.send(b"")
        ended(thread, one, two)
        assert board.live(0)[1] == 10


@pytest.mark.parametrize("exchange", [True, False])
def test_transactions_that_are_connections(board: _native.Board, exchange: bool) -> None:
    _native.hear_nudges()
    rings = [_native.Buffers(3), _native.Buffers(200_000)] if exchange else []
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        how = _native.Transfer(fd=listener.fileno(), datagrams=False, deadline_ns=time.monotonic_ns() + 20 * 10**9)
        answering, answered = start(_native.accept_transact, board, 1, how, *rings)
        plan = _native.ConnectPlan(
            local="127.0.0.1",
            remote="127.0.0.1",
            port=listener.getsockname()[1],
            low=20000,
            high=30000,
            options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        board.order(0, RUN)
        asking, asked = start(_native.connect_transact, board, 0, over(listener, limit=40, record=True), plan, *rings)
        asking.join(10)
        assert asked == [0]
        assert board.live(0)[4] == 40
        assert sum(memoryview(board.histogram(0)).cast("I")) == 40
        assert board.live(0)[1] == (40 * 200_000 if exchange else 0)
        board.order(1, QUIT)
        limit = time.monotonic() + 5
        while answering.is_alive() and time.monotonic() < limit:
            board.nudge(1)
            answering.join(0.02)
    assert answered == [0]
    assert board.live(1)[4] == 40


def test_a_connection_that_is_refused_is_an_error(board: _native.Board) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    plan = _native.ConnectPlan(local="127.0.0.1", remote="127.0.0.1", port=port)
    board.order(0, RUN)
    how = _native.Transfer(fd=-1, datagrams=False, deadline_ns=time.monotonic_ns() + 10**9)
    assert _native.connect_transact(board, 0, how, plan) == errno.ECONNREFUSED
    for wrong in ({"local": "127.0.0.1", "remote": "::1"}, {"local": "a", "remote": "b"}, {"low": 5, "high": 4}):
        with pytest.raises(ValueError, match="address"):
            _native.ConnectPlan(**({"local": "127.0.0.1", "remote": "127.0.0.1", "port": 1} | wrong))  # type: ignore[arg-type]


def test_wrong_sizes_and_slots_are_refused(board: _native.Board) -> None:
    with pytest.raises(IndexError):
        board.order(2, RUN)
    for size, width in ((0, 1), (1, 0), (2**31, 1), (65536, 2**40)):
        with pytest.raises(IndexError):
            _native.Buffers(size, width)
    for alignment, offset in ((0, 0), (3, 0), (2**25, 0), (8, 2**25)):
        with pytest.raises(IndexError):
            _native.Buffers(1, 1, alignment, offset)
    with pytest.raises(IndexError):
        _native.Transfer(fd=-1, datagrams=False, deadline_ns=0, ahead=2**20)
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


def test_a_thread_that_keeps_some_descriptors_holds_no_others_and_closes_none_of_ours() -> None:
    near, far = socket.socketpair()
    kept, kept_far = socket.socketpair()
    kept_far.send(b"x")
    seen: list[object] = []
    free = threading.Event()

    def hold() -> None:
        seen.append(_native.keep_descriptors([kept.fileno()]))
        seen.append(kept.recv(1))
        try:
            os.fstat(near.fileno())
        except OSError as error:
            seen.append(error.errno)
        free.wait(10)

    thread = threading.Thread(target=hold)
    with near, far, kept, kept_far:
        thread.start()
        while len(seen) < 3 and thread.is_alive():
            time.sleep(0.001)
        assert seen == [True, b"x", errno.EBADF]
        far.settimeout(5)
        near.send(b"y")
        assert far.recv(1) == b"y", "open here as before"
        near.close()
        assert far.recv(1) == b"", "the thread does not hold it"
        free.set()
        thread.join()
        kept_far.send(b"z")
        assert kept.recv(1) == b"z", "open here as before"
