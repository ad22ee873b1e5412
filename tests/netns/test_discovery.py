"""Which devices a path that exists runs through: followed through bridges, routers and what devices stand on."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathgauge.errors import UserError
from pathgauge.paths.existing import ExistingTopology
from pathgauge.paths.messages import Placed
from pathgauge.paths.types import Found, PathSpec, WireSpec
from tests.netns.by_hand import ByHand, between, by_hand, ip
from tests.netns.lab_processes import wait_until

pytestmark = pytest.mark.usefixtures("require_root")


@pytest.fixture
def hand() -> Iterator[ByHand]:
    with by_hand() as made:
        yield made


def look(hand: ByHand, one: str, other: str, address: str = "") -> Placed:
    """The path between two namespaces, as pathgauge finds it."""
    files = [f"/run/netns/{hand.name(short)}" for short in (one, other)]
    spec = PathSpec("p", "existing", {"from": one, "to": other}, found=Found(files[0], files[1], address))
    topology = ExistingTopology()
    try:
        (placed,) = topology.build([spec], WireSpec())
    finally:
        topology.close()
        for space in topology.spaces.values():
            os.close(space.namespace)
            os.close(space.counters)
    return placed


def devices(hand: ByHand, placed: Placed) -> list[str]:
    """Its devices as `namespace device`, in brackets where they do not count what passes."""
    names = [
        f"{each.namespace.removeprefix('netns:').removeprefix(hand.name(''))} {each.name}" for each in placed.devices
    ]
    return [f"({name})" if each.role == "passed" else name for name, each in zip(names, placed.devices, strict=True)]


def bridged(hand: ByHand) -> None:
    """Namespaces a and b, each behind a pair that is a port of a bridge in m."""
    hand.add("a", "m", "b")
    hand.pair("m", "to-a", "a", "eth0")
    hand.pair("m", "to-b", "b", "eth0")
    hand.bridge("m", "br0", "to-a", "to-b")
    hand.address("a", "eth0", "10.77.0.2/24", "fd00:77::2/64")
    hand.address("b", "eth0", "10.77.0.3/24", "fd00:77::3/64")


@pytest.mark.parametrize("address", ["10.77.0.3", "fd00:77::3"])
def test_a_bridge_is_passed_to_the_port_where_the_other_was_learnt(hand: ByHand, address: str) -> None:
    bridged(hand)
    hand.pair("m", "to-c", "b", "eth1")  # the same namespace by a port of its own, to which nothing goes
    hand.ip("m", "link", "set", "to-c", "master", "br0")
    hand.ip("b", "link", "set", "eth1", "arp", "off")
    found = look(hand, "a", "b", address)
    assert devices(hand, found) == ["a eth0", "m to-a", "(m br0)", "m to-b", "b eth0"]
    assert [each.role for each in found.devices] == ["own", "lower", "passed", "lower", "wire"]
    assert found.gap is None


def test_a_bridge_with_an_address_is_an_end_itself(hand: ByHand) -> None:
    bridged(hand)
    hand.address("m", "br0", "10.77.0.1/24")
    assert devices(hand, look(hand, "a", "m")) == ["a eth0", "m to-a", "m br0"]
    assert devices(hand, look(hand, "m", "a")) == ["m br0", "m to-a", "a eth0"]


@pytest.mark.parametrize("address", ["10.77.2.2", "fd00:77:2::2"])
def test_a_namespace_that_forwards_is_passed_by_its_routes(hand: ByHand, address: str) -> None:
    between(hand)
    hand.forward("r")
    found = look(hand, "a", "b", address)
    assert devices(hand, found) == ["a eth0", "r ra", "r rm", "m to-r", "(m br0)", "m to-b", "b eth0"]
    assert found.gap is None


@pytest.mark.parametrize("address", ["10.77.2.2", "fd00:77:2::2"])
def test_where_nothing_forwards_it_says_so(hand: ByHand, address: str) -> None:
    between(hand)
    hand.forward("r", "0")
    found = look(hand, "a", "b", address)
    assert found.gap is not None
    assert found.gap.before == 2
    assert f"{hand.name('r')} does not forward ipv" in found.gap.reason
    assert devices(hand, found) == ["a eth0", "r ra", "m to-b", "b eth0"], "the server's end as far as links tell"


def test_a_router_that_does_not_know_the_way_is_named(hand: ByHand) -> None:
    between(hand)
    hand.forward("r")
    hand.ip("r", "addr", "del", "10.77.2.1/24", "dev", "rm")
    gap = look(hand, "a", "b", "10.77.2.2").gap
    assert gap is not None
    assert gap.reason == f"netns:{hand.name('r')} has no route to 10.77.2.2"


def test_a_bridge_that_cannot_learn_is_named(hand: ByHand) -> None:
    bridged(hand)
    hand.ip("b", "link", "set", "eth0", "down")
    gap = look(hand, "a", "b", "10.77.0.3").gap
    assert gap is not None
    assert gap.reason == f"br0 in netns:{hand.name('m')} has not learnt where 10.77.0.3 is"


def test_devices_on_others_are_followed_down_and_up(hand: ByHand) -> None:
    hand.add("m", "n", "a", "b")
    hand.pair("m", "wire", "n", "wire")
    for short, lower, number in (("a", "m", 2), ("b", "m", 3)):
        hand.ip(
            lower, "link", "add", "mv0", "link", "wire", "netns", hand.name(short), "type", "macvlan", "mode", "bridge"
        )
        hand.ip(short, "link", "set", "mv0", "up")
        hand.address(short, "mv0", f"10.77.3.{number}/24")
    hand.address("n", "wire", "10.77.3.1/24")
    assert devices(hand, look(hand, "a", "n")) == ["a mv0", "m wire", "n wire"]
    assert devices(hand, look(hand, "n", "a")) == ["n wire", "m wire", "a mv0"]
    assert devices(hand, look(hand, "a", "b")) == ["a mv0", "(m wire)", "b mv0"], "siblings never leave by it"


def test_a_tunnel_is_followed_to_its_other_end(hand: ByHand) -> None:
    hand.add("a", "m", "b")
    hand.pair("m", "to-a", "a", "eth0")
    hand.pair("m", "to-b", "b", "eth0")
    hand.bridge("m", "br0", "to-a", "to-b")
    for short, own, other in (("a", 2, 3), ("b", 3, 2)):
        hand.address(short, "eth0", f"10.77.4.{own}/24")
        hand.ip(short, "link", "add", "name", "vx0", "type", "vxlan", "id", "77", "dstport", "4789", "dev", "eth0",
                "remote", f"10.77.4.{other}")  # fmt: skip
        hand.ip(short, "link", "set", "vx0", "up")
        hand.address(short, "vx0", f"10.77.5.{own}/24")
    found = look(hand, "a", "b", "10.77.5.3")
    assert devices(hand, found) == ["a vx0", "a eth0", "m to-a", "(m br0)", "m to-b", "b eth0", "b vx0"]


def test_an_address_that_leads_to_another_is_refused(hand: ByHand) -> None:
    bridged(hand)
    hand.add("c")
    hand.pair("c", "eth0", "m", "to-c")
    hand.address("c", "eth0", "10.77.0.3/24")  # b's own address, in a network of its own
    with pytest.raises(UserError) as caught:
        look(hand, "a", "c", "10.77.0.3")
    assert str(caught.value) == f"p: from a, 10.77.0.3 leads to netns:{hand.name('b')}, not to c"


def test_an_address_of_ones_own_is_refused(hand: ByHand) -> None:
    bridged(hand)
    hand.add("c")
    hand.pair("c", "eth0", "m", "to-c")
    hand.address("c", "eth0", "10.77.0.2/24")
    with pytest.raises(UserError, match=r"10\.77\.0\.2 is an address of a's own"):
        look(hand, "a", "c")


def test_looking_at_many_paths_that_cannot_be_followed_ends_soon(hand: ByHand) -> None:
    bridged(hand)
    hand.ip("b", "link", "set", "eth0", "down")
    one, other = (f"/run/netns/{hand.name(short)}" for short in "ab")
    found, ends = Found(one, other, "10.77.0.3"), {"from": "a", "to": "b"}
    specs = [PathSpec(f"p{number}", "existing", ends, found=found) for number in range(9)]
    topology, began = ExistingTopology(), time.monotonic()
    placed = topology.build(specs, WireSpec())
    topology.close()
    for space in topology.spaces.values():
        os.close(space.namespace)
        os.close(space.counters)
    assert all(each.gap is not None for each in placed)
    assert time.monotonic() - began < 8, "a keeper has ten seconds"


def test_a_namespace_without_a_name_is_found_by_a_process_in_it(hand: ByHand) -> None:
    between(hand)
    hand.forward("r")
    with subprocess.Popen(["ip", "netns", "exec", hand.name("r"), "sleep", "60"]) as sleeper:
        try:
            wait_until(lambda: Path(f"/proc/{sleeper.pid}/comm").read_text() == "sleep\n", 5)
            ip("netns", "del", hand.name("r"))
            found = look(hand, "a", "b", "10.77.2.2")
        finally:
            sleeper.kill()
    assert [each.namespace for each in found.devices][1:3] == [f"pid:{sleeper.pid}"] * 2
    assert found.gap is None
