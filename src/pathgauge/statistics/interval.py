"""Intervals for ratios, from blocks. The one place that decides how wide an interval is.

Everything happens on the log scale, so that swapping the two paths turns r into 1/r and nothing else. A run looks at
its data after every block and stops when they say enough, so the intervals are confidence sequences (sequence.py),
which hold at all looks together. Where the number of blocks is fixed beforehand and looked at once, Student's t is
sharper: `fixed`. Quantiles of latency (quantile.py) are told by the same widths.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pathgauge.statistics.sequence import half_width

MINIMUM_BLOCKS = 5
MOST_BLOCKS = 100_000
UNSEEN = 0.8  # over sqrt(blocks): a correlation that so many blocks cannot show, and that is reckoned with
MOST_CORRELATION = 0.9
ROUNDING = 1e-10  # a spread of logarithms below this is the arithmetic's, and no measurement's
LARGEST_LOG = 700.0  # of a number that a float can hold


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval, on the natural scale, at a confidence between 0 and 1."""

    estimate: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no interval is given."""

    reason: str


def student(confidence: float, degrees: int) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy ships no types

    return float(stdtrit(degrees, 0.5 + confidence / 2.0))


def spread_at(count: int, confidence: float, *, fixed: bool) -> float:
    """The half-width of a mean's interval from so many values, for a sum of squared deviations of 1."""
    if fixed:
        return student(confidence, count - 1) / math.sqrt(count * (count - 1))
    return half_width(count, confidence)


def lag_one(values: Sequence[float]) -> float:
    """The correlation of each value with the next one, -1 to 1; 0 where all are equal."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    products = math.fsum((one - mean) * (two - mean) for one, two in pairwise(values))
    return products / squares if squares > 0.0 else 0.0


def widening(correlation: float, count: int) -> float:
    """By how much values that follow each other may make an interval too narrow; 1 or more.

    The mean of so many values of an AR(1) series varies like that of count x (1 - r) / (1 + r) independent ones. The
    correlation of few values comes out too small by about (1 + 4 r) / count, which is put back; and few values show
    none where there is one, so that one is reckoned with which shrinks as they become more.
    """
    likely = correlation + (1.0 + 4.0 * correlation) / count
    most = min(MOST_CORRELATION, likely + UNSEEN / math.sqrt(count))
    return math.sqrt((1.0 + most) / (1.0 - most)) if most > 0.0 else 1.0


def of_logs(
    logs: Sequence[float], confidence: float, *, fixed: bool = False, independent: bool = False
) -> Interval | Refusal:
    """The interval of exp(mean) from values on the log scale, one a block, in the order of time.

    `fixed` says that their number was fixed beforehand, `independent` that they cannot follow each other.
    """
    count = len(logs)
    if count < MINIMUM_BLOCKS:
        return Refusal(f"too few valid blocks: {count}, and fewer than {MINIMUM_BLOCKS} say nothing")
    if not all(math.isfinite(value) for value in logs):
        return Refusal("a block has a value that is no number")
    mean = math.fsum(logs) / count
    squares = math.fsum((value - mean) ** 2 for value in logs)
    if squares <= count * ROUNDING**2:
        return Refusal("all blocks gave exactly the same value, which no measurement does")
    half = spread_at(count, confidence, fixed=fixed) * math.sqrt(squares)
    if not independent:
        half *= widening(lag_one(logs), count)
    if abs(mean) + half > LARGEST_LOG:
        return Refusal(f"{count} blocks cannot exclude anything at this confidence")
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half), confidence)


def of_blocks(
    baseline: Sequence[float],
    candidate: Sequence[float],
    confidence: float,
    *,
    fixed: bool = False,
    independent: bool = False,
) -> Interval | Refusal:
    """The ratio candidate / baseline from the values of each block, paired; the rest as in `of_logs`.

    Raises ValueError where one path has more blocks than the other.
    """
    pairs = list(zip(baseline, candidate, strict=True))
    if any(before <= 0.0 or after <= 0.0 for before, after in pairs):
        return Refusal("a block measured 0, and a ratio with 0 says nothing")
    logs = [math.log(after) - math.log(before) for before, after in pairs]
    return of_logs(logs, confidence, fixed=fixed, independent=independent)


def blocks_needed(count: int, half: float, target: float, confidence: float) -> int | None:
    """How many blocks make a half-width of `half` at `count` blocks, on the log scale, one of `target`, if their spread
    stays what it is. None where more than MOST_BLOCKS would be needed.
    """
    one = half / (half_width(count, confidence) * math.sqrt(count - 1))  # the spread of a block
    needed = count
    while one * half_width(needed, confidence) * math.sqrt(needed - 1) > target:
        needed = max(needed + 1, math.ceil(1.1 * needed))
        if needed > MOST_BLOCKS:
            return None
    return needed


Terms = Sequence[tuple[float, float]]


def of_sums(
    baseline: Terms | None,
    candidate: Terms,
    confidence: float,
    *,
    fixed: bool = False,
    independent: bool = False,
) -> Interval | Refusal:
    """The ratio of two metrics that are each a ratio of sums over all blocks, by the jackknife over blocks.

    The terms are (numerator, denominator), a pair a block. Without a baseline it is the candidate's value itself.
    Raises ValueError where one path has more blocks than the other.
    """
    count = len(candidate)
    if count < MINIMUM_BLOCKS:
        return Refusal(f"too few valid blocks: {count}, and fewer than {MINIMUM_BLOCKS} say nothing")
    columns = [[pair[0] for pair in candidate], [pair[1] for pair in candidate]]
    signs = [1.0, -1.0]
    if baseline is not None:
        if len(baseline) != count:
            raise ValueError(f"the paths have {len(baseline)} and {count} blocks")
        columns += [[pair[0] for pair in baseline], [pair[1] for pair in baseline]]
        signs += [-1.0, 1.0]
    if not all(math.isfinite(value) for column in columns for value in column):
        return Refusal("a block has a value that is no number")
    sums = [math.fsum(column) for column in columns]
    whole = _log_of_product(sums, signs)
    without = [
        _log_of_product([total - column[i] for total, column in zip(sums, columns, strict=True)], signs)
        for i in range(count)
    ]
    if whole is None or any(part is None for part in without):
        return Refusal("too little was counted for a ratio: a sum is 0")
    pseudo = [count * whole - (count - 1) * part for part in without if part is not None]
    away = whole - math.fsum(pseudo) / count  # the plain ratio, which readers can check, is put at the centre
    return of_logs([value + away for value in pseudo], confidence, fixed=fixed, independent=independent)


def _log_of_product(values: Sequence[float], signs: Sequence[float]) -> float | None:
    if any(value <= 0.0 for value in values):
        return None
    return math.fsum(sign * math.log(value) for value, sign in zip(values, signs, strict=True))
