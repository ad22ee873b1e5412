"""Every cause's signature: says nothing of what is not known, speaks up where it is planted, and is silent where both
paths have it. The catalogue itself.
"""

from typing import Any

import pytest

from facts_twin import case, device, facts
from pathgauge.explain.case import Case
from pathgauge.explain.cause import Cause, Sign, causes, page, weigh
from pathgauge.explain.explaining import LEAST_WEIGHT
from pathgauge.traffic.registry import TESTS

TBF = {"queue_discipline": "tbf"}
SHAPED = {"path.c.eth0.tbf.rate": "125000000", "path.c.eth0.tbf.burst": "1000000", "path.c.eth0.tbf.limit": "3000000"}
BRIDGE = (
    device("eth0"),
    device("p0", "m", role="lower"),
    device("br0", "m", role="passed", kind="bridge"),
    device("p1", "m", role="lower"),
    device("eth0", "s", role="wire"),
)
TUNNEL = (device("vx0", kind="vxlan"), device("eth0", "m", role="lower"), device("eth0", "s", role="wire"))


def shaped(**changes: str) -> dict[str, Any]:
    return {
        "devices": (device("eth0", **TBF), device("eth0", "s", role="wire")),
        "configuration": SHAPED | {f"path.c.eth0.tbf.{key}": value for key, value in changes.items()},
    }


