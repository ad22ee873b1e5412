"""What the methods of sending need: memory of the right size, as many datagrams as a send takes."""

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge import _native
from pathgauge.endpoints import uring
from pathgauge.endpoints.messages import Work
from pathgauge.endpoints.methods import LARGEST_PAYLOAD, SO_ZEROCOPY, _filled, _lent, _ring, _segments, prepare, require
from pathgauge.errors import MissingFeature, MissingPrivilege

PAGE = 4096


def work(loop: str, method: str, **given: object) -> Work:
    return Work(loop=loop, first_size=100, second_size=0, deadline_ns=0, cpu=None, method=method, **given)  # type: ignore[arg-type]


@given(st.integers(1, LARGEST_PAYLOAD))
def test_a_send_holds_as_many_whole_datagrams_as_the_kernel_takes(size: int) -> None:
    count = _segments(size)
    assert count * size <= LARGEST_PAYLOAD
    assert count == _native.MOST_AT_ONCE or (count + 1) * size > LARGEST_PAYLOAD


@given(st.integers(1, 1 << 28), st.integers(1, 1 << 30))
def test_a_ring_holds_the_send_buffer_and_one_more_within_bounds(room: int, size: int) -> None:
    width = _ring(room, size)
    assert width >= 1
    assert width == 1 or width * size <= 16 << 20
    assert width <= room // size + 1


@pytest.mark.parametrize("size", [1, PAGE, 65536, (1 << 20) + 1, 5 << 20])
def test_a_file_to_send_from_is_full(size: int) -> None:
    file = _filled(size)
    try:
        assert os.fstat(file).st_size == size
        assert os.fstat(file).st_blocks * 512 >= size, "no holes"
        head = os.pread(file, min(size, 1 << 20), 0)
        assert len({head[place : place + PAGE] for place in range(0, len(head), PAGE)}) == -(-len(head) // PAGE)
    finally:
        os.close(file)


def test_a_socket_is_prepared_for_its_method() -> None:
    with socket.socket() as made:
        prepare(made, work("send", "copy"))
        assert made.getsockopt(socket.SOL_SOCKET, SO_ZEROCOPY) == 0
        prepare(made, work("send", "zerocopy"))
        assert made.getsockopt(socket.SOL_SOCKET, SO_ZEROCOPY) == 1
        prepare(made, work("receive", "copy", low_water=4096))
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 4096


@pytest.mark.parametrize(("loop", "method"), [("send", "zerocopy"), ("send", "gso"), ("receive", "gro")])
def test_what_the_kernel_does_not_do_is_said_with_what_to_type(loop: str, method: str) -> None:
    made = socket.socket(socket.AF_UNIX)
    made.close()  # a closed descriptor stands for a kernel that refuses the option
    with pytest.raises(MissingFeature, match=f"does not {loop} by") as caught:
        prepare(made, work(loop, method))
    assert caught.value.hint == f"--{loop}-method copy"


def test_a_ring_is_asked_for_with_the_memory_that_the_method_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def has_one(locked: int) -> int:
        asked.append(locked)
        return 0

    monkeypatch.setattr(_native, "why_no_ring", has_one)
    for loop, method in (("send", "copy"), ("receive", "mmap")):
        require(work(loop, method), 1000)
    assert not asked
    for loop, method in (("send", "io-uring"), ("receive", "io-uring"), ("send", "io-uring-zerocopy")):
        require(work(loop, method), 1000)
    assert asked == [0, 0, 100 * _ring(1000, 100)]


@pytest.mark.parametrize(
    ("number", "locked", "switch", "kind", "says", "hint"),
    [
        (errno.EPERM, 0, "2", MissingPrivilege, "switched off", "sudo sysctl kernel.io_uring_disabled=0"),
        (errno.EPERM, 0, "0", MissingPrivilege, "forbidden to this process", "outside of the container"),
        (errno.EPERM, 0, None, MissingPrivilege, "forbidden to this process", "--send-method copy"),
        (errno.ENOSYS, 0, None, MissingFeature, "has no io_uring", "--receive-method copy"),
        (errno.EINVAL, 0, None, MissingFeature, "takes Linux 6.1", "--send-method copy"),
        (errno.ENOMEM, 1 << 20, None, MissingPrivilege, "1048576 bytes of locked memory", "ulimit -l unlimited"),
        (errno.ENOMEM, 0, None, MissingFeature, "Cannot allocate memory", "--send-method copy"),
    ],
)
def test_why_there_is_no_ring_is_said_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    number: int,
    locked: int,
    switch: str | None,
    kind: type[Exception],
    says: str,
    hint: str,
) -> None:
    file = tmp_path / "io_uring_disabled"
    if switch is not None:
        file.write_text(f"{switch}\n")
    monkeypatch.setattr(uring, "SWITCH", file)
    monkeypatch.setattr(_native, "why_no_ring", lambda _: number)
    with pytest.raises(kind, match=says) as caught:
        uring.require(locked)
    assert hint in getattr(caught.value, "hint", "")


def test_a_receiver_has_one_buffer_but_for_a_ring() -> None:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        assert _lent(stream, work("receive", "copy")) == 1
        assert _lent(stream, work("receive", "io-uring")) < _lent(datagrams, work("receive", "io-uring"))
        whole = Work(loop="receive", first_size=1 << 30, second_size=0, deadline_ns=0, cpu=None, method="io-uring")
        assert _lent(stream, whole) == 1
