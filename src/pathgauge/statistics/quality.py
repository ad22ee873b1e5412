"""What speaks against a verdict: trend, order effect, dependence, outliers in the blocks it rests on.

Pure functions of the blocks' log-ratios in the order of time. Each check is made so that clean noise sets it off less
than once in a thousand runs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from pathgauge.statistics.interval import lag_one, widening

LEAST_BLOCKS = 10  # fewer show nothing of the kind
BEYOND = 4.0  # standard errors
FAR = 6.0  # robust standard deviations from the median, for an outlier
MAD_SCALE = 1.4826  # of the median absolute deviation, for normal values
HIT = 0.10  # share of outliers from which they are more than accidents
FULL = 0.98  # of what a shaped wire can carry


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that was seen: its name, the evidence, what to do, and whether a verdict cannot stand on such data."""

    name: str
    evidence: str
    advice: str
    undermines: bool


def doubts(logs: Sequence[float], first: Sequence[bool]) -> list[Doubt]:
    """What the blocks' log-ratios show; `first` says of each block whether the candidate came first in it."""
    if len(logs) < LEAST_BLOCKS or not all(map(math.isfinite, logs)):
        return []
    found = [_trend(logs), _order(logs, first), _dependence(logs), _outliers(logs)]
    return [doubt for doubt in found if doubt is not None]


def ceiling(shares: Sequence[float]) -> Doubt | None:
    """Whether both paths ran at what their wire carries, given the share of each: that says nothing of their cost."""
    if len(shares) < 2 or min(shares) < FULL:  # noqa: PLR2004 - both paths
        return None
    return Doubt(
        "ceiling",
        f"both paths ran at {100 * min(shares):.0f} % of what the wire carries",
        "to compare what they cost: --metric service_demand_local, or no --link-rate",
        undermines=False,
    )


def _trend(logs: Sequence[float]) -> Doubt | None:
    """A slope of the ratio over time, tested as in a straight line's regression."""
    count, mean = len(logs), fmean(logs)
    middle = (count - 1) / 2
    spread = math.fsum((place - middle) ** 2 for place in range(count))
    slope = math.fsum((place - middle) * (value - mean) for place, value in enumerate(logs)) / spread
    rest = math.fsum((value - mean - slope * (place - middle)) ** 2 for place, value in enumerate(logs))
    error = math.sqrt(rest / (count - 2) / spread)
    if error == 0.0 or abs(slope) <= BEYOND * error:
        return None
    return Doubt(
        "trend",
        f"the ratio moved by {100 * math.expm1(slope * (count - 1)):+.2g} % from the first block to the last",
        "something changes while it is measured: wait until the machine has settled, and run it again",
        undermines=True,
    )


def _order(logs: Sequence[float], first: Sequence[bool]) -> Doubt | None:
    """A ratio that hangs on which path came first in a block (Welch's test)."""
    sides = [[value for value, leads in zip(logs, first, strict=True) if leads is side] for side in (True, False)]
    if min(map(len, sides)) < LEAST_BLOCKS // 2:
        return None
    means = [fmean(side) for side in sides]
    errors = [
        math.fsum((value - mean) ** 2 for value in side) / (len(side) - 1) / len(side)
        for side, mean in zip(sides, means, strict=True)
    ]
    error = math.sqrt(math.fsum(errors))
    if error == 0.0 or abs(means[0] - means[1]) <= BEYOND * error:
        return None
    return Doubt(
        "order-effect",
        f"the ratio differs by {100 * math.expm1(means[0] - means[1]):+.2g} % where the candidate came first",
        "one slice leaves something to the next: longer --warmup and --slice",
        undermines=True,
    )


def _dependence(logs: Sequence[float]) -> Doubt | None:
    """Blocks that say what the one before said."""
    correlation = lag_one(logs)
    wider = widening(correlation, len(logs))
    if correlation * math.sqrt(len(logs)) <= BEYOND:
        return None
    return Doubt(
        "autocorrelation",
        f"blocks correlate with the next by {correlation:.2f}; the interval was widened {wider:.1f} times",
        "a disturbance lasts longer than a block: a quieter machine, or a longer --max-time",
        undermines=False,
    )


def _outliers(logs: Sequence[float]) -> Doubt | None:
    """Blocks far from all others, and many of them."""
    middle = median(logs)
    scale = MAD_SCALE * median(abs(value - middle) for value in logs)
    far = [value for value in logs if abs(value - middle) > FAR * scale]
    if scale == 0.0 or len(far) < HIT * len(logs):
        return None
    return Doubt(
        "outliers",
        f"{len(far)} of {len(logs)} blocks lie far from all others",
        "other load hits single slices: see pathgauge doctor, or use another machine",
        undermines=False,
    )
