"""Progress of a run: a table that redraws itself on a terminal, plain lines anywhere else."""

import contextlib
import os
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from pathgauge.errors import MachineError
from pathgauge.measuring.observer import Progress
from pathgauge.quantities import clean, format_value
from pathgauge.report import format as words
from pathgauge.report.format import MAIN_METRICS
from pathgauge.report.output import say
from pathgauge.report.table import Look
from pathgauge.results.document import Comparison, Picked

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches who can be shown movement."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def look_of(stream: TextIO) -> Look:
    """How a table is to be printed there. NO_COLOR, if not empty, is honoured."""
    if not is_terminal(stream):
        return Look()
    try:
        width = os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        width = 80
    return Look(width=width, colours=not os.environ.get("NO_COLOR"))


_ANY_WIDTH = 1000


def _blocks(progress: Progress) -> str:
    """`12`, or `12 of ~60` where it can be told what a verdict will take."""
    needed = max((row.blocks_needed for row in progress.current if row.primary and row.blocks_needed), default=None)
    return str(progress.blocks) if needed is None else f"{progress.blocks} of ~{needed}"


class Lines:
    """An observer that prints a plain line for each finished test, and warnings as they come.

    `needed` says that a run has a purpose beyond what it prints: then a reader who went away does not end it.
    """

    def __init__(self, stream: TextIO, *, needed: bool = False) -> None:
        self.told: set[str] = set()
        self._stream = stream
        self._needed = needed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def _print(self, text: str) -> None:
        try:
            say(self._stream, clean(text))
        except (BrokenPipeError, MachineError):
            if not self._needed:
                raise

    def lab_ready(self, paths: Sequence[str], seconds: float) -> None:
        self._print(f"lab ready in {seconds:.2f} s: {', '.join(paths)}")

    def block_done(self, progress: Progress) -> None:
        pass

    def test_done(self, comparisons: Sequence[Comparison]) -> None:
        for row in comparisons:
            if row.primary:
                self._print(words.sentence(row))

    def picked(self, test: str, picked: Picked) -> None:
        for line in words.tried(test, picked):
            self._print(line)

    def warning(self, text: str) -> None:
        self.told.add(text)
        self._print(f"warning: {text}")


class Live:
    """An observer that keeps a table on the terminal: a row for each test and candidate. It draws only when called."""

    def __init__(self, stream: TextIO, tests: Sequence[str]) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.told: set[str] = set()
        self._tests = tests
        self._seen: dict[str, Progress] = {}
        self._final: dict[str, Sequence[Comparison]] = {}
        console = Console(file=stream, highlight=False)
        self._live = RichLive(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._live.stop()

    def lab_ready(self, paths: Sequence[str], seconds: float) -> None:
        self._print(f"lab ready in {seconds:.2f} s: {', '.join(paths)}")
        self._draw()

    def block_done(self, progress: Progress) -> None:
        self._seen[progress.test] = progress
        self._draw()

    def test_done(self, comparisons: Sequence[Comparison]) -> None:
        if comparisons:
            self._final[comparisons[0].test] = comparisons
        self._draw()

    def picked(self, test: str, picked: Picked) -> None:
        for line in words.tried(test, picked):
            self._print(line)

    def warning(self, text: str) -> None:
        self.told.add(text)
        self._print(f"warning: {text}")

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._live.console.print(clean(text), markup=False)

    def _draw(self) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone is no reason to lose what is measured
            self._live.update(self.table(), refresh=True)

    def table(self) -> "Table":
        """What is shown now; on a narrow terminal without the paths' values, so that no number is folded."""
        console = self._live.console
        table = self._table(whole=True)
        fits = console.measure(table, options=console.options.update(width=_ANY_WIDTH)).maximum <= console.width
        return table if fits else self._table(whole=False)

    def _table(self, *, whole: bool) -> "Table":
        from rich.table import Table
        from rich.text import Text

        values = ("baseline", "candidate") if whole else ()
        table = Table(box=None, pad_edge=False)
        for name in ("test", *values, "difference", "blocks", "time", "so far"):
            table.add_column(name, justify="left" if name in ("test", "so far") else "right", overflow="fold")
        for test in self._tests:
            progress = self._seen.get(test)
            rows = [row for row in self._final.get(test, progress.current if progress else ()) if row.primary]
            clock = f"{progress.elapsed:.1f}/{progress.budget:g} s" if progress else ""
            blocks = ""
            if progress is not None:
                blocks = str(progress.blocks) if test in self._final else _blocks(progress)
            if not rows:
                state = "measuring" if progress else "waiting"
                table.add_row(test, *("" for _ in values), "", blocks, clock, Text(state, style="dim"))
            for row in rows:
                test_name, *numbers, difference = self._cells(row)
                said = self._verdict(row, done=test in self._final)
                table.add_row(test_name, *(numbers if whole else ()), difference, blocks, clock, said)
        return table

    @staticmethod
    def _cells(row: Comparison) -> "list[Text]":
        from rich.text import Text

        return [
            Text(row.test if row.metric in MAIN_METRICS else f"{row.test} {row.metric}"),
            Text(f"{row.baseline.path} {format_value(row.baseline.estimate, row.unit)}"),
            Text(f"{row.candidate.path} {format_value(row.candidate.estimate, row.unit)}"),
            Text(words.difference(row.ratio)),
        ]

    @staticmethod
    def _verdict(row: Comparison, *, done: bool) -> "Text":
        from rich.text import Text

        style = {"31": "red", "32": "green", "33": "yellow"}[words.COLOURS[row.verdict]]
        return Text(words.verdict(row), style=style if done else "dim")
