"""Simulated runs that look after every block and stop at the first verdict.

4,000 runs for each model with a fixed seed, so that nothing here flickers.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from pathgauge.statistics.interval import MINIMUM_BLOCKS, Interval, of_logs, widening
from pathgauge.statistics.sequence import half_width
from pathgauge.statistics.verdict import decide
from tests.calibration.models import MODELS, Values

RUNS = 4000
BLOCKS = 120
MARGIN = 0.02
ALPHA = 0.05
SEED = 20070709
LEAST_COVERAGE = 0.94


@dataclass(frozen=True)
class Ended:
    """Shares of the runs: whose interval held the truth at the stop, and what was said. `blocks` is the median."""

    covered: float
    slower: float
    faster: float
    equivalent: float
    undecided: float
    blocks: float


def run(values: Values, truth: float) -> Ended:
    """All runs at once, by the same widths and the same rule as the product's (see the test that compares them)."""
    data = values + truth
    runs, blocks = data.shape
    edge = math.log1p(MARGIN)
    first, second = np.cumsum(data, axis=1), np.cumsum(data**2, axis=1)
    products = np.cumsum(data[:, 1:] * data[:, :-1], axis=1)
    said = np.full(runs, "undecided", dtype=object)
    covered, stopped = np.zeros(runs, dtype=bool), np.full(runs, blocks)
    for count in range(MINIMUM_BLOCKS, blocks + 1):
        open_runs = said == "undecided"
        mean = first[:, count - 1] / count
        squares = second[:, count - 1] - count * mean**2
        around = 2 * first[:, count - 1] - data[:, 0] - data[:, count - 1]
        correlation = (products[:, count - 2] - mean * around + (count - 1) * mean**2) / squares
        wider = np.array([widening(each, count) for each in correlation.tolist()])
        half = half_width(count, 1 - ALPHA) * np.sqrt(np.maximum(squares, 0.0)) * wider
        low, high = mean - half, mean + half
        verdict = np.where(low > edge, "faster", np.where(high < -edge, "slower", "undecided"))
        verdict = np.where((low > -edge) & (high < edge), "equivalent", verdict)
        covered = np.where(open_runs, (low <= truth) & (truth <= high), covered)
        stopped = np.where(open_runs & (verdict != "undecided"), count, stopped)
        said = np.where(open_runs, verdict, said)
    shares = {name: float(np.mean(said == name)) for name in ("slower", "faster", "equivalent", "undecided")}
    return Ended(covered=float(covered.mean()), blocks=float(np.median(stopped)), **shares)


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("name", list(MODELS))
def test_verdicts_are_right_as_often_as_promised(name: str, spread: float) -> None:
    generator = np.random.default_rng([SEED, len(name), round(1000 * spread)])
    noise = spread * MODELS[name](generator, RUNS, BLOCKS)
    same = run(noise, 0.0)
    assert same.covered >= LEAST_COVERAGE
    assert same.slower + same.faster <= ALPHA
    other = run(noise, 2 * math.log1p(MARGIN))
    assert other.covered >= LEAST_COVERAGE
    assert other.equivalent <= ALPHA
    assert other.slower <= 0.001


def test_a_true_difference_inside_the_margin_is_never_called_one() -> None:
    generator = np.random.default_rng(SEED)
    found = run(0.01 * MODELS["normal"](generator, RUNS, BLOCKS), math.log1p(MARGIN / 2))
    assert found.slower + found.faster <= 0.001
    assert found.equivalent > 0.99


def test_the_rule_here_is_the_products_rule() -> None:
    generator = np.random.default_rng(SEED)
    values = 0.02 * MODELS["normal"](generator, 40, 60)
    for row in values:
        count, verdict = MINIMUM_BLOCKS, "undecided"
        while verdict == "undecided" and count <= len(row):
            found = of_logs(row[:count].tolist(), 1 - ALPHA)
            assert isinstance(found, Interval)
            verdict, _ = decide(found, MARGIN, "higher")
            count += 1
        alone = run(row[None, :], 0.0)
        assert getattr(alone, verdict) == 1.0
        assert alone.blocks == min(count - 1, len(row))
