"""Sources that are no one text file: connections, netfilter, devices, sysctls, queues, processes, the machine."""

import json
import os
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.counters import connection, devices, nft, queues, sysctl
from pathgauge.counters.cgroup import throttling
from pathgauge.counters.machine import MachineReader, machine_settings
from pathgauge.counters.process import process_counters, process_settings
from pathgauge.counters.reading import NARROW, Counters, difference
from pathgauge.counters.tcp_info import decode

# --- connections ------------------------------------------------------------------------------------------------------


def test_tcp_info_is_told_apart_into_counters_and_levels() -> None:
    raw = bytearray(280)
    for offset, form, value in (
        (68, "=I", 250),
        (80, "=I", 10),
        (100, "=I", 7),
        (168, "=Q", 4000),
        (104, "=Q", 2**64 - 1),
    ):
        struct.pack_into(form, raw, offset, value)
    struct.pack_into("=I", raw, 76, 2**31 - 1)
    found = connection.tcp_counters(decode(bytes(raw)))
    assert found.rising["busy_time"] == 4000
    assert found.narrow["total_retrans"] == 7
    assert found.gauges["rtt"] == 250
    assert found.gauges["snd_cwnd"] == 10
    assert "snd_ssthresh" not in found, "infinite"
    assert "pacing_rate" not in found, "unlimited"
    assert "fackets" not in found


def test_a_short_tcp_info_leaves_names_out() -> None:
    found = connection.tcp_counters(decode(bytes(104)))
    assert found.narrow["total_retrans"] == 0
    assert "bytes_acked" not in found
    assert not connection.tcp_counters(decode(b""))


@given(st.binary(max_size=80))
def test_any_socket_memory(raw: bytes) -> None:
    found = connection.memory_counters(raw)
    assert len(found) == min(9, len(raw) // 4)
    assert set(found.narrow) <= {"memory.drops"}


def test_a_sockets_memory_and_settings_are_the_kernels() -> None:
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 40000)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = connection.memory_counters(connection.read_memory(made))
        settings = connection.socket_settings(made)
        assert found.gauges["memory.rcvbuf"] == made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert found.narrow["memory.drops"] == 0
        assert settings["nodelay"] == "1"
        assert settings["rcvbuf"] == str(found.gauges["memory.rcvbuf"])
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        assert "nodelay" not in connection.socket_settings(made)
    assert connection.read_memory(made) == b"", "a closed socket has none"


# --- netfilter --------------------------------------------------------------------------------------------------------


def ruleset(*items: dict[str, object]) -> bytes:
    return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, *items]}).encode()


def rule(chain: str, *expressions: dict[str, object]) -> dict[str, object]:
    return {"rule": {"family": "ip", "table": "t", "chain": chain, "handle": 2, "expr": list(expressions)}}


def counter(packets: int) -> dict[str, object]:
    return {"counter": {"packets": packets, "bytes": 100 * packets}}


RULES = ruleset(
    {"table": {"family": "ip", "name": "t", "handle": 1}},
    {"table": {"family": "inet", "name": "empty", "handle": 2}},
    {"chain": {"family": "ip", "table": "t", "name": "in", "type": "filter", "hook": "input", "prio": 0}},
    {"chain": {"family": "ip", "table": "t", "name": "out.side", "handle": 4}},
    {"counter": {"family": "ip", "table": "t", "name": "mine", "packets": 4, "bytes": 40}},
    {"map": {"family": "ip", "table": "t", "name": "m"}},
    rule("in", {"match": {}}, counter(5), {"drop": None}),
    rule("in", counter(2), {"accept": None}),
    rule("out.side", {"limit": {"rate": 1}}, counter(1)),
    rule("out.side", {"masquerade": None}),
)


def test_rules_are_counted_and_so_are_their_counters() -> None:
    found = nft.parse_ruleset(RULES)
    assert found.gauges == {
        "nft.tables": 2,
        "nft.chains": 2,
        "nft.base_chains": 1,
        "nft.rules": 4,
        "nft.sets": 1,
        "nft.flowtables": 0,
    }
    assert found.rising == {
        "nft.ip.t.in.packets": 7,
        "nft.ip.t.in.bytes": 700,
        "nft.ip.t.out/side.packets": 1,
        "nft.ip.t.out/side.bytes": 100,
        "nft.drop.packets": 5,
        "nft.drop.bytes": 500,
        "nft.named.ip.t.mine.packets": 4,
        "nft.named.ip.t.mine.bytes": 40,
    }


