"""The relay in user space: what it passes on between descriptors, and the tun devices that it stands between."""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathgauge import _native
from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege
from pathgauge.paths import relay
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec

pytestmark = pytest.mark.netns
Ends = tuple[socket.socket, socket.socket, threading.Thread]


def relayed() -> Ends:
    """Two sockets that keep the bounds of what is sent, with a relay between them."""
    (one, near), (other, far) = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
    for each in (near, far):
        each.setblocking(False)
    for each in (one, other):
        each.settimeout(10)

    def run() -> None:
        with near, far:
            _native.relay(near.fileno(), far.fileno())

    thread = threading.Thread(target=run)
    thread.start()
    return one, other, thread


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = relayed()
    yield made
    for each in made[:2]:
        each.close()
    made[2].join(10)
    assert not made[2].is_alive()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=70_000), min_size=1, max_size=8), st.booleans())
def test_packets_arrive_as_they_were_and_in_order(packets: list[bytes], back: bool) -> None:
    *pair, thread = relayed()
    sender, receiver = reversed(pair) if back else pair
    with sender, receiver:
        for packet in packets:
            sender.send(packet)
        assert [receiver.recv(1 << 17) for _ in packets] == packets
    thread.join(10)
    assert not thread.is_alive()


def test_what_nobody_takes_is_dropped_and_holds_up_nothing(ends: Ends) -> None:
    one, other, _ = ends
    for number in range(5000):
        one.send(struct.pack("!I", number) + bytes(1400))
    other.send(b"the other way")
    assert one.recv(100) == b"the other way"
    arrived = []
    other.settimeout(0.5)
    while True:
        try:
            arrived.append(struct.unpack_from("!I", other.recv(2000))[0])
        except TimeoutError:
            break
    assert 0 < len(arrived) < 5000
    assert arrived == sorted(arrived)


def test_it_sleeps_while_there_is_nothing_to_do(ends: Ends) -> None:
    ends[0].send(b"x")
    ends[1].recv(10)
    before, start = time.process_time(), time.monotonic()
    time.sleep(0.5)
    assert time.process_time() - before < 0.5 * (time.monotonic() - start)


@pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_devices_have_the_offloads_that_were_asked_for(offload: bool) -> None:
    with Lab.build(parse_paths([f"tun:offload={'on' if offload else 'off'}"]), WireSpec()) as lab:
        path = lab.paths["tun"]
        ends = [device for device in path.devices if device.kind == "tun"]
        assert [(device.namespace, device.name) for device in ends] == [("tun", "eth0"), ("host", "tu0")]
        assert all(device.offloads["tso"] is offload for device in ends)
        # The relay is a thread of the keeper: it can be left behind by nothing.
        children = [file.read_text().split() for file in Path(f"/proc/{lab.keeper_pid}/task").glob("*/children")]
        assert not any(children)


@pytest.mark.parametrize(
    ("number", "kind", "sentence", "hint"),
    [
        (errno.ENOENT, MissingFeature, "this machine has no /dev/net/tun", "--device /dev/net/tun"),
        (errno.ENODEV, MissingFeature, "this kernel has no tun", "sudo modprobe tun"),
        (errno.EACCES, MissingPrivilege, "may not be used here", "sudo chmod 0666 /dev/net/tun"),
        (errno.EBUSY, MachineError, "could not be made", ""),
    ],
)
def test_what_is_said_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: type[MachineError], sentence: str, hint: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(kind, match=sentence) as caught:
            relay.device("tun0", offload=False)
    assert hint in caught.value.hint
