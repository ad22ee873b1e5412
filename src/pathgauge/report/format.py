"""A comparison's parts in words: values with units, the difference with its interval, the verdict."""

from collections.abc import Sequence

from pathgauge.quantities import UNKNOWN, format_value, significant
from pathgauge.results.document import Comparison, Picked, Ratio, Spread, Tried

FINE_SPREAD = 0.2  # points of percent below which one decimal place would hide the interval
MAIN_METRICS = ("goodput", "transaction_rate")  # those that a row without a metric's name shows
COLOURS = {"slower": "31", "faster": "32", "equivalent": "32", "undecided": "33"}


def percent(fraction: float) -> str:
    """A fraction as a short percentage: `2 %`, `0.5 %`."""
    return f"{100 * fraction:.6g} %"


def difference(ratio: Ratio) -> str:
    """The ratio as a difference: `-4.7 % [-5.2, -4.1]`; a missing part is unknown."""
    if ratio.estimate is None:
        return UNKNOWN
    changes = [None if value is None else 100 * (value - 1) for value in (ratio.estimate, ratio.low, ratio.high)]
    known = [change for change in changes if change is not None]
    spread = max(known) - min(known)
    digits = 1 if len(known) == 1 or spread >= FINE_SPREAD else 2
    middle, low, high = ("?" if change is None else _signed(change, digits) for change in changes)
    return f"{middle} % [{low}, {high}]"


def _signed(change: float, digits: int) -> str:
    """With its sign, but for a zero, which has none."""
    text = f"{change:+.{digits}f}"
    return text.lstrip("+-") if float(text) == 0.0 else text


def verdict(row: Comparison) -> str:
    """The verdict in words, with what it means where faster and slower are odd words for the metric."""
    is_time = row.metric.startswith(("latency", "delay"))
    if row.verdict in ("slower", "faster") and row.better == "lower" and not is_time:
        return f"{row.verdict} ({'worse' if row.verdict == 'slower' else 'better'})"
    return row.verdict


def pair(first: Comparison | None, second: Comparison | None, side: str) -> str:
    """Two metrics of the same unit, client's and server's, of one side: `0.99/0.61 CPU`; `?` where one is unknown."""
    values = [None if row is None else getattr(row, side).estimate for row in (first, second)]
    if all(value is None for value in values):
        return UNKNOWN
    unit = next(row.unit for row in (first, second) if row is not None)
    return "/".join("?" if value is None else significant(value) for value in values) + f" {unit}"


def sentence(row: Comparison) -> str:
    """One comparison on one line, for logs."""
    baseline, candidate = (format_value(side.estimate, row.unit) for side in (row.baseline, row.candidate))
    metric = "" if row.metric in MAIN_METRICS else f" {row.metric}"
    blocks = f"{row.blocks} {'block' if row.blocks == 1 else 'blocks'}"
    return (
        f"{row.test}{metric}: {row.candidate.path} {candidate} against {row.baseline.path} {baseline}, "
        f"{difference(row.ratio)}, {verdict(row)}; {blocks}, {row.measured_seconds:.1f} s measured"
    )


def picked(test: str, found: Picked) -> str:
    """What `best` came to."""
    chosen = ", ".join(f"{option}={_given(value)}" for option, value in found.parameters.items())
    rate = format_value(found.goodput, "bit/s")
    return f"{test}: best is {chosen}: {rate} over {found.path}, of {len(found.tried)} ways that were tried"


def tried(test: str, found: Picked) -> list[str]:
    """What `best` came to and why: all rates that were seen, the highest first, and what does not work."""
    rates = [(each.goodput, _way(each)) for each in found.tried if each.goodput is not None]
    said = ", ".join(f"{way} {format_value(rate, 'bit/s')}" for rate, way in sorted(rates, reverse=True))
    failed: dict[str, list[str]] = {}
    for each in found.tried:
        if each.goodput is None:
            failed.setdefault(each.reason, []).append(_way(each))
    left_out = [f"{test}: left out {', '.join(ways)}: {reason}" for reason, ways in failed.items()]
    return [picked(test, found), f"{test}: tried ({', '.join(found.parameters)}): {said}", *left_out]


def _way(tried: Tried) -> str:
    return "/".join(map(_given, tried.parameters.values()))


def _given(value: str | int | None) -> str:
    return "none" if value is None else str(value)


def heading(row: Comparison) -> str:
    """What a plot of this metric shows, in one line."""
    lower = "; lower is better" if row.better == "lower" else ""
    difference_of = f"difference from {row.baseline.path}, with its {percent(row.ratio.confidence)} interval"
    return f"{row.test} {row.metric}: {difference_of}; the margin of {percent(row.margin)} is marked{lower}"


def painted(text: str, colour: str) -> str:
    """In that colour of a terminal; as it is where there is none."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def spread(found: Spread) -> str:
    """How much each level adds to the variation of a block's ratio."""
    levels = (("slice", found.slices), ("connection", found.connections), ("lab", found.labs or 0.0))
    return "varies " + ", ".join(f"by {significant(100 * by, 2)} % from {name} to {name}" for name, by in levels)


def find(rows: Sequence[Comparison], like: Comparison, metric: str) -> Comparison | None:
    """The comparison of another metric, for the same test and candidate."""
    return next(
        (
            row
            for row in rows
            if row.metric == metric and row.test == like.test and row.candidate.path == like.candidate.path
        ),
        None,
    )
