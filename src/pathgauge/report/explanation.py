"""An explanation in words: first a sentence a person can act on, then each cause with its evidence, its experiments and
what to type, then what was ruled out.
"""

from collections.abc import Iterator, Sequence

from pathgauge.quantities import clean, format_value, significant
from pathgauge.report import format as words
from pathgauge.report.table import Look
from pathgauge.results.document import Comparison, Experiment, Explained, Explanation, Result, Share
from pathgauge.traffic.metrics import METRICS

BOLD, GREEN, YELLOW = "1", "32", "33"
_WORSE = {"goodput": "slower", "transaction_rate": "slower", "send_rate": "slower"}


def lines(result: Result, look: Look) -> Iterator[str]:
    """The whole answer."""
    asked = result.explained
    if asked is None:
        return
    yield from _headline(result, asked, look)
    told = [each for each in result.explanations if each.status in ("confirmed", "suspected")]
    for each in told:
        yield ""
        yield from _cause(each, look)
    if asked.differences:
        yield ""
        yield "Set differently on the two paths:"
        yield from (clean(f"  {line}") for line in asked.differences)
    yield from _not_settled(result.explanations)
    yield from _ruled_out(result.explanations)
    if result.ended != "complete":
        yield ""
        yield clean(f"This run did not end by itself: {result.ended}.")


def _headline(result: Result, asked: Explained, look: Look) -> Iterator[str]:
    row = next((row for row in result.comparisons if row.metric == asked.metric), None)
    top = next((each for each in result.explanations if each.cause == result.top_cause), None)
    if asked.fast is not None and asked.gap is None:
        yield _painted(
            f"{asked.test}: no difference between the paths was found that would want explaining.", BOLD, look
        )
        for each in result.comparisons:
            yield clean(f"  {each.metric}: {words.difference(each.ratio)}, {words.verdict(each)}")
        for doubt in result.comparisons[0].doubts if result.comparisons else ():
            if doubt.undermines:
                yield clean(f"  {doubt.evidence}: {doubt.advice}")
        return
    what = _difference(asked, row) if asked.fast is not None else f"{asked.slow}, {asked.test} {asked.metric}"
    if top is None:
        yield _painted(clean(f"{what}: no cause was found."), BOLD, look)
    elif top.status == "confirmed" and asked.fast is not None:
        remedy = f": {top.remedy[0]}" if top.remedy else ""
        yield _painted(clean(f"{what} because {top.summary}{remedy}."), BOLD, look)
        if top.share is not None:
            yield clean(f"That closes {_percents(top.share)} of the gap.")
    elif top.status == "confirmed":
        remedy = f": {top.remedy[0]}" if top.remedy else ""
        yield _painted(clean(f"{what} is limited because {top.summary}{remedy}."), BOLD, look)
    else:
        yield _painted(clean(f"{what}; suspected, not proven: {top.summary}."), BOLD, look)
    if asked.unexplained is not None and any(each.status == "confirmed" for each in result.explanations):
        yield clean(f"Left unexplained: {100 * asked.unexplained:.0f} % of the gap.")


def _difference(asked: Explained, row: Comparison | None) -> str:
    name = "" if asked.metric in _WORSE else f" {asked.metric}"
    if row is None or asked.gap is None:
        return f"{asked.test}{name}: {asked.slow} is worse than {asked.fast}"
    sides = {row.baseline.path: row.baseline, row.candidate.path: row.candidate}
    slow, fast = (format_value(sides[path].estimate, row.unit) for path in (asked.slow, asked.fast or ""))
    if METRICS[asked.metric].better == "higher":
        by = f"{100 * (1 - asked.gap):.0f} % slower than {asked.fast}"
    else:
        by = f"{significant(1 / asked.gap, 2)} times that of {asked.fast}"
    return f"{asked.test}{name}: {asked.slow} is {by} ({slow} against {fast})"


def _cause(found: Explanation, look: Look) -> Iterator[str]:
    share = f", {_percents(found.share)} of the gap" if found.share is not None else ""
    colour = GREEN if found.status == "confirmed" else YELLOW
    yield _painted(clean(f"{found.cause}: {found.status}{share}"), colour, look)
    yield clean(f"  {found.summary}")
    yield from (clean(f"  evidence: {line}") for line in found.evidence)
    for each in found.experiments:
        yield clean(f"  experiment: {_experiment(each)}")
    yield from (clean(f"  do: {line}") for line in found.remedy)


def _experiment(found: Experiment) -> str:
    what = " and ".join(found.changed or found.knobs)
    if found.planted:
        what = f"{what} on the other path"
    if found.with_:
        what = f"{what} (on top of {', '.join(found.with_)})"
    if found.improved is None:
        return f"{what}: {found.reason or 'nothing could be told'}"
    way = "costs it" if found.planted else "improves it"
    told = f"{what}: {way} {_times(found.improved)}"
    if found.baseline_improved is not None:
        told += f", the other path {_times(found.baseline_improved)}"
    if found.closed is not None:
        told += f"; closes {_percents(found.closed)} of the gap"
    return f"{told}; {found.outcome} after {found.blocks} blocks"


def _not_settled(found: Sequence[Explanation]) -> Iterator[str]:
    tried = [each for each in found if each.status == "untested" and each.experiments]
    if tried:
        yield ""
        yield "Tried, and not settled (a longer --max-time, or a quieter machine):"
    for each in tried:
        yield clean(f"  {each.cause}: {_experiment(each.experiments[-1])}")


def _ruled_out(found: Sequence[Explanation]) -> Iterator[str]:
    refuted = [each for each in found if each.status == "refuted" and (each.experiments or each.weight < 0.0)]
    if refuted:
        yield ""
        yield "Ruled out:"
    for each in refuted:
        why = _experiment(each.experiments[-1]) if each.experiments else "; ".join(each.evidence)
        yield clean(f"  {each.cause}: {why}")


def _times(share: Share) -> str:
    low, high = ("?" if edge is None else f"{edge:.3g}" for edge in (share.low, share.high))
    return f"{share.estimate:.3g} times [{low}, {high}]"


def _percents(share: Share) -> str:
    low, high = ("?" if edge is None else f"{100 * edge:.0f}" for edge in (share.low, share.high))
    return f"{100 * share.estimate:.0f} % [{low}, {high}]"


def _painted(text: str, colour: str, look: Look) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if look.colours else text
