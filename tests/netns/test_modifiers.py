"""What `--wire` and `--set` change of a lab is what its packets meet."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pathgauge.errors import MissingFeature, UserError
from pathgauge.paths import rules
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import BuiltPath, WireSpec

SO_RCVBUFFORCE = 33  # missing from Python's socket module
SENT = 4000
TRACKING = """table inet other {
chain output {
type filter hook output priority filter
ct state new counter
}
}
"""


def has_netem() -> bool:
    with Lab.build(parse_paths(["host"]), WireSpec(delay=0.001)) as lab:
        return lab.wire_facts["delay_by"] == "netem"


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@contextmanager
def ends(path: BuiltPath) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's and a server's UDP socket; both have found the other's link address, which may be lost, too."""
    server, client = inside(path.server_space, udp), inside(path.client_namespace, udp)
    with closing(server), closing(client):
        server.bind((path.server_addresses["ipv4"], 0))
        server.settimeout(0.2)
        client.bind((path.client_addresses["ipv4"], 0))
        client.settimeout(0.2)
        for sending, receiving in ((client, server), (server, client)):
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not reached(sending, receiving):
                pass
            arrived(sending, receiving, 0)  # those that waited for the address
        yield client, server


def reached(sending: socket.socket, receiving: socket.socket) -> bool:
    sending.sendto(b"x", receiving.getsockname())
    with suppress(TimeoutError):
        return bool(receiving.recv(1))
    return False


def arrived(sending: socket.socket, receiving: socket.socket, count: int = SENT) -> int:
    """How many of `count` datagrams come through, sent in batches that no queue is too short for."""
    to, found = receiving.getsockname(), 0
    for _ in range(0, count, 50):
        for _ in range(50):
            sending.sendto(b"x", to)
        receiving.setblocking(False)
        with suppress(BlockingIOError):
            while receiving.recv(1):
                found += 1
    receiving.settimeout(0.2)
    with suppress(TimeoutError):
        while receiving.recv(1):
            found += 1
    return found


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["host", "macvlan", "moved"])
def test_a_lossy_wire_loses_so_much_in_each_direction(kind: str) -> None:
    with Lab.build(parse_paths([kind]), WireSpec(loss=0.2)) as lab:
        assert (lab.wire_facts["loss"], lab.wire_facts["loss_by"]) == (0.2, "netem" if has_netem() else "nftables")
        with ends(lab.paths[kind]) as (client, server):
            there = arrived(client, server) / SENT
            back = arrived(server, client) / SENT
    # A share of 4000 has a standard deviation of 0.6 %: ten of them.
    assert there == pytest.approx(0.8, abs=0.06)
    assert back == pytest.approx(0.8, abs=0.06)


def test_the_loss_of_one_path_is_its_own() -> None:
    with Lab.build(parse_paths(["host", "x=host:loss=50%"]), WireSpec(rate=10**9)) as lab:
        assert lab.wire_facts["loss"] is None
        shares = {}
        for name, path in lab.paths.items():
            with ends(path) as (client, server):
                shares[name] = arrived(client, server) / SENT
    assert shares["host"] == 1
    assert shares["x"] == pytest.approx(0.5, abs=0.08)


def by_command(path: BuiltPath, *words: str) -> str:
    """What a command says where the client is."""
    done = inside(path.client_namespace, lambda: subprocess.run(words, capture_output=True, text=True, check=True))
    return done.stdout


def tracked(path: BuiltPath) -> int:
    """How many connections are tracked where the client is."""
    file = Path("/proc/sys/net/netfilter/nf_conntrack_count")
    return int(inside(path.client_namespace, file.read_text))


@pytest.mark.parametrize("kind", ["host", "macvlan", "routed"])
def test_each_packet_of_the_path_walks_the_rules(kind: str) -> None:
    with Lab.build(parse_paths(["host", f"x={kind}:rules=300"]), WireSpec()) as lab:
        for path in lab.paths.values():
            with ends(path) as (client, server):
                assert arrived(client, server, 500) == 500
        lines = by_command(lab.paths["x"], "nft", "list", "ruleset").splitlines()
        walked = [int(line.split()[2]) for line in lines if line.strip().startswith("counter packets")]
        assert len(walked) == 300
        assert len(set(walked)) == 1
        assert 500 < walked[0] < 600
        assert "walked" not in by_command(lab.paths["host"], "nft", "list", "ruleset")


@pytest.mark.parametrize("kind", ["host", "macvlan"])
def test_the_connections_of_a_path_are_tracked_or_not(kind: str) -> None:
    arguments = ["host", f"on={kind}:conntrack=on", f"off={kind}:conntrack=off"]
    with Lab.build(parse_paths(arguments), WireSpec()) as lab:
        counts = {}
        for name, path in lab.paths.items():
            if name == "off":  # the path's packets are not tracked, even if something asks for that
                inside(path.client_namespace, lambda: rules.load(TRACKING))
            with ends(path) as (client, server):
                arrived(client, server, 50)
                counts[name] = tracked(path)
        assert counts["on"] > 0
        assert (counts["host"], counts["off"]) == (0, 0)


