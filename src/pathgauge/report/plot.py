"""A plot of plain characters: a dot with its interval for each candidate of one metric, all on one scale.

It is the same in a pipe as on a terminal, only without colour, and has none but ASCII characters of its own.
"""

from collections.abc import Iterator, Sequence

from pathgauge.quantities import clean
from pathgauge.report import format as words
from pathgauge.report.scale import Scale, drawable, ends, label, scale_of
from pathgauge.results.document import Comparison

GAP = "  "
WIDEST, NARROWEST = 60, 20  # characters from one end of the scale to the other
CHARACTERS_OF_A_MARK = 11  # a label, and what keeps it from the next


def lines(rows: Sequence[Comparison], width: int | None = None, *, colours: bool = False) -> Iterator[str]:
    """The plot of one test and metric, blank line first; nothing where a terminal of this width has no room for it."""
    names = [clean(name) for name in (rows[0].baseline.path, *(row.candidate.path for row in rows))]
    verdicts = ["baseline", *(words.verdict(row) for row in rows)]
    margin = max(map(len, names)) + len(GAP)
    cells = WIDEST if width is None else min(WIDEST, width - margin - len(GAP) - max(map(len, verdicts)))
    if cells < NARROWEST:
        return
    scale = scale_of(rows)
    yield ""
    yield clean(words.heading(rows[0]))
    yield f"{names[0].ljust(margin)}{_ground(scale, rows[0].margin, cells)}{GAP}{verdicts[0]}"
    for row, name, verdict in zip(rows, names[1:], verdicts[1:], strict=True):
        colour = words.COLOURS[row.verdict] if colours else ""
        yield f"{name.ljust(margin)}{_drawn(row, scale, cells, colour)}{GAP}{verdict}"
    marks = [(_cell(scale, ratio, cells), label(ratio)) for ratio in scale.marks(CHARACTERS_OF_A_MARK / cells)]
    places = [place for place, _ in marks]
    yield " " * margin + "".join("+" if place in places else "-" for place in range(cells))
    yield _labels([(margin + place, text) for place, text in marks])


def _cell(scale: Scale, ratio: float, cells: int) -> int:
    return round(scale.place(ratio) * (cells - 1))


def _ground(scale: Scale, margin: float, cells: int) -> str:
    """The baseline, and beside it as far as the margin goes."""
    low, zero, high = (_cell(scale, ratio, cells) for ratio in (1 / (1 + margin), 1.0, 1 + margin))
    return "".join("|" if place == zero else ":" if low <= place <= high else " " for place in range(cells))


def _drawn(row: Comparison, scale: Scale, cells: int, colour: str) -> str:
    """The interval on its ground: `[--o--]`; `<` and `>` where it has no end."""
    ground = _ground(scale, row.margin, cells)
    estimate = row.ratio.estimate
    if estimate is None or not drawable(estimate):
        return ground
    low, high = ends(row)
    first = 0 if low is None else _cell(scale, low, cells)
    last = cells - 1 if high is None else _cell(scale, high, cells)
    drawn = ["|" if ground[place] == "|" else "-" for place in range(first, last + 1)]
    drawn[0] = "<" if low is None else "["
    drawn[-1] = ">" if high is None else "]"
    drawn[_cell(scale, estimate, cells) - first] = "o"
    return ground[:first] + words.painted("".join(drawn), colour) + ground[last + 1 :]


def _labels(marks: Sequence[tuple[int, str]]) -> str:
    """Each label in the middle below its mark; marks are farther apart than a label is wide."""
    line = ""
    for place, text in marks:
        line = line.ljust(place - len(text) // 2) + text
    return line
