"""The scale on which the candidates of one metric are drawn: ratios to the baseline, which is at 0 %.

It is that of the ratio's logarithm, where twice as much is as far from 0 % as half as much; over some percent nobody
can tell it from a linear one.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pathgauge.results.document import Comparison, Result

LINEAR_UP_TO = 4.0  # times from the least to the greatest; beyond that marks at so many percent apart would crowd
EDGE = 0.04  # of the scale, left free at either side
ROUND = (1.0, 2.0, 5.0)
MOST_MARKS = 100
LEAST_IN_PERCENT, MOST_IN_PERCENT = 0.002, 999.0  # times the baseline


@dataclass(frozen=True, slots=True)
class Scale:
    """From one logarithm of a ratio to another."""

    low: float
    high: float

    def place(self, ratio: float) -> float:
        """Where a ratio is: 0 at the left end, 1 at the right."""
        return min(1.0, max(0.0, (math.log(ratio) - self.low) / (self.high - self.low)))

    def marks(self, apart: float) -> list[float]:
        """Ratios at round percents, no two nearer than this part of the scale, 1 (0 %) among them."""
        wide = self.high - self.low > math.log(LINEAR_UP_TO)
        for found in self._decades() if wide else self._percents():
            places = [self.place(ratio) for ratio in found]
            if all(after - before >= apart for before, after in pairwise(places)):
                return found
        return [1.0]

    def _decades(self) -> Iterator[list[float]]:
        """1, 2 and 5 of each power of ten, the powers alone, every second of them, every third and so on."""
        first, last = (math.floor(edge / math.log(10)) for edge in (self.low, self.high))
        for step, factors in ((1, ROUND), *((step, (1.0,)) for step in range(1, last - first + 2))):
            ratios = (each * 10.0**power for power in range(first, last + 1) if power % step == 0 for each in factors)
            yield [ratio for ratio in ratios if self._holds(ratio)]

    def _percents(self) -> Iterator[list[float]]:
        """At steps of 1, 2 and 5 of each power of ten, the smallest first that could ever be far enough apart."""
        least = math.floor(math.log10((self.high - self.low) / MOST_MARKS))
        for power in range(least, 1):
            for factor in ROUND:
                step = factor * 10.0**power
                first, last = (math.floor(math.expm1(edge) / step) for edge in (self.low, self.high))
                yield [ratio for each in range(first, last + 1) if self._holds(ratio := 1 + each * step)]

    def _holds(self, ratio: float) -> bool:
        return ratio > 0.0 and self.low <= math.log(ratio) <= self.high


def scale_of(rows: Sequence[Comparison]) -> Scale:
    """The one that holds all intervals, the margins and 0 %."""
    seen = [0.0]
    for row in rows:
        ratios = (*ends(row), row.ratio.estimate)
        seen += [math.log(ratio) for ratio in ratios if drawable(ratio) and ratio is not None]
        seen += [math.log1p(row.margin), -math.log1p(row.margin)]
    low, high = min(seen), max(seen)
    free = EDGE * (high - low) or EDGE
    return Scale(low - free, high + free)


def drawable(ratio: float | None) -> bool:
    """Whether it has a place on a logarithmic scale."""
    return ratio is not None and 0.0 < ratio < math.inf


def ends(row: Comparison) -> tuple[float | None, float | None]:
    """The interval's; None where it has none that could be drawn."""
    low, high = row.ratio.low, row.ratio.high
    return low if drawable(low) else None, high if drawable(high) else None


def label(ratio: float) -> str:
    """A mark's: `-50 %`, `0 %`, `+900 %`; `1000 x` where a percentage would be a long number."""
    if not LEAST_IN_PERCENT < ratio < MOST_IN_PERCENT:
        return f"{ratio:g} x"
    percent = float(f"{100 * (ratio - 1):.6g}")
    return f"{percent:+g} %" if percent else "0 %"


def groups(result: Result, metrics: Sequence[str] = ()) -> list[list[Comparison]]:
    """The candidates of each test's primary metrics, and of those named."""
    found: dict[tuple[str, str], list[Comparison]] = {}
    for row in result.comparisons:
        if row.primary or row.metric in metrics:
            found.setdefault((row.test, row.metric), []).append(row)
    return list(found.values())