# What a slow path shows of each cause, and the gap where it is not the rate.
PLANTED: dict[str, dict[str, Any]] = {
    "small-sends": {"parameters": {"send_size": 1400}, "rows": {"cpu_local_seconds": 1.0}},
    "send-mss-mismatch": {"parameters": {"send_size": 1400}, "tcp": {"snd_mss": 1448}},
    "nagle": {"parameters": {"send_size": 1000}, "tcp": {"snd_mss": 1448}, "rows": {"cpu_local_seconds": 0.1}},
    "nagle-delayed-ack": {
        "test": "TCP_RR",
        "parameters": {"request_size": 2000},
        "rows": {"transactions": 25},
        "counters": {"server.tcpext.DelayedACKs": 25.0},
    },
    "tinygrams": {"parameters": {"send_size": 100, "nodelay": True}, "tcp": {"snd_mss": 1448}},
    "autocorking": {
        "parameters": {"send_size": 1400},
        "configuration": {"client.sysctl.net.ipv4.tcp_autocorking": "0"},
    },
    "receive-window": {
        "parameters": {"remote_buffer": 8192},
        "tcp": {"busy_time": 1_000_000, "rwnd_limited": 990_000, "snd_wnd": 8192},
    },
    "send-buffer": {"parameters": {"local_buffer": 8192}, "tcp": {"busy_time": 500_000, "sndbuf_limited": 300_000}},
    "slow-reader": {
        "parameters": {"receive_size": 512},
        "tcp": {"busy_time": 1_000_000, "rwnd_limited": 900_000},
        "counters": {"server.tcpext.TCPToZeroWindowAdv": 93.0},
    },
    "sender-app-limited": {"tcp": {"busy_time": 10_000, "rwnd_limited": 0}, "rows": {"cpu_local_seconds": 0.05}},
    "receive-autotuning": {"configuration": {"server.sysctl.net.ipv4.tcp_moderate_rcvbuf": "0"}},
    "tcp-memory-pressure": {"counters": {"client.tcpext.TCPMemoryPressures": 3.0}},
    "slow-start": {
        "configuration": {"client.sysctl.net.ipv4.tcp_no_metrics_save": "0"},
        "tcp": {"snd_ssthresh": 10, "snd_cwnd": 20},
    },
    "idle-restart": {
        "configuration": {"client.sysctl.net.ipv4.tcp_slow_start_after_idle": "1"},
        "tcp": {"busy_time": 100_000},
    },
    "shallow-queue": {"tcp": {"total_retrans": 500}, "counters": {"path.c.eth0.qdisc.drops": 400.0}},
    "shaper-burst": shaped(burst="1600"),
    "reordering": {"tcp": {"reord_seen": 941, "total_retrans": 172}},
    "congestion-control": {"parameters": {"congestion": "reno"}},
    "pacing-cap": {"tcp": {"max_pacing_rate": 1_000_000_000}},
    "standing-queue": {"tcp": {"rtt": 20_700, "min_rtt": 8}},
    "cross-traffic": {"counters": {"path.c.eth0.tx_bytes": 2e9}},
    "ack-path": {
        "devices": (device("eth0"), device("eth0", "s", role="wire", **TBF)),
        "configuration": {"path.s.eth0.tbf.rate": "8000"},
    },
    "mtu": {"tcp": {"snd_mss": 548}},
    "ecn": {"tcp": {"delivered_ce": 1000}},
    "random-loss": {"tcp": {"total_retrans": 500}},
    "path-delay": {"tcp": {"min_rtt": 40_000}},
    "host-queue-retransmit": {"counters": {"client.tcpext.TCPSpuriousRtxHostQueues": 9.0}},
    "segmentation-offload-off": {
        "devices": (device("eth0", offloads={"tso": False}), device("eth0", "s", role="wire")),
    },
    "receive-coalescing-off": {
        "devices": (device("eth0"), device("eth0", "s", role="wire", offloads={"gro": False})),
        "counters": {"path.s.eth0.rx_bytes": 1e9, "path.s.eth0.rx_packets": 7e5},
    },
    "gso-limit": {"configuration": {"path.c.eth0.gso_max_segs": "1"}},
    "checksum-in-software": {"devices": (device("eth0", offloads={"tx": False}), device("eth0", "s", role="wire"))},
    "scatter-gather-off": {"devices": (device("eth0", offloads={"sg": False}), device("eth0", "s", role="wire"))},
    "stale-offload-features": {
        "devices": (device("mv0", kind="macvlan", offloads={"tso": False}), device("h0", "m", role="lower")),
    },
    "broken-forwarding-offload": {"devices": BRIDGE, "tcp": {"total_retrans": 300, "data_segs_out": 1000}},
    "tunnel-offload-missing": {
        "devices": TUNNEL,
        "counters": {"path.m.eth0.tx_bytes": 1e9, "path.m.eth0.tx_packets": 7e5},
    },
    "lost-back-pressure": {
        "devices": BRIDGE,
        "configuration": {"between.sysctl.net.bridge.bridge-nf-call-iptables": "1"},
        "tcp": {"rtt": 21_255, "total_retrans": 177},
    },
    "swallowed-congestion-signal": {"tcp": {"total_retrans": 600}, "counters": {"path.c.eth0.qdisc.drops": 55.0}},
    "queue-discipline": {"devices": (device("eth0", **TBF), device("eth0", "s", role="wire"))},
    "single-tx-queue": {
        "counters": {"path.c.eth0.qdisc.1:1.drops": 900.0, "path.c.eth0.qdisc.1:2.drops": 0.0},
    },
    "rate-limit": shaped() | {"rows": {"bytes_received": 118_000_000}},
    "veth-ring-overflow": {"counters": {"path.c.eth0.tx_dropped": 594.0}},
    "backlog-overflow": {"counters": {"softnet.1.dropped": 900.0}},
    "udp-receive-overflow": {
        "test": "UDP_STREAM", "rows": {"messages_sent": 174_000}, "counters": {"server.udp.RcvbufErrors": 42_000.0},
    },
    "udp-send-drop": {"test": "UDP_STREAM", "rows": {"messages_lost": 9_000}},
    "accept-overflow": {"counters": {"server.tcpext.ListenOverflows": 12.0}},
    "cpu-placement": {"parameters": {}, "rows": {}},
    "softirq-core-saturated": {"counters": {"cpu.1.softirq": 950_000.0, "softnet.1.time_squeeze": 40.0}},
    "cpu-quota": {"counters": {"local.quota.throttled": 26.0, "local.quota.periods": 28.0}},
    "cpu-contention": {"counters": {"local.wait_ns": 4e8}},
    "power-states": {"test": "TCP_RR", "configuration": {"machine.cpu.governor": "powersave"}},
    "lock-contention": {
        "devices": (device("eth0", **TBF), device("eth0", "s", role="wire")),
        "rows": {"cpu_local_seconds": 0.99, "cpu_remote_seconds": 0.99},
    },
    "wakeup-latency": {
        "test": "TCP_RR", "rows": {"transactions": 1000}, "counters": {"local.voluntary_switches": 1000.0},
    },
    "cpu-accounting": {
        "rows": {"cpu_local_seconds": 0.3, "cpu_remote_seconds": 0.3, "machine_busy_seconds": 1.5},
    },
    "copy-cost": {
        "rows": {"cpu_local_seconds": 1.0},
        "counters": {"path.c.eth0.tx_bytes": 1.02e9, "path.c.eth0.tx_packets": 16_000.0},
    },
    "tracing-on": {"configuration": {"machine.tracing.tracer": "function"}},
    "bridge-netfilter": {
        "devices": BRIDGE, "configuration": {"between.sysctl.net.bridge.bridge-nf-call-iptables": "1"},
    },
    "firewall-rules": {"configuration": {"client.nft.table.inet.filter.rules": "2000"}},
    "nat": {"devices": BRIDGE, "configuration": {"between.nft.table.ip.nat.nat": "1"}},
    "conntrack-full": {"counters": {"client.conntrack.drop": 4.0}},
    "encapsulation": {"devices": TUNNEL},
    "extra-hops": {"devices": BRIDGE},
    "packet-tap": {"gauges": {"client.packet_sockets": 1.0}},
    "broadcast-flood": {"counters": {"path.c.eth0.multicast": 50_000.0}},
    "tc-filters": {"configuration": {"path.c.eth0.filters.ingress": "3"}},
    "flooding": {
        "devices": BRIDGE,
        "configuration": {"path.m.p0.master": "bridge", "path.m.p1.master": "bridge"},
        "counters": {"stray.m.d0.tx_bytes": 1e9},
    },
    "neighbour-trouble": {"counters": {"server.tcpext.IPReversePathFilter": 7.0}},
    "userspace-relay": {"devices": (device("tun0", kind="tun"), device("eth0", "s", role="wire"))},
    "wrong-path": {"rows": {"void": "eth0 in c carried 0 bytes of 10: the traffic took another path"}},
    "unequal-settings": {"parameters": {"dscp": 46}},
    "misreporting": {"test": "UDP_STREAM", "rows": {"total_bytes_sent": 3 * 10**9}},
}  # fmt: skip
# Those of which nothing made up here can be shown: why.
ELSEWHERE = {
    "same-host-shortcut": "is about the fast path",
    "ceiling": "is about both paths",
    "order-drift": "is a comparison's doubt",
    "too-few-blocks": "is a comparison's doubt",
    "observer-effect": "cannot be seen by the observer",
}


