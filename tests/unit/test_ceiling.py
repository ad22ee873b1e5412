"""The loops with no network between them: a rate above anything a path gives, told once, and nothing left open."""

import os
import threading
from pathlib import Path

import msgspec
import pytest

from pathgauge.measuring.arms import placed
from pathgauge.measuring.ceiling import _rate, loop_rate
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

MTU = 1500


def complete(test: str, **given: int) -> Parameters:
    return placed(TESTS[test].complete(Parameters(**given), MTU))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def afresh() -> None:
    _rate.cache_clear()


@pytest.mark.parametrize("test", [name for name, kind in TESTS.items() if not kind.connects])
def test_every_test_has_one(test: str) -> None:
    rate = loop_rate(TESTS[test], complete(test))
    least = 1e7 if TESTS[test].pattern == "stream" else 500
    assert least < rate < 1e12


def test_it_is_measured_once_for_the_same_loops() -> None:
    parameters = complete("TCP_RR")
    assert loop_rate(TESTS["TCP_RR"], parameters) == loop_rate(TESTS["TCP_RR"], parameters)
    assert _rate.cache_info().misses == 1
    loop_rate(TESTS["TCP_RR"], msgspec.structs.replace(parameters, request_size=2))
    assert _rate.cache_info().misses == 2


def test_small_sends_carry_far_fewer_bytes() -> None:
    small, large = (loop_rate(TESTS["TCP_STREAM"], complete("TCP_STREAM", send_size=size)) for size in (64, 65536))
    assert 4 * small < large


def test_sends_of_any_size_fit() -> None:
    assert loop_rate(TESTS["TCP_STREAM"], complete("TCP_STREAM", send_size=1 << 28)) > 1e7
    assert loop_rate(TESTS["UDP_STREAM"], complete("UDP_STREAM", send_size=65507)) > 1e7


def test_no_thread_and_no_descriptor_is_left() -> None:
    own = os.sched_getaffinity(0)
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    loop_rate(TESTS["UDP_RR"], complete("UDP_RR"))
    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == before
    assert os.sched_getaffinity(0) == own


def test_requests_in_flight_at_once_raise_it() -> None:
    one, many = (loop_rate(TESTS["TCP_RR"], complete("TCP_RR", burst=burst)) for burst in (0, 16))
    assert many > 1.2 * one
