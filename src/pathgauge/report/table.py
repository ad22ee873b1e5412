"""The table of a document. Plain text of its own making: the same in a pipe as on a terminal, only without colour.

Columns are as wide as what stands in them; nothing is ever cut. A terminal too narrow for the table gets its costs in a
table of their own, and one too narrow for that the same cells one below the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from pathgauge.quantities import UNKNOWN, clean, format_value, significant
from pathgauge.report import format as words
from pathgauge.report import placement, plot
from pathgauge.report.drawing import drawing
from pathgauge.report.scale import groups
from pathgauge.results.document import Comparison, Result
from pathgauge.traffic.kind import LOAD, WAY_METRICS

GAP = "  "
VERDICT = 8
_WHOLE: list[Sequence[int]] = [range(9)]
_COSTS_APART: list[Sequence[int]] = [(0, 1, 2, 3, VERDICT), (0, 4, 5, 6, 7)]
_THREE_PARTS: list[Sequence[int]] = [(0, 1, 2, 3, VERDICT), (0, 4, 5), (0, 6, 7)]


@dataclass(frozen=True, slots=True)
class Look:
    """How to print: columns of the terminal (None: no terminal, any width will do) and whether in colour."""

    width: int | None = None
    colours: bool = False


def lines(result: Result, look: Look, metrics: Sequence[str] = ()) -> Iterator[str]:
    """The whole report: the table, a plot where one metric has several candidates, what is behind undecided verdicts,
    warnings. `metrics` adds rows for these.
    """
    primary, extra = _rows(result, metrics)
    if not primary and not extra:
        yield "No test has been compared."
    else:
        yield from _table(result, primary, extra, look)
        yield from placement.lines(result)
        yield from _congestion(result)
        yield from _plots(result, look, metrics)
    for path in result.paths:
        if path.kind == "existing":
            yield clean(f"{path.name}: {drawing(path)}")
    yield from _copies(result)
    yield from _loads(result)
    yield from _ways(result)
    yield from _reasons(result, [*primary, *extra])
    if result.ended != "complete":
        yield clean(f"This run did not end by itself: {result.ended}.")
    for warning in result.warnings:
        yield clean(f"warning: {warning}")


def _plots(result: Result, look: Look, metrics: Sequence[str]) -> Iterator[str]:
    drawn = False
    for rows in groups(result, metrics):
        if len(rows) > 1:
            for line in plot.lines(rows, look.width, colours=look.colours):
                drawn = True
                yield line
    if drawn:
        yield ""


def _congestion(result: Result) -> Iterator[str]:
    """What congestion control was used: what moves such numbers most, next to where the work was done."""
    controls = dict.fromkeys(seen.congestion for test in result.tests for seen in test.connections if seen.congestion)
    if controls:
        yield clean(f"TCP congestion control: {', '.join(controls)}.")
    for test in result.tests:
        if test.picked is not None:
            yield clean(words.picked(test.test, test.picked))


def _copies(result: Result) -> Iterator[str]:
    """How many there were of each path, and, where they ran at once, what each of them got."""
    built = max((path.copies for path in result.paths), default=1)
    if built > 1 and not any(test.copies for test in result.tests):
        yield f"Of each path {built} copies stood, one of them in use at a time."
    for test in result.tests:
        for copies in test.copies:
            least, middle, most = (format_value(find(copies.rates), copies.unit) for find in (min, median, max))
            fair = "unknown" if copies.fairness is None else f"{significant(copies.fairness, 3)}"
            yield clean(
                f"{test.test}, {copies.path}: {len(copies.rates)} {copies.at_once} at once, each {least} to {most}, "
                f"median {middle}; fairness (Jain) {fair}"
            )


def _loads(result: Result) -> Iterator[str]:
    """What ran beside the transactions, and how fast."""
    told = set()
    for row in (row for row in result.comparisons if row.metric == LOAD):
        for side, parameters in ((row.baseline, {}), (row.candidate, row.candidate_parameters)):
            load = (row.parameters | parameters).get("beside")
            if load is not None and (row.test, side.path) not in told:
                told.add((row.test, side.path))
                carried = format_value(side.estimate, row.unit)
                yield clean(f"{row.test}, {side.path}: beside it {load}, which brought over {carried}")


def _ways(result: Result) -> Iterator[str]:
    """How long requests and responses took, each on its way."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in (row for row in result.comparisons if row.metric in WAY_METRICS):
        for side in (row.baseline, row.candidate):
            if side.estimate is not None:
                found.setdefault((row.test, side.path), {})[row.metric] = format_value(side.estimate, row.unit)
    for (test, path), values in found.items():
        request, request_tail, response, response_tail = (values.get(name, UNKNOWN) for name in WAY_METRICS)
        yield clean(
            f"{test}, {path}: a request was on its way for {request}, a response for {response} "
            f"(medians; 99th percentiles: {request_tail}, {response_tail})"
        )


def _rows(result: Result, metrics: Sequence[str]) -> tuple[list[Comparison], list[Comparison]]:
    """One row for each test and candidate, then those of further metrics that were asked for, then or now."""
    first: dict[tuple[str, str], Comparison] = {}
    for row in result.comparisons:
        if row.primary:
            first.setdefault((row.test, row.candidate.path), row)
    primary = list(first.values())
    extra = [row for row in result.comparisons if (row.primary or row.metric in metrics) and row not in primary]
    return primary, extra


