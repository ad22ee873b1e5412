"""How paths are attached to a device of this machine: what is asked, what is refused."""

import pytest

from pathgauge.errors import UserError
from pathgauge.measuring.request import Request
from pathgauge.options import build_request, parse_values


def ask(*paths: str, **options: str | list[str]) -> Request:
    texts = {name.replace("_", "-"): value if isinstance(value, list) else [value] for name, value in options.items()}
    return build_request(paths, parse_values(texts))


def test_without_a_server_paths_are_in_a_lab() -> None:
    assert ask().attachment is None


def test_the_seeds_set_up() -> None:
    asked = ask(
        "host", "macvlan", device="eth0", address=["198.18.0.3/15"], server="netperf://198.18.0.1", test=["TCP_STREAM"]
    )
    assert asked.attachment is not None
    assert asked.attachment.device == "eth0"
    assert asked.attachment.server == "198.18.0.1"
    assert asked.attachment.family == "ipv4"
    assert asked.attachment.addresses == {"macvlan": "198.18.0.3/15"}
    assert asked.server_port == 12865
    assert asked.max_time == 60, "slices last a second, and ten seconds would hold two blocks"
    assert ask("host", "host", device="eth0", server="netperf://198.18.0.1:99", max_time="5s").server_port == 99


def test_each_path_may_have_its_own_address() -> None:
    addresses = ["a=2001:db8::3/64", "2001:db8::4/64"]
    asked = ask(
        "host", "a=macvlan", "b=macvlan", device="eth0", address=addresses, server="netperf://[2001:db8::1]:7"
    ).attachment
    assert asked is not None
    assert asked.family == "ipv6"
    assert asked.addresses == {"a": "2001:db8::3/64", "b": "2001:db8::4/64"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"server": "netperf://198.18.0.1"}, "needs the device"),
        ({"device": "eth0"}, "where paths to another machine start"),
        ({"address": "198.18.0.3/15"}, "where paths to another machine start"),
        ({"server": "netperf://198.18.0.1", "device": "eth0"}, "macvlan needs an address"),
        ({"server": "netperf://198.18.0.1", "device": "eth0", "address": "b=198.18.0.3/15"}, "no path 'b'"),
        ({"server": "netperf://198.18.0.1", "device": "eth0", "address": "10.0.0.3/8"}, "not in the network"),
        (
            {"server": "netperf://198.18.0.1", "device": "eth0", "address": "198.18.0.3/15", "wire": "rate=1gbit"},
            "not ours to shape",
        ),
        ({"server": "netperf://no.such.host.invalid", "device": "eth0", "address": "10.0.0.3/8"}, "no IPv4 address"),
        (
            {"server": "netperf://198.18.0.1", "device": "eth0", "address": "198.18.0.3/15", "ipv6": "on"},
            "no IPv6 address",
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        ask("host", "macvlan", **options)


@pytest.mark.parametrize(
    "text",
    ["198.18.0.1", "iperf://x", "netperf://", "netperf://x:0", "netperf://x:70000", "netperf://::1", "netperf://x/y"],
)
def test_a_server_is_named_by_its_protocol(text: str) -> None:
    with pytest.raises(UserError, match="--server"):
        parse_values({"server": [text]})


@pytest.mark.parametrize("text", ["198.18.0.3", "x/15", "198.18.0.3/33", "a="])
def test_an_address_has_a_prefix(text: str) -> None:
    with pytest.raises(UserError, match="--address"):
        parse_values({"address": [text]})


@pytest.mark.parametrize("text", ["", "a/b", "sixteen-letters-", "a\n"])
def test_a_device_has_a_name_of_the_kernels(text: str) -> None:
    with pytest.raises(UserError, match="--device"):
        parse_values({"device": [text]})


def test_a_path_that_claims_the_device_is_refused() -> None:
    with pytest.raises(UserError, match="whole device"):
        ask("host", "macvlan:mode=passthru", device="e", address="10.0.0.2/8", server="netperf://10.0.0.1")
