"""The loops of the methods: they move bytes, count messages and hear orders as the plain ones do."""

import errno
import mmap
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from loop_pairs import (
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
from pathgauge.endpoints.methods import SO_ZEROCOPY, SOL_UDP, UDP_GRO, UDP_SEGMENT

Loop = Callable[[_native.Board, int, _native.Transfer, _native.Buffers], int]

TCP_SENDERS = {
    "splice": _native.send_spliced,
    "zerocopy": _native.send_zerocopy,
    "io-uring": _native.send_ring,
    "io-uring-zerocopy": _native.send_ring_zerocopy,
}
TCP_RECEIVERS = {
    "copy": _native.receive_stream,
    "splice": _native.receive_spliced,
    "io-uring": _native.receive_ring,
    "mmap": _native.receive_mapped,
}
UDP_SENDERS = {"batch": _native.send_batches, "gso": _native.send_segments, "io-uring": _native.send_ring}
UDP_RECEIVERS = {
    "copy": _native.receive_stream,
    "batch": _native.receive_batches,
    "gro": _native.receive_coalesced,
    "io-uring": _native.receive_ring,
}


@pytest.fixture
def board() -> Iterator[_native.Board]:
    with board_of_two() as made:
        yield made


def pair_for_zerocopy() -> tuple[socket.socket, socket.socket]:
    client, server = tcp_pair()
    client.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    return client, server


def wait_until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 5
    while not true() and time.monotonic() < limit:
        time.sleep(0.001)
    assert true()


# --- TCP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 1400, 65536, 1 << 20])
@pytest.mark.parametrize("receiving", TCP_RECEIVERS)
@pytest.mark.parametrize("sending", TCP_SENDERS)
def test_every_byte_comes_and_edges_lie_between(board: _native.Board, sending: str, receiving: str, size: int) -> None:
    client, server = pair_for_zerocopy()
    sender, sent = start(TCP_SENDERS[sending], board, 0, over(client), _native.Buffers(size, 3))
    receiver, received = start(TCP_RECEIVERS[receiving], board, 1, over(server), _native.Buffers(131072))
    assert board.wait_state(0, PAUSED, 2.0)
    assert board.live(0)[0] == 0, "nothing may be sent before the order"
    board.order(0, RUN)
    wait_until(lambda: board.live(1)[1] > 0)
    first, of_sender = take_edge(board, 1), take_edge(board, 0)
    assert of_sender[2] > 0
    wait_until(lambda: board.live(1)[1] > first[3])
    assert take_edge(board, 1)[3] > first[3]
    board.order(0, PAUSE)
    assert board.wait_state(0, PAUSED, 2.0)
    total = board.live(0)[0]
    wait_until(lambda: board.live(1)[1] == total)
    time.sleep(0.02)
    assert board.live(0)[0] == total, "nothing is sent after the pause"
    board.order(0, QUIT)
    ended(sender, client)
    ended(receiver, server)
    assert sent == received == [0]


@pytest.mark.parametrize("sending", TCP_SENDERS)
def test_what_is_sent_is_what_the_buffer_holds(board: _native.Board, sending: str) -> None:
    client, server = pair_for_zerocopy()
    board.order(0, RUN)
    size = 200_003  # no multiple of a page, nor of the pattern; a ring hands over no two of them at once
    thread, results = start(
        TCP_SENDERS[sending], board, 0, over(client, limit=3 * size), _native.Buffers(size, fill=b"abc")
    )
    text = b""
    while len(text) < 3 * size:
        text += server.recv(1 << 16)
    ended(thread, client)
    assert server.recv(1) == b""
    server.close()
    assert results == [0]
    assert text == 3 * (b"abc" * size)[:size]
    assert board.live(0)[2] == 3


@pytest.mark.parametrize("sending", ["io-uring", "io-uring-zerocopy"])
def test_what_a_ring_sends_at_once_comes_in_order(board: _native.Board, sending: str) -> None:
    _native.hear_nudges()
    client, server = tcp_pair(limited=False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    size, at_once = 5000, 26  # in 128 KiB
    buffers = _native.Buffers(size, 7)  # each of its own bytes
    board.order(0, RUN)
    thread, results = start(TCP_SENDERS[sending], board, 0, over(client, limit=at_once * size), buffers)
    text = b""
    while len(text) < at_once * size:
        text += server.recv(1 << 16)
        board.nudge(0)
    ended(thread, client)
    assert server.recv(1) == b""
    server.close()
    assert results == [0]
    assert board.live(0)[::2][:2] == (at_once * size, at_once)
    assert len({text[: 7 * size][place * size :][:size] for place in range(7)}) == 7
    assert text == (text[: 7 * size] * at_once)[: at_once * size]


@pytest.mark.parametrize("sending", ["splice", "io-uring", "io-uring-zerocopy"])
def test_a_message_counts_once_in_however_many_parts_it_goes(board: _native.Board, sending: str) -> None:
    _native.hear_nudges()
    client, server = tcp_pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    board.order(0, RUN)
    size = 1 << 16
    sender, sent = start(TCP_SENDERS[sending], board, 0, over(client, limit=4 * size), _native.Buffers(size))
    receiver, _ = start(_native.receive_stream, board, 1, over(server), _native.Buffers(4096))
    while sender.is_alive():
        board.nudge(0)  # each cuts a call short
        time.sleep(0.0005)
    ended(sender, client)
    ended(receiver, server)
    assert sent == [0]
    assert board.live(0)[0] == board.live(1)[1] == 4 * size
    assert board.live(0)[2] == 4


@pytest.mark.parametrize("sending", ["zerocopy", "io-uring-zerocopy"])
def test_completions_are_counted_and_say_that_loopback_copies(board: _native.Board, sending: str) -> None:
    client, server = pair_for_zerocopy()
    board.order(0, RUN)
    how = over(client, limit=1000 * 4096)
    sender, sent = start(TCP_SENDERS[sending], board, 0, how, _native.Buffers(4096))
    receiver, _ = start(_native.receive_stream, board, 1, over(server), _native.Buffers(131072))
    ended(sender, client)
    ended(receiver, server)
    completed, copied = board.zerocopy(0)
    assert sent == [0]
    assert 0 < completed <= board.live(0)[2]
    assert copied == completed


@pytest.mark.parametrize("sending", ["zerocopy", "io-uring-zerocopy"])
def test_pages_that_the_kernel_copied_can_be_mapped(board: _native.Board, sending: str) -> None:
    client, server = pair_for_zerocopy()
    board.order(0, RUN)
    total = 100 << 16
    receiver, received = start(_native.receive_mapped, board, 1, over(server, limit=total), _native.Buffers(1 << 16))
    sender, sent = start(TCP_SENDERS[sending], board, 0, over(client, limit=total), _native.Buffers(1 << 16))
    ended(sender, client)
    ended(receiver, server)
    assert sent == received == [0]
    assert 0 < board.mapped(1) <= board.live(1)[1] == total
    assert board.mapped(1) % mmap.PAGESIZE == 0


def test_what_cannot_be_mapped_is_copied(board: _native.Board) -> None:
    client, server = tcp_pair()
    receiver, received = start(_native.receive_mapped, board, 1, over(server), _native.Buffers(1 << 16))
    client.sendall(bytes(100_001))
    client.close()
    ended(receiver, server)
    assert received == [0]
    assert board.live(1)[1] == 100_001
    assert board.mapped(1) < 100_001


def test_a_ring_receives_with_as_many_buffers_as_there_are(board: _native.Board) -> None:
    for width in (1, 3, 64):
        board.reset(1)
        client, server = tcp_pair()
        receiver, received = start(_native.receive_ring, board, 1, over(server), _native.Buffers(1000, width))
        for _ in range(300):
            client.sendall(bytes(1001))
        client.close()
        ended(receiver, server)
        assert received == [0]
        assert board.live(1)[1] == 300 * 1001
        assert board.live(1)[3] >= 301


def test_what_lies_below_the_mark_of_low_water_is_fetched_when_nudged(board: _native.Board) -> None:
    _native.hear_nudges()
    for loop in (_native.receive_ring, _native.receive_mapped):
        board.reset(1)
        client, server = tcp_pair(limited=False)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100_000)
        receiver, received = start(loop, board, 1, over(server), _native.Buffers(1000, 4))
        assert board.wait_state(1, RUNNING, 2.0)
        time.sleep(0.02)  # it sleeps
        client.sendall(bytes(10))
        roused(board, lambda: board.live(1)[1] == 10, slot=1)
        client.close()
        ended(receiver, server)
        assert received == [0]


def test_zerocopy_waits_where_too_much_awaits_completion(board: _native.Board) -> None:
    client, server = pair_for_zerocopy()
    board.order(0, RUN)
    thread, results = start(_native.send_zerocopy, board, 0, over(client, 0.5), _native.Buffers(1))
    time.sleep(0.2)  # nobody receives; small sends use up the room for notices first
    begun = board.live(0)[0]
    assert begun > 0
    while thread.is_alive():
        server.setblocking(False)
        try:
            server.recv(1 << 20)
        except BlockingIOError:
            time.sleep(0.001)
    ended(thread, client)
    server.close()
    assert results == [0], "no room is no failure"
    assert board.live(0)[0] > begun


@pytest.mark.parametrize("sending", TCP_SENDERS)
def test_a_peer_that_goes_away_is_an_error_of_the_sender(board: _native.Board, sending: str) -> None:
    client, server = pair_for_zerocopy()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    board.order(0, RUN)
    thread, results = start(TCP_SENDERS[sending], board, 0, over(client), _native.Buffers(1000))
    time.sleep(0.05)
    server.close()
    ended(thread, client)
    assert results[0] in (errno.ECONNRESET, errno.EPIPE)
    assert board.error(0) == results[0]


# --- UDP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 64, 1400])
@pytest.mark.parametrize("receiving", UDP_RECEIVERS)
@pytest.mark.parametrize("sending", UDP_SENDERS)
def test_every_datagram_is_counted_once(board: _native.Board, sending: str, receiving: str, size: int) -> None:
    one, two = udp_pair()
    two.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    rounds = 2 if size == 1400 else 10
    datagrams = min(_native.MOST_AT_ONCE, 65507 // size) if sending == "gso" else _native.MOST_AT_ONCE
    whole = size * (datagrams if sending == "gso" else 1)
    if sending == "gso":
        one.setsockopt(SOL_UDP, UDP_SEGMENT, size)
    if receiving == "gro":
        two.setsockopt(SOL_UDP, UDP_GRO, 1)
    receiver, received = start(UDP_RECEIVERS[receiving], board, 1, over(two), _native.Buffers(65535))
    assert board.wait_state(1, RUNNING, 2.0)
    board.order(0, RUN)
    total = rounds * datagrams
    how = over(one, limit=total * size, segment=size)
    sender, sent = start(UDP_SENDERS[sending], board, 0, how, _native.Buffers(whole, 3))
    sender.join(5)
    wait_until(lambda: board.live(1)[3] >= total)
    assert board.live(0) == (total * size, 0, total, 0, 0, 0)
    assert board.live(1) == (0, total * size, 0, total, 0, 0)
    board.order(1, QUIT)
    ended(receiver, one, two)
    assert sent == received == [0]


def test_datagrams_go_out_one_by_one_with_the_size_asked(board: _native.Board) -> None:
    for loop, whole in ((_native.send_batches, 100), (_native.send_segments, 6400)):
        board.reset(0)
        one, two = udp_pair()
        if loop is _native.send_segments:
            one.setsockopt(SOL_UDP, UDP_SEGMENT, 100)
        board.order(0, RUN)
        how = over(one, limit=6400, segment=100)
        assert loop(board, 0, how, _native.Buffers(whole, fill=bytes(range(100)))) == 0
        assert [two.recv(9000) for _ in range(64)] == [bytes(range(100))] * 64
        one.close()
        two.close()


@pytest.mark.parametrize("sending", UDP_SENDERS)
def test_datagrams_that_find_nobody_are_lost_and_no_failure(board: _native.Board, sending: str) -> None:
    one, two = udp_pair()
    two.close()
    board.order(0, RUN)
    thread, results = start(UDP_SENDERS[sending], board, 0, over(one, 0.2, segment=10), _native.Buffers(640))
    ended(thread, one)
    assert results == [0]
    assert board.live(0)[5] > 0


@pytest.mark.parametrize("receiving", UDP_RECEIVERS)
def test_a_datagram_counts_whole_however_small_the_buffer(board: _native.Board, receiving: str) -> None:
    one, two = udp_pair()
    thread, _ = start(UDP_RECEIVERS[receiving], board, 0, over(two, marked=True), _native.Buffers(10))
    for text in (b"x" * 500, b"y", b""):
        one.send(text)
    ended(thread, one, two)
    assert board.live(0)[1] == 501
    assert board.live(0)[3] == 2


# --- all --------------------------------------------------------------------------------------------------------------

ALL: list[tuple[Loop, bool]] = [
    *((loop, False) for loop in (*TCP_SENDERS.values(), *TCP_RECEIVERS.values())),
    *((loop, True) for loop in (*UDP_SENDERS.values(), *UDP_RECEIVERS.values())),
]


@pytest.mark.parametrize("spin", [False, True])
@pytest.mark.parametrize(("loop", "datagrams"), ALL)
def test_a_deadline_ends_every_loop(board: _native.Board, loop: Loop, *, datagrams: bool, spin: bool) -> None:
    one, two = udp_pair() if datagrams else pair_for_zerocopy()
    board.order(0, RUN)
    begin = time.monotonic()
    thread, results = start(loop, board, 0, over(one, 0.2, spin=spin, segment=10), _native.Buffers(10))
    ended(thread)
    assert 0.1 < time.monotonic() - begin < 2
    assert results == [0]
    one.close()
    two.close()


@pytest.mark.parametrize(
    ("loop", "datagrams"),
    [
        (_native.receive_spliced, False),
        (_native.receive_batches, True),
        (_native.receive_coalesced, True),
    ],
)
def test_a_nudge_wakes_a_reader_that_sleeps(board: _native.Board, loop: Loop, *, datagrams: bool) -> None:
    _native.hear_nudges()
    one, two = udp_pair() if datagrams else tcp_pair(limited=False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 0))
    thread, results = start(loop, board, 0, over(one), _native.Buffers(1000))
    assert board.wait_state(0, RUNNING, 2.0)
    time.sleep(0.05)
    edge = board.ask_edge(0)
    assert not board.wait_edge(0, edge, 0.1), "it sleeps, and hears nothing"
    roused(board, lambda: board.wait_edge(0, edge, 0.02))
    board.order(0, QUIT)
    roused(board, lambda: not alive(thread))
    assert results == [0]
    one.close()
    two.close()


def roused(board: _native.Board, true: Callable[[], bool], slot: int = 0) -> None:
    limit = time.monotonic() + 5
    while not true() and time.monotonic() < limit:
        board.nudge(slot)
    assert true()


def alive(thread: threading.Thread) -> bool:
    thread.join(0.02)
    return thread.is_alive()


@pytest.mark.parametrize(
    ("loop", "datagrams"),
    [
        (_native.receive_stream, False),
        (_native.receive_spliced, False),
        (_native.receive_ring, False),
        (_native.receive_ring, True),
        (_native.receive_mapped, False),
        (_native.receive_stream, True),
        (_native.receive_batches, True),
        (_native.receive_coalesced, True),
    ],
)
@pytest.mark.parametrize("way", ["spin", "poll"])
def test_a_reader_that_does_not_sleep_in_its_call_hears_orders_at_once(
    board: _native.Board, loop: Loop, way: str, *, datagrams: bool
) -> None:
    one, two = udp_pair() if datagrams else tcp_pair(limited=False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 0))
    thread, results = start(loop, board, 0, over(one, **{way: True}), _native.Buffers(1000))
    board.order(0, RUN)
    assert board.wait_state(0, RUNNING, 2.0)
    take_edge(board, 0)
    two.send(b"0123456789")
    wait_until(lambda: board.live(0)[1] == 10)
    board.order(0, QUIT)
    ended(thread, one, two)
    assert results == [0]


