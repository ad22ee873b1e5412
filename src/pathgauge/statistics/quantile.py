"""Quantiles of latency, from histograms summed over blocks, with intervals by resampling whole blocks."""

import math
from typing import TYPE_CHECKING

from pathgauge.statistics.interval import MINIMUM_BLOCKS, Interval, Refusal, student

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 1000
TAIL_COUNT = 10


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
    generator: "np.random.Generator",
) -> Interval | Refusal:
    """The ratio of a quantile over two paths, or the quantile of one where there is no baseline.

    `baseline` and `candidate` are of shape (blocks, values), `values` of shape (values,). Blocks are resampled in
    pairs. The spread of the resamples is widened to Student's t, since percentiles of few blocks are too narrow.
    """
    import numpy as np

    blocks = candidate.shape[0]
    sides = [candidate] if baseline is None else [candidate, baseline]
    refusal = _too_little(sides, quantile)
    if refusal is not None:
        return refusal
    weights = generator.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=RESAMPLES).astype(np.float64)
    centre = 0.0
    logs = np.zeros(RESAMPLES)
    for sign, side in zip((1.0, -1.0), sides, strict=False):
        centre += sign * math.log(quantile_of_counts(side.sum(axis=0), values, quantile))
        logs += sign * np.log(_resampled(weights, side, values, quantile))
    spread = math.sqrt(blocks / (blocks - 1)) * student(confidence, blocks - 1) / student(confidence, 10**9)
    tail = (1.0 - confidence) / 2.0
    low, high = (float(edge) for edge in np.quantile(logs, [tail, 1.0 - tail]))
    return Interval(
        math.exp(centre),
        math.exp(centre + spread * min(0.0, low - centre)),
        math.exp(centre + spread * max(0.0, high - centre)),
        confidence,
    )


def _too_little(sides: "list[NDArray[np.float64]]", quantile: float) -> Refusal | None:
    blocks = sides[0].shape[0]
    if blocks < MINIMUM_BLOCKS:
        return Refusal(f"too few valid blocks: {blocks}, and fewer than {MINIMUM_BLOCKS} say nothing")
    least = min(float(side.sum()) for side in sides)
    needed = TAIL_COUNT / (1.0 - quantile) if quantile < 1.0 else math.inf
    if least < needed:
        return Refusal(f"{least:.0f} transactions, and this quantile needs {needed:.0f}")
    return None


def _resampled(
    weights: "NDArray[np.float64]", side: "NDArray[np.float64]", values: "NDArray[np.float64]", quantile: float
) -> "NDArray[np.float64]":
    import numpy as np

    cumulative = np.cumsum(weights @ side, axis=1)
    places = (cumulative < quantile * cumulative[:, -1:]).sum(axis=1)
    return np.asarray(values[np.minimum(places, len(values) - 1)], dtype=np.float64)
