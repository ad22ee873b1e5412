"""Intervals for ratios, from blocks. The one place that decides how wide an interval is.

Everything happens on the log scale, so that swapping the two paths turns r into 1/r and nothing else. A run looks at
its data several times before it stops; look k spends alpha / (k (k + 1)) of the error, which sums to alpha over any
number of looks (a union bound), so that the promised confidence holds however long the run went on - as far as
Student's t holds for the blocks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MINIMUM_BLOCKS = 5
LOOK_GROWTH = 1.25


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


def confidence_at_look(confidence: float, look: int) -> float:
    """The confidence that look number `look` (from 1) must have, so that all looks together keep `confidence`."""
    return 1.0 - (1.0 - confidence) / (look * (look + 1))


def next_look(blocks: int) -> int:
    """The number of blocks at which to look again, given those at the last look (0 before the first)."""
    return max(MINIMUM_BLOCKS, math.ceil(blocks * LOOK_GROWTH))


def student(confidence: float, degrees: int) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy ships no types

    return float(stdtrit(degrees, 0.5 + confidence / 2.0))


def of_logs(logs: Sequence[float], confidence: float) -> Interval | Refusal:
    """The interval of exp(mean) from independent values on the log scale, one a block."""
    count = len(logs)
    if count < MINIMUM_BLOCKS:
        return Refusal(f"too few valid blocks: {count}, and fewer than {MINIMUM_BLOCKS} say nothing")
    if not all(math.isfinite(value) for value in logs):
        return Refusal("a block has a value that is no number")
    mean = math.fsum(logs) / count
    variance = math.fsum((value - mean) ** 2 for value in logs) / (count - 1)
    if variance == 0.0:
        return Refusal("all blocks gave exactly the same value, which no measurement does")
    half = student(confidence, count - 1) * math.sqrt(variance / count)
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half), confidence)


def of_blocks(baseline: Sequence[float], candidate: Sequence[float], confidence: float) -> Interval | Refusal:
    """The ratio candidate / baseline from the values of each block, paired."""
    if any(not value > 0.0 for value in (*baseline, *candidate)):
        return Refusal("a block measured 0, and a ratio with 0 says nothing")
    logs = [math.log(after) - math.log(before) for before, after in zip(baseline, candidate, strict=True)]
    return of_logs(logs, confidence)


Terms = Sequence[tuple[float, float]]


def of_sums(baseline: Terms | None, candidate: Terms, confidence: float) -> Interval | Refusal:
    """The ratio of two metrics that are each a ratio of sums over all blocks, by the jackknife over blocks.

    The terms are (numerator, denominator), a pair a block. Without a baseline it is the candidate's value itself.
    """
    count = len(candidate)
    if count < MINIMUM_BLOCKS:
        return Refusal(f"too few valid blocks: {count}, and fewer than {MINIMUM_BLOCKS} say nothing")
    columns = [[pair[0] for pair in candidate], [pair[1] for pair in candidate]]
    signs = [1.0, -1.0]
    if baseline is not None:
        columns += [[pair[0] for pair in baseline], [pair[1] for pair in baseline]]
        signs += [-1.0, 1.0]
    sums = [math.fsum(column) for column in columns]
    whole = _log_of_product(sums, signs)
    without = [
        _log_of_product([total - column[i] for total, column in zip(sums, columns, strict=True)], signs)
        for i in range(count)
    ]
    if whole is None or any(part is None for part in without):
        return Refusal("too little was counted for a ratio: a sum is 0")
    pseudo = [count * whole - (count - 1) * part for part in without if part is not None]
    interval = of_logs(pseudo, confidence)
    if isinstance(interval, Refusal):
        return interval
    shift = math.exp(whole) / interval.estimate  # report the plain ratio, which readers can check, at the centre
    return Interval(math.exp(whole), interval.low * shift, interval.high * shift, confidence)


def _log_of_product(values: Sequence[float], signs: Sequence[float]) -> float | None:
    if any(not value > 0.0 or math.isinf(value) for value in values):
        return None
    return math.fsum(sign * math.log(value) for value, sign in zip(values, signs, strict=True))
