"""What turning a knob does to a gap between two paths: how much of it closes, with intervals.

An experiment has few blocks, so it is looked at seldom, at numbers of blocks that are fixed beforehand (LOOKS), with
Student's interval, which is far narrower there than one that would hold at every look; the looks share the error.

Everything is on the log scale and signed so that more is better. From each block come four values: the fast and the
slow path, as they are and with the knob turned. What the knob closes is the interaction, (slow' - slow) -
(fast' - fast): a knob that lifts both alike closes nothing. Values are pseudo-values of the jackknife where the metric
is a ratio of sums, so that their means, differences and intervals are those of the sums.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pathgauge.statistics.interval import MINIMUM_BLOCKS, lag_one, spread_at, widening

LOOKS = (6, 9, 14, 21, 32, 48, 72, 108, 162)  # blocks
MOST_SHARE = 10.0  # of a gap: an interval that reaches further says nothing
_STEPS = 50
_FLAT = 1e-12  # a spread below this is the arithmetic's


@dataclass(frozen=True, slots=True)
class Span:
    """A mean with its interval, on the log scale or as a share; the interval's ends may be infinite."""

    estimate: float
    low: float
    high: float

    def above(self, value: float) -> bool:
        """Whether the whole interval lies above."""
        return self.low > value

    def below(self, value: float) -> bool:
        """Whether the whole interval lies below."""
        return self.high < value


def span(values: Sequence[float], confidence: float) -> Span:
    """The mean of values in the order of time, one a block, with an interval for one look."""
    count = len(values)
    mean = math.fsum(values) / count if count else math.nan
    if count < MINIMUM_BLOCKS or not all(map(math.isfinite, values)):
        return Span(mean, -math.inf, math.inf)
    half = _half(values, mean, confidence)
    return Span(mean, mean - half, mean + half)


def share(closed: Sequence[float], gap: Sequence[float], confidence: float) -> Span:
    """Which part of the gap was closed, by Fieller's method: the shares s for which closed - s x gap may be zero."""
    whole = math.fsum(gap) / len(gap) if gap else math.nan
    if not math.isfinite(whole) or whole == 0.0 or len(closed) != len(gap):
        return Span(math.nan, -math.inf, math.inf)
    estimate = math.fsum(closed) / len(closed) / whole
    if span(gap, confidence).low <= 0.0:  # a gap that may be none has no parts
        return Span(estimate, -math.inf, math.inf)

    def possible(part: float) -> bool:
        found = span([done - part * all_ for done, all_ in zip(closed, gap, strict=True)], confidence)
        return found.low <= 0.0 <= found.high

    return Span(estimate, _edge(possible, estimate, -MOST_SHARE), _edge(possible, estimate, MOST_SHARE))


def pseudo_values(terms: Sequence[tuple[float, float]], floor: float = 0.0) -> list[float] | None:
    """The jackknife's pseudo-values of log(sum of numerators / sum of denominators), one a block; None where a sum is
    not above 0. `floor` is added to each numerator's sum: half an event, where events are counted and may be none.
    """
    count = len(terms)
    top, bottom = math.fsum(pair[0] for pair in terms) + floor, math.fsum(pair[1] for pair in terms)
    if count < 2 or top <= 0.0 or bottom <= 0.0:  # noqa: PLR2004 - nothing can be left out of one
        return None
    whole, found = math.log(top / bottom), []
    for one, over in terms:
        if top - one <= 0.0 or bottom - over <= 0.0:
            return None
        found.append(count * whole - (count - 1) * math.log((top - one) / (bottom - over)))
    return found


def spent(number: int, family: float) -> float:
    """The confidence of the number-th of many (from 1), so that all together err with a probability of 1 - family."""
    return 1.0 - (1.0 - family) * 6.0 / (math.pi * number) ** 2


def _half(values: Sequence[float], mean: float, confidence: float) -> float:
    squares = math.fsum((value - mean) ** 2 for value in values)
    if squares <= _FLAT:
        return 0.0
    half = spread_at(len(values), confidence, fixed=True) * math.sqrt(squares)
    return half * widening(lag_one(values), len(values))


def _edge(possible: Callable[[float], bool], inside: float, outside: float) -> float:
    if possible(outside):
        return math.copysign(math.inf, outside)
    for _ in range(_STEPS):
        middle = (inside + outside) / 2.0
        inside, outside = (middle, outside) if possible(middle) else (inside, middle)
    return inside
