"""The width of an interval that may be looked at after every block: a confidence sequence for a mean.

For independent normal values of unknown mean m and spread s, the Bayes factor of `m is anything` against `m = 0`,
with the right-Haar prior on s and a normal prior N(0, g) on m / s, depends on n and t = n x mean^2 / (sum of squared
deviations) alone:

    B(n, t) = (1 + n g)^(-1/2) x ((1 + t) / (1 + t / (1 + n g)))^(n / 2)

and is a martingale where m = 0. So is its average over several g. By Ville's inequality it ever exceeds 1 / alpha with
a probability of at most alpha; the values of m for which it does not, the data shifted by m, are the interval. It holds
at all n together, so a run may stop whenever it likes what it sees. References: T. L. Lai, On confidence sequences,
Annals of Statistics 4 (1976); H. Wang and A. Ramdas, Anytime-valid t-tests and confidence sequences for Gaussian means
with unknown variance (2023, arXiv 2310.03722).
"""

import math
from functools import cache

# A small g is sharp where many blocks are needed, a large one where few are enough; between them neither costs much.
_SPREADS = (0.1, 10.0)
_STEPS = 60
_HUGE = 1e15  # a t beyond which nothing changes


def _log_bayes_factor(count: int, t: float) -> float:
    parts = []
    for g in _SPREADS:
        wider = 1.0 + count * g
        parts.append(-0.5 * math.log(wider) + count / 2.0 * (math.log1p(t) - math.log1p(t / wider)))
    most = max(parts)
    return most + math.log(math.fsum(math.exp(part - most) for part in parts) / len(parts))


@cache
def half_width(count: int, confidence: float) -> float:
    """The half-width of the interval of a mean of `count` values, for a sum of squared deviations of 1.

    Infinite where so few values cannot exclude anything. `confidence` lies between 0 and 1.
    """
    limit = -math.log1p(-confidence)
    if count < 2 or _log_bayes_factor(count, _HUGE) <= limit:  # noqa: PLR2004 - one value has no spread
        return math.inf
    low, high = 0.0, 1.0
    while _log_bayes_factor(count, high) < limit:
        high *= 2.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _log_bayes_factor(count, middle) < limit else (low, middle)
    return math.sqrt(high / count)
