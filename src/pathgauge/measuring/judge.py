"""From measured blocks to comparisons: which statistics a metric is judged by, and its row in the document."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from pathgauge.measuring import receiving
from pathgauge.measuring.measured import Block, Measured, merged, of_labs
from pathgauge.quantities import significant
from pathgauge.results.document import Comparison, Doubt, PathEstimate, Ratio, Spread
from pathgauge.statistics import interval as intervals
from pathgauge.statistics import levels, quality
from pathgauge.statistics.interval import Interval, Refusal
from pathgauge.statistics.quantile import of_histograms, quantile_of_counts
from pathgauge.statistics.verdict import decide
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.metrics import METRICS, Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLICES_OF_AN_ARM = 2  # in a block
CPUS = frozenset({"local-cpu", "remote-cpu"})
PAYLOAD_SHARE = 0.956  # of a wire's rate that full TCP segments over IPv4 leave to the payload

Parameters = dict[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the blocks of one test: `fixed` says that their number was fixed beforehand and this is the one
    look; with several `labs` it is the labs that are counted, not the blocks;
    `parameters` are the baseline's, `changes` what each candidate has otherwise. `wire_rates` are each arm's in bit/s.
    `steered` says that paths were asked to receive on CPUs of their own.
    """

    kind: TestKind
    parameters: Parameters
    confidence: float
    margins: dict[str, float]
    primary: frozenset[str]
    fixed: bool = False
    candidates: int = 1
    labs: int = 1
    wire_rates: Mapping[str, int | None] = field(default_factory=dict)
    changes: Mapping[str, Parameters] = field(default_factory=dict)
    steered: bool = False

    def moves(self, candidate: str) -> bool:
        """Whether it was asked that the work of one of the two be done on other CPUs."""
        return self.steered or not CPUS.isdisjoint(self.changes.get(candidate, {}))

    def margin(self, metric: Metric) -> float:
        """The metric's margin as a fraction."""
        return self.margins.get(metric.name, metric.default_margin)


def judge(
    question: Question, metrics: Sequence[str], blocks: Sequence[Block], baseline: str, candidate: str
) -> list[Comparison]:
    """One comparison a metric, from the valid blocks among those given."""
    valid = [block for block in blocks if block.void is None]
    void = [block.void for block in blocks if block.void is not None]
    return [_compare(question, METRICS[name], valid, void, baseline, candidate) for name in metrics]


def _compare(
    question: Question, metric: Metric, blocks: Sequence[Block], void: Sequence[str], baseline: str, candidate: str
) -> Comparison:
    family = len(question.primary) * max(1, question.candidates) if metric.name in question.primary else 1
    confidence = 1.0 - (1.0 - question.confidence) / family
    units = blocks if question.labs == 1 else [merged(lab) for lab in of_labs(blocks)]
    sides = _Sides(question.kind, metric, units, blocks, confidence, question.fixed)
    ratio = sides.ratio(baseline, candidate)
    margin = question.margin(metric)
    verdict, reason = decide(ratio, margin, metric.better)
    doubts = sides.doubts(baseline, candidate, question, void) if metric.name in question.primary else []
    undermining = [doubt.name for doubt in doubts if doubt.undermines]
    if undermining and verdict != "undecided":
        reason = f"{verdict} it would be, but for {' and '.join(undermining)}"
        verdict = "undecided"
    outlook = None
    if isinstance(ratio, Interval) and metric.quantile is None:
        outlook = _outlook(ratio, margin, confidence, blocks, fixed=question.fixed)
        if verdict == "undecided" and not undermining:
            reason += outlook.words
    estimate, low, high = _numbers(ratio)
    return Comparison(
        test=question.kind.name,
        parameters=question.parameters,
        candidate_parameters=question.changes.get(candidate, {}),
        metric=metric.name,
        unit=metric.unit_for(question.kind),
        better=metric.better,
        primary=metric.name in question.primary,
        baseline=sides.estimate(baseline),
        candidate=sides.estimate(candidate),
        ratio=Ratio(
            estimate=estimate,
            low=low,
            high=high,
            confidence=question.confidence,
        ),
        margin=margin,
        family=family,
        verdict=verdict,
        reason=reason,
        blocks=len(blocks),
        resolution=outlook.resolution if outlook else None,
        blocks_needed=outlook.blocks if outlook and verdict == "undecided" else None,
        measured_seconds=math.fsum(
            m.row.local_seconds for b in blocks for n in (baseline, candidate) for m in b.slices[n]
        ),
        spread=sides.spread(baseline, candidate),
        doubts=doubts,
    )


