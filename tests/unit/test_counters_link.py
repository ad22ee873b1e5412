"""Counters of network devices."""

import contextlib
import dataclasses
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.counters.link import LinkCounters, parse_net_dev
from pathgauge.errors import MachineError

HEADER = (
    b"Inter-|   Receive                                                |  Transmit\n"
    b" face |bytes    packets errs drop fifo frame compressed multicast|"
    b"bytes    packets errs drop fifo colls carrier compressed\n"
)
NAMES = st.from_regex(r"[A-Za-z0-9@._-]{1,15}", fullmatch=True)
COUNT = st.integers(0, 2**64 - 1)


def test_each_column_goes_to_its_place() -> None:
    text = HEADER + b"   mv0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    expected = LinkCounters(
        rx_bytes=1, rx_packets=2, rx_errors=3, rx_dropped=4, tx_bytes=9, tx_packets=10, tx_errors=11, tx_dropped=12
    )
    assert parse_net_dev(text) == {"mv0": expected}


def test_a_namespace_without_devices() -> None:
    assert parse_net_dev(HEADER) == {}


@given(st.dictionaries(NAMES, st.lists(COUNT, min_size=16, max_size=16)))
def test_what_the_kernel_writes_is_what_is_read(devices: dict[str, list[int]]) -> None:
    # The kernel pads names and numbers, but not where they are too wide: then nothing divides name and number.
    text = HEADER + "".join(f"{name:>6}:{' '.join(map(str, row))}\n" for name, row in devices.items()).encode()
    parsed = parse_net_dev(text)
    assert {name: list(dataclasses.astuple(row)) for name, row in parsed.items()} == {
        name: row[0:4] + row[8:12] for name, row in devices.items()
    }


@given(st.binary(max_size=300))
def test_foreign_text_is_refused_with_our_error_or_read(text: bytes) -> None:
    with contextlib.suppress(MachineError):
        parse_net_dev(HEADER + text)


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_cut_text_is_refused_rather_than_misread(cut: int) -> None:
    text = HEADER + b"  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    with pytest.raises(MachineError):
        parse_net_dev(text[:-cut])


def test_loopback_counts_what_is_sent() -> None:
    def loopback() -> LinkCounters:
        return parse_net_dev(Path("/proc/self/net/dev").read_bytes())["lo"]

    before = loopback()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(os.urandom(1000), receiver.getsockname())
        receiver.settimeout(5)
        receiver.recv(2000)
    after = loopback()
    assert after.tx_bytes - before.tx_bytes >= 1000
    assert after.rx_packets - before.rx_packets >= 1
