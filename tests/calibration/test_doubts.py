"""Doubts against noise of known kinds: clean noise hardly ever sets one off, and what they look for does."""

import random
from collections import Counter

import numpy as np

from pathgauge.statistics.quality import LEAST_BLOCKS, doubts, steal, void
from tests.calibration.models import MODELS, Values, autocorrelated

SEED = 20070709
MOST_BLOCKS = 120
RUNS = 250  # of each number of blocks
SEEN_BY_CHANCE = 0.001
PLANTED = 200


def share_with_period(values: Values, first: list[list[bool]]) -> float:
    found = (doubts(row.tolist(), leads) for row, leads in zip(values, first, strict=True))
    return sum("period" in {doubt.name for doubt in every} for every in found) / len(values)


def test_clean_noise_sets_off_each_doubt_less_than_once_in_a_thousand_runs() -> None:
    generator, seen = random.Random(SEED), Counter[str]()
    numbers = range(LEAST_BLOCKS, MOST_BLOCKS + 1)
    for blocks in numbers:
        for _ in range(RUNS):
            logs = [generator.gauss(0.0, 0.02) for _ in range(blocks)]
            first = [generator.random() < 0.5 for _ in range(blocks)]
            stolen = [0.0] * blocks
            found = [*doubts(logs, first, 0.2, stolen), steal(stolen), void(blocks, [])]
            seen.update(doubt.name for doubt in found if doubt is not None)
    assert max(seen.values(), default=0) < SEEN_BY_CHANCE * RUNS * len(numbers), seen


def test_a_period_is_found_in_most_runs_whatever_its_length() -> None:
    generator = np.random.default_rng(SEED)
    for period in (2.3, 3.71, 7.7, 14.9):
        phase = generator.random((PLANTED, 1))
        wave = 2.0 * np.sin(2 * np.pi * (np.arange(60)[None, :] / period + phase))
        first = generator.random((PLANTED, 60)) < 0.5
        for load in (wave, np.where(first, wave, -wave)):
            noise = MODELS["normal"](generator, PLANTED, 60)
            assert share_with_period(noise + load, first.tolist()) > 0.95


def test_what_the_interval_cannot_cover_is_refused() -> None:
    """Blocks that follow each other by 0.8 are not covered (test_verdicts.py): the doubt takes their verdicts away."""
    noise = autocorrelated(np.random.default_rng(SEED), PLANTED, 60, 0.8)
    found = [[doubt for doubt in doubts(row.tolist(), [True, False] * 30) if doubt.undermines] for row in noise]
    assert sum("autocorrelation" in {doubt.name for doubt in every} for every in found) > 0.9 * PLANTED


def test_other_disturbances_are_seldom_taken_for_a_period() -> None:
    generator = np.random.default_rng(SEED)
    for name in ("heavy_tailed", "spikes", "connections", "autocorrelated"):
        first = generator.random((PLANTED, 60)) < 0.5
        assert share_with_period(MODELS[name](generator, PLANTED, 60), first.tolist()) <= 0.05
