"""One experiment: the slow path and the fast one, as they are and with a knob turned, in the same balanced blocks."""

import math
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.measured import Block, Measured, Warmed
from pathgauge.paths.lab import Lab
from pathgauge.paths.turning import Turn
from pathgauge.results.document import Connection
from pathgauge.results.latency import Timed, seconds
from pathgauge.statistics.interaction import Span, pseudo_values, share, span
from pathgauge.statistics.interval import MINIMUM_BLOCKS
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_SHARE = 0.15  # of the gap: a knob that closes less explains nothing
SMALL_SHARE = 0.25  # what a knob certainly does not close is refuted
SHARP = 0.3  # width of a share's interval that is narrow enough
HALF_AN_EVENT = 0.5  # added to counts that may be none

Outcome = Literal["confirmed", "refuted", "undecided"]


@dataclass(slots=True)
class TurnedArm:
    """An arm while things of the machine are turned: before each of its steps, and back after it."""

    arm: EngineArm
    lab: Lab
    turns: tuple[Turn, ...]

    @property
    def name(self) -> str:
        """The arm's."""
        return self.arm.name

    @contextmanager
    def _turned(self) -> "Iterator[None]":
        undo = self.lab.turn(self.turns)
        try:
            yield
        finally:
            self.lab.turn(undo)

    def open(self) -> None:
        """See Arm."""
        with self._turned():
            self.arm.open()

    def warm(self, length: float) -> Warmed:
        """See Arm."""
        with self._turned():
            return self.arm.warm(length)

    def measure(self, ramp: float, length: float) -> Measured:
        """See Arm."""
        with self._turned():
            return self.arm.measure(ramp, length)

    def connection(self) -> Connection:
        """See Arm."""
        return self.arm.connection()

    def close(self) -> None:
        """See Arm."""
        self.arm.close()


@dataclass(frozen=True, slots=True)
class Found:
    """What an experiment showed, on the log scale, signed so that more is better: by how much the knob improved the
    slow path, and how much of the gap it closed (None without a fast path), at a confidence.
    """

    blocks: int
    confidence: float
    improved: Span
    fast_improved: Span | None
    closed: Span | None
    share: Span | None

    def outcome(self, gap: float, margin: float) -> Outcome:
        """Against the `gap` (log), or without a fast path against the margin (log)."""
        if self.closed is None:
            return (
                "confirmed"
                if self.improved.above(margin)
                else "refuted"
                if self.improved.below(margin)
                else "undecided"
            )
        if self.closed.above(0.0) and self.improved.above(0.0) and self.closed.estimate >= LEAST_SHARE * gap:
            return "confirmed"
        if self.closed.below(SMALL_SHARE * gap) or self.improved.below(SMALL_SHARE * gap):
            return "refuted"
        return "undecided"

    @property
    def sharp(self) -> bool:
        """Whether more blocks would say little more."""
        known = self.share
        return known is None or known.high - known.low <= SHARP


@dataclass(frozen=True, slots=True)
class Names:
    """The arms of an experiment."""

    slow: str
    slow_turned: str
    fast: str | None = None
    fast_turned: str | None = None


@dataclass(slots=True)
class Scale:
    """A metric as the experiments see it."""

    metric: Metric
    kind: TestKind
    quantile: float | None = field(init=False)

    def __post_init__(self) -> None:
        self.quantile = self.metric.quantile

    def values(self, blocks: Sequence[Block], arm: str) -> list[float] | None:
        """One value a block on the log scale, more being better; None where the metric cannot be told."""
        sign = 1.0 if self.metric.better == "higher" else -1.0
        if self.metric.terms is None:
            logs = [_log_time(block.slices[arm], self.metric.timed, self.quantile) for block in blocks]
            return None if None in logs else [sign * value for value in logs if value is not None]
        terms = []
        for block in blocks:
            pairs = [self.metric.terms(measured.row, self.kind) for measured in block.slices[arm]]
            known = [pair for pair in pairs if pair is not None]
            if len(known) < len(pairs) or not known:
                return None
            terms.append((math.fsum(top for top, _ in known), math.fsum(bottom for _, bottom in known)))
        floor = HALF_AN_EVENT if self.metric.name in ("retransmits", "loss") else 0.0
        found = pseudo_values(terms, floor)
        return None if found is None else [sign * value for value in found]


def judge(scale: Scale, blocks: Sequence[Block], names: Names, confidence: float) -> Found | None:
    """What the valid blocks show; None where they are too few, or the metric cannot be told."""
    valid = [block for block in blocks if block.void is None]
    if len(valid) < MINIMUM_BLOCKS:
        return None
    slow, slow_turned = scale.values(valid, names.slow), scale.values(valid, names.slow_turned)
    if slow is None or slow_turned is None:
        return None
    improved = _minus(slow_turned, slow)
    if names.fast is None or names.fast_turned is None:
        return Found(len(valid), confidence, span(improved, confidence), None, None, None)
    fast, fast_turned = scale.values(valid, names.fast), scale.values(valid, names.fast_turned)
    if fast is None or fast_turned is None:
        return None
    fast_improved = _minus(fast_turned, fast)
    closed = _minus(improved, fast_improved)
    return Found(
        len(valid),
        confidence,
        span(improved, confidence),
        span(fast_improved, confidence),
        span(closed, confidence),
        share(closed, _minus(fast, slow), confidence),
    )


def _minus(left: Sequence[float], right: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(left, right, strict=True)]


def _log_time(slices: Sequence[Measured], timed: Timed, quantile: float | None) -> float | None:
    """The logarithm of a quantile, or of the mean, of the transactions of some slices, or of one of their ways."""
    import numpy as np

    histograms = [found for measured in slices if (found := measured.times(timed)) is not None]
    if not histograms or len(histograms) < len(slices):
        return None
    places = np.concatenate([histogram.places for histogram in histograms])
    counts = np.concatenate([histogram.counts for histogram in histograms]).astype(float)
    if not counts.sum():
        return None
    values = seconds(places)
    if quantile is None:
        return math.log(float(values @ counts) / float(counts.sum()))
    order = np.argsort(values)
    reached = np.searchsorted(np.cumsum(counts[order]), quantile * counts.sum())
    return math.log(float(values[order][min(reached, len(order) - 1)]))
