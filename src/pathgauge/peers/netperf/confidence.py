"""netperf's confidence intervals over iterations, as its users know them: what its -i and -I promise, and no more.

They are made for one look and are looked at after every iteration; `pathgauge compare` has intervals that may be.
"""

import math
import statistics
from collections.abc import Sequence

from pathgauge.peers.netperf.option_table import LEAST_ITERATIONS
from pathgauge.peers.netperf.record import Confidence
from pathgauge.peers.netperf.settings import Settings
from pathgauge.statistics.interval import student

DECIMALS = 3  # of Student's t, as the tables in books have it and netperf's


def width(values: Sequence[float], level: int) -> float:
    """The full relative width of the mean's interval at a level in percent; 0.0 for what was not measured."""
    mean = statistics.fmean(values)
    if len(values) < 2 or mean <= 0:  # noqa: PLR2004 - one value has no spread
        return 0.0
    half = round(student(level / 100, len(values) - 1), DECIMALS) * math.sqrt(statistics.variance(values) / len(values))
    return 2 * half / mean


def judge(
    settings: Settings, throughputs: Sequence[float], local_cpu: Sequence[float], remote_cpu: Sequence[float]
) -> Confidence:
    """How sure the means of all iterations are, and whether that is enough."""
    level = settings.confidence
    found = Confidence(
        iterations=len(throughputs),
        throughput=width(throughputs, level),
        local_cpu=width(local_cpu, level),
        remote_cpu=width(remote_cpu, level),
    )
    widths = [found.throughput] if settings.result_only else [found.throughput, found.local_cpu, found.remote_cpu]
    found.reached = not iterates(settings) or (len(throughputs) > 1 and max(widths) <= settings.width)
    return found


def iterates(settings: Settings) -> bool:
    """Whether there is more than one iteration to come to a confidence with; in two tests there never is."""
    return settings.iterations_max > 1 and settings.test not in ("TCP_CC", "TCP_MSS")


def goes_on(settings: Settings, so_far: Confidence) -> bool:
    """Whether another iteration is due."""
    if not iterates(settings):
        return False
    if so_far.iterations < max(settings.iterations_min, LEAST_ITERATIONS):  # `-i 10,` leaves the least one unsaid
        return True
    # netperf's older tests count one less.
    most = settings.iterations_max - (settings.test == "TCP_SENDFILE")
    return not so_far.reached and so_far.iterations < most
