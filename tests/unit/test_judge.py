"""From blocks to comparisons: each metric's statistics, units, refusals."""

import math
import random
from dataclasses import replace
from typing import Any, Literal

import msgspec
import numpy as np
import pytest

from arms_twin import TwinArm
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.loop import Plan, run_block
from pathgauge.measuring.measured import Block, Measured
from pathgauge.results.document import Comparison, Doubt
from pathgauge.results.latency import Histogram, Ways, seconds
from pathgauge.traffic.kind import WAY_METRICS
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.registry import TESTS


def blocks_of(count: int, candidate_rate: float = 1e9, test: str = "TCP_STREAM") -> list[Block]:
    arms = [TwinArm("a", seed=1), TwinArm("b", rate=candidate_rate, seed=2)]
    plan = Plan(0.0, 0.0, 0.02)
    made = [run_block(arms, number, plan, random.Random(number)) for number in range(count)]
    for block in made:
        for rows in block.slices.values():
            rows[:] = [Measured(msgspec.structs.replace(m.row, test=test), m.latency) for m in rows]
    return made


def judged(test: str, blocks: list[Block], metrics: list[str] | None = None, **changes: Any) -> dict[str, Comparison]:
    kind = TESTS[test]
    asked = Question(
        kind=kind,
        parameters={},
        confidence=0.95,
        margins={"cpu_local": 0.5},
        primary=frozenset({kind.primary}),
    )
    asked = replace(asked, **changes)
    return {row.metric: row for row in judge(asked, metrics or list(kind.metrics), blocks, "a", "b")}


@pytest.mark.parametrize("test", list(TESTS))
def test_every_metric_of_every_test_gets_a_row(test: str) -> None:
    rows = judged(test, blocks_of(8, test=test))
    assert list(rows) == list(TESTS[test].metrics)
    assert [name for name, row in rows.items() if row.primary] == [TESTS[test].primary]
    assert all(row.unit and row.better == METRICS[name].better for name, row in rows.items())


def test_goodput_is_bits_over_seconds_with_its_interval_around_it() -> None:
    row = judged("TCP_STREAM", blocks_of(10, 0.9e9))["goodput"]
    assert row.baseline.estimate == pytest.approx(8e9, rel=0.02)
    assert row.ratio.estimate == pytest.approx(0.9, rel=0.02)
    assert row.verdict == "slower"
    assert row.unit == "bit/s"
    low, middle, high = row.baseline.low, row.baseline.estimate, row.baseline.high
    assert low is not None
    assert middle is not None
    assert high is not None
    assert low < middle < high


def test_service_demand_is_microseconds_for_a_kibibyte() -> None:
    row = judged("TCP_STREAM", blocks_of(10))["service_demand_local"]
    assert row.unit == "us/KiB"
    assert row.baseline.estimate == pytest.approx(0.5 * 1e6 / (1e9 / 1024), rel=0.02)


def test_service_demand_of_transactions_has_its_own_unit() -> None:
    row = judged("TCP_RR", blocks_of(10, test="TCP_RR"))["service_demand_local"]
    assert row.unit == "us/transaction"


def test_latency_comes_from_the_histograms() -> None:
    rows = judged("TCP_RR", blocks_of(10, test="TCP_RR"))
    assert rows["latency_p50"].baseline.estimate == rows["latency_p50"].candidate.estimate
    p50, p99 = rows["latency_p50"].baseline.estimate, rows["latency_max"].baseline.estimate
    assert p50 is not None
    assert p99 is not None
    assert p50 < p99
    assert rows["latency_max"].verdict == "undecided"


def test_unknown_counters_are_unknown_not_zero() -> None:
    row = judged("TCP_STREAM", blocks_of(10))["cycles_per_byte"]
    assert row.baseline.estimate is None
    assert row.ratio.estimate is None
    assert row.verdict == "undecided"
    assert "unknown" in row.reason


def test_events_that_never_came_have_no_ratio() -> None:
    row = judged("TCP_STREAM", blocks_of(10))["retransmits"]
    assert row.baseline.estimate == 0.0
    assert row.ratio.estimate is None
    assert row.verdict == "undecided"


def test_void_blocks_are_left_out() -> None:
    blocks = blocks_of(10)
    rows = blocks[3].slices["b"]
    rows[0] = Measured(msgspec.structs.replace(rows[0].row, void="stray", bytes_received=1), rows[0].latency)
    assert judged("TCP_STREAM", blocks)["goodput"].blocks == 9


def test_no_block_at_all_is_refused_in_every_row() -> None:
    for row in judged("TCP_RR", []).values():
        assert row.verdict == "undecided"
        assert row.ratio.estimate is None
        assert row.blocks == 0


def width(row: Comparison) -> float:
    assert row.ratio.low is not None
    assert row.ratio.high is not None
    return row.ratio.high / row.ratio.low


