"""Socket options that a kernel refuses: what is said, and what to type. The kernel's refusals are stood in for."""

import errno
import os
import socket
import struct
from pathlib import Path
from typing import cast

import pytest

from pathgauge.endpoints import realtime, sockets
from pathgauge.endpoints.messages import SocketOptions
from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege, UserError
from pathgauge.measuring.arms import placed
from pathgauge.traffic.parameters import Parameters


class Refusing:
    """A socket whose kernel answers every option with an error, or the one of MPTCP_INFO with this."""

    family = socket.AF_INET

    def __init__(self, number: int, info: bytes | None = None) -> None:
        self.number, self.info = number, info

    def setsockopt(self, *_: object) -> None:
        raise OSError(self.number, os.strerror(self.number))

    def getsockopt(self, *_: object) -> bytes:
        if self.info is None:
            raise OSError(self.number, os.strerror(self.number))
        return self.info


def refusing(number: int = errno.EOPNOTSUPP, info: bytes | None = None) -> socket.socket:
    return cast("socket.socket", Refusing(number, info))


def test_a_time_to_poll_that_is_refused() -> None:
    with pytest.raises(MissingPrivilege, match="poll for 70 us takes root"):
        sockets.apply(refusing(errno.EPERM), "udp", SocketOptions(busy_poll=70))
    with pytest.raises(MissingFeature, match="polls for no socket: Protocol not available"):
        sockets.apply(refusing(errno.ENOPROTOOPT), "udp", SocketOptions(busy_poll=70))


def test_a_listener_has_room_for_all_that_come_at_once() -> None:
    for at_once in (1, 1000):
        with socket.socket() as made:
            made.bind(("127.0.0.1", 0))
            sockets.listen(made, at_once)
            clients = [socket.socket() for _ in range(min(at_once, 300))]
            for client in clients:
                client.settimeout(0.5)  # one that found no room would ask again after a second
                client.connect(made.getsockname())
                client.close()


def test_a_listener_that_the_kernel_gives_less_room_is_told() -> None:
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match=f"do not fit a listener's queue of {most}") as raised:
            sockets.listen(made, most + 1)
        assert "--threads 2" in str(raised.value.hint)


@pytest.mark.parametrize("flags", [1, 3])
def test_a_connection_that_fell_back_is_refused(flags: int) -> None:
    with pytest.raises(MachineError, match="fell back from Multipath TCP to TCP"):
        sockets.require_multipath(refusing(info=bytes(8) + struct.pack("=I", flags) + bytes(52)))


def test_a_connection_that_did_not_fall_back_is_not() -> None:
    sockets.require_multipath(refusing(info=bytes(8) + struct.pack("=I", 2) + bytes(52)))


@pytest.mark.parametrize("info", [None, b"", b"\0" * 11])
def test_a_kernel_that_says_nothing_of_it_has_no_such_connection(info: bytes | None) -> None:
    with pytest.raises(MachineError, match="fell back"):
        sockets.require_multipath(refusing(info=info))


def test_real_time_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(MissingPrivilege, match="priority 9 of real time is not allowed") as caught:
        realtime.require(9)
    assert "rtprio 9" in caught.value.hint


def test_readers_that_spin_in_real_time_leave_a_cpu_to_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    spinning = Parameters(wait="spin", realtime=1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(UserError, match="would leave no CPU to anything else"):
        placed(spinning)
    assert placed(Parameters(realtime=1)).local_cpu == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert placed(spinning).remote_cpu == 1