def signs_of(name: str, made: Case) -> list[Sign]:
    return list(causes()[name].signature(made))


def planted(name: str, called: str = "slow") -> Any:
    given = dict(PLANTED[name])
    if name == "cpu-placement":
        given["parameters"] = {}
    made = facts(called, **given)
    if name == "cpu-placement":
        import dataclasses

        import msgspec

        return dataclasses.replace(made, parameters=msgspec.structs.replace(made.parameters, remote_cpu=0))
    return made


def free(test: str) -> Any:
    """A path without any of it."""
    return facts("fast", test=test, configuration={"client.sysctl.net.ipv4.tcp_congestion_control": "cubic"})


def test_every_cause_of_the_catalogue_is_here_once() -> None:
    known = causes()
    assert len(known) == 75
    assert len({cause.code for cause in known.values()}) == 75
    assert set(PLANTED) | set(ELSEWHERE) == set(known)


@pytest.mark.parametrize("cause", list(causes().values()), ids=list(causes()))
def test_every_cause_has_words(cause: Cause) -> None:
    assert cause.summary
    assert not cause.summary.endswith(".")
    assert len(page(cause)) > 100
    assert cause.advice(case(facts())) is not None


@pytest.mark.parametrize("test", list(TESTS))
@pytest.mark.parametrize("name", list(causes()))
def test_what_is_not_known_speaks_for_nothing(name: str, test: str) -> None:
    for made in (case(facts(test=test)), case(facts(test=test), facts("fast", test=test))):
        assert weigh(signs_of(name, made)) < LEAST_WEIGHT


@pytest.mark.parametrize("name", list(PLANTED))
def test_a_planted_cause_is_seen(name: str) -> None:
    slow = planted(name)
    signs = signs_of(name, case(slow, free(slow.kind.name)))
    assert weigh(signs) >= LEAST_WEIGHT, signs
    assert all(-1.0 <= sign.weight <= 1.0 and sign.words for sign in signs)


@pytest.mark.parametrize(
    "name",
    [
        "receive-window", "shaper-burst", "random-loss", "shallow-queue", "segmentation-offload-off", "gso-limit",
        "lost-back-pressure", "rate-limit", "udp-receive-overflow", "cpu-placement", "cpu-quota", "bridge-netfilter",
        "firewall-rules", "nat", "encapsulation", "packet-tap", "slow-reader", "receive-autotuning", "autocorking",
    ],
)  # fmt: skip
def test_what_both_have_weighs_less(name: str) -> None:
    alone = weigh(signs_of(name, case(planted(name), facts("fast", test=planted(name).kind.name))))
    alike = weigh(signs_of(name, case(planted(name), planted(name, "fast"))))
    assert alike < alone - 0.2