def test_one_look_is_sharper_than_many() -> None:
    blocks = blocks_of(10)
    many, once = judged("TCP_STREAM", blocks)["goodput"], judged("TCP_STREAM", blocks, fixed=True)["goodput"]
    assert width(once) < width(many)


def test_primary_comparisons_share_the_error() -> None:
    blocks = blocks_of(10)
    alone = judged("TCP_STREAM", blocks)
    both = judged("TCP_STREAM", blocks, primary=frozenset({"goodput", "cpu_remote"}), candidates=2)
    assert alone["goodput"].family == 1
    assert both["goodput"].family == 4
    assert both["goodput"].ratio.confidence == 0.95
    assert width(both["goodput"]) > width(alone["goodput"])
    assert width(both["service_demand_local"]) == width(alone["service_demand_local"]), "a secondary one shares nothing"


def test_undecided_says_what_would_decide() -> None:
    row = judged("TCP_STREAM", blocks_of(6, 0.97e9))["goodput"]
    assert row.verdict == "undecided"
    assert "% to either side, so that " in row.reason
    assert row.reason.endswith(" s in all would decide")
    assert "would decide" not in judged("TCP_STREAM", blocks_of(6, 0.97e9), fixed=True)["goodput"].reason


def test_a_margin_of_its_own() -> None:
    assert judged("TCP_STREAM", blocks_of(10))["cpu_local"].margin == 0.5


