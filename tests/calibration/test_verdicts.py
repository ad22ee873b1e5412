"""Simulated runs that look after every block and stop at the first verdict.

4,000 runs for each model with a fixed seed, so that nothing here flickers.
"""

import math

import numpy as np
import pytest

from pathgauge.statistics.interval import MINIMUM_BLOCKS, Interval, of_logs
from pathgauge.statistics.verdict import decide
from tests.calibration.models import MODELS
from tests.calibration.simulate import ALPHA, MARGIN, run

RUNS = 4000
BLOCKS = 120
SEED = 20070709
LEAST_COVERAGE = 0.94


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05, 0.1, 0.2])
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
    assert other.slower <= (0.001 if spread <= 0.05 else 0.01)


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
