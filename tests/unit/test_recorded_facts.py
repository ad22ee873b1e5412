"""The signatures of causes on facts that were recorded of planted paths (python -m benchmarks.planted.record)."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.planted.record import Line, as_facts, read
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import causes, weigh
from pathgauge.explain.explaining import LEAST_WEIGHT, LIKELY

Value = TypeVar("Value")
LINES = read(Path(__file__).parent / "data/planted-facts.json.xz")
SINGLE = [line for line in LINES if len(line.planted) == 1]
EITHER_WAY = {"congestion-control", "cpu-placement"}  # that it is another one speaks for it on both paths
ONE_SIDED = [line for line in SINGLE if not EITHER_WAY & set(line.planted[0])]
ALIKE = [line for line in LINES if not line.planted]
TOLD = ("rtt", "goodput", "transaction_rate", "latency_p50", "loss", "retransmits")


def weights(slow: Facts, fast: Facts | None, gap: str) -> dict[str, float]:
    case = Case(gap, slow, fast)
    return {name: weigh(cause.signature(case)) for name, cause in causes().items()}


def of(line: Line, gap: str | None = None) -> dict[str, float]:
    bad, good = as_facts(line.bad), as_facts(line.good)
    return weights(bad, good, gap or bad.kind.primary)


def test_there_are_enough() -> None:
    assert len({name for line in SINGLE for name in line.planted[0]}) >= 30
    assert len(ALIKE) >= 3


@pytest.mark.parametrize("line", SINGLE, ids=lambda line: line.scenario)
def test_what_was_planted_speaks_up_and_is_among_the_first(line: Line) -> None:
    found = of(line)
    most = max(found[name] for name in line.planted[0])
    assert most >= LEAST_WEIGHT
    assert sum(weight > most for weight in found.values()) < 4


@pytest.mark.parametrize("line", ONE_SIDED, ids=lambda line: line.scenario)
def test_the_path_without_it_does_not_show_it(line: Line) -> None:
    swapped = weights(as_facts(line.good), as_facts(line.bad), as_facts(line.good).kind.primary)
    assert max(swapped[name] for name in line.planted[0]) < LIKELY


@pytest.mark.parametrize("line", ALIKE, ids=lambda line: line.scenario)
@pytest.mark.parametrize("gap", TOLD)
def test_paths_that_are_alike_show_nothing_likely(line: Line, gap: str) -> None:
    assert {name: weight for name, weight in of(line, gap).items() if weight >= LIKELY} == {}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.scenario)
def test_what_is_not_known_is_no_evidence(line: Line) -> None:
    bad = as_facts(line.bad)
    unknown = dataclasses.replace(bad, counters={}, gauges={}, configuration={}, tcp=(), rows=())
    alone = weights(unknown, None, bad.kind.primary)
    assert {name: weight for name, weight in alone.items() if weight > 0.7} == {}


@given(line=st.sampled_from(LINES), kept=st.integers(0, 9), pick=st.integers(0, 9))
def test_any_part_of_it_may_be_missing(line: Line, kept: int, pick: int) -> None:
    def some(values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: value for number, (name, value) in enumerate(values.items()) if number % 10 in (kept, pick)}

    def part(facts: Facts) -> Facts:
        counters, gauges = some(facts.counters), some(facts.gauges)
        settings = some(facts.configuration)
        return dataclasses.replace(
            facts, counters=counters, gauges=gauges, configuration=settings, tcp=facts.tcp[:kept]
        )

    found = weights(part(as_facts(line.bad)), part(as_facts(line.good)), "goodput")
    assert all(math.isfinite(weight) and -1.0 <= weight <= 1.0 for weight in found.values())
