"""The plots of a document as one SVG file that needs nothing else: for each metric a dot with its interval for each
candidate, all on one scale. A pure function of the document.

Readable on white and on black: its colours follow what the reader's system prefers. Text is escaped, and laid out by
how wide a letter is at most, for no font can be asked.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import count

from pathgauge.errors import UserError
from pathgauge.quantities import clean, format_value
from pathgauge.report import format as words
from pathgauge.report.scale import Scale, drawable, ends, groups, label, scale_of
from pathgauge.results.document import Comparison, Result

EDGE, GAP = 16, 14
ROW = 24
HEAD, FOOT = 58, 52  # above the first row of a metric, and below the last
SCALE = 440
LETTER = 7.4  # px, of 13 px text
MARK = 60  # from one mark of the scale to the next, at least

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: bold; font-size: 15px }
.faint { fill: #59636e }
.middle { text-anchor: middle }
.paper { fill: #ffffff }
.band { fill: #dfe6ee }
.grid { stroke: #d1d9e0 }
.zero { stroke: #59636e }
.slower { fill: #c4302b; stroke: #c4302b }
.faster, .equivalent { fill: #1a7f37; stroke: #1a7f37 }
.undecided { fill: #8a6100; stroke: #8a6100 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .faint { fill: #9da7b1 }
  .paper { fill: #0d1117 }
  .band { fill: #28303a }
  .grid { stroke: #30363d }
  .zero { stroke: #9da7b1 }
  .slower { fill: #ff7b72; stroke: #ff7b72 }
  .faster, .equivalent { fill: #56d364; stroke: #56d364 }
  .undecided { fill: #e3b341; stroke: #e3b341 }
}
"""


def svg(result: Result, metrics: Sequence[str] = ()) -> str:
    """A drawing for each primary metric, and for those named. Raises UserError where nothing was compared."""
    found = groups(result, metrics)
    if not found:
        raise UserError("no test has been compared, and there is nothing to draw", hint="leave out --plot")
    names = [clean(name) for rows in found for name in (rows[0].baseline.path, *(row.candidate.path for row in rows))]
    said = [text for rows in found for text in map(_said, rows)]
    left = EDGE + _long(names) + GAP
    width = left + SCALE + GAP + _long(said) + EDGE
    parts: list[str] = []
    top = EDGE
    for rows in found:
        parts += _panel(rows, left, top)
        top += HEAD + ROW * (1 + len(rows)) + FOOT
    head = _tag("svg", xmlns="http://www.w3.org/2000/svg", width=width, height=top, viewBox=f"0 0 {width} {top}",
                role="img")  # fmt: skip
    title = f"<title>{_safe('; '.join(f'{rows[0].test} {rows[0].metric}' for rows in found))}</title>"
    paper = _tag("rect", closed=True, width=width, height=top, class_="paper")
    return "\n".join([head, title, f"<style>{_STYLE}</style>", paper, *parts, "</svg>\n"])


def _panel(rows: Sequence[Comparison], left: int, top: int) -> Iterator[str]:
    """One test and metric: heading, the scale with the margin's band behind the rows, its marks."""
    first, scale = rows[0], scale_of(rows)
    unit = "%" if first.unit == "1" else first.unit
    yield _text(EDGE, top + 16, f"{first.test} {first.metric}, {unit}", "title")
    yield _text(EDGE, top + 36, words.heading(first).partition(": ")[2], "faint")
    high, low = top + HEAD - 8, top + HEAD + ROW * (1 + len(rows))

    def x(ratio: float) -> float:
        return round(left + scale.place(ratio) * SCALE, 1)

    start, stop = x(1 / (1 + first.margin)), x(1 + first.margin)
    yield _tag("rect", closed=True, x=start, y=high, width=max(1, round(stop - start, 1)), height=low - high,
               class_="band")  # fmt: skip
    for ratio in scale.marks(MARK / SCALE):
        yield _line(x(ratio), high, x(ratio), low + 4, "zero" if ratio == 1.0 else "grid")
        yield _text(x(ratio), low + 20, label(ratio), "middle faint")
    yield _text(left + SCALE / 2, low + 38, f"difference from {first.baseline.path}, %", "middle faint")
    middle = top + HEAD + ROW // 2
    yield _text(EDGE, middle + 4, first.baseline.path)
    yield _text(left + SCALE + GAP, middle + 4, f"{format_value(first.baseline.estimate, first.unit)}, baseline")
    for row, place in zip(rows, count(1), strict=False):
        yield from _row(row, scale, left, middle + ROW * place)


def _row(row: Comparison, scale: Scale, left: int, y: int) -> Iterator[str]:
    """One candidate. An interval without an end goes as far as the scale does, and has no bar there."""
    yield _text(EDGE, y + 4, row.candidate.path)
    yield _text(left + SCALE + GAP, y + 4, _said(row))
    estimate = row.ratio.estimate
    if estimate is None or not drawable(estimate):
        return
    low, high = ends(row)
    places = [
        round(left + at * SCALE, 1) for at in (scale.place(low) if low else 0.0, scale.place(high) if high else 1.0)
    ]
    yield _line(places[0], y, places[1], y, row.verdict, width=2)
    for end, place in zip((low, high), places, strict=True):
        if end is not None:
            yield _line(place, y - 5, place, y + 5, row.verdict, width=2)
    dot = round(left + scale.place(estimate) * SCALE, 1)
    yield _tag("circle", closed=True, cx=dot, cy=y, r=4.5, class_=row.verdict)


def _said(row: Comparison) -> str:
    return f"{format_value(row.candidate.estimate, row.unit)}, {words.difference(row.ratio)}, {words.verdict(row)}"


def _long(texts: Sequence[str]) -> int:
    return round(LETTER * max(map(len, texts)))


def _safe(text: str) -> str:
    return escape(clean(text))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f"{_tag('text', x=x, y=y, class_=kind)}{_safe(text)}</text>"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, width: int = 1) -> str:
    return _tag("line", closed=True, x1=x1, y1=y1, x2=x2, y2=y2, stroke_width=width, class_=kind)


def _tag(name: str, *, closed: bool = False, **attributes: object) -> str:
    """`class_` is written `class`, `stroke_width` `stroke-width`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{written}{'/' if closed else ''}>"