@dataclass(frozen=True, slots=True)
class _Outlook:
    """How small a difference could have been told, as a fraction, and the blocks and seconds that would decide, if all
    stays as it is; None where nothing would, or the number of blocks was fixed.
    """

    resolution: float
    blocks: int | None
    seconds: float | None
    words: str


def _outlook(ratio: Interval, margin: float, confidence: float, blocks: Sequence[Block], *, fixed: bool) -> _Outlook:
    half = math.log(ratio.high / ratio.low) / 2.0
    resolution = math.expm1(half + math.log1p(margin))
    said = (
        f"; it is {100 * math.expm1(half):.2g} % to either side, "
        f"so that a difference of {100 * resolution:.2g} % or more could have been told"
    )
    if fixed:
        return _Outlook(resolution, None, None, said)
    missing = abs(abs(math.log(ratio.estimate)) - math.log1p(margin))
    needed = intervals.blocks_needed(len(blocks), half, missing, confidence)
    if needed is None:
        said += "; what was seen is too near the margin for any time to decide"
        return _Outlook(resolution, None, None, said)
    seconds = needed * math.fsum(block.seconds for block in blocks) / len(blocks)
    return _Outlook(resolution, needed, seconds, f"{said}; about {significant(seconds, 2)} s in all would decide")


