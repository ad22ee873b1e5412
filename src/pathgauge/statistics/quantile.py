"""Quantiles of latency, from histograms summed over blocks, with an interval that rests on each block's own counts.

A value may be the quantile as long as the share of all transactions below it may be the quantile's. That share is a
ratio of two sums over blocks, so it is told as everywhere (interval.py): by the same widths, which hold at all looks
together, and the same widening for blocks that follow each other. Nothing is drawn at random, and nothing is assumed
of how latencies are distributed.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pathgauge.statistics.interval import MINIMUM_BLOCKS, Interval, Refusal, lag_one, spread_at, widening

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TAIL_COUNT = 10
DIRECTIONS = 32  # in half a turn: the widest of them falls short of the true one by 1/800 at most


def quantile_of_counts(counts: "NDArray[np.float64]", values: "NDArray[np.float64]", quantile: float) -> float:
    """The least of `values` (ascending) at or below which a share `quantile` of `counts` lies; NaN without counts."""
    import numpy as np

    cumulative = np.cumsum(counts)
    if cumulative[-1] <= 0:
        return math.nan
    return float(values[int(np.searchsorted(cumulative, quantile * cumulative[-1], side="left"))])


def of_histograms(
    baseline: "NDArray[np.float64] | None",
    candidate: "NDArray[np.float64]",
    values: "NDArray[np.float64]",
    quantile: float,
    confidence: float,
    *,
    fixed: bool = False,
    independent: bool = False,
) -> Interval | Refusal:
    """The ratio of a quantile over two paths, or the quantile of one where there is no baseline.

    `baseline` and `candidate` are of shape (blocks, values), their blocks paired and in the order of time; `values`, in
    any unit, is of shape (values,), ascending; `fixed` and `independent` are as in `of_logs`. Raises ValueError where
    the shapes do not fit.
    """
    import numpy as np

    histograms = [candidate] if baseline is None else [candidate, baseline]
    blocks = len(candidate)
    if any(counts.shape != (blocks, len(values)) for counts in histograms):
        raise ValueError("both paths need the same blocks, with a count for each value")
    refusal = _too_little(histograms, values, quantile)
    if refusal is not None:
        return refusal
    sides = [_side(counts, values, quantile) for counts in histograms]
    if not all(side.excess.any() for side in sides):
        return Refusal("all blocks gave exactly the same value, which no measurement does")
    signs = [1.0, -1.0][: len(sides)]
    reach = spread_at(blocks, confidence, fixed=fixed)
    if not independent:
        difference = np.sum([sign * side.excess for sign, side in zip(signs, sides, strict=True)], axis=0)
        reach *= widening(lag_one(difference.tolist()), blocks)
    if any(side.distances[0] > -reach or side.distances[-1] < reach for side in sides):
        return Refusal(f"{blocks} blocks cannot exclude anything at this confidence")
    centre, edges = 0.0, np.zeros(1)
    for sign, side, steps in zip(signs, sides, _directions(sides), strict=True):
        centre += sign * side.centre
        edges = edges + sign * np.interp(reach * steps, side.distances, side.logs)
    low, high = min(centre, float(edges.min())), max(centre, float(edges.max()))
    return Interval(math.exp(centre), math.exp(low), math.exp(high), confidence)


def _too_little(
    histograms: "list[NDArray[np.float64]]", values: "NDArray[np.float64]", quantile: float
) -> Refusal | None:
    blocks = len(histograms[0])
    if blocks < MINIMUM_BLOCKS:
        return Refusal(f"too few valid blocks: {blocks}, and fewer than {MINIMUM_BLOCKS} say nothing")
    totals = [float(counts.sum()) for counts in histograms]
    if not all(map(math.isfinite, totals)):
        return Refusal("a block has a count that is no number")
    needed = round(TAIL_COUNT / (1.0 - quantile)) if quantile < 1.0 else math.inf
    if min(totals) < needed:
        return Refusal(f"{min(totals):.0f} transactions, and this quantile needs {needed:.0f}")
    if values[0] <= 0.0:
        return Refusal("a transaction took no time, and a ratio with 0 says nothing")
    return None


@dataclass(frozen=True, slots=True)
class _Side:
    """One path's quantile, and how far each value that was hit lies from it.

    `centre` is the quantile's logarithm; `logs` are the values', ascending; `distances`, of the same shape, say how far
    the share of transactions below each value is from the one wanted, in roots of the blocks' sum of squares; `excess`,
    of shape (blocks,), is what each block has below the quantile beyond its part, as a share of all transactions.
    """

    centre: float
    logs: "NDArray[np.float64]"
    distances: "NDArray[np.float64]"
    excess: "NDArray[np.float64]"


def _side(counts: "NDArray[np.float64]", values: "NDArray[np.float64]", quantile: float) -> _Side:
    import numpy as np

    hit = counts.any(axis=0)
    counts, values = counts[:, hit], values[hit]
    each = counts.sum(axis=1, keepdims=True)
    total = each.sum()
    below = np.cumsum(counts, axis=1) - counts / 2.0  # of those at a value, half count as below it
    summed = below.sum(axis=0)
    excess = (below * total - summed * each) / total**2
    spread = np.sqrt((excess**2).sum(axis=0))
    told = spread > 0.0
    distances = (summed[told] / total - quantile) / (len(counts) * spread[told])
    centre = quantile_of_counts(counts.sum(axis=0), values, quantile)
    return _Side(
        centre=math.log(centre),
        logs=np.log(values[told]),
        distances=np.maximum.accumulate(distances),
        excess=excess[:, np.searchsorted(values, centre)],
    )


def _directions(sides: list[_Side]) -> "list[NDArray[np.float64]]":
    """How far off the sides may be together, in parts of what one may be alone: the points of an ellipse, a side each.

    Two paths are seldom both far off, unless what disturbs one disturbs the other: the ellipse leans as they correlate.
    """
    import numpy as np

    one, two = sides[0].excess, sides[-1].excess
    correlation = float((one * two).sum()) / math.sqrt(float((one**2).sum()) * float((two**2).sum()))
    lean = math.acos(max(-1.0, min(1.0, correlation))) / 2.0
    turns = np.arange(-DIRECTIONS, DIRECTIONS + 1) * (math.pi / DIRECTIONS)
    return [np.cos(turns - lean), np.cos(turns + lean)][: len(sides)]
