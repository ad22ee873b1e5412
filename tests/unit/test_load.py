"""The offered load: what can be asked, how it is kept, what is said where it was not."""

import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arms_twin import TwinArm
from loop_pairs import QUIT, RUN, board_of_two, over, tcp_pair
from pathgauge import _native, quantities
from pathgauge.endpoints.messages import Work
from pathgauge.endpoints.methods import period_ns
from pathgauge.errors import UserError
from pathgauge.traffic import load
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS


@pytest.mark.parametrize(
    ("text", "rate"), [("500", 500), ("10k", 10_000), ("1.5m", 1.5e6), ("100mbit", 1e8), ("10Mbps", 8e7), ("0.5", 0.5)]
)
def test_loads_are_read_as_counts_or_as_rates(text: str, rate: float) -> None:
    assert quantities.parse_load(text) == rate


@pytest.mark.parametrize("text", ["0", "-1", "10x", "", "2e12", "nan"])
def test_what_is_no_load_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        quantities.parse_load(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("test", "given", "match"),
    [
        ("TCP_RR", {"rate": 1e8}, "too many"),
        ("TCP_RR", {"rate": 1e3, "burst": 4}, "a burst is several"),
        ("UDP_STREAM", {"rate": 500.0}, "too few"),
        ("TCP_STREAM", {"rate": 1e8, "send_method": "splice"}, "in parts"),
    ],
)
def test_a_load_fits_its_test(test: str, given: dict[str, object], match: str) -> None:
    with pytest.raises(UserError, match=match) as caught:
        load.check(TESTS[test], Parameters(**given))  # type: ignore[arg-type]
    assert "--" in caught.value.hint


@pytest.mark.parametrize("test", list(TESTS))
def test_every_test_takes_a_load(test: str) -> None:
    kind = TESTS[test]
    assert "rate" in kind.parameters
    load.check(kind, Parameters())
    load.check(kind, Parameters(rate=1e5))


def test_what_was_missed_is_told() -> None:
    row = TwinArm("host", rate=1e8, spread=0.0).measure(0.0, 1.0).row
    kind, bits = TESTS["TCP_STREAM"], 8 * row.bytes_sent / row.local_seconds
    assert load.missed(kind, Parameters(), [row]) is None
    assert load.missed(kind, Parameters(rate=bits), [row, row]) is None
    assert load.missed(kind, Parameters(rate=2 * bits), [row, row]) == pytest.approx(bits)
    assert load.missed(kind, Parameters(rate=bits), []) is None


@given(st.floats(0.1, 1e12), st.integers(1, 1 << 20))
def test_operations_of_a_size_make_up_the_rate(rate: float, share: int) -> None:
    work = Work(loop="send", first_size=1, second_size=0, deadline_ns=0, cpu=None, rate=rate)
    assert share * 1e9 / period_ns(work, share) == pytest.approx(rate)


def test_a_slow_answer_delays_none_of_those_that_are_due_behind_it() -> None:
    client, server = tcp_pair(limited=False)
    period, pause = 0.005, 0.1
    with board_of_two() as board:
        board.order(0, RUN)
        transfer = over(client, period_ns=period * 1e9, record=True)
        asker = threading.Thread(
            target=_native.request, args=(board, 0, transfer, _native.Buffers(1), _native.Buffers(1))
        )
        asker.start()
        _answer(server, 3)
        time.sleep(pause)
        _answer(server, 12)
        board.order(0, QUIT)
        server.shutdown(socket.SHUT_RDWR)
        asker.join(5)
        counts = board.histogram(0)
        late = sum(counts[_native.histogram_index(int(pause / 2 * 1e9)) :])
        assert board.live(0)[4] >= 15
    client.close()
    server.close()
    assert late >= 8, "one waited for its answer, the others to be asked"


def test_a_schedule_begins_anywhere_within_a_period() -> None:
    period, runs = 0.2, 24
    at_once = 0
    for _ in range(runs):
        client, server = tcp_pair(limited=False)
        with board_of_two() as board:
            board.order(0, RUN)
            transfer = over(client, period_ns=period * 1e9)
            sender = threading.Thread(target=_native.send_stream, args=(board, 0, transfer, _native.Buffers(1)))
            sender.start()
            time.sleep(period / 4)
            at_once += board.live(0)[2] > 0
            board.order(0, QUIT)
            sender.join(5)
        client.close()
        server.close()
    assert at_once < runs, "a slice then holds one message too many; 1 in 10^14 of fair starts fails this"


def _answer(server: socket.socket, times: int) -> None:
    for _ in range(times):
        assert server.recv(1)
        server.send(b"x")


@pytest.mark.parametrize("period", [-1.0, 1e13, float("nan")])
def test_a_period_that_makes_no_sense_is_refused(period: float) -> None:
    with pytest.raises((IndexError, ValueError)):
        _native.Transfer(fd=0, datagrams=False, deadline_ns=0, period_ns=period)
