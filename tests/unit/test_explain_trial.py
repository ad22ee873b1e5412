"""Experiments: what blocks of four arms say of a knob; which gap is chosen; what an explanation looks like in words."""

import math
import random
from dataclasses import replace

import pytest

from arms_twin import TwinArm
from builders import comparison
from pathgauge.explain.gap import choose, metrics_of
from pathgauge.explain.trial import Found, Names, Scale, judge
from pathgauge.measuring.loop import Plan, run_block
from pathgauge.measuring.measured import Block
from pathgauge.statistics.interaction import Span
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.registry import TESTS

NAMES = Names("slow", "slow turned", "fast", "fast turned")
GAP = math.log(2.0)


def blocks(rates: dict[str, float], count: int = 14, spread: float = 0.03) -> list[Block]:
    arms = [TwinArm(name, rate=rate, spread=spread, seed=seed) for seed, (name, rate) in enumerate(rates.items())]
    return [run_block(arms, number, Plan(0.0, 0.0, 0.02), random.Random(number)) for number in range(count)]


def four(slow: float, slow_turned: float, fast: float, fast_turned: float) -> dict[str, float]:
    return {"slow": slow, "slow turned": slow_turned, "fast": fast, "fast turned": fast_turned}


def found(rates: dict[str, float], metric: str = "goodput", names: Names = NAMES) -> Found:
    made = judge(Scale(METRICS[metric], TESTS["TCP_STREAM"]), blocks(rates), names, 0.99)
    assert made is not None
    return made


def test_a_knob_that_closes_the_gap_is_confirmed() -> None:
    seen = found(four(0.5e9, 1e9, 1e9, 1e9))
    assert seen.outcome(GAP, 0.02) == "confirmed"
    assert seen.share is not None
    assert seen.share.low < 1.0 < seen.share.high
    assert seen.share.estimate == pytest.approx(1.0, abs=0.1)


def test_one_that_closes_half_of_it_has_half_the_share() -> None:
    seen = found(four(0.5e9, 0.7e9, 1e9, 1e9))
    assert seen.outcome(GAP, 0.02) == "confirmed"
    assert seen.share is not None
    assert seen.share.estimate == pytest.approx(math.log(1.4) / GAP, abs=0.1)


def test_a_knob_that_lifts_both_alike_closes_nothing() -> None:
    seen = found(four(0.5e9, 1e9, 1e9, 2e9))
    assert seen.outcome(GAP, 0.02) == "refuted"
    assert seen.fast_improved is not None
    assert seen.fast_improved.above(0.5)


def test_a_knob_that_harms_the_fast_path_explains_nothing() -> None:
    assert found(four(0.5e9, 0.5e9, 1e9, 0.5e9)).outcome(GAP, 0.02) == "refuted"


def test_a_knob_that_does_nothing_is_refuted() -> None:
    assert found(four(0.5e9, 0.5e9, 1e9, 1e9)).outcome(GAP, 0.02) == "refuted"


def test_noise_leaves_it_undecided() -> None:
    rates = four(0.9e9, 0.95e9, 1e9, 1e9)
    made = judge(Scale(METRICS["goodput"], TESTS["TCP_STREAM"]), blocks(rates, 6, 0.3), NAMES, 0.99)
    assert made is not None
    assert made.outcome(math.log(1 / 0.9), 0.02) == "undecided"


def test_one_path_is_limited_where_the_knob_moves_it_beyond_the_margin() -> None:
    alone = Names("slow", "slow turned")
    assert found({"slow": 0.5e9, "slow turned": 1e9}, names=alone).outcome(0.0, 0.02) == "confirmed"
    assert found({"slow": 1e9, "slow turned": 1e9}, names=alone).outcome(0.0, 0.3) == "refuted"


def test_less_is_better_for_costs() -> None:
    """The twin's CPU time is the same for any rate, so the demand of a slow path is higher."""
    seen = found(four(0.5e9, 1e9, 1e9, 1e9), "service_demand_local")
    assert seen.improved.above(0.5)
    assert seen.outcome(GAP, 0.02) == "confirmed"


def test_counts_that_are_none_can_be_compared() -> None:
    made = judge(Scale(METRICS["retransmits"], TESTS["TCP_STREAM"]), blocks(four(1e9, 1e9, 1e9, 1e9)), NAMES, 0.99)
    assert made is not None
    assert made.outcome(GAP, 0.02) in ("refuted", "undecided")


@pytest.mark.parametrize("metric", ["latency_mean", "latency_p50", "latency_p99"])
def test_latencies_come_from_the_histograms(metric: str) -> None:
    scale = Scale(METRICS[metric], TESTS["TCP_RR"])
    values = scale.values(blocks(four(1e9, 1e9, 1e9, 1e9), 6), "slow")
    assert values is not None
    assert all(value == values[0] > 0.0 for value in values)


def test_void_and_few_blocks_say_nothing() -> None:
    made = blocks(four(1e9, 1e9, 1e9, 1e9), 4)
    assert judge(Scale(METRICS["goodput"], TESTS["TCP_STREAM"]), made, NAMES, 0.99) is None


def test_a_wide_share_wants_more_blocks() -> None:
    seen = found(four(0.5e9, 1e9, 1e9, 1e9))
    assert seen.sharp
    assert not replace(seen, share=Span(1.0, 0.2, 1.8)).sharp


def test_the_rate_leads_where_it_differs() -> None:
    rate = comparison(verdict="slower")
    cost = comparison(metric="service_demand_local", ratio=(9.0, 8.0, 10.0), verdict="slower")
    gap = choose([rate, cost])
    assert gap is not None
    assert (gap.metric, gap.slow, gap.fast) == ("goodput", "macvlan", "host")
    assert gap.log == pytest.approx(-math.log(0.953))


def test_else_what_differs_most_beside_its_margin() -> None:
    rate = comparison(ratio=(1.0, 0.99, 1.01), verdict="equivalent")
    small = comparison(metric="service_demand_local", ratio=(1.1, 1.08, 1.12), verdict="slower")
    large = comparison(metric="service_demand_remote", ratio=(0.5, 0.4, 0.6), verdict="faster")
    gap = choose([rate, small, large])
    assert gap is not None
    assert (gap.metric, gap.slow, gap.fast) == ("service_demand_remote", "host", "macvlan")


def test_nothing_told_is_no_gap() -> None:
    wide, alike = comparison(ratio=(0.95, 0.8, 1.1)), comparison(ratio=(1.0, 0.99, 1.01))
    assert choose([wide, alike, comparison(ratio=(None, None, None))]) is None


def test_what_only_a_doubt_holds_back_is_asked_about() -> None:
    gap = choose([comparison(ratio=(0.5, 0.4, 0.6), verdict="undecided")])
    assert gap is not None
    assert gap.slow == "macvlan"


@pytest.mark.parametrize("test", list(TESTS))
def test_every_test_has_metrics_to_look_at(test: str) -> None:
    kind = TESTS[test]
    names = metrics_of(kind, ())
    assert names[0] == kind.primary
    assert set(names) <= set(kind.metrics)
    assert metrics_of(kind, ("cpu_local", "nonsense")) == ("cpu_local",)
