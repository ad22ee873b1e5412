"""The layout of struct tcp_info against the installed headers, and against the running kernel's own connections."""

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pathgauge.counters.tcp_info import LAYOUT, READ_SIZE, TcpInfo, decode

HEADER = Path("/usr/include/linux/tcp.h")


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=5) as client,
    ):
        server, _ = listener.accept()
        with server:
            server.settimeout(5)
            yield client, server


def info_of(end: socket.socket) -> TcpInfo:
    return decode(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE))


def receive(end: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(end.recv(size))


def test_offsets_are_those_of_the_installed_header(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    header = HEADER.read_text(encoding="utf-8")
    known = [name for name in LAYOUT if f"tcpi_{name};" in header]
    assert len(known) > 50  # the header was understood
    lines = "\n".join(
        f'  printf("{name} %zu %zu\\n", offsetof(struct tcp_info, tcpi_{name}),'
        f" sizeof(((struct tcp_info *)0)->tcpi_{name}));"
        for name in known
    )
    source = tmp_path / "offsets.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <linux/tcp.h>\n"
        f"int main(void) {{\n{lines}\n  return 0;\n}}\n",
        encoding="utf-8",
    )
    program = tmp_path / "offsets"
    subprocess.run([compiler, "-o", str(program), str(source)], check=True, timeout=60)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=10).stdout
    for line in printed.splitlines():
        name, offset, size = line.split()
        assert (int(offset), int(size)) == (LAYOUT[name][0], struct.calcsize(LAYOUT[name][1])), name


def test_a_read_holds_the_running_kernels_whole_structure(connection: tuple[socket.socket, socket.socket]) -> None:
    raw = connection[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, READ_SIZE)
    assert 192 <= len(raw) < READ_SIZE


def test_counts_of_a_real_connection(connection: tuple[socket.socket, socket.socket]) -> None:
    client, server = connection
    client.sendall(b"x" * 100_000)
    receive(server, 100_000)
    server.sendall(b"y" * 7)
    receive(client, 7)  # carries the acknowledgement of all that was sent
    sent, received = info_of(client), info_of(server)
    assert sent.state == received.state == 1  # TCP_ESTABLISHED
    assert sent.bytes_received == 7
    assert received.bytes_received == 100_000
    assert sent.bytes_acked == 100_001  # the SYN counts one
    assert sent.total_retrans == 0
    assert sent.notsent_bytes == sent.unacked == 0
    assert sent.min_rtt is not None
    assert sent.rtt is not None
    assert 0 < sent.min_rtt <= 1_000_000
    assert sent.snd_mss is not None
    assert 500 < sent.snd_mss < 65_536
    assert sent.options is not None
    assert sent.options & 4  # window scaling
    assert sent.snd_wscale == received.rcv_wscale
    assert sent.pmtu == 65_535 or (sent.pmtu is not None and sent.pmtu > 1_000)


def test_later_fields_of_a_real_connection(connection: tuple[socket.socket, socket.socket]) -> None:
    client, server = connection
    client.sendall(b"x" * 50_000)
    receive(server, 50_000)
    server.sendall(b"y")
    receive(client, 1)
    sent, received = info_of(client), info_of(server)
    if sent.rcv_wnd is None or received.snd_wnd is None:
        pytest.skip("kernel lacks tcpi_rcv_wnd (6.2)")
    assert sent.bytes_sent == 50_000
    assert sent.bytes_retrans == 0
    # What one end offers is what the other may send, but for what is on its way.
    assert received.snd_wnd <= sent.rcv_wnd
    assert sent.rcv_wnd > 1_000
    if sent.total_rto is None:
        pytest.skip("kernel lacks tcpi_total_rto (6.7)")
    assert sent.total_rto == sent.total_rto_recoveries == sent.total_rto_time == 0


def test_a_full_receiver_shows_as_window_limited(connection: tuple[socket.socket, socket.socket]) -> None:
    client, _ = connection
    client.setblocking(False)
    with suppress(BlockingIOError):
        while client.send(b"x" * 65_536):
            pass
    info = info_of(client)
    assert info.notsent_bytes is not None
    assert info.notsent_bytes > 0
    assert info.bytes_acked is not None
    assert info.bytes_acked > 1
