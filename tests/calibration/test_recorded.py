"""Real noise, recorded: the same path against itself, on a quiet machine and on a busy one, judged again and again.

data/noise.csv has the log-ratios of blocks in the order of time (`python -m benchmarks.noise` made it). From it come
2,000 sequences by the stationary bootstrap (Politis and Romano, 1994): pieces of random length, 50 blocks in the mean,
that keep the order they were recorded in, one behind the other. Each is judged after every block until a verdict.

Which of two equal paths is called the candidate is arbitrary, so it is drawn by lot: once for a short sequence, which
leaves in it what one path happened to have over the other while it was recorded; for each piece of a long one, where
that accident (up to 2 % in the mean of a series) would be repeated time and again and become a difference.
"""

import csv
import math
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pathgauge.statistics.proportion import bounds
from tests.calibration.models import Values
from tests.calibration.simulate import ALPHA, Ended, run

FILE = Path(__file__).parent / "data/noise.csv"
SEED = 20070709
SEQUENCES = 2000
LENGTH = 300
LONG = 2500  # ten minutes and more on an unshaped wire
PIECE = 50  # blocks of a piece, in the mean
EFFECT = math.log(0.95)


def read() -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    with FILE.open(newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["series"]].append(float(row["log_ratio"]))
    return dict(found)


SERIES = read()


def pieces(name: str, count: int, length: int) -> Values:
    """Shape (count, length)."""
    recorded = np.array(SERIES[name])
    generator = np.random.default_rng([SEED, list(SERIES).index(name)])
    place = generator.integers(0, len(recorded), count)
    sign = generator.choice([-1.0, 1.0], count)
    found = np.empty((count, length))
    for block in range(length):
        found[:, block] = sign * recorded[place]
        fresh = generator.random(count) < 1 / PIECE
        place = np.where(fresh, generator.integers(0, len(recorded), count), (place + 1) % len(recorded))
        if length == LONG:
            sign = np.where(fresh, generator.choice([-1.0, 1.0], count), sign)
    return found


@cache
def every(truth: float, length: int = LENGTH) -> tuple[tuple[str, int, Ended], ...]:
    count = math.ceil(SEQUENCES / len(SERIES))
    return tuple((name, count, run(pieces(name, count, length), truth)) for name in SERIES)


def test_enough_is_recorded() -> None:
    assert sum(map(len, SERIES.values())) >= 5000
    assert any(name.endswith("quiet") for name in SERIES)
    assert any(name.endswith("bursts") for name in SERIES)


@pytest.mark.parametrize("length", [LENGTH, LONG])
def test_nothing_is_claimed_where_there_is_nothing(length: int) -> None:
    claims = trials = missed = 0.0
    for _, count, ended in every(0.0, length):
        claims += count * (ended.slower + ended.faster)
        missed += count * (1 - ended.covered)
        trials += count
    print(f"{length} blocks: {claims:.0f} claims, {missed:.0f} intervals that missed zero, of {trials:.0f}")
    assert trials >= SEQUENCES
    assert bounds(round(claims), round(trials), 0.9)[1] <= ALPHA
    assert missed / trials <= ALPHA + 0.01


def test_what_is_put_in_is_found() -> None:
    found = trials = wrong = 0.0
    for name, count, ended in every(EFFECT, LONG):
        print(f"{name}: slower in {100 * ended.slower:.0f} %, after {ended.blocks:.0f} blocks (median)")
        assert ended.slower >= 0.85, name
        found += count * ended.slower
        wrong += count * (ended.faster + ended.equivalent)
        trials += count
    print(f"all: slower in {found:.0f} of {trials:.0f}")
    assert trials >= SEQUENCES
    assert found / trials >= 0.95
    assert wrong == pytest.approx(0.0, abs=0.01 * trials)


def test_the_same_difference_is_never_called_the_opposite_early() -> None:
    for name, _, ended in every(EFFECT):
        assert ended.faster + ended.equivalent <= 0.01, name
