"""A slice counts only if its path's devices carried it, and no other path's did."""

import random

import msgspec
import pytest

from arms_twin import TwinArm
from pathgauge.counters.link import LinkCounters
from pathgauge.measuring.verify import why_void
from pathgauge.paths.types import DeviceRef
from pathgauge.traffic.registry import TESTS

OWN = DeviceRef("macvlan", "mv0", "own", "macvlan", 1500, "noqueue", {})
WIRE = DeviceRef("server", "s0", "wire", "veth", 1500, "noqueue", {})
OTHER = ("host", "x0")


def counters(sent: int = 0, received: int = 0) -> LinkCounters:
    return LinkCounters(received, 0, 0, 0, sent, 0, 0, 0)


def why(own: LinkCounters, wire: LinkCounters, stray: int = 0, test: str = "TCP_STREAM", **changes: int) -> str | None:
    row = TwinArm("macvlan", rate=1e8, seed=random.randrange(9)).measure(0.0, 1.0).row
    row = msgspec.structs.replace(row, bytes_received=10**6, total_bytes_received=10**6, **changes)
    before = {("macvlan", "mv0"): counters(), ("server", "s0"): counters(), OTHER: counters()}
    after = {("macvlan", "mv0"): own, ("server", "s0"): wire, OTHER: counters(stray)}
    return why_void(row, TESTS[test], [OWN, WIRE], [OTHER], before, after)


def test_a_carried_slice_counts_in_either_direction() -> None:
    assert why(counters(1_050_000, 900), counters(900, 1_050_000)) is None
    assert why(counters(900, 1_050_000), counters(1_050_000, 900)) is None


@pytest.mark.parametrize(("own", "wire", "name"), [(0, 1_050_000, "mv0"), (1_050_000, 999_999, "s0")])
def test_a_device_that_carried_too_little_voids_it(own: int, wire: int, name: str) -> None:
    reason = why(counters(own), counters(0, wire))
    assert reason is not None
    assert name in reason


def test_traffic_over_another_path_voids_it() -> None:
    assert why(counters(1_050_000), counters(1_050_000), stray=9_000) is None
    reason = why(counters(1_050_000), counters(1_050_000), stray=50_000)
    assert reason is not None
    assert "another path" in reason


def test_nothing_moved_is_void() -> None:
    assert why(counters(1_050_000), counters(1_050_000), transactions=0, test="TCP_RR") == "nothing came through"


def test_a_device_that_is_gone_voids_it() -> None:
    row = TwinArm("a").measure(0.0, 1.0).row
    assert why_void(row, TESTS["TCP_STREAM"], [OWN], [], {}, {}) is not None


def test_more_than_the_wire_carries_is_void() -> None:
    row = TwinArm("macvlan", rate=1e8, spread=0.0).measure(0.0, 1.0).row
    device = {("macvlan", "mv0"): counters(2 * 10**8)}
    before = {("macvlan", "mv0"): counters()}
    assert why_void(row, TESTS["TCP_STREAM"], [OWN], [], before, device, 790_000_000) is None
    reason = why_void(row, TESTS["TCP_STREAM"], [OWN], [], before, device, 500_000_000)
    assert reason is not None
    assert "wire" in reason
