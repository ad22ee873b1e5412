"""All runs of a simulation at once: looks after every block, and a stop at the first verdict."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pathgauge.statistics.interval import MINIMUM_BLOCKS, widening
from pathgauge.statistics.sequence import half_width
from tests.calibration.models import Values

MARGIN = 0.02
ALPHA = 0.05

Width = Callable[[int, float], float]  # of a mean's interval, for a sum of squared deviations of 1


@dataclass(frozen=True)
class Ended:
    """Shares of the runs: whose interval held the truth at the stop, and what was said. `blocks` is the median."""

    covered: float
    slower: float
    faster: float
    equivalent: float
    undecided: float
    blocks: float


def run(values: Values, truth: float, *, width: Width = half_width, widened: bool = True) -> Ended:
    """By the product's widths and rule (test_verdicts.py compares them); another `width` shows what that would do.

    `values` is of shape (runs, blocks) and on the log scale; `truth` is added to it.
    """
    data = values + truth
    runs, blocks = data.shape
    edge = math.log1p(MARGIN)
    first, second = np.cumsum(data, axis=1), np.cumsum(data**2, axis=1)
    products = np.cumsum(data[:, 1:] * data[:, :-1], axis=1)
    said = np.full(runs, "undecided", dtype=object)
    covered, stopped = np.zeros(runs, dtype=bool), np.full(runs, blocks)
    for count in range(MINIMUM_BLOCKS, blocks + 1):
        open_runs = said == "undecided"
        mean = first[:, count - 1] / count
        squares = np.maximum(second[:, count - 1] - count * mean**2, 1e-300)
        around = 2 * first[:, count - 1] - data[:, 0] - data[:, count - 1]
        correlation = (products[:, count - 2] - mean * around + (count - 1) * mean**2) / squares
        wider = np.array([widening(each, count) for each in correlation.tolist()]) if widened else 1.0
        half = width(count, 1 - ALPHA) * np.sqrt(squares) * wider
        low, high = mean - half, mean + half
        verdict = np.where(low > edge, "faster", np.where(high < -edge, "slower", "undecided"))
        verdict = np.where((low > -edge) & (high < edge), "equivalent", verdict)
        covered = np.where(open_runs, (low <= truth) & (truth <= high), covered)
        stopped = np.where(open_runs & (verdict != "undecided"), count, stopped)
        said = np.where(open_runs, verdict, said)
    shares = {name: float(np.mean(said == name)) for name in ("slower", "faster", "equivalent", "undecided")}
    return Ended(covered=float(covered.mean()), blocks=float(np.median(stopped)), **shares)
