"""The plan of addresses, and the shaping of wires: figures without a lab."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.errors import UserError
from pathgauge.paths import addresses
from pathgauge.paths.addresses import Family, Subnet, address
from pathgauge.paths.shaping import HIGHEST_RATE, LOWEST_RATE, Shaping, shaping

WIRES = st.integers(0, addresses.MAX_WIRES - 1)
NUMBERS = st.integers(1, addresses.LAST_CANDIDATE)
GSO_PACKET = 65536
FRAMES = 16 * 1024


@pytest.mark.parametrize(
    ("wire", "number", "ipv4", "ipv6"),
    [
        (0, addresses.SERVER, "198.18.0.1", "fd70:6761:7567::1"),
        (0, addresses.HOST, "198.18.0.2", "fd70:6761:7567::2"),
        (1, addresses.FIRST_CANDIDATE, "198.18.16.10", "fd70:6761:7567:1::a"),
        (16, addresses.SERVER, "198.19.0.1", "fd70:6761:7567:10::1"),
        (31, addresses.LAST_CANDIDATE, "198.19.255.254", "fd70:6761:7567:1f::ffe"),
    ],
)
def test_the_plan(wire: int, number: int, ipv4: str, ipv6: str) -> None:
    assert address(wire, number, "ipv4").text == ipv4
    assert address(wire, number, "ipv6").text == ipv6


@given(WIRES, NUMBERS, WIRES, NUMBERS)
def test_addresses_are_distinct_and_within_their_ranges(wire: int, number: int, wire2: int, number2: int) -> None:
    same = (wire, number) == (wire2, number2)
    four, six = address(wire, number, "ipv4"), address(wire, number, "ipv6")
    assert IPv4Address(four.text) in IPv4Network("198.18.0.0/15")
    assert IPv6Address(six.text) in IPv6Network("fd70:6761:7567::/48")
    assert (four == address(wire2, number2, "ipv4")) == same
    assert (six == address(wire2, number2, "ipv6")) == same


@given(WIRES, st.integers(0, addresses.PARTS - 1), st.integers(0, addresses.PARTS - 1), st.integers(1, 2))
def test_parts_of_a_network_lie_in_it_and_apart(wire: int, part: int, other: int, end: int) -> None:
    families: tuple[Family, ...] = ("ipv4", "ipv6")
    whole, one, two = (Subnet(wire, families, number) for number in (None, part, other))
    for there, here, beside in zip(whole.addresses(1), one.addresses(end), two.addresses(end), strict=True):
        network = ip_network(there.network)
        assert ip_address(here.text) in ip_network(here.network)
        assert ip_network(here.network).subnet_of(network)  # type: ignore[arg-type]  # both of one family
        assert one.whole[here.family] == there.network
        assert (here.network == beside.network) == (part == other)


def test_more_parts_than_a_network_has() -> None:
    with pytest.raises(UserError, match="room for 1024 copies"):
        Subnet(0, ("ipv4",), addresses.PARTS).addresses(1)


def test_what_the_plan_has_no_room_for() -> None:
    for wire, number in ((-1, 1), (addresses.MAX_WIRES, 1), (0, 0), (0, addresses.LAST_CANDIDATE + 1)):
        with pytest.raises(UserError, match="has room for"):
            address(wire, number, "ipv4")


def test_a_gigabit() -> None:
    made = shaping(10**9)
    assert made.rate == 125_000_000
    assert made.burst == 1_000_000
    assert made.limit == made.burst + 2_500_000


def test_burst_and_limit_of_ones_own() -> None:
    assert shaping(10**9, burst=1600, limit=3_000_000) == Shaping(125_000_000, 1600, 3_000_000)
    assert shaping(10**9, burst=10_000_000).limit == 12_500_000
    with pytest.raises(UserError, match="takes too long"):
        shaping(8_000, burst=2**30)


@given(st.integers(LOWEST_RATE, HIGHEST_RATE))
def test_the_burst_never_limits_and_all_fits_the_kernels_fields(rate: int) -> None:
    made = shaping(rate)
    assert made.rate == rate // 8
    assert made.burst >= max(GSO_PACKET if rate >= 30_000_000 else FRAMES, made.rate / 250)
    assert made.limit - made.burst >= max(FRAMES, 0.0199 * made.rate)
    if rate >= 3_000_000:  # below, some frames take that long
        assert made.burst / made.rate < 0.1
        assert (made.limit - made.burst) / made.rate < 0.11
    ticks = made.burst / made.rate * 1e9 / 64
    assert max(made.rate, made.limit, ticks) < 2**32


@pytest.mark.parametrize("rate", [0, -1, 7_999, HIGHEST_RATE + 1, 10**15])
def test_a_rate_that_cannot_be(rate: int) -> None:
    with pytest.raises(UserError, match="cannot be shaped") as caught:
        shaping(rate)
    assert "type a rate" in caught.value.hint
