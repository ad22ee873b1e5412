"""Plots: what stands where on one scale, in characters and as SVG, whatever the document holds."""

import itertools
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import comparison, costs, result
from pathgauge.cli import main as cli
from pathgauge.errors import UserError
from pathgauge.report import plot
from pathgauge.report.scale import Scale, label, scale_of
from pathgauge.report.svg import svg
from pathgauge.report.table import Look, lines
from pathgauge.results import store
from pathgauge.results.document import Comparison

ESCAPE = "\x1b"
THREE = [
    comparison(paths=("copy", "sendfile"), ratio=(1.2, 1.1, 1.3), verdict="faster"),
    comparison(paths=("copy", "splice"), ratio=(1.0, 0.9, 1.1), verdict="undecided"),
    comparison(paths=("copy", "zerocopy"), ratio=(0.7, 0.65, 0.75), verdict="slower"),
]


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - written a line before


def drawn(rows: list[Comparison], width: int | None = None) -> list[str]:
    return list(plot.lines(rows, width))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(0.05, 0.5))
def test_marks_are_round_apart_and_hold_the_baseline(one: float, two: float, apart: float) -> None:
    scale = scale_of([comparison(ratio=(one, min(one, two), max(one, two)))])
    marks = scale.marks(apart)
    assert 1.0 in marks
    assert all(scale.place(after) - scale.place(before) >= apart for before, after in itertools.pairwise(marks))
    assert all(0.0 < scale.place(mark) < 1.0 for mark in marks)
    assert all(len(label(mark)) <= 9 for mark in marks)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.9, 1.1, ["-8 %", "-6 %", "-4 %", "-2 %", "0 %", "+2 %", "+4 %", "+6 %", "+8 %"]),
        (0.5, 1.9, ["-40 %", "-20 %", "0 %", "+20 %", "+40 %", "+60 %", "+80 %"]),
        (0.15, 12.0, ["-80 %", "-50 %", "0 %", "+100 %", "+400 %", "+900 %"]),
        (1e-3, 1e5, ["-99 %", "0 %", "+9900 %", "10000 x"]),
    ],
)
def test_marks_of_narrow_and_wide_scales(low: float, high: float, labels: list[str]) -> None:
    scale = Scale(math.log(low) * 0.99, math.log(high) * 0.99)
    assert [label(mark) for mark in scale.marks(0.07 if high < 100 else 0.2)] == labels


def test_one_line_for_each_candidate_below_the_baseline() -> None:
    blank, heading, *rows, axis, labels = drawn(THREE)
    assert blank == ""
    assert heading.startswith("TCP_STREAM goodput: difference from copy, with its 95 % interval; the margin of 2 %")
    assert [row.split()[0] for row in rows] == ["copy", "sendfile", "splice", "zerocopy"]
    assert [row.split()[-1] for row in rows] == ["baseline", "faster", "undecided", "slower"]
    zero = rows[0].index("|")
    dots = [row.index("o", len("zerocopy")) for row in rows[1:]]
    assert dots[0] > zero > dots[2]
    assert dots[1] == zero
    assert axis[zero] == "+"
    assert labels[zero - 1 : zero + 2] == "0 %"
    for row in rows[1:]:
        assert re.search(r"\[[-|]+o[-|]+\]", row)


def test_the_margin_is_marked_beside_the_baseline() -> None:
    wide = [msgspec.structs.replace(row, margin=0.1) for row in THREE]
    assert ":::|:::" in drawn(wide)[2]
    assert drawn(wide)[2].count(":") > 3 * drawn(THREE)[2].count(":")


def test_an_interval_without_an_end_and_none_at_all() -> None:
    open_ended = comparison(ratio=(0.9, None, 1.1))
    other = comparison(ratio=(1.1, 0.9, None))
    unknown = comparison(ratio=(None, None, None), verdict="undecided")
    _, _, _, low, high, nothing, *_ = drawn([open_ended, other, unknown])
    assert re.search(r" <-+o[-|]+\] ", low)
    assert re.search(r" \[[-|]+o-+>", high)
    assert "o" not in nothing.replace("macvlan", "").replace("undecided", "")


