"""In what two paths differ by their settings: by role, so that names and addresses are no difference."""

from pathgauge.counters.configuration import Configuration, Difference, differences

HOST = Configuration(
    {
        "client.sysctl.net.ipv4.tcp_wmem": "4096 16384 4194304",
        "client.sysctl.net.core.netdev_max_backlog": "1000",
        "client.nft.table.ip.t.rules": "2",
        "server.sysctl.net.ipv4.tcp_rmem": "4096 131072 6291456",
        "path.host.h0.kind": "veth",
        "path.host.h0.mtu": "1500",
        "path.host.h0.qdisc": "tbf",
        "path.host.h0.tbf.rate": "125000000",
        "path.host.h0.feature.highdma": "on",
        "path.host.h0.feature.rx-gro": "off",
        "path.server.s0.mtu": "1500",
    },
    {"path.host.h0": "path.own", "path.server.s0": "path.wire"},
)
MACVLAN = Configuration(
    {
        "client.sysctl.net.ipv4.tcp_wmem": "4096 8192 8192",
        "server.sysctl.net.ipv4.tcp_rmem": "4096 131072 6291456",
        "path.macvlan.mv0.kind": "macvlan",
        "path.macvlan.mv0.mtu": "1500",
        "path.macvlan.mv0.qdisc": "noqueue",
        "path.macvlan.mv0.feature.highdma": "on [fixed]",
        "path.macvlan.mv0.feature.rx-gro": "on",
        "path.host.h0.kind": "veth",
        "path.host.h0.mtu": "1500",
        "path.host.h0.qdisc": "tbf",
        "path.server.s0.mtu": "1400",
        "between.sysctl.net.ipv4.ip_forward": "1",
    },
    {"path.macvlan.mv0": "path.own", "path.host.h0": "path.lower", "path.server.s0": "path.wire"},
)


def test_two_paths_differ_by_role() -> None:
    assert differences(HOST, MACVLAN) == (
        Difference("client.nft.table.ip.t.rules", "2", None),
        Difference("client.sysctl.net.ipv4.tcp_wmem", "4096 16384 4194304", "4096 8192 8192"),
        Difference("path.lower.kind", None, "veth"),
        Difference("path.own.feature.rx-gro", "off", "on"),
        Difference("path.own.kind", "veth", "macvlan"),
        Difference("path.own.qdisc", "tbf", "noqueue"),
        Difference("path.wire.mtu", "1500", "1400"),
    )


def test_what_only_one_of_two_like_devices_has_is_a_difference() -> None:
    plain = Configuration({"path.a.v0.kind": "veth", "client.nft.hooks": "x"}, {"path.a.v0": "path.own"})
    filtered = Configuration({**plain, "path.a.v0.filters.ingress": "3"}, plain.roles)
    assert differences(plain, filtered) == (Difference("path.own.filters.ingress", None, "3"),)
    assert differences(filtered, plain) == (Difference("path.own.filters.ingress", "3", None),)


def test_a_path_does_not_differ_from_itself_under_other_names() -> None:
    renamed = Configuration(
        {name.replace("path.host.h0.", "path.netns:a.eth0/5."): text for name, text in HOST.items()},
        {"path.netns:a.eth0/5": "path.own", "path.server.s0": "path.wire"},
    )
    assert differences(HOST, renamed) == ()
    assert renamed["path.netns:a.eth0/5.mtu"] == "1500"
    assert len(renamed) == len(HOST)
