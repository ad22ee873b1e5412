"""What `--wire` and `--set` change of a lab is what its packets meet."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from pathgauge.errors import MissingFeature
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import BuiltPath, WireSpec

SENT = 4000


def has_netem() -> bool:
    try:
        Lab.build(parse_paths(["host"]), WireSpec(delay=0.001)).close()
    except MissingFeature:
        return False
    return True


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