@pytest.mark.parametrize(("kind", "limit"), [("pfifo", 77), ("bfifo", 300_000), ("pfifo", None), ("noqueue", None)])
def test_the_own_device_queues_as_was_asked(kind: str, limit: int | None) -> None:
    more = "" if limit is None else f",qdisc-limit={limit}"
    with Lab.build(parse_paths(["host", f"x=macvlan:qdisc={kind}{more}"]), WireSpec(rate=10**9)) as lab:
        path = lab.paths["x"]
        assert path.devices[0].queue_discipline == kind
        shown = by_command(path, "tc", "qdisc", "show", "dev", path.devices[0].name)
        assert f"qdisc {kind} " in shown
        assert f"limit {limit or ''}" in shown or kind == "noqueue"
        with ends(path) as (client, server):
            assert arrived(client, server, 500) == 500


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["fq", "fq_codel", "sfq"])
def test_a_discipline_that_the_kernel_may_lack(kind: str) -> None:
    try:
        with Lab.build(parse_paths([f"macvlan:qdisc={kind},qdisc-limit=500"]), WireSpec()) as lab:
            assert lab.paths["macvlan"].devices[0].queue_discipline == kind
            return
    except MissingFeature as error:
        said = f"{error}; {error.hint}"
    assert said.startswith(f"this kernel has no {kind}; sudo modprobe sch_{kind} (or a kernel with CONFIG_NET_SCH_")
    pytest.skip(f"kernel lacks {kind}")


def test_what_shapes_the_wire_is_not_replaced() -> None:
    with pytest.raises(UserError, match="tbf is there already"):
        Lab.build(parse_paths(["x=host:qdisc=pfifo"]), WireSpec(rate=10**9))


@pytest.mark.parametrize("kind", ["host", "bridge", "macvlan"])
def test_every_veth_of_the_path_has_the_queues(kind: str) -> None:
    wanted = os.cpu_count() or 1
    with Lab.build(parse_paths(["host", f"x={kind}:queues={wanted}"]), WireSpec()) as lab:
        settings = lab.configuration("x").settings
        found = {key: value for key, value in settings.items() if key.endswith("channel.rx_count")}
        assert {value for key, value in found.items() if key.split(".")[2][:2] in ("h1", "s1", "et", "br")} <= {
            str(wanted),
            "0",
        }
        assert str(wanted) in found.values()
        with ends(lab.paths["x"]) as (client, server):
            assert arrived(client, server, 500) == 500


def test_more_queues_than_a_veth_can_have() -> None:
    with pytest.raises(UserError, match="cannot have 4000 queues"):
        Lab.build(parse_paths(["macvlan:queues=4000"]), WireSpec())
    with pytest.raises(UserError, match="no veth"):
        Lab.build(parse_paths(["loopback:queues=1"]), WireSpec())


@pytest.mark.kernel
@pytest.mark.parametrize("loss", [None, 0.2])
def test_an_htb_holds_the_rate_as_a_tbf_does(loss: float | None) -> None:
    with Lab.build(parse_paths(["macvlan"]), WireSpec(rate=10**8, shaper="htb", loss=loss)) as lab:
        assert lab.wire_facts["shaper"] == "htb"
        assert lab.wire_facts["queue_discipline"] == ("netem" if loss and has_netem() else "htb")
        path = lab.paths["macvlan"]
        with ends(path) as (client, _):
            to = (path.server_addresses["ipv4"], 9)
            client.setblocking(True)
            client.settimeout(5)
            for _ in range(1000):  # well past the burst
                client.sendto(bytes(1472), to)
            started, before = time.monotonic(), lab.link_counters()["server", "s0"].rx_bytes
            while time.monotonic() < started + 0.5:
                client.sendto(bytes(1472), to)
            seconds, moved = time.monotonic() - started, lab.link_counters()["server", "s0"].rx_bytes - before
        assert 0.5 < moved * 8 / seconds / 10**8 < 1.15  # a busy machine may send less


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["host", "macvlan", "moved"])
def test_a_wire_of_some_length(kind: str) -> None:
    by = "netem" if has_netem() else "relay"
    wire = WireSpec(rate=10**9, delay=0.02, jitter=0.001)
    with Lab.build(parse_paths([kind, "x=macvlan:delay=50ms"]), wire) as lab:
        assert (lab.wire_facts["delay"], lab.wire_facts["delay_by"]) == (0.02, by)
        assert lab.wire_facts["queue_discipline"] == ("netem" if by == "netem" else "tbf")
        for name, least in ((kind, 0.036), ("x", 0.096)):
            with ends(lab.paths[name]) as (client, server):
                started = time.monotonic()
                assert reached(client, server)
                assert reached(server, client)
                assert least < time.monotonic() - started < least + 0.1


@pytest.mark.parametrize("kind", ["host", "bridge"])
def test_a_long_wire_loses_and_keeps_the_order(kind: str) -> None:
    with Lab.build(parse_paths([kind]), WireSpec(delay=0.005, jitter=0.005, loss=0.2)) as lab:
        assert lab.wire_facts["loss_by"] == ("netem" if has_netem() else "nftables")
        with ends(lab.paths[kind]) as (client, server):
            server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)  # all may come at once
            assert 0.75 < arrived(client, server) / SENT < 0.85
    if not has_netem():  # whose jitter lets packets overtake
        with Lab.build(parse_paths([kind]), WireSpec(delay=0.005, jitter=0.005)) as lab:
            path = lab.paths[kind]
            with ends(path) as (client, server):
                assert reached(client, server)  # and the neighbour is known
                server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
                for number in range(500):
                    client.sendto(number.to_bytes(2, "big"), (path.server_addresses["ipv4"], server.getsockname()[1]))
                server.settimeout(2)
                came = [int.from_bytes(server.recv(2), "big") for _ in range(500)]
        assert came == sorted(came)


@pytest.mark.kernel
def test_packets_that_overtake_need_netem() -> None:
    wire = WireSpec(rate=10**9, delay=0.002, reorder=0.5)
    if has_netem():
        with Lab.build(parse_paths(["host"]), wire) as lab:
            assert (lab.wire_facts["reorder"], lab.wire_facts["delay_by"]) == (0.5, "netem")
    else:
        with pytest.raises(MissingFeature, match="no netem") as caught:
            Lab.build(parse_paths(["host"]), wire)
        assert "sch_netem" in caught.value.hint
