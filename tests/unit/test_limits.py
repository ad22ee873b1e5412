"""What limited a slice: the loops themselves, or the CPUs that they run on."""

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from builders import row
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.arms import AnyArm, limits, loops
from pathgauge.measuring.crowd import Crowd
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.limits import Limited, Own, marked
from pathgauge.measuring.loaded import Loaded
from pathgauge.measuring.measured import Block, Measured
from pathgauge.paths.types import BuiltPath
from pathgauge.traffic.kind import End
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

BOTH: dict[End, frozenset[int | None]] = {"local": frozenset({0}), "remote": frozenset({1})}
SHARED: dict[End, frozenset[int | None]] = {"local": frozenset({0}), "remote": frozenset({0})}


@pytest.mark.parametrize(
    ("rate", "cpus", "local", "remote", "limited"),
    [
        (None, BOTH, 0.05, 0.05, None),
        (1.2e9, BOTH, 0.05, 0.05, "ceiling"),
        (1.3e9, BOTH, 0.05, 0.05, None),
        (None, BOTH, 0.099, 0.05, "cpu"),
        (None, BOTH, 0.05, 0.098, "cpu"),
        (None, BOTH, 0.0979, 0.0979, None),
        (1.2e9, BOTH, 0.1, 0.1, "ceiling"),
        (None, {"remote": frozenset({1})}, 0.1, 0.05, None),
        (None, {"local": frozenset({0, 2})}, 0.1, 0.0, None),
        (None, {"local": frozenset({0, 2})}, 0.197, 0.0, "cpu"),
        (None, SHARED, 0.05, 0.049, "cpu"),
        (None, SHARED, 0.05, 0.04, None),
        (None, BOTH, None, None, None),
    ],
)
def test_a_slice_of_a_stream(
    rate: float | None,
    cpus: dict[End, frozenset[int | None]],
    local: float | None,
    remote: float | None,
    limited: Limited,
) -> None:
    """It sends 10^9 bytes in a second, and lasts a tenth of one."""
    slice_ = msgspec.structs.replace(row(), cpu_local_seconds=local, cpu_remote_seconds=remote)
    assert Own(TESTS["TCP_STREAM"], rate, cpus).limited([slice_]) == [limited]


def test_transactions_are_counted_where_they_are_asked() -> None:
    slice_ = msgspec.structs.replace(row(), transactions=1000, bytes_sent=10**9)
    assert Own(TESTS["TCP_RR"], 12_000).limited([slice_]) == ["ceiling"]
    assert Own(TESTS["TCP_RR"], 13_000).limited([slice_]) == [None]


def test_a_slice_of_no_length_is_limited_by_nothing() -> None:
    slice_ = msgspec.structs.replace(row(), local_seconds=0.0, remote_seconds=0.0, cpu_local_seconds=1.0)
    assert Own(TESTS["TCP_RR"], 1.0, BOTH).limited([slice_]) == [None]


def test_a_ceiling_that_most_slices_exceed_is_none() -> None:
    slices = [msgspec.structs.replace(row(), bytes_sent=sent) for sent in (80, 105, 110)]
    assert Own(TESTS["TCP_STREAM"], 1000.0).limited(slices) == [None] * 3
    assert Own(TESTS["TCP_STREAM"], 1060.0).limited(slices) == [None, "ceiling", "ceiling"]


def test_every_slice_of_every_block_is_marked() -> None:
    near, far = (msgspec.structs.replace(row(), bytes_sent=sent) for sent in (95, 10))
    blocks = [
        Block(0, {"a": [Measured(far), Measured(near)], "b": [Measured(near)]}, 1.0),
        Block(1, {"a": [Measured(near)], "b": [Measured(far)]}, 1.0),
    ]
    found = marked(blocks, {"a": Own(TESTS["TCP_STREAM"], 1000.0)})
    limited = [[[each.row.limited for each in slices] for slices in block.slices.values()] for block in found]
    assert limited == [[[None, "ceiling"], [None]], [["ceiling"], [None]]]


def arm(test: str, rate: int | None = None, index: int = 0, **given: object) -> EngineArm:
    parameters = Parameters(**{"local_cpu": 0, "remote_cpu": 1, **given})  # type: ignore[arg-type]
    path = cast("BuiltPath", SimpleNamespace(rate=rate))
    return EngineArm(cast("Engine", None), "host", path, TESTS[test], parameters, index)


@pytest.mark.parametrize(
    ("made", "ends"),
    [
        (arm("TCP_STREAM"), {"local": {0}, "remote": {1}}),
        (arm("TCP_STREAM", rate=10**9), {}),
        (arm("TCP_STREAM", wait="spin"), {"local": {0}}),
        (arm("TCP_MAERTS", wait="spin"), {"remote": {1}}),
        (arm("TCP_RR", wait="spin"), {}),
        (arm("TCP_BIDIR", wait="spin"), {}),
        (arm("TCP_CRR", wait="spin"), {"local": {0}, "remote": {1}}),
        (arm("TCP_RR", local_quota=0.5), {"remote": {1}}),
        (arm("TCP_RR", local_cpu=None), {"remote": {1}}),
        (Crowd([arm("TCP_RR"), arm("TCP_RR", local_cpu=2)]), {"local": {0, 2}, "remote": {1}}),
        (Loaded(arm("TCP_RR"), arm("TCP_STREAM", remote_cpu=3)), {"local": {0}, "remote": {1, 3}}),
    ],
)
def test_the_cpus_that_say_something(made: AnyArm, ends: dict[End, set[int]]) -> None:
    assert limits(made, None).cpus == ends


def test_the_loops_that_do_an_arms_work() -> None:
    one, two = arm("TCP_RR"), arm("TCP_STREAM")
    assert loops(one) == (one,)
    assert loops(Crowd([one, one])) == [one, one]
    assert loops(Loaded(one, two)) == (one,)
