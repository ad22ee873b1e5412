"""Many connections at once: how they are shared out, what they do not go with, and their loops from Python."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge import _native
from pathgauge.asking import build
from pathgauge.errors import UserError
from pathgauge.measuring import arms
from pathgauge.options import parse_values
from pathgauge.traffic import flows
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS


@given(st.integers(1, flows.MOST_THREADS), st.integers(0, flows.MOST_FLOWS))
def test_threads_have_as_many_flows_as_each_other(threads: int, more: int) -> None:
    found = flows.shares(Parameters(threads=threads, flows=threads + more))
    assert len(found) == threads
    assert sum(found) == threads + more
    assert max(found) - min(found) <= 1


@pytest.mark.parametrize(
    ("test", "given_", "said"),
    [
        ("TCP_STREAM", {"threads": 2}, "2 threads have more than 1 flows to serve"),
        ("TCP_STREAM", {"flows": 2, "send_method": "sendfile"}, "send-method"),
        ("TCP_MAERTS", {"flows": 2, "receive_method": "splice"}, "receive-method"),
        ("TCP_RR", {"flows": 2, "burst": 1}, "burst"),
        ("TCP_BIDIR", {"flows": 2, "rate": 1e9}, "rate"),
        ("TCP_CRR", {"flows": 2, "rate": 1000.0}, "rate"),
        ("TCP_STREAM", {"flows": 4, "threads": 2, "remote_quota": 0.5}, "quota"),
    ],
)
def test_what_many_flows_do_not_go_with(test: str, given_: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        flows.check(TESTS[test], Parameters(**given_))  # type: ignore[arg-type]


def test_what_they_go_with() -> None:
    flows.check(TESTS["TCP_RR"], Parameters(flows=2, send_method="sendfile", wait="spin"))  # RR heeds no send method
    flows.check(TESTS["UDP_RR"], Parameters(flows=2, burst=3))  # it heeds no flows
    flows.check(TESTS["TCP_CC"], Parameters(flows=2, burst=3))  # it heeds no burst
    flows.check(TESTS["TCP_BIDIR"], Parameters(flows=20_000, threads=64))


def needs(*arguments: str, paths: tuple[str, ...] = ("host", "macvlan")) -> arms.Needs:
    return arms.needs(build(paths, parse_values(pairs(arguments)), ()))


def pairs(arguments: tuple[str, ...]) -> dict[str, list[str]]:
    return {name: [value] for name, value in zip(arguments[::2], arguments[1::2], strict=True)}


@pytest.mark.parametrize(
    ("arguments", "paths", "wanted"),
    [
        ((), ("host", "macvlan"), arms.Needs(2, 1, 2)),
        (("test", "TCP_RR", "flows", "10", "threads", "4"), ("host", "macvlan"), arms.Needs(8, 3, 20)),
        (("test", "TCP_STREAM", "vary", "flows=8,1000,10000"), ("host",), arms.Needs(3, 10_000, 11_008)),
        (("test", "TCP_BIDIR", "set", "macvlan.flows=5"), ("host", "macvlan"), arms.Needs(4, 5, 12)),
        (("test", "TCP_RR", "copies", "3", "parallel", "on", "flows", "2"), ("host", "macvlan"), arms.Needs(6, 2, 12)),
        (("test", "TCP_CRR", "flows", "10", "threads", "4"), ("host", "macvlan"), arms.Needs(8, 3, 20)),
        (("test", "UDP_RR", "copies", "3"), ("host", "macvlan"), arms.Needs(2, 1, 2)),
    ],
)
def test_what_a_run_needs_room_for(arguments: tuple[str, ...], paths: tuple[str, ...], wanted: arms.Needs) -> None:
    assert needs(*arguments, paths=paths) == wanted


def test_how_evenly_several_share_is_a_metric() -> None:
    request = build(("host",), parse_values(pairs(("test", "TCP_RR", "vary", "flows=1,2", "metric", "fairness"))), ())
    assert "fairness" in request.kind(0).metrics
    with pytest.raises(UserError, match="connections that run at once"):
        build(("host", "host"), parse_values(pairs(("test", "TCP_RR", "metric", "fairness"))), ())


def test_explain_looks_into_one_connection() -> None:
    for arguments in (("flows", "2"), ("test", "TCP_BIDIR")):
        with pytest.raises(UserError, match="one connection at a time"):
            build(("host",), parse_values(pairs(arguments)), (), explaining=True)


@pytest.fixture
def board() -> _native.Board:
    memory = os.memfd_create("test")
    os.ftruncate(memory, _native.Board.bytes(2, 3))
    try:
        return _native.Board(memory, 2, 3)
    finally:
        os.close(memory)


def test_a_board_has_room_for_its_flows_alone(board: _native.Board) -> None:
    assert board.flows(1, 1) == board.flows(1, 2) == bytes(8 * (1 + 3))
    with pytest.raises(IndexError):
        board.flows(2, 1)
    with pytest.raises(IndexError):
        _native.Flows(board, 0, [0, 0, 0, 0])
    with pytest.raises(IndexError):
        _native.Flows(board, 0, [])
    for count in (0, 4):
        with pytest.raises(IndexError):
            _native.Places(board, 0, count)
    with pytest.raises(RuntimeError, match="epoll"):
        _native.Flows(board, 0, [-1])
    for slots, most in ((1, 2**21), (2**21, 1)):
        with pytest.raises(IndexError, match="1048576"):
            _native.Board.bytes(slots, most)
