"""Requests packed by hand: what pyroute2 reads in them is what was meant."""

import errno
import os
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # type: ignore[import-untyped]  # it has no types
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]  # it has no types
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]  # it has no types

from pathgauge.errors import InternalError, MachineError, MissingFeature, MissingPrivilege
from pathgauge.paths import rtnetlink
from pathgauge.paths.addresses import Address, address
from pathgauge.paths.netlink import packed_link_info
from pathgauge.paths.refusals import Refused, explained
from pathgauge.paths.rtnetlink import RouteSocket

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=15)
NUMBERS = st.integers(1, 2**31 - 1)


def read(kind: Any, request: bytes) -> Any:
    """A request as pyroute2 understands it."""
    message = kind(request)
    message.decode()
    assert message["header"]["length"] == len(request)
    return message


@given(NAMES, NUMBERS, NUMBERS, st.sampled_from(["bridge", "private", "vepa", "passthru"]))
def test_a_macvlan(name: str, into: int, lower: int, mode: str) -> None:
    request = rtnetlink.new_link("macvlan", name, into=into, lower=lower, settings={"macvlan_mode": mode})
    message = read(ifinfmsg, request)
    assert message.get_attr("IFLA_IFNAME") == name
    assert message.get_attr("IFLA_NET_NS_FD") == into
    assert message.get_attr("IFLA_LINK") == lower
    info = message.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == "macvlan"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_MACVLAN_MODE") == mode


@given(NAMES, NAMES, NUMBERS)
def test_a_pair(name: str, peer: str, into: int) -> None:
    message = read(ifinfmsg, rtnetlink.new_pair("veth", name, peer, into=into))
    other = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")
    assert (message.get_attr("IFLA_IFNAME"), other.get_attr("IFLA_IFNAME")) == (name, peer)
    assert (message.get_attr("IFLA_NET_NS_FD"), other.get_attr("IFLA_NET_NS_FD")) == (None, into)


def test_settings_that_pyroute2_packs() -> None:
    settings = {"vxlan_id": 100, "vxlan_port": 4789, "vxlan_local": "198.18.0.2", "vxlan_link": 7}
    info = read(ifinfmsg, rtnetlink.new_link("vxlan", "vx0", into=3, settings=settings)).get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_DATA")
    assert (data.get_attr("IFLA_VXLAN_ID"), data.get_attr("IFLA_VXLAN_LINK")) == (100, 7)
    plain = rtnetlink.new_link("macvlan", "mv0", into=3, settings={"macvlan_mode": "vepa"})
    assert plain.endswith(packed_link_info("macvlan", {"macvlan_mode": "vepa"}))


@pytest.mark.parametrize("kind", ["macvlan", "macvtap"])
def test_a_list_of_sources(kind: str) -> None:
    sender = "02:00:00:00:00:07"
    settings = {f"{kind}_mode": "source", f"{kind}_macaddr_mode": "add", f"{kind}_macaddr": sender}
    info = read(ifinfmsg, rtnetlink.new_link(kind, "mv0", into=3, lower=2, settings=settings)).get_attr("IFLA_LINKINFO")
    data, prefix = info.get_attr("IFLA_INFO_DATA"), f"IFLA_{kind.upper()}"
    assert data.get_attr(f"{prefix}_MODE") == "source"
    assert (data.get_attr(f"{prefix}_MACADDR_MODE"), data.get_attr(f"{prefix}_MACADDR")) == ("add", sender)


@given(NUMBERS, NUMBERS)
def test_what_is_done_to_a_device(number: int, other: int) -> None:
    up = read(ifinfmsg, rtnetlink.bring_up(number))
    assert (up["index"], up["flags"], up["change"]) == (number, 1, 1)
    assert read(ifinfmsg, rtnetlink.moved(number, other)).get_attr("IFLA_NET_NS_FD") == other
    assert read(ifinfmsg, rtnetlink.joined(number, other)).get_attr("IFLA_MASTER") == other
    assert read(ifinfmsg, rtnetlink.without_link_local(number))["index"] == number


@given(st.integers(0, 31), st.integers(1, 4094), st.sampled_from(["ipv4", "ipv6"]), NUMBERS)
def test_an_address(wire: int, end: int, family: Any, number: int) -> None:
    given_address = address(wire, end, family)
    message = read(ifaddrmsg, rtnetlink.new_address(number, given_address))
    assert (message["index"], message["prefixlen"]) == (number, given_address.prefix)
    assert message.get_attr("IFA_LOCAL") == message.get_attr("IFA_ADDRESS") == given_address.text
    assert message["flags"] == (2 if family == "ipv6" else 0)  # IFA_F_NODAD


@pytest.mark.parametrize(
    ("destination", "gateway"), [("198.18.16.0/20", "198.18.0.2"), ("fd70:6761:7567::/64", "fd70:6761:7567:1::2")]
)
def test_a_route(destination: str, gateway: str) -> None:
    message = read(rtmsg, rtnetlink.new_route(destination, gateway))
    assert f"{message.get_attr('RTA_DST')}/{message['dst_len']}" == destination
    assert message.get_attr("RTA_GATEWAY") == gateway
    assert (message["table"], message["type"]) == (254, 1)


@pytest.mark.netns
def test_the_callers_loopback_can_be_looked_at_by_anybody() -> None:
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    routes = RouteSocket(namespace)
    try:
        assert routes.number("lo") == rtnetlink.LOOPBACK
        facts = routes.facts("lo")
        assert (facts.mtu, facts.kind, facts.operational) == (65536, "", True)
        assert facts.offloads["sg"] is True
        with pytest.raises(InternalError, match="no device nowhere"):
            routes.number("nowhere")
    finally:
        routes.close()
        routes.close()
        os.close(namespace)


@pytest.mark.parametrize(
    ("subject", "number", "error", "words"),
    [
        ("ipvlan", errno.EOPNOTSUPP, MissingFeature, "this kernel has no ipvlan"),
        ("mv0", errno.EPERM, MissingPrivilege, "refused to set up mv0"),
        ("mv0", errno.EBUSY, MachineError, "could not set up mv0: busy"),
        ("mv0", errno.ENOENT, MachineError, "could not set up mv0: busy"),
    ],
)
def test_a_refusal_is_a_sentence(subject: str, number: int, error: type[MachineError], words: str) -> None:
    with pytest.raises(error, match=words), explained(subject):
        raise Refused(number, "busy")


@given(st.binary(max_size=64))
def test_attributes_of_any_bytes_end(data: bytes) -> None:
    found = rtnetlink._attributes(data)
    assert sum(4 + len(content) for content in found.values()) <= len(data) + 4 * len(found)


def test_the_same_address_reads_the_same() -> None:
    one = rtnetlink.new_address(5, Address("ipv4", "198.18.0.10", 20))
    assert struct.unpack_from("=IHH", one) == (len(one), 20, 0x605)