def test_evidence_adds_up_and_one_thing_rules_out() -> None:
    assert weigh([]) == 0.0
    assert weigh([Sign(0.5, ""), Sign(0.5, "")]) == pytest.approx(0.75)
    assert weigh([Sign(0.5, ""), Sign(-0.6, "")]) == pytest.approx(-0.1)
    assert weigh([Sign(-1.0, ""), Sign(-1.0, "")]) == -1.0
    assert weigh([Sign(1.0, "")] * 9) <= 1.0


@pytest.mark.parametrize(
    "name",
    [
        "small-sends", "send-mss-mismatch", "nagle", "nagle-delayed-ack", "tinygrams", "autocorking", "receive-window",
        "send-buffer", "slow-reader", "receive-autotuning", "shaper-burst", "congestion-control", "ack-path",
        "segmentation-offload-off", "receive-coalescing-off", "gso-limit", "checksum-in-software", "rate-limit",
        "scatter-gather-off", "lost-back-pressure", "veth-ring-overflow", "udp-receive-overflow", "cpu-placement",
        "bridge-netfilter", "firewall-rules",
    ],
)  # fmt: skip
def test_knobs_turn_on_the_planted_path_and_only_there(name: str) -> None:
    slow = planted(name)
    made = case(slow, free(slow.kind.name))
    for knob in causes()[name].knobs(made):
        setting = knob.cure(slow)
        assert setting is not None
        assert setting.parameters or setting.turns, knob.name
        assert all(turn.space in slow.spaces for turn in setting.turns), knob.name


@pytest.mark.parametrize(("call", "ipv6", "said"), [("ip", False, True), ("ip6", False, False), ("ip6", True, True)])
def test_a_bridge_filters_the_family_that_it_is_told_to(call: str, ipv6: bool, said: bool) -> None:
    settings = {"between.sysctl.net.bridge.bridge-nf-call-iptables": "0"}
    settings[f"between.sysctl.net.bridge.bridge-nf-call-{call}tables"] = "1"
    found = case(facts(devices=BRIDGE, configuration=settings, parameters={"ipv6": ipv6}))
    assert bool(signs_of("bridge-netfilter", found)) is said


@pytest.mark.parametrize(("nodelay", "burst", "name"), [(False, 8, "nagle"), (True, 8, "tinygrams"), (False, 0, None)])
def test_requests_in_flight_at_once_meet_nagle(nodelay: bool, burst: int, name: str | None) -> None:
    given = {"request_size": 1000, "burst": burst, "nodelay": nodelay}
    other = facts("fast", test="TCP_RR", parameters=given | {"nodelay": not nodelay}, tcp={"snd_mss": 1448})
    found = case(facts(test="TCP_RR", parameters=given, tcp={"snd_mss": 1448}), other)
    told = {each: signs_of(each, found) for each in ("nagle", "tinygrams")}
    assert [each for each, signs in told.items() if signs] == ([name] if name else [])
    if name:
        assert "requests of 1000 bytes" in told[name][0].words
        assert weigh(told[name]) > 0.3


def test_a_router_is_no_bridge() -> None:
    settings = {"between.sysctl.net.bridge.bridge-nf-call-iptables": "1", "between.sysctl.net.ipv4.ip_forward": "1"}
    routed = tuple(each for each in BRIDGE if each.kind != "bridge")
    assert not signs_of("bridge-netfilter", case(facts(devices=routed, configuration=settings)))


def test_a_window_that_is_not_scaled_is_small() -> None:
    found = case(facts(configuration={"server.sysctl.net.ipv4.tcp_window_scaling": "0"}), facts("fast"))
    signs = signs_of("receive-window", found)
    assert weigh(signs) > 0.5
    assert "64 KiB at most" in signs[0].words
    (knob,) = causes()["receive-window"].knobs(found)
    setting = knob.cure(found.slow)
    assert setting is not None
    assert [turn.command for turn in setting.turns] == ["sysctl -w net.ipv4.tcp_window_scaling=1"]


def test_a_relay_is_named_before_the_offloads_its_device_lacks() -> None:
    relay = (device("tun0", kind="tun", offloads={"tx": False, "tso": False}), device("eth0", "s", role="wire"))
    found = case(facts(devices=relay), facts("fast"))
    others = [name for name in causes() if name != "userspace-relay"]
    assert weigh(signs_of("userspace-relay", found)) > max(weigh(signs_of(name, found)) for name in others)
