"""The full set of counters: an event that is planted shows in the right one, at the right place, and in no other."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from pathgauge.counters import connection
from pathgauge.counters.configuration import Difference, differences
from pathgauge.counters.reading import Counters, difference
from pathgauge.counters.tcp_info import READ_SIZE, decode
from pathgauge.paths.endpoint import parse_path
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import Attachment, BuiltPath, WireSpec

if TYPE_CHECKING:
    from tests.conftest import Nobody

T = TypeVar("T")
MARK = f"pgc{os.getpid() % 100000}"


@pytest.fixture
def lab(require_root: None) -> Iterator[Lab]:
    with Lab.build(parse_paths(["host", "macvlan", "nat"]), WireSpec()) as built:
        yield built


def command(namespace: int, *words: str, given: str = "") -> str:
    """Run a command inside a namespace."""
    program = shutil.which(words[0])
    assert program is not None, f"sudo apt install {words[0]}"
    return inside(
        namespace,
        lambda: (
            subprocess.run(
                [program, *words[1:]], check=True, capture_output=True, text=True, timeout=10, input=given
            ).stdout
        ),
    )


def made(namespace: int, kind: socket.SocketKind) -> socket.socket:
    return inside(namespace, lambda: socket.socket(socket.AF_INET, kind))


@contextmanager
def connected(path: BuiltPath) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection over the path: the client's end, the server's."""
    with ExitStack() as stack:
        listener = stack.enter_context(made(path.server_space, socket.SOCK_STREAM))
        client = stack.enter_context(made(path.client_namespace, socket.SOCK_STREAM))
        listener.bind((path.server_addresses["ipv4"], 0))
        listener.listen()
        for each in (listener, client):
            each.settimeout(5)
        client.connect((path.reached_addresses["ipv4"], listener.getsockname()[1]))
        yield client, stack.enter_context(listener.accept()[0])


def during(lab: Lab, path: str, event: Callable[[], T]) -> tuple[Counters, T]:
    """What was counted on a path while something happened."""
    before = lab.full_counters(path)
    result = event()
    return difference(before, lab.full_counters(path)), result


def test_bytes_show_at_every_device_of_the_path_and_at_no_other(lab: Lab) -> None:
    path = lab.paths["macvlan"]
    with connected(path) as (client, server):

        def send() -> None:
            client.sendall(bytes(100_000))
            received = 0
            while received < 100_000:
                received += len(server.recv(65536))

        found, _ = during(lab, "macvlan", send)
        socket_counters = connection.tcp_counters(
            decode(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE))
        )
    assert found["path.macvlan.mv0.tx_bytes"] > 100_000
    assert found["path.host.h0.tx_bytes"] > 100_000
    assert found["path.server.s0.rx_bytes"] > 100_000
    assert found["between.device.lo.rx_bytes"] == 0
    assert found["client.tcp.OutSegs"] > 0
    assert found["server.tcp.InSegs"] > 0
    assert found["between.tcp.OutSegs"] == 0, "the host's namespace only carries"
    assert found["client.tcp.RetransSegs"] == 0
    assert found["client.ipext.OutOctets"] > 100_000
    assert found["cpu.context_switches"] > 0
    assert sum(value for name, value in found.items() if name.startswith("softirq.NET_RX.")) > 0
    assert socket_counters["bytes_sent"] >= 100_000


def test_a_drop_in_a_short_queue(require_root: None) -> None:
    with Lab.build(parse_paths(["host"]), WireSpec(10**6, burst=3000, limit=6000)) as lab:
        path = lab.paths["host"]
        assert lab.configuration("host")["path.host.h0.tbf.limit"] == "6000"
        with (
            made(path.client_namespace, socket.SOCK_DGRAM) as sender,
            made(path.server_space, socket.SOCK_DGRAM) as receiver,
        ):
            receiver.bind((path.server_addresses["ipv4"], 0))
            sender.connect(receiver.getsockname())

            def flood() -> None:
                for _ in range(100):
                    sender.send(bytes(1000))

            found, _ = during(lab, "host", flood)
    assert found["path.host.h0.qdisc.drops"] > 50
    assert found["path.host.h0.qdisc.overlimits"] > 0
    assert found["path.server.s0.qdisc.drops"] == 0
    assert found["client.udp.OutDatagrams"] >= 100 - found["path.host.h0.qdisc.drops"]


