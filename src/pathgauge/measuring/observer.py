"""What the measuring loop tells whoever watches: the terminal, a log, nobody."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pathgauge.results.document import Comparison, Picked


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where one test stands after a block. `current` has the primary metric against each candidate (verdict so far)."""

    test: str
    test_index: int
    tests: int
    blocks: int
    void_blocks: int
    elapsed: float
    budget: float
    current: tuple[Comparison, ...]


class Observer(Protocol):
    """Called between slices, in the loop's own thread: be quick."""

    def lab_ready(self, paths: Sequence[str], seconds: float) -> None: ...
    def block_done(self, progress: Progress) -> None: ...
    def test_done(self, comparisons: Sequence[Comparison]) -> None: ...
    def picked(self, test: str, picked: Picked) -> None: ...
    def warning(self, text: str) -> None: ...


class Silent:
    """The observer of those who only want the result."""

    def lab_ready(self, paths: Sequence[str], seconds: float) -> None:
        pass

    def block_done(self, progress: Progress) -> None:
        pass

    def test_done(self, comparisons: Sequence[Comparison]) -> None:
        pass

    def picked(self, test: str, picked: Picked) -> None:
        pass

    def warning(self, text: str) -> None:
        pass
