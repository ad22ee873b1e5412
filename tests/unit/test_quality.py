"""What speaks against a verdict: seen where it is, and not where it is not."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.statistics.quality import LEAST_BLOCKS, ceiling, doubts

SEED = 20070709


def noise(count: int, seed: int = SEED, spread: float = 0.02) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(0.0, spread) for _ in range(count)]


def turns(count: int) -> list[bool]:
    return [place % 2 == 0 for place in range(count)]


def names(logs: list[float], first: list[bool] | None = None) -> set[str]:
    return {doubt.name for doubt in doubts(logs, turns(len(logs)) if first is None else first)}


def test_clean_noise_raises_no_doubt() -> None:
    raised = [name for seed in range(1000) for name in names(noise(40, seed))]
    assert len(raised) <= 3


def test_a_trend_undermines() -> None:
    logs = [value + 0.005 * place for place, value in enumerate(noise(40, spread=0.001))]
    (found,) = (doubt for doubt in doubts(logs, turns(40)) if doubt.name == "trend")
    assert found.undermines
    assert "+21 %" in found.evidence, "five thousandths of a logarithm in each of 39 steps"


def test_an_order_effect_undermines() -> None:
    logs = [value + (0.05 if leads else 0.0) for value, leads in zip(noise(40, spread=0.001), turns(40), strict=True)]
    (found,) = (doubt for doubt in doubts(logs, turns(40)) if doubt.name == "order-effect")
    assert found.undermines
    assert "+5.1 %" in found.evidence


def test_dependence_is_told() -> None:
    logs = noise(60)
    for place in range(1, len(logs)):
        logs[place] += 0.9 * logs[place - 1]
    assert "autocorrelation" in names(logs)


def test_many_outliers_are_told_and_single_ones_are_not() -> None:
    logs = noise(40)
    logs[7] = 1.0
    assert "outliers" not in names(logs)
    logs[::8] = [1.0, -1.0, 1.0, -1.0, 1.0]
    assert "outliers" in names(logs)


def test_few_blocks_and_no_numbers_show_nothing() -> None:
    assert names([0.1 * place for place in range(LEAST_BLOCKS - 1)]) == set()
    assert names([math.nan] * 20) == set()
    assert names([0.0] * 20) == set()


@given(st.lists(st.floats(min_value=-1, max_value=1), min_size=LEAST_BLOCKS, max_size=40))
def test_swapping_the_paths_changes_no_doubt(logs: list[float]) -> None:
    there, back = names(logs), names([-value for value in logs])
    assert there == back


@pytest.mark.parametrize(
    ("shares", "full"), [([0.99, 0.985], True), ([0.99, 0.9], False), ([0.99], False), ([], False)]
)
def test_a_ceiling(shares: list[float], full: bool) -> None:
    assert (ceiling(shares) is not None) is full
