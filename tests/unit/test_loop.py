"""The measuring loop over simulated arms: schedule, pilot, stop rule, what survives an interrupt."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from arms_twin import TwinArm
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.loop import (
    GROWTH_SECONDS,
    MESSAGES_IN_SLICE,
    SHORTEST_SHAPED,
    SHORTEST_SHAPED_RAMP,
    SHORTEST_SLICE,
    TURN_SECONDS,
    WARMUP,
    Outcome,
    Plan,
    pilot,
    run_block,
    run_test,
)
from pathgauge.measuring.measured import Warmed
from pathgauge.results.document import Comparison
from pathgauge.traffic.registry import TESTS

PLAN = Plan(warmup=0.03, ramp=0.01, slice=0.02)


def question() -> Question:
    return Question(
        kind=TESTS["TCP_STREAM"],
        parameters={},
        confidence=0.95,
        margins={},
        primary=frozenset({"goodput"}),
    )


def run(arms: Sequence[TwinArm], budget: float = 5.0, seed: int = 1) -> tuple[Outcome, list[Comparison]]:
    outcome, last = Outcome(PLAN), list[Comparison]()

    def look() -> list[Comparison]:
        last[:] = judge(question(), ["goodput"], outcome.blocks, arms[0].name, arms[1].name)
        return last

    run_test(
        arms,
        budget=budget,
        slice_seconds=0.02,
        warmup=None,
        generator=random.Random(seed),
        outcome=outcome,
        look=look,
        tell=lambda elapsed, current: None,
    )
    return outcome, last


def test_a_block_is_every_arm_once_and_again_in_reverse() -> None:
    orders = set()
    for seed in range(20):
        log: list[str] = []
        arms = [TwinArm(name, log=log) for name in "abc"]
        block = run_block(arms, 7, PLAN, random.Random(seed))
        measured = [entry[-1] for entry in log if entry.startswith("measure")]
        assert sorted(measured[:3]) == ["a", "b", "c"]
        assert measured[3:] == measured[:3][::-1]
        orders.add("".join(measured[:3]))
        assert {m.row.block for rows in block.slices.values() for m in rows} == {7}
        assert sorted(m.row.position for rows in block.slices.values() for m in rows) == list(range(6))
        assert all(len(rows) == 2 for rows in block.slices.values())
    assert len(orders) > 3, "the order must be drawn"


def test_each_block_opens_and_warms_all_connections_before_it_measures() -> None:
    log: list[str] = []
    run_block([TwinArm("a", log=log), TwinArm("b", log=log)], 0, PLAN, random.Random(1))
    kinds = [entry.split()[0] for entry in log]
    assert kinds == ["open", "open", "warm", "warm", *["measure"] * 4, "close", "close"]


def test_who_opens_first_is_drawn() -> None:
    first = set()
    for seed in range(20):
        log: list[str] = []
        run_block([TwinArm("a", log=log), TwinArm("b", log=log)], 0, PLAN, random.Random(seed))
        first.add((log[0], log[2]))
    assert len(first) == 4


def test_the_pilot_gives_a_slow_arm_longer_slices() -> None:
    fast, slow = TwinArm("fast", rate=3e9), TwinArm("slow", rate=1.2e8)
    assert pilot([fast, fast], 10.0, None, None).slice == SHORTEST_SLICE
    plan = pilot([fast, slow], 10.0, None, None)
    assert plan.slice == pytest.approx(MESSAGES_IN_SLICE * 65536 / 1.2e8, rel=0.05)
    assert plan.warmup >= WARMUP


def test_a_shaped_wire_gets_longer_slices() -> None:
    fast = TwinArm("fast", rate=3e9)
    assert pilot([fast, fast], 10.0, None, None, shaped=True).slice == SHORTEST_SHAPED


@pytest.mark.parametrize(("length", "warmup"), [(None, None), (None, 0.01), (0.05, None), (0.05, 0.01)])
def test_a_shaped_wires_bucket_is_spent_before_a_slice_whatever_is_given(
    length: float | None, warmup: float | None
) -> None:
    assert pilot([TwinArm("fast")], 10.0, length, warmup, shaped=True).ramp >= SHORTEST_SHAPED_RAMP


def test_in_a_crowd_every_loop_has_its_turn() -> None:
    fast = TwinArm("fast", rate=3e11)
    lone, many = (pilot([fast, fast], 100.0, None, None, crowd=crowd) for crowd in (1, 101))
    assert many.slice == pytest.approx(lone.slice + 100 * TURN_SECONDS)
    assert many.warmup >= WARMUP + 100 * TURN_SECONDS
    assert pilot([fast], 10.0, 0.5, 0.1, crowd=101).slice == 0.5


def test_many_streams_are_warmed_until_they_have_grown_as_far_as_the_budget_goes() -> None:
    fast = TwinArm("fast", rate=3e11)
    one, many, short = (
        pilot([fast, fast], budget, None, None, streams=streams)
        for budget, streams in ((100.0, 1), (100.0, 1001), (10.0, 1001))
    )
    assert one.warmup == WARMUP
    assert many.warmup == pytest.approx(1000 * GROWTH_SECONDS)
    assert one.warmup < short.warmup <= 10.0 / 10 / 2 / 2
    assert pilot([fast], 10.0, None, 0.1, streams=1001).warmup == 0.1


class GrowingArm(TwinArm):
    """Its rate doubles every `doubling` seconds from a thousandth of what it comes to, as a slow start's does."""

    doubling = 0.01
    age = 0.0

    def open(self) -> None:
        super().open()
        self.age = 0.0

    def warm(self, seconds: float) -> Warmed:
        steps = 100
        ages = [self.age + seconds * (step + 0.5) / steps for step in range(steps)]
        carried = sum(min(1.0, 2 ** (age / self.doubling) / 1000) for age in ages) * self.rate * seconds / steps
        self.age += seconds
        return Warmed(seconds, int(carried / self.message))


