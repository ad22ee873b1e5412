"""The loops with no network between them: a rate above anything a path gives, told once, and nothing left open."""

import os
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from pathgauge import _native
from pathgauge.endpoints import methods
from pathgauge.endpoints.messages import Work
from pathgauge.measuring import ceiling
from pathgauge.measuring.arms import placed
from pathgauge.measuring.ceiling import MOST_LOOPS, RECEIVED, SENT, Loop, _seen, loop_rate
from pathgauge.traffic.methods import RECEIVE_METHODS, SEND_METHODS, WAITS
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

MTU = 1500


def complete(test: str, **given: object) -> Parameters:
    return placed(TESTS[test].complete(Parameters(**given), MTU))  # type: ignore[arg-type]


def rate_of(test: str, flows: int = 1, loops: int = 1, **given: object) -> float:
    """In TCP_STREAM's way: what the loops do; it must be known."""
    rate = loop_rate([Loop(TESTS[test], complete(test, **given), flows)] * loops)
    assert rate is not None
    return rate


@pytest.fixture(autouse=True)
def afresh() -> None:
    _seen.clear()


@pytest.mark.parametrize("test", [name for name, kind in TESTS.items() if not kind.connects])
def test_every_test_has_one(test: str) -> None:
    least = 1e7 if TESTS[test].pattern == "stream" else 500
    assert least < rate_of(test) < 1e12


@pytest.mark.parametrize("test", [name for name, kind in TESTS.items() if kind.connects])
def test_of_connections_that_are_made_anew_none_is_known(test: str) -> None:
    assert loop_rate([Loop(TESTS[test], complete(test))]) is None


@pytest.mark.parametrize(
    ("test", "send", "receive"),
    [
        (test, send, receive)
        for test, transport in (("TCP_STREAM", "tcp"), ("UDP_STREAM", "udp"))
        for send in SEND_METHODS[transport]
        for receive in RECEIVE_METHODS[transport]
    ],
)
def test_of_each_method_it_is_that_methods_own_or_unknown(test: str, send: str, receive: str) -> None:
    kind = TESTS[test]
    rate = loop_rate([Loop(kind, complete(test, send_method=send, receive_method=receive))])
    if send in SENT[kind.transport] and receive in RECEIVED[kind.transport]:
        assert rate is not None
        assert rate > 1e7
    else:
        assert rate is None


@pytest.mark.parametrize("method", ["copy", "splice"])
def test_the_loops_that_are_looked_at_move_bytes_by_the_method(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    ran = []

    def noted(board: _native.Board, slot: int, made: list[socket.socket], made_of: Work, *, room: int) -> None:
        ran.append((slot, made_of.loop, made_of.method))
        methods.run(board, slot, made, made_of, room=room)

    monkeypatch.setattr(ceiling, "methods", SimpleNamespace(run=noted))
    rate_of("TCP_STREAM", send_method=method, receive_method=method)
    assert sorted(ran) == [(0, "send", method), (1, "receive", method)]


@pytest.mark.parametrize("test", ["TCP_STREAM", "TCP_MAERTS", "UDP_STREAM", "TCP_RR", "UDP_RR"])
@pytest.mark.parametrize("wait", WAITS)
def test_every_way_to_wait_has_one(test: str, wait: str) -> None:
    assert rate_of(test, wait=wait) > 500


@pytest.mark.parametrize(("test", "least"), [("TCP_STREAM", 1e7), ("TCP_RR", 500)])
@pytest.mark.parametrize(("loops", "flows"), [(1, 10), (2, 5), (4, 1), (1, 20_000)])
def test_loops_and_flows_at_once_have_one(test: str, least: float, loops: int, flows: int) -> None:
    assert rate_of(test, flows, loops) > least


def test_of_more_loops_than_can_be_tried_none_is_known() -> None:
    loop = Loop(TESTS["TCP_RR"], complete("TCP_RR"))
    assert loop_rate([loop] * (MOST_LOOPS + 1)) is None


def test_rates_quotas_and_marks_of_low_water_do_not_slow_it_down() -> None:
    plain = rate_of("TCP_STREAM")
    assert rate_of("TCP_STREAM", rate=1e6, local_quota=0.01, low_water=1 << 20) == plain
    assert len(_seen) == 1, "they are the same loops"


def test_it_is_measured_once_for_the_same_loops() -> None:
    assert rate_of("TCP_RR") == rate_of("TCP_RR")
    assert len(_seen) == 1
    rate_of("TCP_RR", request_size=2)
    assert len(_seen) == 2


def test_small_sends_carry_far_fewer_bytes() -> None:
    assert 4 * rate_of("TCP_STREAM", send_size=64) < rate_of("TCP_STREAM", send_size=65536)


def test_sends_of_any_size_fit() -> None:
    assert rate_of("TCP_STREAM", send_size=1 << 28) > 1e7
    assert rate_of("UDP_STREAM", send_size=65507) > 1e7


@pytest.mark.parametrize(("test", "flows"), [("UDP_RR", 1), ("TCP_STREAM", 8)])
def test_no_thread_and_no_descriptor_is_left(test: str, flows: int) -> None:
    own = os.sched_getaffinity(0)
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    rate_of(test, flows, send_method="copy")
    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == before
    assert os.sched_getaffinity(0) == own


def test_requests_in_flight_at_once_raise_it() -> None:
    assert rate_of("TCP_RR", burst=16) > 1.2 * rate_of("TCP_RR")