def _table(result: Result, primary: Sequence[Comparison], extra: Sequence[Comparison], look: Look) -> Iterator[str]:
    rows = [*primary, *extra]
    baseline = rows[0].baseline.path
    candidates = list(dict.fromkeys(row.candidate.path for row in rows))
    candidate = candidates[0] if len(candidates) == 1 else ""
    header = [
        "test",
        f"{baseline} (baseline)",
        candidate or "candidate",
        "difference",
        f"CPU {baseline}",
        f"CPU {candidate or 'candidate'}",
        f"demand {baseline}",
        f"demand {candidate or 'candidate'}",
        "verdict",
    ]
    cells = [_cells(result.comparisons, row, named=not candidate, whole=row in primary) for row in rows]
    header = [clean(cell) for cell in header]
    cells = [[clean(cell) for cell in row] for row in cells]
    colours = [words.COLOURS[row.verdict] if look.colours else "" for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    parts = _parts(widths, look.width)
    if parts is None:
        yield from _narrow(header, cells, colours)
    else:
        for number, columns in enumerate(parts):
            if number:
                yield ""
            yield from _wide(header, cells[: len(rows) if number == 0 else len(primary)], widths, colours, columns)
    yield ""
    confidence = rows[0].ratio.confidence
    yield f"Difference: candidate against baseline, with its {words.percent(confidence)} interval."
    yield f"Equivalent: within the margin, {_margins(rows)}. CPU and (service) demand: client/server."


def _margins(rows: Sequence[Comparison]) -> str:
    """`2 %`, or where they differ `2 % (goodput), 10 % (loss)`."""
    margins: dict[float, list[str]] = {}
    for row in rows:
        names = margins.setdefault(row.margin, [])
        names += [] if row.metric in names else [row.metric]
    if len(margins) == 1:
        return words.percent(rows[0].margin)
    return clean(", ".join(f"{words.percent(margin)} ({', '.join(names)})" for margin, names in margins.items()))


def _cells(every: Sequence[Comparison], row: Comparison, *, named: bool, whole: bool) -> list[str]:
    """The cells of a row; only a test's first row, the whole one, has CPU and service demand."""
    local, remote = (words.find(every, row, f"cpu_{end}") for end in ("local", "remote"))
    near, far = (words.find(every, row, f"service_demand_{end}") for end in ("local", "remote"))
    costs = [words.pair(*both, side) for both in ((local, remote), (near, far)) for side in ("baseline", "candidate")]
    candidate = format_value(row.candidate.estimate, row.unit)
    return [
        row.test if whole else f"{row.test} {row.metric}",
        format_value(row.baseline.estimate, row.unit),
        f"{row.candidate.path} {candidate}" if named else candidate,
        words.difference(row.ratio),
        *(costs if whole else [""] * len(costs)),
        words.verdict(row),
    ]


def _parts(widths: Sequence[int], width: int | None) -> list[Sequence[int]] | None:
    """Which columns stand side by side: all, or the costs apart in one part or two; None if even that is too wide."""
    for parts in (_WHOLE, _COSTS_APART, _THREE_PARTS):
        widest = max(sum(widths[column] + len(GAP) for column in part) - len(GAP) for part in parts)
        if width is None or widest <= width:
            return parts
    return None


def _wide(
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    widths: Sequence[int],
    colours: Sequence[str],
    columns: Sequence[int],
) -> Iterator[str]:
    def joined(row: Sequence[str], colour: str) -> str:
        """The test's name and the verdict stand to the left, numbers to the right."""
        parts = []
        for column in columns:
            if column == VERDICT:
                parts.append(words.painted(row[column], colour))
            else:
                parts.append(row[column].rjust(widths[column]) if column else row[column].ljust(widths[column]))
        return GAP.join(parts).rstrip()

    yield joined(header, "")
    for row, colour in zip(cells, colours, strict=False):
        yield joined(row, colour)


def _narrow(header: Sequence[str], cells: Sequence[Sequence[str]], colours: Sequence[str]) -> Iterator[str]:
    width = max(map(len, header))
    for number, (row, colour) in enumerate(zip(cells, colours, strict=True)):
        if number:
            yield ""
        yield row[0]
        for name, cell in zip(header[1:-1], row[1:-1], strict=True):
            if cell:
                yield f"  {name.ljust(width)}  {cell}"
        yield f"  {header[-1].ljust(width)}  {words.painted(row[-1], colour)}"


def _awake(result: Result) -> bool:
    return any(test.awake for test in result.tests)


def _uses_bbr(result: Result) -> bool:
    return any(seen.congestion == "bbr" for test in result.tests for seen in test.connections)


def _reasons(result: Result, rows: Sequence[Comparison]) -> Iterator[str]:
    """Why a verdict is undecided: whether zero is excluded, or what was refused."""
    for row in rows:
        if row.verdict == "undecided" and row.reason:
            yield clean(f"{row.test} {row.metric}, {row.candidate.path}: undecided: {row.reason}")
    for row in rows:
        if row.primary and row.spread is not None and row.spread.labs is not None:
            yield clean(f"{row.test} {row.metric}, {row.candidate.path}: {words.spread(row.spread)}")
    for row in rows:
        for doubt in row.doubts:
            what = f"{row.test} {row.metric}, {row.candidate.path}: {doubt.name}: {doubt.evidence}"
            yield clean(f"{what}; {doubt.advice}")
    if any(row.verdict == "undecided" and row.ratio.estimate is not None for row in rows):
        yield "To decide more: measure longer (--max-time 60s), allow more (--margin 5%), or quieten the machine"
        yield "(pathgauge doctor says what disturbs it)."
        if any(row.test.startswith("TCP_") and "RR" not in row.test for row in rows) and _uses_bbr(result):
            yield "bbr paces by its own estimate, which differs between connections: --congestion cubic is steadier."
        if any("RR" in row.test and row.primary and row.verdict == "undecided" for row in rows) and not _awake(result):
            yield "CPUs that go to sleep are back now sooner, now later: --awake keeps them from it, for transactions."