def grown_after(arm: GrowingArm) -> float:
    return arm.doubling * math.log2(1000)


def test_a_connection_is_warmed_until_its_rate_no_longer_rises() -> None:
    steady, growing = TwinArm("fast", rate=3e9), GrowingArm("far", rate=3e9)
    assert pilot([steady, steady], 10.0, None, None).warmup == WARMUP
    assert grown_after(growing) / 3 < pilot([steady, growing], 10.0, None, None).warmup <= 2 * grown_after(growing)
    assert pilot([growing], 10.0, None, 0.02).warmup == 0.02


def test_a_stall_at_the_start_is_no_rise_unless_it_comes_again() -> None:
    class Stalling(TwinArm):
        stalls = 1

        def open(self) -> None:
            super().open()
            self.stalls -= 1
            self.warmed = 0

        def warm(self, seconds: float) -> Warmed:
            self.warmed += 1
            done = super().warm(seconds)
            return Warmed(done.seconds, done.messages // 2) if self.stalls >= 0 and self.warmed == 2 else done

    once, always = Stalling("once", rate=3e9), Stalling("always", rate=3e9)
    always.stalls = 100
    assert pilot([once], 10.0, None, None).warmup == WARMUP
    assert pilot([always], 10.0, None, None).warmup == 2 * WARMUP


def test_where_nothing_comes_at_first_the_round_trip_is_longer() -> None:
    class Distant(TwinArm):
        age = 0.0

        def open(self) -> None:
            super().open()
            self.age = 0.0

        def warm(self, seconds: float) -> Warmed:
            self.age += seconds
            done = super().warm(seconds)
            return done if self.age > 0.2 else Warmed(done.seconds, 0)

    assert pilot([Distant("distant", rate=3e9)], 20.0, None, None).warmup > 5 * WARMUP


def test_a_rate_that_rises_for_ever_is_warmed_as_far_as_the_budget_goes() -> None:
    arm = GrowingArm("far", rate=3e12)
    arm.doubling = 10.0
    for budget in (2.0, 10.0, 60.0):
        plan = pilot([arm, arm], budget, None, None)
        assert WARMUP <= plan.warmup <= max(WARMUP, budget / 10 / 2 / 4)


def test_what_an_arm_tells_of_each_copy_is_kept() -> None:
    arm = TwinArm("a")
    measure = arm.measure
    arm.measure = lambda ramp, seconds: replace(measure(ramp, seconds), rates=(1.0, 2.0))  # type: ignore[method-assign]
    block = run_block([arm], 3, PLAN, random.Random(1))
    assert [measured.rates for measured in block.slices["a"]] == [(1.0, 2.0), (1.0, 2.0)]


def test_the_pilot_leaves_room_for_blocks_and_keeps_what_is_given() -> None:
    crawling = TwinArm("slow", rate=1e5)
    plan = pilot([crawling, crawling], 10.0, None, None)
    assert 2 * 2 * plan.slice < 10.0 / 5
    given = pilot([crawling], 10.0, 0.5, 0.1)
    assert (given.slice, given.warmup) == (0.5, 0.1)


def test_a_large_difference_settles_at_the_first_looks() -> None:
    outcome, last = run([TwinArm("a", seed=1), TwinArm("b", rate=0.8e9, seed=2)])
    assert outcome.stopped == "settled"
    assert outcome.valid <= 10
    assert last[0].verdict == "slower"
    assert last[0].ratio.estimate == pytest.approx(0.8, rel=0.02)


def test_equal_arms_are_equivalent() -> None:
    outcome, last = run([TwinArm("a", seed=1), TwinArm("b", seed=2)])
    assert outcome.stopped == "settled"
    assert last[0].verdict == "equivalent"


def test_noise_beyond_the_budget_stays_undecided() -> None:
    outcome, last = run([TwinArm("a", seed=1, spread=0.5), TwinArm("b", seed=2, spread=0.5)], budget=0.02)
    assert outcome.stopped == "time is up"
    assert last[0].verdict == "undecided"


def test_void_blocks_do_not_count_and_end_a_hopeless_run() -> None:
    outcome, last = run([TwinArm("a"), TwinArm("b", void="took another path")])
    assert outcome.stopped == "void"
    assert outcome.valid == 0
    assert last == []


def test_an_interrupt_keeps_the_whole_blocks() -> None:
    arms = [TwinArm("a", spread=0.2), TwinArm("b", spread=0.2, seed=9, fail_at=7)]
    outcome = Outcome(PLAN)
    with pytest.raises(KeyboardInterrupt):
        run_test(
            arms,
            budget=5.0,
            slice_seconds=0.02,
            warmup=None,
            generator=random.Random(1),
            outcome=outcome,
            look=lambda: judge(question(), ["goodput"], outcome.blocks, "a", "b"),
            tell=lambda elapsed, current: None,
        )
    assert len(outcome.blocks) == 3


def test_the_same_seed_gives_the_same_schedule() -> None:
    logs = []
    for _ in range(2):
        log: list[str] = []
        run([TwinArm("a", seed=1, log=log), TwinArm("b", seed=2, log=log)], seed=42)
        logs.append(log)
    assert logs[0] == logs[1]