@dataclass(frozen=True, slots=True)
class _Sides:
    """One metric over valid blocks, for any arm; `units` are what counts as one value: blocks, or labs."""

    kind: TestKind
    metric: Metric
    units: Sequence[Block]
    blocks: Sequence[Block]
    confidence: float
    fixed: bool = False

    @property
    def over_labs(self) -> bool:
        """Whether labs are what counts."""
        return self.units is not self.blocks

    def ratio(self, baseline: str, candidate: str) -> Interval | Refusal:
        if not self.units:
            return Refusal("no block was valid")
        if self.over_labs and len(self.units) < intervals.MINIMUM_BLOCKS:
            return Refusal(f"{len(self.units)} labs, and fewer than {intervals.MINIMUM_BLOCKS} say nothing")
        if self.metric.judged == "nothing":
            return Refusal(f"{self.metric.name} is shown as it was seen; an extreme has no interval")
        if self.metric.quantile is not None:
            return self._of_histograms(baseline, candidate)
        before, after = self._terms(baseline), self._terms(candidate)
        if before is None or after is None:
            return Refusal(f"{self.metric.name} is unknown on this machine")
        if self.metric.judged == "sums":
            return intervals.of_sums(before, after, self.confidence, fixed=self.fixed, independent=self.over_labs)
        if any(bottom <= 0.0 for _, bottom in (*before, *after)):
            return Refusal("a block measured nothing")
        values = [[top / bottom for top, bottom in terms] for terms in (before, after)]
        return intervals.of_blocks(values[0], values[1], self.confidence, fixed=self.fixed, independent=self.over_labs)

    def doubts(self, baseline: str, candidate: str, question: Question, void: Sequence[str]) -> list[Doubt]:
        """What speaks against a verdict; `void` says of each block that does not count why."""
        arms = (baseline, candidate)
        blocks = [block for lab in of_labs(self.blocks) for block in lab]
        stolen = [_stolen(block, arms) for block in blocks]
        found = [quality.void(len(blocks), void), quality.steal(stolen)]
        logs = self._logs(baseline, candidate)
        if logs:  # the metric is judged block by block
            own = [value - fmean(lab) for lab in logs for value in lab]  # what labs differ by is no trend
            first = [_place(block, candidate) < _place(block, baseline) for block in blocks]
            seconds = fmean(block.seconds for block in blocks)
            found += quality.doubts(own if len(logs) > 1 else logs[0], first, seconds, stolen)
            if self.metric.name == "goodput":
                found.append(quality.ceiling(self._shares(arms, question.wire_rates)))
            if self.metric.name == self.kind.primary:
                found.append(quality.generator_limited({arm: self._limited(arm) for arm in arms}))
                if not question.moves(candidate):
                    found.append(quality.placement(self._received(arms)))
        return [
            Doubt(name=seen.name, evidence=seen.evidence, advice=seen.advice, undermines=seen.undermines)
            for seen in found
            if seen is not None
        ]

    def _shares(self, arms: Sequence[str], wire_rates: Mapping[str, int | None]) -> list[float]:
        """What each arm's goodput is of what its wire can carry, where both are known."""
        rates = [_overall(self._terms(arm) or []) for arm in arms]
        return [
            rate / (PAYLOAD_SHARE * limit)
            for rate, limit in zip(rates, map(wire_rates.get, arms), strict=True)
            if rate is not None and limit is not None
        ]

    def _received(self, arms: Sequence[str]) -> dict[str, dict[str, float]]:
        """Each CPU's share of the packets that were received on each path."""
        return {
            arm: receiving.shares(measured.row for block in self.blocks for measured in block.slices[arm])
            for arm in arms
        }

    def _limited(self, arm: str) -> list[str | None]:
        """What of our own limited each of the arm's slices."""
        return [measured.row.limited for block in self.blocks for measured in block.slices[arm]]

    def _logs(self, baseline: str, candidate: str) -> list[list[float]]:
        """The log-ratio of each block by lab; nothing where the metric is not judged block by block."""
        if self.metric.judged != "blocks" or self.metric.quantile is not None:
            return []
        found = []
        for lab in of_labs(self.blocks):
            before, after = _values(self._terms_in(lab, baseline)), _values(self._terms_in(lab, candidate))
            if before is None or after is None:
                return []
            found.append([math.log(late) - math.log(early) for early, late in zip(before, after, strict=True)])
        return found

    def spread(self, baseline: str, candidate: str) -> Spread | None:
        """How the variance of a metric that is judged block by block divides."""
        logs = self._logs(baseline, candidate)
        pairs = []
        for block in self.blocks:
            one, two = (self._logs_of_slices(block.slices[arm]) for arm in (baseline, candidate))
            if len(one) == len(two) == SLICES_OF_AN_ARM:
                pairs.append(((one[0], one[1]), (two[0], two[1])))
        found = levels.divide(logs, pairs)
        return None if found is None else Spread(slices=found.slices, connections=found.connections, labs=found.labs)

    def _logs_of_slices(self, slices: Sequence[Measured]) -> list[float]:
        terms = [pair for measured in slices if (pair := self._terms_of(measured)) is not None]
        return [math.log(value) for value in _values(terms) or ()]

    def estimate(self, arm: str) -> PathEstimate:
        value: float | None
        interval: Interval | Refusal
        if self.metric.quantile is not None:
            value = self._quantile(arm)
            interval = Refusal("") if self.metric.judged == "nothing" else self._of_histograms(None, arm)
        else:
            terms = self._terms(arm)
            value = None if terms is None else _overall(terms)
            interval = (
                Refusal("")
                if terms is None
                else intervals.of_sums(None, terms, self.confidence, fixed=self.fixed, independent=self.over_labs)
            )
        _, low, high = _numbers(interval)
        return PathEstimate(path=arm, estimate=value, low=low, high=high)

    def _terms(self, arm: str) -> list[tuple[float, float]] | None:
        """Numerator and denominator of each unit; None where a slice does not know them, or there is no unit."""
        return self._terms_in(self.units, arm)

    def _terms_in(self, units: Sequence[Block], arm: str) -> list[tuple[float, float]] | None:
        summed: list[tuple[float, float]] = []
        for block in units:
            terms = [self._terms_of(measured) for measured in block.slices[arm]]
            known = [pair for pair in terms if pair is not None]
            if len(known) < len(terms):
                return None
            summed.append((math.fsum(top for top, _ in known), math.fsum(bottom for _, bottom in known)))
        return summed or None

    def _terms_of(self, measured: Measured) -> tuple[float, float] | None:
        if self.metric.terms is not None:
            return self.metric.terms(measured.row, self.kind)
        from pathgauge.results.latency import seconds

        histogram = measured.times(self.metric.timed)
        if histogram is None:
            return None
        return float(seconds(histogram.places) @ histogram.counts), float(histogram.counts.sum())

    def _dense(self, arms: Sequence[str]) -> "tuple[list[NDArray[np.float64]], NDArray[np.float64]] | None":
        """The arms' counts, each of shape (units, places), over the places that any of them hit, and their seconds."""
        import numpy as np

        from pathgauge.results.latency import seconds

        timed = self.metric.timed
        found = [[m.times(timed) for m in block.slices[arm]] for arm in arms for block in self.units]
        histograms = [histogram for row in found for histogram in row if histogram is not None]
        if not histograms or len(histograms) < sum(map(len, found)):
            return None
        places = np.unique(np.concatenate([histogram.places for histogram in histograms]))
        if not len(places):
            return None
        sides = []
        for arm in arms:
            counts = np.zeros((len(self.units), len(places)))
            for row, block in zip(counts, self.units, strict=True):
                for measured in block.slices[arm]:
                    if (histogram := measured.times(timed)) is not None:
                        row[np.searchsorted(places, histogram.places)] += histogram.counts
            sides.append(counts)
        return sides, seconds(places)

    def _of_histograms(self, baseline: str | None, candidate: str) -> Interval | Refusal:
        dense = self._dense([candidate] if baseline is None else [candidate, baseline])
        if dense is None or self.metric.quantile is None:
            return Refusal("no transaction was timed")
        (after, *before), values = dense
        return of_histograms(
            before[0] if before else None,
            after,
            values,
            self.metric.quantile,
            self.confidence,
            fixed=self.fixed,
            independent=self.over_labs,
        )

    def _quantile(self, arm: str) -> float | None:
        dense = self._dense([arm])
        if dense is None or self.metric.quantile is None:
            return None
        sides, values = dense
        value = quantile_of_counts(sides[0].sum(axis=0), values, self.metric.quantile)
        return None if math.isnan(value) else value