def test_with_labs_it_is_the_labs_that_are_counted() -> None:
    """Labs that differ widen the interval far beyond what their many blocks say."""
    labs = [
        [replace(block, lab=lab) for block in blocks_of(10, 1e9 * rate)]
        for lab, rate in enumerate((1.0, 0.9, 1.1, 0.95, 1.05))
    ]
    every = [labs[number % 5][number // 5] for number in range(50)]
    over_labs = judged("TCP_STREAM", every, labs=5, fixed=True)["goodput"]
    over_blocks = judged("TCP_STREAM", every)["goodput"]
    assert over_labs.ratio.low is not None
    assert over_blocks.ratio.low is not None
    assert over_labs.ratio.low < 0.93 < over_blocks.ratio.low
    assert over_labs.blocks == 50
    assert over_labs.spread is not None
    assert over_labs.spread.labs == pytest.approx(0.08, abs=0.02)
    assert over_labs.doubts == []
    assert over_blocks.spread is not None


def test_fewer_than_five_labs_say_nothing() -> None:
    few = [replace(block, lab=number % 4) for number, block in enumerate(blocks_of(20))]
    row = judged("TCP_STREAM", few, labs=5, fixed=True)["goodput"]
    assert (row.verdict, row.reason) == ("undecided", "4 labs, and fewer than 5 say nothing")


def test_each_way_is_judged_by_its_own_histogram() -> None:
    """Requests take ten times as long on b, responses the same; the transactions' own times say neither."""
    blocks = blocks_of(24, test="TCP_RR")
    for block in blocks:
        for name, rows in block.slices.items():
            slow = 10 if name == "b" else 1
            ways = Ways(*(spread_around(place, block.number) for place in (2000 * slow, 3000)))
            rows[:] = [replace(measured, ways=ways) for measured in rows]
    found = judged("TCP_RR", blocks, list(WAY_METRICS))
    request, response = found["delay_request_p50"], found["delay_response_p50"]
    assert (request.verdict, response.verdict) == ("slower", "equivalent")
    assert found["delay_request_p99"].candidate.estimate == pytest.approx(float(seconds(20009)), rel=0.01)
    assert request.candidate.estimate == pytest.approx(float(seconds(20000)), rel=0.05)
    assert response.candidate.estimate == pytest.approx(float(seconds(3000)), rel=0.05)
    unknown = judged("TCP_RR", blocks_of(6, test="TCP_RR"), list(WAY_METRICS))
    assert {row.reason for row in unknown.values()} == {"no transaction was timed"}
    assert {row.baseline.estimate for row in unknown.values()} == {None}


def spread_around(place: int, number: int) -> Histogram:
    """A thousand and some times about a place of the histogram, a little off from block to block."""
    places = place + np.arange(-10, 11) + number % 3
    return Histogram(places, np.full(21, 60 + number % 2))


def changed(block: Block, **fields: Any) -> Block:
    """The block with these fields in every slice."""
    slices = {
        name: [Measured(msgspec.structs.replace(measured.row, **fields), measured.latency) for measured in rows]
        for name, rows in block.slices.items()
    }
    return replace(block, slices=slices)


def doubted(blocks: list[Block], metric: str = "goodput", **changes: Any) -> dict[str, Doubt]:
    return {doubt.name: doubt for doubt in judged("TCP_STREAM", blocks, **changes)[metric].doubts}


def test_a_quiet_machine_raises_no_doubt() -> None:
    assert doubted(blocks_of(20)) == {}
    assert doubted([changed(block, machine_steal_seconds=0.0) for block in blocks_of(20)]) == {}


def test_steal_is_the_share_of_all_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    blocks = [changed(block, machine_seconds=0.02, machine_steal_seconds=0.004) for block in blocks_of(6)]
    assert doubted(blocks)["steal"].evidence == "the hypervisor took 5.0 % of the machine's CPU time"
    quiet = [changed(block, machine_seconds=0.02, machine_steal_seconds=0.0007) for block in blocks]
    assert "steal" not in doubted(quiet), "3.5 % of one CPU are less than 1 % of four"


def test_steal_is_told_of_metrics_that_no_block_can_tell_too() -> None:
    blocks = [changed(block, machine_steal_seconds=0.1) for block in blocks_of(12)]
    primary = frozenset({"cpu_machine"})
    assert "steal" in doubted(blocks, "cpu_machine", primary=primary)
    assert doubted(blocks, "goodput", primary=primary) == {}, "it is no primary metric"


def test_many_void_blocks_undermine() -> None:
    blocks = blocks_of(25, 0.5e9)
    few = [changed(block, void="stray") if block.number < 5 else block for block in blocks]
    most = [changed(block, void="stray") if block.number >= 12 else block for block in blocks]
    row = judged("TCP_STREAM", few)["goodput"]
    assert (row.verdict, row.blocks) == ("slower", 20)
    assert doubted(few)["void"].evidence == "5 of 25 blocks are void: stray"
    assert not doubted(few)["void"].undermines
    row = judged("TCP_STREAM", most)["goodput"]
    assert (row.verdict, row.reason) == ("undecided", "slower it would be, but for void")


def test_where_all_blocks_are_void_it_says_so() -> None:
    blocks = [changed(block, void="stray") for block in blocks_of(5)]
    assert doubted(blocks)["void"].evidence == "5 of 5 blocks are void: stray"
    assert judged("TCP_STREAM", blocks)["goodput"].reason == "no block was valid"


def test_a_period_is_told_in_seconds_of_whole_blocks() -> None:
    blocks = []
    for block in blocks_of(60):
        waved = changed(block)
        rows = waved.slices["b"]
        share = 1.0 + 0.05 * math.sin(2 * math.pi * block.number / 6.0)
        rows[:] = [
            Measured(msgspec.structs.replace(m.row, bytes_received=int(m.row.bytes_received * share)), m.latency)
            for m in rows
        ]
        blocks.append(replace(waved, seconds=0.25))
    assert "every 6.0 blocks (1.5 s)" in doubted(blocks)["period"].evidence


def test_undecided_says_what_could_have_been_told_and_what_would_decide() -> None:
    row = judged("TCP_STREAM", blocks_of(6, 0.985e9), margins={"goodput": 0.015})["goodput"]
    assert row.verdict == "undecided"
    assert row.resolution is not None
    assert row.ratio.high is not None
    assert row.ratio.low is not None
    half = (row.ratio.high / row.ratio.low) ** 0.5
    assert 1 + row.resolution == pytest.approx(half * 1.015)
    assert row.blocks_needed is None or row.blocks_needed > row.blocks
    fixed = judged("TCP_STREAM", blocks_of(6, 0.985e9), margins={"goodput": 0.015}, fixed=True)["goodput"]
    assert fixed.blocks_needed is None


@pytest.mark.parametrize("limit", ["ceiling", "cpu"])
def test_slices_limited_by_our_own_are_told_and_take_no_verdict_back(limit: Literal["ceiling", "cpu"]) -> None:
    blocks = blocks_of(8, 0.7e9)
    plain = judged("TCP_STREAM", blocks)["goodput"]
    assert plain.doubts == []
    marked = [
        replace(
            block,
            slices={
                name: [replace(each, row=msgspec.structs.replace(each.row, limited=limit)) for each in slices]
                for name, slices in block.slices.items()
            },
        )
        for block in blocks
    ]
    row = judged("TCP_STREAM", marked)["goodput"]
    (doubt,) = row.doubts
    assert doubt.name == "generator-limited"
    assert "in 16 of 16 slices" in doubt.evidence
    assert row.verdict == plain.verdict == "slower"


def received_on(blocks: list[Block], **cpus: str) -> list[Block]:
    """The blocks, all packets of each path received on one CPU."""
    for block in blocks:
        for name, rows in block.slices.items():
            rows[:] = [replace(m, row=msgspec.structs.replace(m.row, packets_by_cpu={cpus[name]: 7})) for m in rows]
    return blocks


def test_paths_received_on_other_cpus_are_doubted_unless_that_was_asked() -> None:
    def names(blocks: list[Block], **changes: Any) -> list[str]:
        return [doubt.name for doubt in judged("TCP_STREAM", blocks, **changes)["goodput"].doubts]

    apart = received_on(blocks_of(8), a="0", b="1")
    assert names(apart) == ["placement"]
    assert names(apart, steered=True) == []
    assert names(apart, changes={"b": {"remote-cpu": 3}}) == []
    assert names(apart, changes={"b": {"nodelay": True}}) == ["placement"]
    assert names(received_on(blocks_of(8), a="1", b="1")) == []