@pytest.mark.parametrize("loop", [_native.receive_stream, _native.receive_spliced, _native.receive_ring])
def test_a_reader_spins_only_while_it_is_to_run(board: _native.Board, loop: Loop) -> None:
    one, two = tcp_pair(limited=False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 0))
    thread, _ = start(loop, board, 0, over(one, spin=True), _native.Buffers(1000))
    shares: list[float] = []
    for order in (PAUSE, RUN, PAUSE):
        board.order(0, order)
        two.send(b"0123456789")
        wait_until(lambda: board.live(0)[1] == 10 * (len(shares) + 1))
        time.sleep(0.12)  # it may be in the poll that began before the order, or sees it at once
        before = take_edge(board, 0)
        time.sleep(0.1)
        after = take_edge(board, 0)
        shares.append((after[1] - before[1]) / (after[0] - before[0]))
    board.order(0, QUIT)
    ended(thread, one, two)
    assert shares[0] < 0.2 > shares[2], "it sleeps"
    assert shares[1] > 2 * max(shares[0], shares[2]), "it spins"


@pytest.mark.parametrize("way", ["spin", "poll"])
@pytest.mark.parametrize("datagrams", [False, True])
def test_transactions_of_readers_that_do_not_sleep_in_their_call(
    board: _native.Board, way: str, *, datagrams: bool
) -> None:
    client, server = udp_pair() if datagrams else tcp_pair()
    how = [over(made, **{way: True}) for made in (client, server)]
    asking, asked = start(_native.request, board, 0, how[0], _native.Buffers(3), _native.Buffers(5))
    answering, answered = start(_native.respond, board, 1, how[1], _native.Buffers(3), _native.Buffers(5))
    board.order(1, RUN)
    board.order(0, RUN)
    wait_until(lambda: board.live(0)[4] > 20)
    take_edge(board, 0)
    take_edge(board, 1)
    board.order(0, PAUSE)
    assert board.wait_state(0, PAUSED, 2.0)
    assert board.live(0)[:2] == (3 * board.live(0)[4], 5 * board.live(0)[4])
    for slot in (0, 1):
        board.order(slot, QUIT)
    ended(asking, client)
    ended(answering, server)
    assert asked == answered == [0]


@pytest.mark.parametrize("way", ["spin", "poll"])
def test_a_lost_datagram_is_given_up_in_time(board: _native.Board, way: str) -> None:
    client, server = udp_pair()
    how = over(client, patience_ns=50_000_000, **{way: True})
    thread, _ = start(_native.request, board, 0, how, _native.Buffers(1), _native.Buffers(1))
    board.order(0, RUN)
    server.settimeout(2)
    begin = time.monotonic()
    server.recv(10)  # the first request is swallowed
    again = server.recv(10)  # and comes again
    assert 0.03 < time.monotonic() - begin < 1
    server.send(again)
    wait_until(lambda: board.live(0)[4] == 1)
    assert board.live(0)[5] >= 1
    board.order(0, QUIT)
    ended(thread, client, server)