def test_a_retransmission_and_the_rule_that_made_it(lab: Lab) -> None:
    path = lab.paths["macvlan"]
    with connected(path) as (client, server):
        port = server.getsockname()[1]
        chain = f"chain c {{ type filter hook input priority 0; tcp dport {port} counter drop; }}"
        command(path.server_space, "nft", "-f", "-", given=f"table inet t {{ {chain}; }}")
        configured = lab.configuration("macvlan")

        def send() -> None:
            client.sendall(b"lost")
            until = time.monotonic() + 5
            while decode(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE)).total_retrans == 0:
                assert time.monotonic() < until
                time.sleep(0.02)

        found, _ = during(lab, "macvlan", send)
    assert found["client.tcp.RetransSegs"] >= 1
    assert found["server.tcp.RetransSegs"] == 0
    assert found["server.nft.drop.packets"] >= 1
    assert found["server.nft.inet.t.c.packets"] >= 1
    assert found.gauges["server.nft.rules"] == 1
    assert configured["server.nft.table.inet.t.drops"] == "1"
    assert configured["server.nft.hooks"] == "inet filter input 0"


def test_a_receive_buffer_that_overflows(lab: Lab) -> None:
    path = lab.paths["macvlan"]
    with (
        made(path.server_space, socket.SOCK_DGRAM) as receiver,
        made(path.client_namespace, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        receiver.bind((path.server_addresses["ipv4"], 0))
        sender.connect((path.server_addresses["ipv4"], receiver.getsockname()[1]))

        def flood() -> None:
            for _ in range(200):
                sender.send(bytes(1000))
            time.sleep(0.05)

        found, _ = during(lab, "macvlan", flood)
        drops = connection.memory_counters(connection.read_memory(receiver))["memory.drops"]
    assert found["server.udp.RcvbufErrors"] > 100
    assert found["server.udp.RcvbufErrors"] == drops
    assert found["client.udp.RcvbufErrors"] == 0


def test_translation_tracks_connections_where_it_happens(lab: Lab) -> None:
    before = lab.full_counters("nat")
    with connected(lab.paths["nat"]):
        after = lab.full_counters("nat")
    assert after["between.conntrack.entries"] == before["between.conntrack.entries"] + 1
    assert after["client.conntrack.entries"] == 0
    assert difference(before, after)["between.ip.ForwDatagrams"] >= 2
    assert after.gauges["between.nft.rules"] >= 1
    found = lab.configuration("nat")
    assert found["client.route.ipv4.via"] == "gateway"
    assert found["client.route.ipv4.device"] == "own"
    assert [name for name in found if name.startswith("between.nft.table.") and name.endswith(".nat")]


def test_a_listener_shows_as_a_packet_socket(lab: Lab) -> None:
    path = lab.paths["macvlan"]
    tap = inside(path.server_space, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    with tap:
        assert lab.full_counters("macvlan")["server.packet_sockets"] == 1
    assert lab.full_counters("macvlan")["server.packet_sockets"] == 0


def test_what_is_changed_on_one_path_is_what_differs(require_root: None) -> None:
    with Lab.build(parse_paths(["a=veth", "b=veth"]), WireSpec()) as lab:
        one, other = (lab.configuration(name) for name in ("a", "b"))
        assert differences(one, other) == ()
        path = lab.paths["b"]
        device = path.devices[0].name
        command(path.client_namespace, "ip", "link", "set", device, "mtu", "1400", "gso_max_segs", "8")
        inside(path.client_namespace, lambda: Path("/proc/sys/net/ipv4/tcp_wmem").write_text("4096 8192 8192"))
        assert differences(one, lab.configuration("b")) == (
            Difference("client.sysctl.net.ipv4.tcp_wmem", one["client.sysctl.net.ipv4.tcp_wmem"], "4096 8192 8192"),
            Difference("path.own.gso_max_segs", "65535", "8"),
            Difference("path.own.mtu", "1500", "1400"),
        )
        names = set(lab.configuration("b"))
    start = f"path.b.{device}"
    assert {f"{start}.feature.tx-tcp-segmentation", f"{start}.queue.rx-0.rps_cpus", f"{start}.kind"} <= names
    assert not [name for name in names if "key" in name or "secret" in name]


def test_reading_changes_nothing_and_leaves_nothing_open(lab: Lab) -> None:
    lab.full_counters("macvlan")

    keeper = Path(f"/proc/{lab.keeper_pid}")

    def state() -> tuple[object, ...]:
        spaces = [
            os.readlink(f"/proc/{pid}/ns/{kind}") for pid in ("self", keeper.name) for kind in ("net", "mnt", "user")
        ]
        mounts = [line for line in (keeper / "mountinfo").read_text().splitlines() if "sysfs" in line]
        return spaces, mounts, len(os.listdir("/proc/self/fd")), threading.active_count()

    lab.configuration("macvlan")
    before, open_before = state(), len(os.listdir(keeper / "fd"))
    for _ in range(5):
        lab.full_counters("macvlan")
        lab.configuration("macvlan")
    assert state() == before
    assert len(os.listdir(keeper / "fd")) <= open_before + 1, "the last answer's may still be open"


@pytest.fixture
def standing(require_root: None) -> Iterator[str]:
    """A namespace of others, behind a pair of devices, one of them with a dot in its name."""
    try:
        for words in (
            ("netns", "add", MARK),
            ("link", "add", f"{MARK}.v", "type", "veth", "peer", "name", "eth0", "netns", MARK),
            ("addr", "add", "10.79.0.1/24", "dev", f"{MARK}.v"),
            ("link", "set", f"{MARK}.v", "up"),
            ("-n", MARK, "addr", "add", "10.79.0.2/24", "dev", "eth0"),
            ("-n", MARK, "link", "set", "eth0", "up"),
        ):
            subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
        yield MARK
    finally:
        subprocess.run(["ip", "link", "del", f"{MARK}.v"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", MARK], check=False, capture_output=True)


def test_a_path_that_exists_is_read_by_the_same_names(standing: str) -> None:
    with Lab.build([parse_path(f"x=local,netns:{standing}")], WireSpec()) as lab:
        path = lab.paths["x"]
        with connected(path) as (client, _):
            found, _ = during(lab, "x", lambda: client.sendall(b"some"))
        configured = lab.configuration("x")
    assert found[f"path.local.{standing}/v.tx_bytes"] > 0
    assert found[f"path.netns:{standing}.eth0.rx_bytes"] > 0
    assert found["server.tcp.InSegs"] > 0
    assert configured["client.route.ipv4.device"] == "own"
    assert configured[f"path.netns:{standing}.eth0.mtu"] == "1500"


def test_a_path_to_a_server_elsewhere_has_no_server_of_ours(standing: str) -> None:
    attachment = Attachment(f"{standing}.v", "10.79.0.2", "ipv4", {"macvlan": "10.79.0.5/24"})
    with Lab.build(parse_paths(["macvlan"]), WireSpec(), attachment) as lab:
        found, configured = lab.full_counters("macvlan"), lab.configuration("macvlan")
    assert f"path.host.{standing}/v.tx_bytes" in found
    assert found["client.tcp.RetransSegs"] == 0
    assert configured["path.macvlan.mv0.macvlan_mode"] == "bridge"
    assert not [name for name in (*found, *configured) if name.startswith("server.")]


ROOTLESS = """
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec

with Lab.build(parse_paths(["macvlan", "nat"]), WireSpec(10**9)) as lab:
    found = {name: lab.full_counters(name) for name in lab.paths}
    settings = lab.configuration("nat")
assert lab.rootless
for name, reading in found.items():
    assert {"client.tcp.RetransSegs", "server.udp.RcvbufErrors", "path.host.h0.qdisc.drops"} <= set(reading), name
assert found["nat"]["between.nft.rules"] >= 1
assert settings["path.server.s0.tbf.rate"] == "125000000"
assert "path.server.s0.queue.rx-0.rps_cpus" in settings
assert settings["server.sysctl.net.ipv4.tcp_rmem"]
"""


@pytest.mark.rootless
def test_an_ordinary_user_reads_the_same(as_nobody: "Nobody", nobody_python: Path) -> None:
    done = as_nobody([nobody_python, "-c", ROOTLESS])
    assert done.returncode == 0, done.stderr
