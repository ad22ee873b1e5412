"""A path's counters and settings are named by what its namespaces and devices are to it."""

from pathgauge.counters.neighbours import parse_arp, parse_packet
from pathgauge.counters.reading import Counters
from pathgauge.paths import messages, roles
from pathgauge.paths.types import BuiltPath, DeviceRef, PathSpec, Role


def device(namespace: str, name: str, role: Role) -> DeviceRef:
    return DeviceRef(namespace, name, role, "veth", 1500, "noqueue", {})


def path(client: str, server: str, *devices: DeviceRef, ours: bool = True) -> BuiltPath:
    return BuiltPath(
        spec=PathSpec("x", "nat"),
        wire="",
        rate=None,
        client_namespace=3,
        server_namespace=4 if ours else None,
        client_namespace_name=client,
        server_namespace_name=server,
        client_addresses={"ipv4": "10.0.0.2"},
        server_addresses={"ipv4": "10.0.1.2"},
        reached_addresses={"ipv4": "10.0.1.2"},
        seen_addresses={"ipv4": "10.0.1.1"},
        devices=devices,
        mtu=1500,
    )


NAT = path(
    "nat.2",
    "server",
    device("nat.2", "eth0.5", "own"),
    device("host", "v0", "lower"),
    device("host", "h0", "lower"),
    device("server", "s0", "wire"),
)


def test_namespaces_and_devices_have_roles() -> None:
    assert roles.spaces(NAT) == {"nat.2": "client", "server": "server", "host": "between"}
    assert roles.devices(NAT) == {"nat.2": ("eth0.5",), "server": ("s0",), "host": ("v0", "h0")}
    assert roles.addresses(NAT) == {"nat.2": ("10.0.1.2",), "server": ("10.0.1.1",)}
    assert roles.name_of(NAT.devices[0]) == "path.nat/2.eth0/5"


def test_a_path_from_a_namespace_to_itself_has_a_client_alone() -> None:
    assert roles.spaces(path("a", "a", device("a", "lo", "own"))) == {"a": "client"}


def test_namespaces_between_are_numbered_and_a_server_elsewhere_is_none() -> None:
    found = path(
        "a", "server", device("a", "e", "own"), device("b", "e", "lower"), device("c", "e", "lower"), ours=False
    )
    assert roles.spaces(found) == {"a": "client", "b": "between", "c": "between2"}


def test_counters_are_named_by_role_and_devices_of_the_path_by_themselves() -> None:
    readings = {
        "nat.2": Counters({"tcp.OutSegs": 1, "device.eth0/5.tx_bytes": 2}, {"device.eth0/5.qdisc.drops": 3}, {}),
        "host": Counters({"ip.ForwDatagrams": 4, "device.h0.tx_bytes": 5, "device.h1.tx_bytes": 6}, {}, {}),
    }
    assert roles.counters_of(NAT, readings) == Counters(
        {
            "client.tcp.OutSegs": 1,
            "path.nat/2.eth0/5.tx_bytes": 2,
            "between.ip.ForwDatagrams": 4,
            "path.host.h0.tx_bytes": 5,
            "between.device.h1.tx_bytes": 6,
        },
        {"path.nat/2.eth0/5.qdisc.drops": 3},
        {},
    )


def test_settings_hold_roles_in_the_place_of_names_and_addresses() -> None:
    found = roles.configuration_of(
        NAT,
        {
            "nat.2": {
                "sysctl.net.ipv4.tcp_wmem": "1 2 3",
                "device.eth0/5.mtu": "1500",
                "route.10.0.1.2/via": "gateway",
                "route.10.0.1.2/device": "eth0.5",
                "route.10.9.9.9/via": "direct",
            },
            "host": {"device.v0.mtu": "1500", "device.h0.mtu": "1400"},
            "server": {"route.10.0.1.1/device": "elsewhere"},
        },
    )
    assert found.by_role() == {
        "client.sysctl.net.ipv4.tcp_wmem": "1 2 3",
        "client.route.ipv4.via": "gateway",
        "client.route.ipv4.device": "own",
        "server.route.ipv4.device": "other",
        "path.own.mtu": "1500",
        "path.lower.mtu": "1500",
        "path.lower2.mtu": "1400",
    }
    assert found["path.host.h0.mtu"] == "1400"


def test_readings_of_any_length_come_over_whole(tmp_path: object) -> None:
    readings = {
        "host": messages.Reading(rising={f"n{number}": 2**64 - 1 for number in range(20_000)}, settings={"a": "b"})
    }
    with open(f"{tmp_path}/memory", "wb+") as file:
        file.write(messages.encode_readings(readings))
        file.flush()
        assert file.tell() > messages.LARGEST
        assert messages.decode_readings(file.fileno()) == readings


def test_neighbours_by_state() -> None:
    text = b"""\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        eth0
192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0
192.0.2.3        0x1         0x6         02:00:00:00:00:03     *        eth0
broken
"""
    assert parse_arp(text).gauges == {"neighbours.complete": 1, "neighbours.incomplete": 1, "neighbours.permanent": 1}
    assert not parse_arp(b"")
    assert parse_packet(
        b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode\nffff 3 3 0003 2 1 0 0 12\n"
    ).gauges == {"packet_sockets": 1}
    assert not parse_packet(b"")
