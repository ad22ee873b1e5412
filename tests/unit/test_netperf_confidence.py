"""netperf's own rule of when iterations are enough."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.peers.netperf import options
from pathgauge.peers.netperf.confidence import goes_on, judge, width
from pathgauge.peers.netperf.record import Confidence
from pathgauge.peers.netperf.settings import Settings

# Student's t, two-sided, for 1 to 30 degrees of freedom.
TABLE = {
    95: (
        *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
        *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
        *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
    ),
    99: (
        *(63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169),
        *(3.106, 3.055, 3.012, 2.977, 2.947, 2.921, 2.898, 2.878, 2.861, 2.845),
        *(2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756, 2.750),
    ),
}


def by_the_book(values: Sequence[float], level: int) -> float:
    """netperf's width: from the mean of the squares, as it is defined."""
    count = len(values)
    mean = math.fsum(values) / count
    variance = max(0.0, math.fsum(value**2 for value in values) / count - mean**2)
    return 2 * TABLE[level][count - 2] * math.sqrt(variance / (count - 1)) / mean


def iterations(words: str, throughputs: Sequence[float], cpu: Sequence[float] | None = None) -> Confidence:
    """How a run ends whose iterations find these values one after the other; the last one for all further ones."""
    settings = options.parse(words.split())
    rates, uses = list(throughputs), [-1.0] if cpu is None else list(cpu)
    done = 0
    while True:
        done += 1
        rates, uses = [*rates, rates[-1]], [*uses, uses[-1]]
        found = judge(settings, rates[:done], uses[:done], [-1.0] * done)
        if not goes_on(settings, found):
            return found


@pytest.mark.parametrize("level", [95, 99])
@pytest.mark.parametrize("degrees", range(1, 31))
def test_students_t_is_that_of_the_table_to_its_last_digit(level: int, degrees: int) -> None:
    values = [1.0] * degrees + [1.0 + 1e-3]
    alone = width(values, level) / by_the_book(values, level) * TABLE[level][degrees - 1]
    assert alone == pytest.approx(TABLE[level][degrees - 1], abs=1e-4)


@given(st.lists(st.floats(min_value=0.5, max_value=2.0), min_size=2, max_size=30), st.sampled_from([95, 99]))
def test_a_width_is_netperfs(values: list[float], level: int) -> None:
    assert width(values, level) == pytest.approx(by_the_book(values, level), rel=1e-6, abs=1e-6)


def test_what_is_not_measured_has_no_width() -> None:
    assert width([-1.0] * 5, 99) == 0.0
    assert width([3.0], 99) == 0.0


STEADY, WILD = [100.0], [100.0, 200.0] * 20


@pytest.mark.parametrize(
    ("words", "steady", "wild"),
    [
        ("", 1, 1),
        ("-i 30,3", 3, 30),
        ("-i 30,1", 3, 30),
        ("-i 1", 3, 3),
        ("-i 5", 5, 5),
        ("-i 10,", 3, 10),
        ("-i ,4", 4, 4),
        ("-i 4,9", 9, 9),
        ("-i 99,1", 3, 30),
        ("-I 95", 3, 10),
        ("-I 99,10 -i 20,5", 5, 20),
        ("-t UDP_RR -i 6,4", 4, 6),
        ("-t TCP_SENDFILE -i 6,4", 4, 5),
        ("-t TCP_CC -i 6,4", 1, 1),
        ("-t TCP_MSS -i 6,4", 1, 1),
    ],
)
def test_how_many_iterations_there_are(words: str, steady: int, wild: int) -> None:
    calm, rough = iterations(words, STEADY), iterations(words, WILD)
    assert (calm.iterations, rough.iterations) == (steady, wild)
    assert calm.reached
    assert rough.reached is (wild == 1), "with one iteration there is nothing to warn of"


def test_it_ends_as_soon_as_the_width_is_reached() -> None:
    """The first two values differ, and take some more alike to make up for it."""
    values = [100.0, 101.0] + [100.5] * 20
    enough = next(count for count in range(3, 20) if by_the_book(values[:count], 99) <= 0.02)
    found = iterations("-i 30,3 -I 99,2", values)
    assert (found.iterations, found.reached) == (enough, True)
    assert found.throughput <= 0.02


def test_cpu_counts_unless_only_the_result_is_asked_for() -> None:
    assert not iterations("-c -i 6,3", STEADY, WILD).reached
    assert iterations("-c -i 6,3", STEADY, WILD).iterations == 6
    assert iterations("-c -r -i 6,3", STEADY, WILD).iterations == 3
    assert iterations("-c -r -i 6,3", STEADY, WILD).reached


def test_a_run_that_is_broken_off_after_one_iteration_has_reached_nothing() -> None:
    assert not judge(Settings(iterations_min=3, iterations_max=10), STEADY, [-1.0], [-1.0]).reached
    assert judge(Settings(), STEADY, [-1.0], [-1.0]).reached
