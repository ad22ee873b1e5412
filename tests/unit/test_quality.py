"""What speaks against a verdict: seen where it is, and not where it is not."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.statistics.quality import (
    LEAST_BLOCKS,
    MOST_STEAL,
    REPEATS,
    Doubt,
    ceiling,
    doubts,
    generator_limited,
    placement,
    steal,
    void,
)

SEED = 20070709


def noise(count: int, seed: int = SEED, spread: float = 0.02) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(0.0, spread) for _ in range(count)]


def turns(count: int) -> list[bool]:
    return [place % 2 == 0 for place in range(count)]


def drawn(count: int, seed: int = SEED) -> list[bool]:
    generator = random.Random(seed + 1)
    return [generator.random() < 0.5 for _ in range(count)]


def wave(count: int, period: float, height: float) -> list[float]:
    return [height * math.sin(2 * math.pi * place / period) for place in range(count)]


def named(name: str, found: list[Doubt]) -> Doubt:
    (doubt,) = (doubt for doubt in found if doubt.name == name)
    return doubt


def names(logs: list[float], first: list[bool] | None = None) -> set[str]:
    return {doubt.name for doubt in doubts(logs, turns(len(logs)) if first is None else first)}


def test_clean_noise_raises_no_doubt() -> None:
    raised = [name for seed in range(1000) for name in names(noise(40, seed))]
    assert len(raised) <= 3


def test_a_trend_undermines() -> None:
    logs = [value + 0.005 * place for place, value in enumerate(noise(40, spread=0.001))]
    (found,) = (doubt for doubt in doubts(logs, turns(40)) if doubt.name == "trend")
    assert found.undermines
    assert "+21 %" in found.evidence, "five thousandths of a logarithm in each of 39 steps"


def test_an_order_effect_undermines() -> None:
    logs = [value + (0.05 if leads else 0.0) for value, leads in zip(noise(40, spread=0.001), turns(40), strict=True)]
    (found,) = (doubt for doubt in doubts(logs, turns(40)) if doubt.name == "order-effect")
    assert found.undermines
    assert "+5.1 %" in found.evidence


def test_dependence_is_told() -> None:
    logs = noise(60)
    for place in range(1, len(logs)):
        logs[place] += 0.9 * logs[place - 1]
    assert "autocorrelation" in names(logs)


def test_many_outliers_are_told_and_single_ones_are_not() -> None:
    logs = noise(40)
    logs[7] = 1.0
    assert "outliers" not in names(logs)
    logs[::8] = [1.0, -1.0, 1.0, -1.0, 1.0]
    assert "outliers" in names(logs)


def test_few_blocks_and_no_numbers_show_nothing() -> None:
    assert names([0.1 * place for place in range(LEAST_BLOCKS - 1)]) == set()
    assert names([math.nan] * 20) == set()
    assert names([0.0] * 20) == set()


@given(st.lists(st.floats(min_value=-1, max_value=1), min_size=LEAST_BLOCKS, max_size=40))
def test_swapping_the_paths_changes_no_doubt(logs: list[float]) -> None:
    there, back = names(logs), names([-value for value in logs])
    assert there == back


@pytest.mark.parametrize(
    ("shares", "full"), [([0.99, 0.985], True), ([0.99, 0.9], False), ([0.99], False), ([], False)]
)
def test_a_ceiling(shares: list[float], full: bool) -> None:
    assert (ceiling(shares) is not None) is full


def test_what_is_limited_by_the_loops_or_their_cpus_is_named_and_counted() -> None:
    assert generator_limited({"host": ["ceiling"] * 5 + [None] * 5, "macvlan": ["cpu"] + [None] * 9}) is None
    assert generator_limited({"host": ["ceiling", "ceiling", "cpu", "cpu"]}) is None, "neither in most of them"
    assert generator_limited({"host": []}) is None
    found = generator_limited({"host": ["ceiling"] * 6 + [None] * 4, "macvlan": ["cpu"] * 10})
    assert found is not None
    assert found.evidence == (
        "host ran nearly as fast as the loops do with no network between them in 6 of 10 slices "
        "and macvlan kept a CPU of an end busy in 10 of 10 slices"
    )
    assert "the loops hide" in found.advice
    assert "more CPUs" in found.advice
    assert not found.undermines
    full = generator_limited({"host": ["cpu"] * 3})
    assert full is not None
    assert "the loops hide" not in full.advice
    assert not full.undermines, "a full CPU is what a stream costs where no wire slows it down"


def test_packets_received_elsewhere_are_told() -> None:
    assert placement({"host": {"0": 0.6, "1": 0.4}, "macvlan": {"0": 0.4, "1": 0.6}}) is None
    assert placement({"host": {"0": 0.5, "1": 0.5}, "vxlan": {"0": 0.2, "1": 0.8}}) is None, "more layers at one end"
    assert placement({"host": {}, "macvlan": {"1": 1.0}}) is None, "what is unknown is no difference"
    found = placement({"host": {"0": 0.9, "1": 0.1}, "macvlan": {"1": 1.0}})
    assert found is not None
    assert found.evidence.endswith("(host: CPU 0 90 % CPU 1 10 %, macvlan: CPU 1 100 %)")
    assert not found.undermines


def test_a_period_is_told_in_blocks_and_seconds() -> None:
    logs = [value + more for value, more in zip(noise(60), wave(60, 7.5, 0.04), strict=True)]
    found = named("period", doubts(logs, drawn(60), 0.2))
    assert not found.undermines
    assert "every 7.5 blocks (1.5 s)" in found.evidence
    assert named("period", doubts(logs, drawn(60))).evidence.endswith("every 7.5 blocks")


def test_a_period_of_the_whole_machine_shows_though_who_comes_first_is_drawn() -> None:
    first = drawn(60)
    load = [value if leads else -value for value, leads in zip(wave(60, 3.3, 0.04), first, strict=True)]
    logs = [value + more for value, more in zip(noise(60), load, strict=True)]
    assert "every 3.3 blocks" in named("period", doubts(logs, first)).evidence


def test_a_drift_is_no_period_and_neither_is_a_step() -> None:
    assert "period" not in names([value + 0.01 * place for place, value in enumerate(noise(40))], drawn(40))
    assert "period" not in names([value + 0.2 * (place > 25) for place, value in enumerate(noise(40))], drawn(40))


@pytest.mark.parametrize("count", range(LEAST_BLOCKS, 30))
def test_a_pure_wave_is_seen_from_the_least_number_of_blocks_on(count: int) -> None:
    logs = [1e-9 * value for value in wave(count, count / REPEATS, 1.0)]
    assert named("period", doubts(logs, drawn(count))).evidence.startswith("100 % of the blocks' variance comes")


LOGS_WITH_ORDER_AND_STEAL = st.lists(
    st.tuples(st.floats(min_value=-1, max_value=1), st.booleans(), st.none() | st.floats(min_value=0, max_value=1)),
    min_size=LEAST_BLOCKS,
    max_size=60,
)


@given(LOGS_WITH_ORDER_AND_STEAL)
def test_swapping_the_paths_changes_no_evidence_of_what_has_no_direction(
    blocks: list[tuple[float, bool, float | None]],
) -> None:
    logs, first, stolen = (list(column) for column in zip(*blocks, strict=True))
    there = doubts(logs, first, 0.1, stolen)
    back = doubts([-value for value in logs], [not leads for leads in first], 0.1, stolen)
    assert [doubt.name for doubt in there] == [doubt.name for doubt in back]
    for one, other in zip(there, back, strict=True):
        assert one == other or one.name in {"trend", "order-effect"}, "these say in which direction"


@pytest.mark.parametrize(
    ("shares", "seen"),
    [
        ([0.02] * 5, "the hypervisor took 2.0 % of"),
        ([0.0, 0.0, 0.12], "the hypervisor took 4.0 % of"),
        ([0.0, None, 0.12], "the hypervisor took 6.0 % of"),
        ([0.0] * 100, ""),
        ([MOST_STEAL / 2, MOST_STEAL], ""),
        ([None] * 20, ""),
        ([], ""),
    ],
)
def test_steal(shares: list[float | None], seen: str) -> None:
    found = steal(shares)
    assert (found is not None) is bool(seen)
    if found is not None:
        assert found.evidence.startswith(seen)
        assert not found.undermines


def with_outliers() -> tuple[list[float], list[int]]:
    logs, places = noise(40), [3, 11, 12, 25, 33]
    for place in places:
        logs[place] = -1.0
    return logs, places


def test_outliers_that_steal_explains_say_so() -> None:
    logs, places = with_outliers()
    stolen = [0.12 if place in places else 0.004 for place in range(40)]
    found = named("outliers", doubts(logs, drawn(40), None, stolen))
    assert found.evidence == (
        "5 of 40 blocks lie far from all others; the hypervisor took 12 % of the CPU time in them, 0.40 % in the others"
    )


@pytest.mark.parametrize("stolen", [[0.05] * 40, [0.0] * 40, [0.04, 0.06] * 20, [None] * 40, [0.0] * 39 + [1.0], []])
def test_outliers_that_steal_does_not_explain_say_nothing_of_it(stolen: list[float | None]) -> None:
    assert named("outliers", doubts(with_outliers()[0], drawn(40), None, stolen)).evidence == (
        "5 of 40 blocks lie far from all others"
    )


def test_void_blocks_are_told_and_undermine_where_they_are_most() -> None:
    assert void(20, []) is None
    few = void(19, ["traffic on path a"])
    assert few is not None
    assert (few.evidence, few.undermines) == ("1 of 20 blocks are void: traffic on path a", False)
    half, most = void(10, ["early"] * 10), void(10, ["early"] * 10 + ["late"])
    assert half is not None
    assert most is not None
    assert not half.undermines
    assert (most.evidence, most.undermines) == ("11 of 21 blocks are void: late", True)


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=0, max_value=1000))
def test_void_blocks_undermine_exactly_where_fewer_are_left(valid: int, lost: int) -> None:
    found = void(valid, ["why"] * lost)
    assert (found is not None) is (lost > 0)
    assert (found is not None and found.undermines) is (lost > valid)
