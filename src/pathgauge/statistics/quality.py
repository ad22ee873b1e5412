"""What speaks against a verdict: trend, order effect, dependence, a period, outliers in the blocks it rests on, blocks
that did not count, a hypervisor that took the CPU away, a wire or the loops themselves that could do no more, packets
received on other CPUs.

Pure functions of the blocks' log-ratios in the order of time. Each check is made so that clean noise sets it off less
than once in a thousand runs, in the mean of runs of 10 to 120 blocks (tests/calibration).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from pathgauge.quantities import significant
from pathgauge.statistics.interval import lag_one, widening

LEAST_BLOCKS = 10  # fewer show nothing of the kind
BEYOND = 4.0  # standard errors
STRONG = 0.6  # a correlation beyond which no widening can be relied on
FAR = 6.0  # robust standard deviations from the median, for an outlier
MAD_SCALE = 1.4826  # of the median absolute deviation, for normal values
HIT = 0.10  # share of outliers from which they are more than accidents
FULL = 0.98  # of what a shaped wire can carry
_AT_CEILING = "ran nearly as fast as the loops do with no network between them"
_AT_CPU = "kept a CPU of an end busy"
_OWN_LIMITS = {
    "ceiling": "the loops hide what the path costs: larger sends, or compare what it costs "
    "(--metric service_demand_machine)",
    "cpu": "read it as a difference in what that CPU gets done over the path; what the path could carry shows with "
    "loops on more CPUs (--flows, --threads) or larger sends",
}
CHANCE = 0.0007  # of a period where there is none, at most
REPEATS = 3  # what comes less often in a run is no period, but a trend or dependence
FINER = 4  # frequencies are looked at in parts of one repeat in a run: a period seldom fits it a whole number of times
MOST_STEAL = 0.01  # of the machine's CPU time
MOVED = 0.4  # of the packets; less comes of counting a packet again on each device that stands on another
HALF = 0.5  # of all blocks: where more are void, what voids them chooses what is left


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that was seen: its name, the evidence, what to do, and whether a verdict cannot stand on such data."""

    name: str
    evidence: str
    advice: str
    undermines: bool


def doubts(
    logs: Sequence[float], first: Sequence[bool], seconds: float | None = None, stolen: Sequence[float | None] = ()
) -> list[Doubt]:
    """What the blocks' log-ratios show; `first` says of each block whether the candidate came first in it, `stolen`
    which share of its CPU time the hypervisor took. A block took `seconds`, where that is known.
    """
    if len(logs) < LEAST_BLOCKS or not all(map(math.isfinite, logs)):
        return []
    found = [
        _trend(logs),
        _order(logs, first),
        _dependence(logs),
        _period(logs, first, seconds),
        _outliers(logs, stolen),
    ]
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


def generator_limited(limited: Mapping[str, Sequence[str | None]]) -> Doubt | None:
    """Whether most slices of a path were limited by the loops themselves (`ceiling`), which hide what the path costs,
    or by a CPU that was full (`cpu`), given what limited each slice of each path.

    Neither undermines a verdict: a difference comes out too small at the ceiling, and is a true one of CPU time where
    the CPU is full, as it is of any stream that no wire slows down.
    """
    seen, kinds = [], set()
    for path, slices in limited.items():
        for kind, words in (("ceiling", _AT_CEILING), ("cpu", _AT_CPU)):
            count = sum(each == kind for each in slices)
            if count > HALF * len(slices):
                seen.append(f"{path} {words} in {count} of {len(slices)} slices")
                kinds.add(kind)
    if not seen:
        return None
    return Doubt(
        "generator-limited",
        " and ".join(seen),
        "; ".join(words for kind, words in _OWN_LIMITS.items() if kind in kinds),
        undermines=False,
    )


def placement(shares: Mapping[str, Mapping[str, float]]) -> Doubt | None:
    """Whether the packets of two paths were received on different CPUs, given each path's share of each CPU."""
    if len(shares) < 2 or not all(shares.values()):  # noqa: PLR2004 - both paths
        return None
    one, other = shares.values()
    moved = math.fsum(abs(one.get(cpu, 0.0) - other.get(cpu, 0.0)) for cpu in {*one, *other}) / 2
    if moved < MOVED:
        return None
    seen = ", ".join(
        f"{path}: " + " ".join(f"CPU {cpu} {100 * share:.0f} %" for cpu, share in by_cpu.items())
        for path, by_cpu in shares.items()
    )
    return Doubt(
        "placement",
        f"packets were received on other CPUs on one path than on the other ({seen})",
        "part of the difference may be that, unless it was other traffic of this machine: --rps CPU holds it equal",
        undermines=False,
    )


def steal(shares: Sequence[float | None]) -> Doubt | None:
    """Whether the hypervisor took much of the machine's CPU time, given its share of each block."""
    known = [share for share in shares if share is not None]
    if not known or fmean(known) <= MOST_STEAL:
        return None
    return Doubt(
        "steal",
        f"the hypervisor took {significant(100 * fmean(known), 2)} % of the machine's CPU time",
        "measure when its host is quieter (pathgauge doctor says how much it takes now), or on a machine of your own",
        undermines=False,
    )


