"""What a knob does to a gap: the interaction, its share, the jackknife; and that the intervals hold."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.statistics.interaction import Span, pseudo_values, share, span, spent

SEED = 7
RUNS, BLOCKS = 400, 20


def noise(count: int, mean: float, spread: float, seed: int = SEED) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(mean, spread) for _ in range(count)]


def test_the_interval_lies_around_the_mean() -> None:
    found = span(noise(30, 0.5, 0.1), 0.99)
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(0.5, abs=0.1)
    assert found.above(0.0)
    assert not found.below(0.55)


def test_few_blocks_say_nothing() -> None:
    assert span([1.0, 1.1, 0.9, 1.0], 0.99) == Span(1.0, -math.inf, math.inf)
    assert span([1.0, 1.1, math.nan, 1.0, 1.0, 1.0], 0.99).low == -math.inf


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_the_share_holds_the_truth(part: float) -> None:
    missed = 0
    for run in range(RUNS):
        generator = np.random.default_rng([SEED, run])
        gap = generator.normal(0.5, 0.15, BLOCKS)
        closed = part * 0.5 + generator.normal(0.0, 0.2, BLOCKS)
        found = share(closed.tolist(), gap.tolist(), 0.95)
        missed += not found.low <= part <= found.high
    assert missed <= 0.05 * RUNS + 4 * math.sqrt(0.05 * 0.95 * RUNS)


def test_a_gap_that_may_be_none_has_no_parts() -> None:
    found = share(noise(20, 0.1, 0.1), noise(20, 0.0, 0.1, seed=8), 0.99)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert math.isnan(share([], [], 0.99).estimate)


def test_the_share_of_all_of_it_is_one() -> None:
    gap = noise(20, 0.5, 0.05)
    found = share(gap, gap, 0.99)
    assert found.estimate == pytest.approx(1.0)
    assert found.low <= 1.0 <= found.high


@given(st.lists(st.tuples(st.floats(0.1, 1e6), st.floats(0.1, 1e6)), min_size=2, max_size=30))
def test_pseudo_values_of_equal_denominators_mean_the_whole(terms: list[tuple[float, float]]) -> None:
    found = pseudo_values([(top, 1.0) for top, _ in terms])
    assert found is not None
    assert len(found) == len(terms)
    assert all(map(math.isfinite, found))


@given(st.lists(st.floats(0.5, 2.0), min_size=5, max_size=30), st.floats(0.01, 100.0))
def test_a_unit_moves_all_pseudo_values_alike(tops: list[float], unit: float) -> None:
    one = pseudo_values([(top, 1.0) for top in tops])
    other = pseudo_values([(unit * top, 1.0) for top in tops])
    assert one is not None
    assert other is not None
    assert [b - a for a, b in zip(one, other, strict=True)] == pytest.approx([math.log(unit)] * len(tops), abs=1e-6)


def test_what_cannot_be_told_is_not() -> None:
    assert pseudo_values([(1.0, 1.0)]) is None
    assert pseudo_values([(0.0, 1.0), (0.0, 1.0)]) is None
    assert pseudo_values([(1.0, 0.0), (1.0, 0.0)]) is None
    floored = pseudo_values([(0.0, 1.0), (0.0, 1.0)], floor=0.5)
    assert floored == pytest.approx([math.log(0.25) - math.log(2)] * 2, abs=1.0)


def test_all_experiments_together_keep_the_error() -> None:
    each = [1.0 - spent(number, 0.99) for number in range(1, 10_000)]
    assert math.fsum(each) <= 0.01
    assert each == sorted(each, reverse=True)
