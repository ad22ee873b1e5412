"""A slice counts only if its path's devices carried it, and no other path's did."""

import random
from dataclasses import replace

import msgspec
import pytest

from arms_twin import TwinArm
from pathgauge.counters.link import LinkCounters
from pathgauge.measuring.crowd import summed
from pathgauge.measuring.verify import in_packet, why_crowd_void, why_void
from pathgauge.paths.types import DeviceRef
from pathgauge.results.document import Slice
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

OWN = DeviceRef("macvlan", "mv0", "own", "macvlan", 1500, "noqueue", {})
WIRE = DeviceRef("server", "s0", "wire", "veth", 1500, "noqueue", {})
OTHER = ("host", "x0")


def counters(sent: int = 0, received: int = 0, packets: int = 0) -> LinkCounters:
    return LinkCounters(received, packets, 0, 0, sent, packets, 0, 0)


def why(
    own: LinkCounters,
    wire: LinkCounters,
    stray: int = 0,
    test: str = "TCP_STREAM",
    packets: int = 0,
    shared: int = 1,
    **changes: int,
) -> str | None:
    row = TwinArm("macvlan", rate=1e8, seed=random.randrange(9)).measure(0.0, 1.0).row
    fields = {"bytes_received": 10**6, "total_bytes_received": 10**6, "transactions": 0} | changes
    row = msgspec.structs.replace(row, **fields)
    before = {("macvlan", "mv0"): counters(), ("server", "s0"): counters(), OTHER: counters()}
    after = {("macvlan", "mv0"): own, ("server", "s0"): wire, OTHER: counters(stray, packets=packets)}
    return why_void(row, TESTS[test], [OWN, WIRE], [OTHER], before, after, shared=shared)


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


def test_connections_at_rest_have_a_last_word() -> None:
    key = "other", "mv0"
    row = TwinArm("a", rate=1e6).measure(0.0, 1.0).row
    before, after = {key: counters()}, {key: counters(26_000, 0, packets=300)}
    for test, standing, fits in (("TCP_RR", 300, True), ("TCP_RR", 2, False), ("TCP_STREAM", 2, False)):
        reason = why_void(
            msgspec.structs.replace(row, total_bytes_received=1000, transactions=1000),
            TESTS[test], (), [key], before, after, standing=standing,
        )  # fmt: skip
        assert (reason is None) is fits


def crowd_why(rows: list[Slice], carried: dict[tuple[str, str], int], test: str = "TCP_STREAM") -> str | None:
    """Two copies with a device each, and the wire's end that both share."""
    devices = [[replace(OWN, namespace=name), WIRE] for name in ("one", "two")]
    before = {key: counters() for key in carried}
    after = {key: counters(amount, packets=amount // 1000) for key, amount in carried.items()}
    whole = summed(rows, [TESTS[test]] * len(rows))
    return why_crowd_void(whole, list(zip(rows, devices, strict=True)), TESTS[test], [], before, after)


def test_what_copies_share_must_have_carried_the_sum() -> None:
    row = TwinArm("a", rate=1e6).measure(0.0, 1.0).row
    rows = [msgspec.structs.replace(row, bytes_received=amount, total_bytes_received=amount) for amount in (10**6, 10)]
    enough = {("one", "mv0"): 1_000_100, ("two", "mv0"): 100, ("server", "s0"): 1_000_200}
    assert crowd_why(rows, enough) is None
    for key, amount in ((("one", "mv0"), 999_999), (("two", "mv0"), 9), (("server", "s0"), 1_000_009)):
        reason = crowd_why(rows, enough | {key: amount})
        assert reason is not None
        assert key[0] in reason
    nothing = [msgspec.structs.replace(row, bytes_received=0, total_bytes_received=0)] * 2
    assert crowd_why(nothing, enough) == "nothing came through"


@pytest.mark.parametrize(("amount", "fits"), [(1_000_500, True), (999_000, False)])
def test_both_directions_must_have_been_carried_together(amount: int, fits: bool) -> None:
    row = TwinArm("a", rate=1e6).measure(0.0, 1.0).row
    rows = [msgspec.structs.replace(row, bytes_received=10**6, total_bytes_received=10**6)] * 2
    kinds = [TESTS["TCP_BIDIR"], TESTS["TCP_BIDIR"].reversed()]
    key = OWN.namespace, OWN.name
    found = why_crowd_void(
        summed(rows, kinds),
        [(each, [OWN]) for each in rows],
        kinds[0],
        [],
        {key: counters()},
        {key: counters(amount, amount, packets=1000)},
        duplex=True,
    )
    assert (found is None) is fits


def test_every_transaction_of_every_copy_has_its_packets() -> None:
    row = TwinArm("a", rate=1e6).measure(0.0, 1.0).row
    rows = [msgspec.structs.replace(row, total_bytes_received=0, transactions=done) for done in (700, 400)]
    enough = {("one", "mv0"): 700_000, ("two", "mv0"): 400_000, ("server", "s0"): 1_100_000}
    assert crowd_why(rows, enough, "TCP_RR") is None
    assert "1099 packets" in str(crowd_why(rows, enough | {("server", "s0"): 1_099_999}, "TCP_RR"))


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


def test_transactions_are_verified_by_their_packets() -> None:
    # 500 transactions of a byte: ARP alone is more than their payload.
    tiny = {"bytes_received": 500, "total_bytes_received": 500, "transactions": 500}
    carried = counters(33_000, 33_000, packets=510)
    assert why(carried, carried, test="TCP_RR", **tiny) is None
    reason = why(counters(900, 900, packets=12), carried, test="TCP_RR", **tiny)
    assert reason is not None
    assert "mv0 in macvlan carried 12 packets each way of 500 transactions" in reason
    reason = why(carried, carried, stray=2_000, packets=60, test="TCP_RR", **tiny)
    assert reason is not None
    assert "another path's" in reason


def test_a_device_that_does_not_count_what_it_passes_on_is_no_witness() -> None:
    row = TwinArm("macvlan", rate=1e8, spread=0.0).measure(0.0, 1.0).row
    device = {("macvlan", "mv0"): counters(2 * 10**8), ("m", "br0"): counters()}
    before = {key: counters() for key in device}
    bridge = DeviceRef("m", "br0", "passed", "bridge", 1500, "noqueue", {})
    assert why_void(row, TESTS["TCP_STREAM"], [OWN, bridge], [], before, device) is None
    counting = DeviceRef("m", "br0", "lower", "bridge", 1500, "noqueue", {})
    assert why_void(row, TESTS["TCP_STREAM"], [OWN, counting], [], before, device) is not None


def test_requests_in_flight_at_once_may_share_a_packet() -> None:
    parameters = Parameters(burst=3)
    shared = {name: in_packet(kind, parameters) for name, kind in TESTS.items()}
    assert {name for name, most in shared.items() if most != 1} == {"TCP_RR"}
    assert shared["TCP_RR"] == 4
    few = {"bytes_received": 4000, "total_bytes_received": 4000, "transactions": 4000}
    carried = counters(300_000, 300_000, packets=1000)
    assert why(carried, carried, test="TCP_RR", **few) is not None
    assert why(carried, carried, test="TCP_RR", shared=4, **few) is None
    assert why(carried, counters(300_000, 300_000, packets=999), test="TCP_RR", shared=4, **few) is not None