@given(st.lists(st.tuples(*[st.floats(0.0, 1e12)] * 3), min_size=1, max_size=5), st.integers(1, 200))
def test_any_numbers_are_drawn_within_the_width(ratios: list[tuple[float, float, float]], width: int) -> None:
    rows = [comparison(ratio=(middle, low, high)) for low, middle, high in map(sorted, ratios)]
    text = drawn(rows, width)
    assert all(len(line) <= width for line in text if ":" not in line.partition(" ")[0] and "interval" not in line)
    parsed(svg(result(*rows)))


def test_under_the_table_only_where_there_are_several_candidates() -> None:
    assert "difference from" not in "\n".join(lines(result(), Look()))
    text = "\n".join(lines(result(*THREE), Look()))
    assert text.count("difference from copy") == 1
    assert text.isascii()
    assert ESCAPE not in text
    text = "\n".join(lines(result(*THREE), Look(width=200, colours=True)))
    assert f"{ESCAPE}[31m[" in text
    asked = [comparison(metric="loss", paths=("copy", row.candidate.path), primary=False) for row in THREE]
    assert "TCP_STREAM loss: difference" not in "\n".join(lines(result(*THREE, *asked), Look()))
    assert "TCP_STREAM loss: difference" in "\n".join(lines(result(*THREE, *asked), Look(), ["loss"]))


def test_the_svg_is_whole_and_holds_every_metric_with_units() -> None:
    text = svg(result(*THREE, comparison("TCP_RR", "latency_p99", values=(1e-5, 2e-5)), *costs()))
    root = parsed(text)
    space = "{http://www.w3.org/2000/svg}"
    said = [each.text for each in root.iter(f"{space}text")]
    assert "TCP_STREAM goodput, bit/s" in said
    assert "TCP_RR latency_p99, s" in said
    assert "8.58 Gbit/s, +20.0 % [+10.0, +30.0], faster" in said
    assert any("lower is better" in (each or "") for each in said)
    assert "difference from copy, %" in said
    circles = list(root.iter(f"{space}circle"))
    assert [each.get("class") for each in circles] == ["faster", "undecided", "slower", "slower"]
    dots = [float(each.get("cx", "")) for each in circles]
    assert dots[2] < dots[1] < dots[0]
    assert "prefers-color-scheme: dark" in text
    assert re.search(r"(href|src|url|@import)", text) is None, "it needs nothing else"


def test_no_text_of_a_foreign_document_is_markup() -> None:
    evil = f"<script>&\"'{ESCAPE}]0;\x00\ud800"
    root = parsed(svg(result(comparison(paths=(evil, evil)))))
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert any(each.text == "<script>&\"'?]0;??" for each in root.iter("{http://www.w3.org/2000/svg}text"))


def test_nothing_compared_is_nothing_drawn() -> None:
    with pytest.raises(UserError, match="nothing to draw"):
        svg(result(comparisons=[]))


def test_show_writes_it_and_says_what_is_no_svg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, drawing = str(tmp_path / "r.json"), tmp_path / "r.svg"
    store.write_atomic(document, store.encode(result(*THREE)))
    assert cli.main(["show", document, "--plot", str(drawing)]) == 0
    assert drawing.read_text() == svg(result(*THREE))
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["r.json", "r.svg"], "nothing else is left"
    capsys.readouterr()
    assert cli.main(["show", document, "--plot", str(tmp_path / "r.png")]) == 2
    assert "names no SVG file" in capsys.readouterr().err
    assert cli.main(["show", document, "--plot", str(tmp_path / "none" / "r.svg")]) == 2
    assert "--plot: " in capsys.readouterr().err