def test_a_table_says_what_its_rules_do() -> None:
    assert nft.ruleset_settings(RULES) == {
        "nft.hooks": "ip filter input 0",
        "nft.table.ip.t.rules": "4",
        "nft.table.ip.t.drops": "1",
        "nft.table.ip.t.limits": "1",
        "nft.table.ip.t.nat": "1",
        "nft.table.inet.empty.rules": "0",
    }


WORDS = ("rule", "expr", "counter", "packets", "chain", "table", "nftables", "drop", "hook")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)


@given(st.one_of(st.binary(max_size=200), JSON.map(lambda made: json.dumps({"nftables": made}).encode())))
def test_any_ruleset(text: bytes) -> None:
    found = nft.parse_ruleset(text)
    assert all(0 <= value < 1 << 70 for value in found.values())
    assert all(isinstance(value, str) for value in nft.ruleset_settings(text).values())


def test_a_ruleset_nested_without_end_is_no_ruleset() -> None:
    assert not nft.parse_ruleset(b'{"nftables":' + b"[" * 100_000)
    assert not nft.parse_ruleset(b"")


# --- devices ----------------------------------------------------------------------------------------------------------


def test_a_queueing_discipline_is_named_by_its_place() -> None:
    basic, queue = {"bytes": 2**40, "packets": 7}, {"drops": 3, "requeues": 1, "overlimits": 2, "backlog": 9, "qlen": 4}
    root = devices.qdisc_counters(devices.ROOT, basic, queue, {"maxpacket": 1500, "attrs": []})
    assert root.rising == {"qdisc.bytes": 2**40, "qdisc.own.maxpacket": 1500}
    assert root.narrow == {"qdisc.packets": 7, "qdisc.drops": 3, "qdisc.requeues": 1, "qdisc.overlimits": 2}
    assert root.gauges == {"qdisc.backlog": 9, "qdisc.qlen": 4}
    assert "ingress.drops" in devices.qdisc_counters(devices.INGRESS, basic, queue, {})
    assert "qdisc.1:10.drops" in devices.qdisc_counters(0x10010, basic, queue, {})
    assert devices.class_counters(0x10010, basic, queue)["class.1:10.drops"] == 3
    assert not devices.qdisc_counters(devices.ROOT, {}, {}, {})


@given(
    st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=3), max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_whatever_netlink_says_of_a_device(values: dict[str, object], parent: int) -> None:
    for found in (
        devices.link_counters(values, levels=values, changes=None),
        devices.qdisc_counters(parent, values, values, values),
    ):
        assert all(value >= 0 for value in found.values())
        assert all(value < NARROW for name, value in found.narrow.items() if name.endswith("packets"))


def test_statistics_of_a_driver_keep_its_names_and_lose_its_indices() -> None:
    found = devices.ethtool_counters([("peer_ifindex", 7), ("rx_queue_0_drops", 3), (" a.b c", 1), ("", 9)])
    assert found == Counters({"ethtool.rx_queue_0_drops": 3, "ethtool.a/b_c": 1})


# --- settings ---------------------------------------------------------------------------------------------------------


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_sysctls_are_read_by_folder_and_secrets_are_not(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "net/ipv4/tcp_wmem": "4096\t16384\t4194304\n",
            "net/ipv4/tcp_fastopen_key": "secret\n",
            "net/ipv4/conf/eth0/rp_filter": "1\n",
            "net/ipv6/conf/eth0/stable_secret": "secret\n",
            "net/bridge/bridge-nf-call-iptables": "1\n",
            "net/netfilter/nf_conntrack_count": "12\n",
            "net/core/netdev_max_backlog": "1000\n",
        },
    )
    assert sysctl.namespace_sysctls(root) == {
        "sysctl.net.core.netdev_max_backlog": "1000",
        "sysctl.net.ipv4.tcp_wmem": "4096 16384 4194304",
        "sysctl.net.bridge.bridge-nf-call-iptables": "1",
    }
    assert sysctl.device_sysctls("eth0", root) == {"sysctl.ipv4.conf.rp_filter": "1"}
    assert sysctl.machine_sysctls(root) == {"sysctl.net.core.netdev_max_backlog": "1000"}


