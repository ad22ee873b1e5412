"""Real noise, recorded: the same path against itself, on a quiet machine and on a busy one, judged again and again.

data/noise.csv has the log-ratios of blocks in the order of time (`python -m benchmarks.noise` made it). From it come
2,000 sequences by the stationary bootstrap (Politis and Romano, 1994): pieces of random length, 50 blocks in the mean,
that keep the order they were recorded in, one behind the other. Which of two equal paths is called the candidate is
arbitrary, so each sequence draws it by lot. Each is judged after every block until a verdict.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterator
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
PIECE = 50  # blocks of a piece, in the mean
EFFECT = math.log(0.95)
STEADY = 0.06  # the spread of a block below which 5 % can be told in so many blocks as are recorded


def read() -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    with FILE.open(newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["series"]].append(float(row["log_ratio"]))
    return dict(found)


SERIES = read()


def pieces(name: str, count: int) -> Values:
    """Shape (count, LENGTH)."""
    recorded = np.array(SERIES[name])
    generator = np.random.default_rng([SEED, list(SERIES).index(name)])
    place = generator.integers(0, len(recorded), count)
    places = np.empty((count, LENGTH), dtype=np.int64)
    for block in range(LENGTH):
        places[:, block] = place
        fresh = generator.random(count) < 1 / PIECE
        place = np.where(fresh, generator.integers(0, len(recorded), count), (place + 1) % len(recorded))
    return np.asarray(generator.choice([-1.0, 1.0], (count, 1)) * recorded[places], dtype=np.float64)


def every(truth: float, *, steady: bool = False) -> Iterator[tuple[str, int, Ended]]:
    chosen = [name for name, values in SERIES.items() if not steady or spread(values) < STEADY]
    for name in chosen:
        count = math.ceil(SEQUENCES / len(chosen))
        yield name, count, run(pieces(name, count), truth)


def spread(values: list[float]) -> float:
    """A standard deviation that outliers do not move."""
    return 1.4826 * float(np.median(np.abs(np.array(values) - np.median(values))))


def test_enough_is_recorded() -> None:
    assert sum(map(len, SERIES.values())) >= 5000
    assert any(name.endswith("quiet") for name in SERIES)
    assert any(name.endswith("bursts") for name in SERIES)


def test_nothing_is_claimed_where_there_is_nothing() -> None:
    claims = trials = missed = 0.0
    for _, count, ended in every(0.0):
        claims += count * (ended.slower + ended.faster)
        missed += count * (1 - ended.covered)
        trials += count
    assert trials >= SEQUENCES
    assert bounds(round(claims), round(trials), 0.9)[1] <= ALPHA
    assert missed / trials <= ALPHA + 0.01


def test_what_is_put_in_is_found() -> None:
    found = trials = wrong = 0.0
    for _, count, ended in every(EFFECT, steady=True):
        found += count * ended.slower
        wrong += count * (ended.faster + ended.equivalent)
        trials += count
    assert trials >= SEQUENCES
    assert found / trials >= 0.95
    assert wrong == pytest.approx(0.0, abs=0.01 * trials)


def test_the_same_difference_on_a_wild_machine_is_never_called_the_opposite() -> None:
    for name, _, ended in every(EFFECT):
        assert ended.faster + ended.equivalent <= 0.01, name