def void(valid: int, reasons: Sequence[str]) -> Doubt | None:
    """Whether blocks did not count, given how many did and why each other did not."""
    if not reasons:
        return None
    every = valid + len(reasons)
    return Doubt(
        "void",
        f"{len(reasons)} of {every} blocks are void: {reasons[-1]}",
        "stop what voids them, and run it again; pathgauge doctor says what disturbs this machine",
        undermines=len(reasons) > HALF * every,
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
    strong = correlation > STRONG
    if not strong and correlation * math.sqrt(len(logs)) <= BEYOND:
        return None
    return Doubt(
        "autocorrelation",
        f"blocks correlate with the next by {correlation:.2f}; the interval was widened {wider:.1f} times",
        "a disturbance lasts longer than a block: a quieter machine, or a longer --max-time",
        undermines=strong,
    )


def _period(logs: Sequence[float], first: Sequence[bool], seconds: float | None) -> Doubt | None:
    """One frequency that holds more of the variance than chance gives to any (Fisher's test of the periodogram).

    What hits one path comes and goes in the ratio itself. What hits the machine hits the path whose turn it is: it
    comes and goes in the ratio of the path that began a block to the other.
    """
    if max(logs) == min(logs):
        return None
    mean = fmean(logs)
    own = [value - mean for value in logs]
    turned = [value if leads else -value for value, leads in zip(own, first, strict=True)]
    share, repeats = max(_strongest(own), _strongest(turned))
    if share < _share_by_chance(len(logs)):
        return None
    blocks = len(logs) / repeats
    long = "" if seconds is None else f" ({significant(blocks * seconds, 2)} s)"
    return Doubt(
        "period",
        f"{100 * share:.0f} % of the blocks' variance comes and goes every {significant(blocks, 2)} blocks{long}",
        "stop what runs at such intervals, or at short ones that look so from block to block (systemctl list-timers, "
        "top -d 0.2), or give each slice some of its periods: longer --slice",
        undermines=False,
    )


def _strongest(values: Sequence[float]) -> tuple[float, float]:
    """The largest share of the variance that one frequency holds, and how often it repeats in the run."""
    import numpy as np

    count, whole = len(values), math.fsum(value**2 for value in values)
    power = np.abs(np.fft.rfft(values, FINER * count)) ** 2
    least, most = FINER * REPEATS, FINER * ((count - 1) // 2)  # two blocks are not quite enough to see a period by
    place = least + int(np.argmax(power[least : most + 1]))
    share = 2.0 * float(power[place]) / (count * whole) if whole > 0.0 else 0.0
    return min(1.0, share), place / FINER


def _share_by_chance(count: int) -> float:
    """The share of the variance that the strongest frequency of so much noise exceeds with a probability of CHANCE.

    One frequency exceeds s with (1 - s) ** ((count - 3) / 2) where it fits the run a whole number of times. Others do a
    little more often: 5 instead of 3 makes up for it, which shows in simulation alone (tests/calibration). There are
    two series.
    """
    looks = 2 * (FINER * ((count - 1) // 2 - REPEATS) + 1)
    return 1.0 - float((CHANCE / looks) ** (2.0 / (count - 5)))


def _outliers(logs: Sequence[float], stolen: Sequence[float | None]) -> Doubt | None:
    """Blocks far from all others, and many of them."""
    middle = median(logs)
    scale = MAD_SCALE * median(abs(value - middle) for value in logs)
    far = [abs(value - middle) > FAR * scale for value in logs]
    if scale == 0.0 or sum(far) < HIT * len(logs):
        return None
    told = _told_of_steal(far, stolen)
    return Doubt(
        "outliers",
        f"{sum(far)} of {len(logs)} blocks lie far from all others{told}",
        "other load hits single slices: see pathgauge doctor, or use another machine",
        undermines=False,
    )


def _told_of_steal(far: Sequence[bool], stolen: Sequence[float | None]) -> str:
    """What the hypervisor took in the far blocks, in words, if that is clearly more than in as many drawn from all."""
    shares = [share for share in stolen if share is not None]
    if len(shares) < len(far):
        return ""
    hit = [share for share, away in zip(shares, far, strict=True) if away]
    count, mean = len(shares), fmean(shares)
    variance = math.fsum((share - mean) ** 2 for share in shares) / (count - 1)
    error = math.sqrt(variance / len(hit) * (1.0 - len(hit) / count))
    if fmean(hit) - mean <= BEYOND * error:
        return ""
    rest = (math.fsum(shares) - math.fsum(hit)) / (count - len(hit))
    there, elsewhere = (significant(100 * share, 2) for share in (fmean(hit), rest))
    return f"; the hypervisor took {there} % of the CPU time in them, {elsewhere} % in the others"
