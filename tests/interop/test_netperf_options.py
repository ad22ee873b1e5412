"""Command lines that stock netperf and ours must take alike, or refuse both."""

import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from pathgauge.errors import UserError
from pathgauge.peers.netperf.kinds import ABSENT
from pathgauge.peers.netperf.options import parse
from pathgauge.peers.netperf.settings import RECEIVE, SEND

WORDS = {0: "Connection", SEND: "Send", RECEIVE: "Receive", SEND | RECEIVE: "Send|Recv"}


@pytest.fixture(scope="module", autouse=True)
def peers() -> None:
    missing = [name for name in ("netserver", "netperf") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' '.join(missing)}: scripts/ installs the peers")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a stock netserver."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = int(probe.getsockname()[1])
    command = ["netserver", "-D", "-4", "-L", "127.0.0.1", "-p", str(number)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 5
        while True:
            try:
                socket.create_connection(("127.0.0.1", number)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None
                assert time.monotonic() < end, "netserver does not listen"
                time.sleep(0.02)
        yield number
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def stock(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["netperf", *words], capture_output=True, text=True, timeout=20, check=False)


def asked(port: int, words: str, names: str) -> dict[str, str]:
    """What stock netperf made of a line: its own answers to these names, after one byte or transaction."""
    done = stock("-H", "127.0.0.1", "-p", str(port), "-P", "0", "-l", "-1", *words.split(), "-k", names)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(line.split("=", 1) for line in done.stdout.split())


@pytest.mark.parametrize("words", ["-I 90", "-q", "-P", "-l", "-T"])
def test_both_refuse_before_anything_is_connected(words: str) -> None:
    assert stock(*words.split()).returncode in (1, 255)
    with pytest.raises(UserError):
        parse(words.split())


@pytest.mark.parametrize("test", ["NOPE", "TCP_", *sorted(ABSENT)])
def test_both_refuse_a_test_that_they_lack(port: int, test: str) -> None:
    assert stock("-H", "127.0.0.1", "-p", str(port), "-t", test).returncode == 1
    with pytest.raises(UserError):
        parse(["-t", test])


def test_both_show_help_and_version() -> None:
    assert "Usage: netperf" in stock("-h").stdout + stock("-h").stderr
    assert parse(["-h"]).show == "help"
    assert stock("-V").returncode == 0
    assert parse(["-V"]).show == "version"


def test_both_take_the_word_behind_an_h_for_the_host() -> None:
    words = shlex.split("-H -i 30,3 -l 20 -t TCP_STREAM -- -m 1400 -S 128K -S 128K")
    done = stock(*words)
    assert done.returncode == 255
    assert "could not resolve -i as a host name" in done.stdout + done.stderr
    assert parse(words).host == "-i"


@pytest.mark.parametrize(
    "words",
    ["", "-m 100", "-m ,100", "-m 100,200", "-M 100", "-M ,100", "-M 100,200", "-r 5", "-r ,5", "-d recv -m 100",
     "-m 100 -d recv", "-d rr", "-d 0x4", "-d send|4", "-d stream -d maerts", "-c", "-c -d 0"],
)  # fmt: skip
def test_the_direction_of_omni_is_the_same(port: int, words: str) -> None:
    found = asked(port, f"-t OMNI -- {words}", "DIRECTION,REQUEST_SIZE")
    ours = parse(["-t", "OMNI", "--", *words.split()])
    assert WORDS[ours.direction] == found["DIRECTION"]
    if ours.direction == SEND | RECEIVE:
        assert found["REQUEST_SIZE"] == str(ours.request_size)


@pytest.mark.parametrize(
    "words", ["-s 1KK", "-s 1K,", "-s ,2k", "-s 1K, -s ,2K", "-s 128KB", "-s 1K,2k -- stray", "stray -s 5000"]
)
def test_socket_buffers_are_the_same(port: int, words: str) -> None:
    arranged = words.replace(" -- stray", "")
    found = asked(port, f"stray -- {arranged}", "LSS_SIZE_REQ,LSR_SIZE_REQ")
    ours = parse(["stray", "--", *words.split()]).local
    assert found == {"LSS_SIZE_REQ": str(ours.send_buffer), "LSR_SIZE_REQ": str(ours.receive_buffer)}


@pytest.mark.parametrize("text", ["ef,af41", "0x10", "cs1,cs7", "lowdelay,throughput", "EF,010", ",8"])
def test_types_of_service_are_the_same(port: int, text: str) -> None:
    found = asked(port, f"-Y {text} --", "LOCAL_SOCKET_TOS,REMOTE_SOCKET_TOS")
    ours = parse(["-Y", text])
    for name, value in (("LOCAL", ours.local.tos), ("REMOTE", ours.remote.tos)):
        assert int(found[f"{name}_SOCKET_TOS"], 16) == value & 0xFFFFFFFF


@pytest.mark.parametrize("words", ["-a 16,32 -A 64", "-o 4 -O 1,2", "-T 0", "-y 3,4", "-b ,5 -w ,10u"])
def test_global_pairs_are_the_same(port: int, words: str) -> None:
    names = {
        "LOCAL_SEND_ALIGN": "local.send_align", "LOCAL_RECV_ALIGN": "local.receive_align",
        "REMOTE_SEND_ALIGN": "remote.send_align", "REMOTE_RECV_ALIGN": "remote.receive_align",
        "LOCAL_SEND_OFFSET": "local.send_offset", "LOCAL_RECV_OFFSET": "local.receive_offset",
        "REMOTE_SEND_OFFSET": "remote.send_offset", "REMOTE_RECV_OFFSET": "remote.receive_offset",
        "LOCAL_CPU_BIND": "local.cpu", "REMOTE_CPU_BIND": "remote.cpu", "LOCAL_SOCKET_PRIO": "local.priority",
        "REMOTE_SOCKET_PRIO": "remote.priority", "REMOTE_INTERVAL_BURST": "remote.burst",
    }  # fmt: skip
    found = asked(port, f"{words} --", ",".join(names))
    ours = parse(words.split())
    for name, path in names.items():
        end, _, field = path.partition(".")
        assert found[name] == str(getattr(getattr(ours, end), field)), name
