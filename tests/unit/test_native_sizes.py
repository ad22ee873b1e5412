"""What takes a size, a number or an address from Python: whatever is given, it works or raises one sentence."""

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathgauge import _native

ENDED = 3
EDGES = [-(2**63) - 1, -(2**31), -1, 0, 1, 2, 255, 4096, 65535, 65536, 2**24, 2**24 + 1, 2**30, 2**30 + 1]
HUGE = [2**31, 2**32, 2**62, 2**62 + 1, 2**63, 2**64 - 1, 2**64, 2**100]
numbers = st.sampled_from(EDGES + HUGE) | st.integers(-(2**70), 2**70)
unsuited = st.none() | st.text(max_size=3) | st.floats() | st.binary(max_size=3)
few = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextlib.contextmanager
def refused_with_a_sentence(*kinds: type[Exception]) -> Iterator[None]:
    """Let those exceptions pass that say something, and TypeError."""
    refusals: tuple[type[Exception], ...] = (TypeError, *kinds)
    try:
        yield
    except refusals as error:
        if len(str(error)) < 10:
            raise


@pytest.fixture
def board() -> Iterator[_native.Board]:
    """Two slots whose loops have ended, so that no wait lasts."""
    memory = os.memfd_create("test")
    os.ftruncate(memory, _native.Board.bytes(2))
    made = _native.Board(memory, 2)
    made.fail(0, 0)
    made.fail(1, 0)
    yield made
    os.close(memory)


def too_great(size: int, width: int, alignment: int, offset: int) -> bool:
    """Whether a ring would be made, and need more room than a test should."""
    return size * max(width, 1) > 1 << 22 or (size + alignment) * width + offset > 1 << 25


@few
@given(numbers, numbers, st.sampled_from([1, 8, 4096]) | numbers, st.sampled_from([0, 1]) | numbers, st.binary())
def test_a_ring_of_any_shape(size: int, width: int, alignment: int, offset: int, fill: bytes) -> None:
    if 0 < size <= 2**30 and 0 < width <= 2**30 // size and too_great(size, width, alignment, offset):
        width = 1
        size = min(size, 70000)
    with refused_with_a_sentence(IndexError):
        _native.Buffers(size, width, alignment, offset, fill)
        assert 0 < size <= 2**30
        assert 0 < width <= 2**30
        assert alignment in {1 << bit for bit in range(25)}
        assert 0 <= offset <= 2**24


@few
@given(numbers | unsuited, numbers | unsuited)
def test_a_board_of_any_size(descriptor: Any, slots: Any) -> None:
    with refused_with_a_sentence(IndexError):
        assert _native.Board.bytes(slots) == slots * _native.Board.bytes(1), "no sum that has overflowed"
    memory = os.memfd_create("test")
    os.ftruncate(memory, _native.Board.bytes(3))
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, memory)
        with refused_with_a_sentence(IndexError):
            _native.Board(memory, slots)
            assert 0 < slots <= 3
        with refused_with_a_sentence(IndexError, RuntimeError):
            _native.Board(descriptor if descriptor not in {0, 1, 2} else -1, 1)


@few
@given(numbers | unsuited, numbers | unsuited, st.floats() | numbers)
def test_a_slot_of_any_number(board: _native.Board, slot: Any, number: Any, seconds: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: board.order(slot, number),
        lambda: board.edge(slot, number),
        lambda: board.fail(slot, number),
        lambda: board.ask_edge(slot),
        lambda: board.histogram(slot),
        lambda: board.clear_histogram(slot),
        lambda: board.live(slot),
        lambda: board.nudge(slot),
        lambda: board.reset(slot),
    ]
    for call in calls:
        with refused_with_a_sentence(IndexError):
            call()
            assert slot in {0, 1}
    board.fail(0, 0)
    for wait in (board.wait_edge, board.wait_state):
        with refused_with_a_sentence(IndexError):
            wait(0, number, seconds)
            assert math.isfinite(seconds)
            assert 0 <= seconds <= 3600


@few
@given(st.dictionaries(st.sampled_from(["deadline_ns", "limit", "ahead", "pace_count", "pace_ns", "file"]), numbers))
def test_a_transfer_of_any_numbers(given_numbers: dict[str, int]) -> None:
    with refused_with_a_sentence(IndexError):
        _native.Transfer(**({"fd": -1, "datagrams": True, "deadline_ns": 0} | given_numbers))  # type: ignore[arg-type]
        assert given_numbers.get("ahead", 0) <= 65536
        assert given_numbers.get("pace_ns", 0) <= 2**62


@few
@given(
    st.sampled_from(["127.0.0.1", "::1", "fe80::1%lo"]) | st.text(),
    st.sampled_from(["127.0.0.1", "::1"]) | st.text(),
    numbers,
    numbers,
    numbers,
    st.lists(st.tuples(numbers, numbers, numbers)) | unsuited,
)
def test_a_plan_of_any_addresses(local: str, remote: str, port: int, low: int, high: int, options: Any) -> None:
    with refused_with_a_sentence(ValueError):
        _native.ConnectPlan(local=local, remote=remote, port=port, low=low, high=high, options=options)
        assert low <= high <= 65535


@few
@given(numbers | unsuited)
def test_a_time_of_any_length(nanoseconds: Any) -> None:
    with refused_with_a_sentence():
        assert 0 <= _native.histogram_index(nanoseconds) < _native.HISTOGRAM_SIZE


sizes = st.sampled_from([1, 2, 7, 1400, 65507, 65508, 300_000])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.tuples(sizes, sizes, sizes, sizes), st.integers(0, 9), st.binary(max_size=20))
def test_ends_that_differ_in_what_they_think_of_sizes(
    board: _native.Board, datagrams: bool, four: tuple[int, int, int, int], ahead: int, rubbish: bytes
) -> None:
    one, two = socket.socketpair(type=socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    with one, two:
        two.send(rubbish or b"x")
        deadline = time.monotonic_ns() + 30 * 10**9
        how = [
            _native.Transfer(fd=made.fileno(), datagrams=datagrams, deadline_ns=deadline, ahead=ahead)
            for made in (one, two)
        ]
        rings = [_native.Buffers(size, 2) for size in four]
        results: list[int] = []
        for slot in (0, 1):
            board.reset(slot)
            board.order(slot, 1)
        threads = [
            threading.Thread(target=lambda: results.append(_native.request(board, 0, how[0], *rings[:2]))),
            threading.Thread(target=lambda: results.append(_native.respond(board, 1, how[1], *rings[2:]))),
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.003)
        for slot, made in ((0, one), (1, two)):
            board.order(slot, 2)
            made.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
    assert len(results) == 2
    assert board.state(0) == board.state(1) == ENDED
