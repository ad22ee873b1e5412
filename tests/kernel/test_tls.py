"""TLS in the kernel, which many kernels lack: what is sent is encrypted, and what goes with it."""

import socket
import subprocess
from collections.abc import Iterator

import pytest

from pathgauge.asking import build
from pathgauge.endpoints.methods import SO_ZEROCOPY
from pathgauge.endpoints.tls import CIPHERS, encrypt, make_keys, why_none
from pathgauge.measuring import arms
from pathgauge.measuring.engine import Engine
from pathgauge.options import parse_values
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec

APPLICATION_DATA = b"\x17\x03\x03"
MSG_ZEROCOPY = 0x4000000


@pytest.fixture(scope="module", autouse=True)
def module() -> None:
    """The kernel's TLS is a module."""
    subprocess.run(["modprobe", "tls"], check=True, timeout=60)
    assert why_none() is None


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two paths."""
    with Lab.build(parse_paths(["host", "macvlan"]), WireSpec()) as built:
        yield built


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's and the server's end of a connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        server, _ = listener.accept()
    server.settimeout(10)
    with client, server:
        yield client, server


@pytest.mark.parametrize("cipher", CIPHERS)
def test_the_ends_understand_each_other_and_nobody_else_does(
    ends: tuple[socket.socket, socket.socket], cipher: str
) -> None:
    client, server = ends
    keys = make_keys(cipher)
    encrypt(client, keys, "local")
    client.send(b"a secret")
    seen = server.recv(1000, socket.MSG_PEEK)
    assert seen.startswith(APPLICATION_DATA)
    assert b"secret" not in seen
    assert len(seen) == len(b"a secret") + 22
    encrypt(server, keys, "remote")
    assert server.recv(1000) == b"a secret"
    server.send(b"another")
    assert client.recv(1000) == b"another"


def test_what_is_refused_would_fail_or_be_something_else(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    keys = make_keys("aes-128-gcm")
    encrypt(client, keys, "local")
    encrypt(server, keys, "remote")
    client.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    with pytest.raises(OSError, match="not supported"):
        client.send(b"a secret", MSG_ZEROCOPY)
    client.send(b"a secret")
    buffer = bytearray(8)
    assert server.recv_into(buffer, 8, socket.MSG_TRUNC) == 8
    assert buffer == b"a secret", "nothing was discarded"


GIVEN = [
    "TCP_STREAM",
    "TCP_MAERTS",
    "TCP_RR",
    "TCP_BIDIR",
    "TCP_STREAM tls=aes-256-gcm",
    "TCP_STREAM tls=chacha20-poly1305",
    "TCP_STREAM ipv6=on",
    "TCP_STREAM send-method=sendfile",
    "TCP_STREAM send-method=splice",
    "TCP_STREAM receive-method=splice",
    "TCP_STREAM send-method=splice receive-method=splice wait=spin",
    "TCP_STREAM wait=poll",
    "TCP_STREAM wait=spin",
    "TCP_STREAM low-water=100000",
    "TCP_STREAM send-size=100",
    "TCP_MAERTS rate=10mbit",
    "TCP_RR wait=poll",
    "TCP_RR wait=spin",
    "TCP_RR burst=4 nodelay=on",
    "TCP_RR request-size=100000 response-size=70000",
    "TCP_RR one-way=on beside=TCP_STREAM beside-rate=1mbit",
]


@pytest.mark.parametrize("given", GIVEN)
def test_a_slice_over_tls(lab: Lab, given: str) -> None:
    test, *options = given.split()
    values = {"tls": ["aes-128-gcm"], **{name: [value] for name, value in (each.split("=") for each in options)}}
    request = build(("host", "macvlan"), parse_values({"test": [test], **values}), ())
    kind, needs = request.kind(0), arms.needs(request)
    with Engine(lab, needs.loops, None, needs.flows, needs.ways) as engine:
        arm = arms.build(request, engine, kind)[0]
        arm.open()
        arm.warm(0.2)
        row = arm.measure(0.05, 0.5).row
        assert row.void is None
        assert row.bytes_received > 0
        if kind.pattern == "stream":
            assert row.total_bytes_received == row.total_bytes_sent
        else:
            assert row.transactions > 0
        if arm.parameters.low_water is not None:
            assert row.bytes_received / row.messages_received > 0.9 * arm.parameters.low_water
        arm.close()
