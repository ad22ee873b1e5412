"""Intervals of latency quantiles, against latencies whose quantiles are known. The seeds are fixed.

Each model is drawn as 120 runs of two paths, of up to 40 blocks of 300 to 2,000 transactions, looked at five times as
they grow; p99.9 is refused until ten transactions can lie beyond it, which is at the last look in one model and at the
first in another. Asked of p50, p90, p99 and p99.9 in each model: that all intervals of a run hold the true ratio in at
least 94 % of the runs, and that two paths that are alike are called slower or faster at any look in at most 5 %.

Covered: independent transactions; blocks that shift, on each path, on both alike, or following each other (AR(1), 0.5);
1 % of the transactions 20 times as slow, which puts p99 into a gap where no latencies are, in a share that differs from
block to block, up to bursts in few of them; blocks that something makes 3 times as slow as a whole; distributions of
another shape on either path.

Not covered, as nothing is that was not seen: what hits few blocks as a whole, on one path alone. Where one of 20 blocks
of the candidate is 3 times as slow and none of the baseline, half of the runs of 12 blocks have an interval of p99 that
misses the truth, as none of those blocks was among them. Nor are blocks that follow each other by much more than 0.5:
by 0.8, one run in six has an interval of p50 that misses at one of its looks; one in 20 is called slower or faster.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from pathgauge.statistics.interval import Interval, Refusal
from pathgauge.statistics.quantile import of_histograms
from pathgauge.statistics.verdict import decide
from tests.calibration.models import Values, autocorrelated, floats

SEED = 20070709
RUNS = 120
LOOKS = (5, 8, 13, 22, 40)
QUANTILES = (0.5, 0.9, 0.99, 0.999)
LEAST_COVERAGE = 0.94
ALPHA = 0.05
LOWEST, STEP, PLACES = -2.5, 0.01, 850  # of the histograms, on the log scale
VALUES = np.exp(LOWEST + STEP * (np.arange(PLACES) + 0.5))


@dataclass(frozen=True)
class Model:
    """What a run is drawn from: lognormal latencies with a spread for each path, and what disturbs a block."""

    transactions: int = 1000
    spreads: tuple[float, float] = (0.3, 0.3)  # of a transaction on either path, on the log scale
    shift: float = 0.0  # the spread of what moves a block as a whole, on the log scale
    follows: float = 0.0  # the correlation of that with the block before
    slow: float = 0.0  # share of the transactions that take 20 times as long
    clumped: float = 0.5  # that share's variance between blocks, over the square of its mean
    hit: float = 0.0  # share of the blocks that take 3 times as long
    shared: bool = False  # what disturbs one path disturbs the other

    def truth(self, quantile: float) -> float:
        """The logarithm of the true ratio."""
        from scipy.special import ndtri  # type: ignore[import-untyped]  # scipy ships no types

        return (self.spreads[1] - self.spreads[0]) * float(ndtri(quantile))

    def run(self, generator: np.random.Generator) -> list[Values]:
        """Both paths' histograms, each of shape (blocks, places)."""
        disturbed = self._disturbed(generator)
        return [
            self._path(generator, spread, *(disturbed if self.shared else self._disturbed(generator)))
            for spread in self.spreads
        ]

    def _disturbed(self, generator: np.random.Generator) -> tuple[Values, Values]:
        """Each block's shift, and its share of slow transactions."""
        blocks = LOOKS[-1]
        shift = self.shift * autocorrelated(generator, 1, blocks, self.follows)[0]
        shift = shift + math.log(3.0) * (generator.random(blocks) < self.hit)
        slow = generator.gamma(1.0 / self.clumped, self.slow * self.clumped, blocks)
        return floats(shift), floats(np.minimum(slow, 1.0))

    def _path(self, generator: np.random.Generator, spread: float, shift: Values, slow: Values) -> Values:
        """A block's transactions become fewer as they take longer, as between two ends that wait for each other."""
        counts = (self.transactions * np.exp(-shift) * generator.uniform(0.9, 1.1, len(shift))).astype(int)
        block = np.repeat(np.arange(len(shift)), counts)
        logs = spread * generator.standard_normal(len(block)) + shift[block]
        logs = logs + math.log(20.0) * (generator.random(len(block)) < slow[block])
        places = np.clip((logs - LOWEST) / STEP, 0, PLACES - 1).astype(int)
        return floats(np.bincount(block * PLACES + places, minlength=len(shift) * PLACES).reshape(-1, PLACES))


MODELS = {
    "few transactions": Model(300),
    "many transactions": Model(2000),
    "shifted": Model(shift=0.1),
    "shifted alike": Model(shift=0.2, shared=True),
    "following": Model(500, shift=0.1, follows=0.5),
    "slow tail": Model(slow=0.01),
    "slow tail in bursts": Model(slow=0.01, clumped=3.0),
    "bursts on both": Model(slow=0.01, clumped=3.0, shared=True),
    "blocks hit": Model(hit=0.05),
    "another shape": Model(500, spreads=(0.2, 0.6)),
}


def judged(
    paths: Sequence[Values], blocks: slice, quantile: float, *, fixed: bool = False, independent: bool = False
) -> Interval | Refusal:
    before, after = (path[blocks] for path in paths)
    return of_histograms(before, after, VALUES, quantile, 1.0 - ALPHA, fixed=fixed, independent=independent)


def holds(found: Interval, truth: float) -> bool:
    return math.log(found.low) <= truth <= math.log(found.high)


def claims(found: Interval, quantile: float) -> bool:
    return decide(found, 0.05 if quantile == 0.5 else 0.10, "lower")[0] in {"slower", "faster"}


@pytest.mark.parametrize("name", list(MODELS))
def test_intervals_hold_at_all_looks_together(name: str) -> None:
    model, generator = MODELS[name], np.random.default_rng([SEED, *name.encode()])
    told, held, claimed = (dict.fromkeys(QUANTILES, 0) for _ in range(3))
    for _ in range(RUNS):
        paths = model.run(generator)
        for quantile in QUANTILES:
            looks = [judged(paths, slice(count), quantile) for count in LOOKS]
            intervals = [found for found in looks if isinstance(found, Interval)]
            told[quantile] += bool(intervals)
            held[quantile] += bool(intervals) and all(holds(found, model.truth(quantile)) for found in intervals)
            claimed[quantile] += any(claims(found, quantile) for found in intervals)
    for quantile in QUANTILES:
        assert told[quantile] >= 0.9 * RUNS
        assert held[quantile] >= LEAST_COVERAGE * told[quantile], quantile
        assert model.truth(quantile) != 0.0 or claimed[quantile] <= ALPHA * told[quantile], quantile


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if not model.follows])
def test_one_look_at_independent_blocks_is_as_sharp_as_promised(name: str) -> None:
    """Student's interval alone, without the widening for blocks that may follow each other: ten blocks, four times a
    run. It misses no more often than the promised 5 % and what so few runs can be off by chance, three deviations.
    """
    model, generator = MODELS[name], np.random.default_rng([SEED, *name.encode()])
    told, missed = (dict.fromkeys(QUANTILES, 0) for _ in range(2))
    for _ in range(RUNS // 2):
        paths = model.run(generator)
        for quantile in QUANTILES:
            for start in range(0, LOOKS[-1], 10):
                found = judged(paths, slice(start, start + 10), quantile, fixed=True, independent=True)
                told[quantile] += isinstance(found, Interval)
                missed[quantile] += isinstance(found, Interval) and not holds(found, model.truth(quantile))
    for quantile in QUANTILES:
        most = ALPHA * told[quantile] + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) * told[quantile])
        assert missed[quantile] <= most, quantile