def test_queues_and_interrupts_of_a_device(tmp_path: Path) -> None:
    device = "sys/class/net/eth0"
    root = write(
        tmp_path,
        {
            f"{device}/queues/rx-0/rps_cpus": "3\n",
            f"{device}/queues/rx-0/rps_flow_cnt": "0\n",
            f"{device}/queues/tx-0/xps_cpus": "1\n",
            f"{device}/queues/tx-0/byte_queue_limits/limit_max": "1879048192\n",
            f"{device}/gro_flush_timeout": "0\n",
            f"{device}/device/msi_irqs/41": "",
            f"{device}/device/msi_irqs/9": "",
            "proc/irq/9/smp_affinity_list": "0-1\n",
            "proc/irq/41/smp_affinity_list": "1\n",
        },
    )
    assert queues.queue_settings("eth0", root) == {
        "queue.rx-0.rps_cpus": "3",
        "queue.rx-0.rps_flow_cnt": "0",
        "queue.tx-0.xps_cpus": "1",
        "queue.tx-0.limit_max": "1879048192",
        "napi.gro_flush_timeout": "0",
        "irq.0.cpus": "0-1",
        "irq.1.cpus": "1",
    }
    assert queues.queue_settings("none", root) == {}


# --- processes and the machine ----------------------------------------------------------------------------------------

MOUNT_1 = "31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
MOUNT_2 = "31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("group", "mount", "folder", "unit"),
    [
        ("4:cpu,cpuacct:/a/b\n", MOUNT_1, "sys/fs/cgroup/cpu", "throttled_time 7000000\n"),
        ("0::/a/b\n", MOUNT_2, "sys/fs/cgroup", "usage_usec 5\nnr_bursts 0\nthrottled_usec 7000\n"),
    ],
)
def test_throttling_is_summed_over_the_group_and_those_above(
    tmp_path: Path, group: str, mount: str, folder: str, unit: str
) -> None:
    own = "nr_periods 28\nnr_throttled 26\n"
    root = write(
        tmp_path,
        {
            "proc/7/cgroup": group,
            "proc/self/mountinfo": mount,
            f"{folder}/a/b/cpu.stat": own + unit,
            f"{folder}/a/cpu.stat": "nr_periods 2\nnr_throttled 1\n",
        },
    )
    found = throttling(root, 7)
    assert found.rising["quota.periods"] == 30
    assert found.rising["quota.throttled"] == 27
    assert found.rising["quota.throttled_us"] == 7000
    assert not throttling(root, 8)


def waited_and_worked() -> Counters:
    before = process_counters(os.getpid())
    with socket.socket(type=socket.SOCK_DGRAM) as waiting:
        waiting.settimeout(0.01)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                waiting.recv(1)
    sum(range(10**6))
    return difference(before, process_counters(os.getpid()))


def test_a_process_that_waits_switches_and_one_that_works_uses_its_cpu() -> None:
    tries = (waited_and_worked() for _ in range(20))
    # A thread of an earlier test that ends meanwhile takes its switches along.
    found = next(each for each in tries if each.get("voluntary_switches", 0) >= 3)
    assert found["voluntary_switches"] >= 3
    if "run_ns" in found:  # a kernel without CONFIG_SCHED_INFO does not tell
        assert found["run_ns"] > 10**6
    assert found.gauges["threads"] >= 1


def test_a_process_that_is_gone_has_no_counters() -> None:
    assert not process_counters(2**22 + 7)
    assert process_settings(2**22 + 7) == {}


def test_where_a_process_may_run() -> None:
    settings = process_settings(os.getpid())
    assert settings["policy"] == "other"
    assert settings["cpus_allowed"]
    assert settings["nice"] == str(os.nice(0))
    assert settings["cpu_quota"]


def test_the_machine_is_read_whole() -> None:
    with MachineReader() as machine:
        before = machine.read()
        sum(range(10**6))
        found = difference(before, machine.read())
    machine.close()
    cpu = min(os.sched_getaffinity(0))
    wanted = {"cpu.all.user", f"cpu.{cpu}.softirq", f"softnet.{cpu}.dropped", f"softirq.NET_RX.{cpu}"}
    assert wanted - set(found) == set()
    assert found["cpu.context_switches"] > 0
    assert any(name.startswith("interrupt.") for name in found)
    assert machine_settings()["machine.cpu.online"]


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    with MachineReader(tmp_path) as machine:
        assert not [name for name in machine.read() if not name.startswith("perf.")]
    assert machine_settings(tmp_path) == {}
