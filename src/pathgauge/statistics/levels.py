"""How the variance of blocks divides: among slices, among connections, among labs.

Pure functions. A block's log-ratio d differs from the truth by what its slices, its connections and its lab add.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

Pair = tuple[float, float]  # the logarithms of one path's two slices in a block


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard deviation of a block's log-ratio that each level adds; `labs` is None where there is one lab."""

    slices: float
    connections: float
    labs: float | None


def divide(labs: Sequence[Sequence[float]], slices: Sequence[tuple[Pair, Pair]]) -> Spread | None:
    """Divide the variance of log-ratios, given by lab, by the method of moments.

    `slices` has both paths' two slices of every block. The two of one path share a connection, so that half the square
    of their difference estimates a slice's variance; what blocks of one lab differ by beyond their slices', their
    connections have; what labs' means differ by beyond their blocks', labs have. An estimate below 0 is 0. None where
    no lab has two blocks.
    """
    labs = [lab for lab in labs if lab]
    counted = [lab for lab in labs if len(lab) > 1]
    degrees = sum(len(lab) - 1 for lab in counted)
    if degrees == 0 or not slices:
        return None
    of_slices = fmean(sum((one - two) ** 2 / 4.0 for one, two in pairs) for pairs in slices)
    of_blocks = math.fsum((len(lab) - 1) * variance(lab) for lab in counted) / degrees
    of_labs = None
    if len(labs) > 1:
        each = fmean(1.0 / len(lab) for lab in labs)
        of_labs = math.sqrt(max(0.0, variance(map(fmean, labs)) - of_blocks * each))
    return Spread(math.sqrt(of_slices), math.sqrt(max(0.0, of_blocks - of_slices)), of_labs)