def _values(terms: Sequence[tuple[float, float]] | None) -> list[float] | None:
    """Each numerator over its denominator; None where one is not above 0, or there are none."""
    if not terms or any(not (top > 0.0 and bottom > 0.0) for top, bottom in terms):
        return None
    return [top / bottom for top, bottom in terms]


def _place(block: Block, arm: str) -> int:
    """Where in a block an arm's first slice was."""
    return min(measured.row.position for measured in block.slices[arm])


def _stolen(block: Block, arms: Sequence[str]) -> float | None:
    """The share of the machine's CPU time in the arms' slices that the hypervisor took."""
    rows = [measured.row for arm in arms for measured in block.slices[arm]]
    pairs = [(row.machine_steal_seconds, row.machine_seconds) for row in rows]
    known = [(steal, seconds) for steal, seconds in pairs if steal is not None and seconds]
    if len(known) < len(rows):
        return None
    return math.fsum(steal for steal, _ in known) / math.fsum(seconds for _, seconds in known) / (os.cpu_count() or 1)


def _numbers(interval: Interval | Refusal) -> tuple[float | None, float | None, float | None]:
    if isinstance(interval, Refusal):
        return None, None, None
    return interval.estimate, interval.low, interval.high


def _overall(terms: Sequence[tuple[float, float]]) -> float | None:
    bottom = math.fsum(pair[1] for pair in terms)
    return math.fsum(pair[0] for pair in terms) / bottom if bottom > 0.0 else None
