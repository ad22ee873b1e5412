"""The controller's hold on a keeper that misbehaves, and the channel between them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pathgauge import child
from pathgauge.errors import EndDied, InternalError, MissingFeature, PathgaugeError, UserError
from pathgauge.paths import messages, process
from pathgauge.paths.lab import Lab
from pathgauge.paths.process import KeeperProcess
from pathgauge.paths.types import PathSpec, WireSpec

BUILD = messages.Build(paths=(PathSpec("host", "host"),), wire=WireSpec())
FAKE = """
import os, signal, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
{0}
"""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has a few lines of Python take the keeper's place."""
    popen = subprocess.Popen

    def replace(body: str) -> None:
        def start(command: list[str], **options: Any) -> object:
            return popen([sys.executable, "-c", FAKE.format(body), *command[4:]], **options)

        monkeypatch.setattr(subprocess, "Popen", start)

    return replace


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", EndDied, "killed by SIGKILL"),
        ("sys.exit('nonsense')", InternalError, "status 1: nonsense"),
        ("channel.recv(1); sys.exit(0)", InternalError, "status 0"),
        ("channel.recv(1); time.sleep(60)", EndDied, "no answer"),
        (
            """channel.send(b'{"type":"Failed","error":"MissingFeature","message":"m","hint":"h"}')""",
            MissingFeature,
            "m",
        ),
        ("""channel.send(b'{"type":"Failed","error":"os","message":"m","hint":"h"}')""", InternalError, "m"),
        ("""channel.send(b'{"type":"Released"}'); channel.recv(1)""", InternalError, "something else than a lab"),
    ],
)
def test_a_keeper_that_fails(
    fake: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, body: str, kind: type[PathgaugeError], sentence: str
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(child, "GOODBYE_SECONDS", 0.5)
    fake(body)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(kind, match=sentence) as caught:
        Lab.build(BUILD.paths, BUILD.wire)
    assert type(caught.value) is kind
    del caught
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_refusal_outlives_the_keeper_that_did_not_read_its_order(
    fake: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = messages.receive_reply

    def late(channel: socket.socket) -> messages.Received | None:
        time.sleep(0.5)  # by now the keeper is gone, and the kernel tells of that before it gives the message
        return real(channel)

    monkeypatch.setattr(messages, "receive_reply", late)
    fake("""time.sleep(.1); channel.send(b'{"type":"Failed","error":"UserError","message":"m","hint":"h"}')""")
    with pytest.raises(UserError, match="m"):
        Lab.build(BUILD.paths, BUILD.wire)


def test_a_keeper_is_ended(fake: Callable[[str], None]) -> None:
    fake("time.sleep(60)")
    keeper = KeeperProcess.start()
    keeper.close()
    assert keeper.process.returncode == -9


def test_orders_and_replies_survive_the_channel() -> None:
    ours, theirs = messages.pair()
    with ours, theirs:
        messages.send(ours, BUILD)
        assert messages.receive_order(theirs) == BUILD
        pipe = os.pipe()
        failed = messages.Failed(error="UserError", message="m", hint="h")
        messages.send(theirs, failed, pipe)
        received = messages.receive_reply(ours)
        assert received is not None
        assert received.reply == failed
        assert len(received.descriptors) == 2
        assert not any(os.get_inheritable(descriptor) for descriptor in received.descriptors)
        assert [os.fstat(mine).st_ino for mine in received.descriptors] == [os.fstat(sent).st_ino for sent in pipe]
        for descriptor in (*pipe, *received.descriptors):
            os.close(descriptor)
        theirs.close()
        assert messages.receive_reply(ours) is None


def test_nonsense_leaves_no_descriptor_behind() -> None:
    ours, theirs = messages.pair()
    with ours, theirs:
        before = len(os.listdir("/proc/self/fd"))
        socket.send_fds(theirs, [b"{}"], [0, 0])
        with pytest.raises(msgspec.ValidationError):
            messages.receive_reply(ours)
        assert len(os.listdir("/proc/self/fd")) == before
