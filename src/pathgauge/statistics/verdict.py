"""From an interval and a margin to a verdict, and never more than the data carry."""

from pathgauge.results.document import Better, VerdictName
from pathgauge.statistics.interval import Interval, Refusal


def decide(interval: Interval | Refusal, margin: float, better: Better) -> tuple[VerdictName, str]:
    """The verdict on a ratio candidate / baseline, and the sentence that says why.

    `slower` and `faster`: the whole interval lies beyond the margin; `equivalent`: it lies inside; else `undecided`.
    The margin is symmetric on the log scale: m means 1/(1+m) to 1+m, so that swapping the paths mirrors the verdict.
    """
    if isinstance(interval, Refusal):
        return "undecided", interval.reason
    above, below = 1.0 + margin, 1.0 / (1.0 + margin)
    bound = f"the margin of {100 * margin:g} %"
    if interval.low > above:
        return ("faster" if better == "higher" else "slower"), f"the whole interval lies above {bound}"
    if interval.high < below:
        return ("slower" if better == "higher" else "faster"), f"the whole interval lies below {bound}"
    if below < interval.low and interval.high < above:
        return "equivalent", f"the whole interval lies within {bound}"
    zero = "zero is excluded" if interval.low > 1.0 or interval.high < 1.0 else "zero is not excluded"
    return "undecided", f"the interval crosses {bound}; {zero}"
