"""Our netserver under attack, with stock netperf beside it: whatever strangers send, the client gets its result, and
afterwards the server has as many descriptors, as much memory and no more processes than before.

The attackers come from addresses of their own: one address has at most half of the places.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pathgauge.peers.netperf import frames
from pathgauge.peers.netperf.frames import Flag, Frame, Kind, Value
from tests.netns.lab_processes import PATHGAUGE

HERE, ATTACKER, VICTIM = "127.0.0.1", "127.0.0.66", "127.0.0.77"
pytestmark = pytest.mark.long
PLACES = 8
LONGEST = 5
BESIDE_SECONDS = 1
QUICK_SECONDS = 0.5
LISTENER_BYTES = 4 << 20  # what it may grow by
ALL_BYTES = 400 << 20  # what all processes may take of memory that is theirs, in the middle of an attack
PAGE = os.sysconf("SC_PAGESIZE")
TICKS = os.sysconf("SC_CLK_TCK")
Place = tuple[str, int]


@pytest.fixture(scope="module", autouse=True)
def peers() -> None:
    if shutil.which("netperf") is None:
        pytest.skip("needs netperf: scripts/ installs the peers")


# --- the server -------------------------------------------------------------------------------------------------------


class Process:
    """What the kernel says of a process and of those that it started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.folder = Path(f"/proc/{pid}")

    def children(self) -> list[int]:
        return [int(each) for each in (self.folder / f"task/{self.pid}/children").read_text().split()]

    def descriptors(self) -> int:
        return len(list((self.folder / "fd").iterdir()))

    def resident(self) -> int:
        return int((self.folder / "statm").read_text().split()[1]) * PAGE

    def cpu_seconds(self) -> float:
        fields = (self.folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def family_bytes(self) -> int:
        """Memory of the process and its children, what they share counted once."""
        whole = 0
        for pid in (self.pid, *self.children()):
            with contextlib.suppress(OSError):  # it has ended
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                whole += sum(1024 * int(found) for found in re.findall(r"^Pss: +(\d+)", text, re.MULTILINE))
        return whole


@contextmanager
def netserver(*options: str, prefix: tuple[str, ...] = ()) -> Iterator[tuple[Process, int]]:
    """Our server in the foreground, on both families, and its port."""
    port = free_port()
    process = subprocess.Popen(
        [*prefix, *PATHGAUGE, "netserver", "-D", "-p", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        reached(port, process)
        yield Process(process.pid), port
        assert process.poll() is None, "the server has ended"
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as finder:
        return int(finder.getsockname()[1])


def reached(port: int, process: subprocess.Popen[bytes] | None = None, address: str = HERE) -> None:
    end = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), timeout=1).close()
            return
        assert process is None or process.poll() is None, "the server has ended"
        assert time.monotonic() < end, "it does not listen"
        time.sleep(0.02)


def until(true: Callable[[], object], what: str, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def quick(port: int, address: str = HERE) -> None:
    """Assert that the server answers at once."""
    start = time.monotonic()
    assert ask(connect((address, port), source=""), Frame(Kind.CALIBRATE)) is not None
    assert time.monotonic() - start < QUICK_SECONDS


def beside(port: int, test: str = "TCP_RR", *options: str, address: str = HERE) -> subprocess.Popen[str]:
    """Stock netperf, started."""
    words = ["netperf", "-P", "0", "-H", address, "-p", str(port), "-t", test, "-l", str(BESIDE_SECONDS), *options]
    return subprocess.Popen(
        [*words, "--", "-k", "THROUGHPUT"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def throughput(client: subprocess.Popen[str]) -> float:
    """What it found."""
    said, _ = client.communicate(timeout=20)
    found = re.search(r"^THROUGHPUT=([\d.]+)$", said, re.MULTILINE)
    assert client.returncode == 0, said
    assert found is not None, said
    return float(found[1])


# --- the attacks ------------------------------------------------------------------------------------------------------


def connect(place: Place, source: str = ATTACKER) -> socket.socket:
    return socket.create_connection(place, timeout=5, source_address=(source, 0) if source else None)


def ask(control: socket.socket, frame: Frame) -> Frame | None:
    """The answer, with the connection closed; None where the server has closed it."""
    with control, contextlib.suppress(OSError):
        control.sendall(frame.pack())
        return answer(control)
    return None


def answer(control: socket.socket) -> Frame | None:
    raw = b""
    while len(raw) < frames.FRAME_BYTES:
        part = control.recv(frames.FRAME_BYTES - len(raw))
        if not part:
            return None
        raw += part
    return Frame.unpack(raw)


def omni(**changed: Value) -> Frame:
    usual: dict[str, Value] = {
        **dict.fromkeys(("send_buffer", "send_size", "request_size"), -1),
        **dict.fromkeys(("receive_buffer", "receive_size", "response_size", "priority", "tos"), -1),
        "flags": Flag.ROUTING,
        "length": LONGEST,
        "family": frames.IPV4,
        "socket_type": frames.STREAM,
        "protocol": socket.IPPROTO_TCP,
        "direction": frames.RECEIVE,
    }
    return Frame(Kind.OMNI, -1, frames.OMNI_REQUEST.pack(usual | changed))


UDP: dict[str, Value] = {"socket_type": frames.DATAGRAM, "protocol": socket.IPPROTO_UDP}


def data_port(control: socket.socket, request: Frame) -> int:
    """The port that a request got."""
    control.sendall(request.pack())
    response = answer(control)
    assert response is not None
    assert response.status == 0, os.strerror(response.status)
    port = frames.OMNI_RESPONSE.unpack(response.payload)["port"]
    assert isinstance(port, int)
    return port


Attack = Callable[[Place, ExitStack], None]


def random_frames(place: Place, stack: ExitStack) -> None:
    """Garbage of every length, and messages whose type alone is right."""
    chance = random.Random(1)
    kinds = [int(kind) for kind in Kind]
    for number in range(200):
        with contextlib.suppress(OSError):
            control = stack.enter_context(connect(place))
            body = chance.randbytes(chance.randrange(2000))
            control.sendall(struct.pack(">i", kinds[number % len(kinds)]) + body if number % 2 else body)
            if number % 3:
                control.close()


def half_frames(place: Place, stack: ExitStack) -> None:
    """A beginning, and then silence, or byte after byte."""
    controls = [stack.enter_context(connect(place)) for _ in range(100)]
    for number, control in enumerate(controls):
        control.sendall(omni().pack()[: 1 + 5 * number])
    for _ in range(10):
        for control in controls:
            with contextlib.suppress(OSError):
                control.sendall(b"\0")
        time.sleep(0.05)


def wrong_types(place: Place, stack: ExitStack) -> None:
    """Many requests of types that there are none of, on one connection."""
    control = stack.enter_context(connect(place))
    for kind in (-(2**31), -1, 0, 4, 7, 98, 99, 301, 65535, 2**31 - 1) * 20:
        control.sendall(Frame(kind, 2**31 - 1, b"\xff" * 600).pack())
    for _ in range(200):
        response = answer(control)
        assert response is not None
        assert response.status == frames.UNKNOWN_REQUEST


def huge_sizes(place: Place, stack: ExitStack) -> None:
    """Sizes, widths, alignments and counts at their ends; what is not refused gets data to move."""
    ends = (2**31 - 1, -(2**31), -2, 0, 16 << 20, 1)
    control = stack.enter_context(connect(place))
    for number in range(60):
        size, other = ends[number % 6], ends[number // 6 % 6]
        changed: dict[str, Value] = {
            "receive_size": size,
            "send_size": other,
            "receive_width": 2**32 - 1,
            "send_width": 2**31,
            "receive_align": 1 << 20,
            "send_align": 1 << 20,
            "send_offset": 1 << 20,
            "receive_buffer": -1 if number % 2 else other,
            "request_size": size,
            "response_size": other,
            "direction": (frames.RECEIVE, frames.TRANSMIT, 6)[number % 3],
            "length": (LONGEST, 0, other)[number // 3 % 3],
        }
        with contextlib.suppress(AssertionError):  # it is refused
            port = data_port(control, omni(**changed))
            with connect((HERE, port)) as data, contextlib.suppress(OSError):
                data.sendall(b"x" * 1000)
            assert answer(control) is not None


def port_storm(place: Place, stack: ExitStack) -> None:
    """Two hundred connections that each ask for a data port, and never use it."""
    for number in range(200):
        control = stack.enter_context(connect(place))
        control.sendall(omni(**(UDP if number % 2 else {}), port=20000 + number).pack())


def thousand_silent(place: Place, stack: ExitStack) -> None:
    for _ in range(1000):
        stack.enter_context(connect(place))


def killed_client(place: Place, stack: ExitStack) -> None:
    """Stock netperf, several tests of it, killed in the middle."""
    clients = [
        subprocess.Popen(
            ["netperf", "-H", HERE, "-L", ATTACKER, "-p", str(place[1]), "-t", test, "-l", str(LONGEST)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for test in ("TCP_STREAM", "TCP_MAERTS", "UDP_RR")
    ]
    time.sleep(0.5)
    for client in clients:
        client.kill()
        client.wait()


def no_data(place: Place, stack: ExitStack) -> None:
    """The data socket is never connected; or it is, and nothing is sent, or nothing read."""
    exchange: dict[str, Value] = {"direction": 6, "request_size": 1 << 20, "response_size": 1 << 20}
    stack.enter_context(connect(place)).sendall(omni(**UDP).pack())
    requests = (omni(), omni(direction=frames.TRANSMIT, length=0), omni(**exchange, flags=Flag.CONNECTION))
    for number, request in enumerate(requests):
        control = stack.enter_context(connect(place))
        data = stack.enter_context(connect((HERE, data_port(control, request))))
        if number == 2:
            data.sendall(b"x" * 1000)


def unread_results(place: Place, stack: ExitStack) -> None:
    """Requests whose answers are never read, as many as the server takes."""
    for _ in range(3):
        control = stack.enter_context(connect(place))
        control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        control.settimeout(0.3)
        with contextlib.suppress(OSError):
            while True:
                control.sendall(Frame(Kind.CALIBRATE).pack())


def third_party(place: Place, stack: ExitStack) -> None:
    """Datagrams and connections from elsewhere to every port that is open, the other client's data port among them."""
    stranger = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    stranger.bind((ATTACKER, 0))
    end = time.monotonic() + BESIDE_SECONDS
    while time.monotonic() < end:
        for name in ("udp", "tcp"):
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                port = int(line.split()[1].partition(":")[2], 16)
                if name == "udp":
                    for payload in (b"", b"x" * 999):
                        with contextlib.suppress(OSError):
                            stranger.sendto(payload, (HERE, port))
                elif line.split()[3] == "0A" and port != place[1]:
                    with contextlib.suppress(OSError), socket.socket() as made:
                        made.bind((ATTACKER, 0))
                        made.setblocking(False)
                        made.connect((HERE, port))
        time.sleep(0.01)


def absurd_cpus(place: Place, stack: ExitStack) -> None:
    for number in (2**31 - 1, 2**31 - 2, 1 << 20, 1 << 16, 65535, 4095, -2, -(2**31)):
        with connect(place) as control:
            control.sendall(Frame(Kind.OMNI, number, omni(protocol=132).payload).pack())
            assert answer(control) is not None
            data_port(control, Frame(Kind.OMNI, number, omni().payload))


def wrong_passphrases(place: Place, stack: ExitStack) -> None:
    """Here no passphrase is wanted, and every client is served all the same."""
    for number in range(100):
        control = stack.enter_context(connect(place))
        control.sendall(Frame(Kind.PASSPHRASE, -1, b"x" * (number % 649)).pack())
        control.close()


ATTACKS: dict[Attack, str] = {
    random_frames: "TCP_RR",
    half_frames: "TCP_STREAM",
    wrong_types: "UDP_RR",
    huge_sizes: "TCP_RR",
    port_storm: "TCP_CRR",
    thousand_silent: "TCP_RR",
    killed_client: "TCP_RR",
    no_data: "TCP_MAERTS",
    unread_results: "TCP_RR",
    third_party: "UDP_STREAM",
    absurd_cpus: "TCP_STREAM",
    wrong_passphrases: "UDP_RR",
}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Process, int]]:
    with netserver("--max-tests", str(PLACES), "--max-length", str(LONGEST)) as (process, port):
        throughput(beside(port))  # what is imported and cached once, is now
        until(lambda: not process.children(), "a child is left")
        yield process, port


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_harms_nobody(attack: Attack, server: tuple[Process, int]) -> None:
    process, port = server
    descriptors, resident = process.descriptors(), process.resident()
    client = beside(port, ATTACKS[attack])
    with ExitStack() as stack:
        attack((HERE, port), stack)
        most, memory = len(process.children()), process.family_bytes()
        late = beside(port)
        quick(port)
        assert throughput(client) > 0
        assert throughput(late) > 0
        most = max(most, len(process.children()))
    assert most <= PLACES
    assert memory < ALL_BYTES
    until(lambda: not process.children(), "a child is left")
    until(lambda: process.descriptors() == descriptors, "descriptors are left")
    assert process.resident() - resident < LISTENER_BYTES
    quick(port)


def test_who_connects_in_the_middle_of_a_connection_test_is_kept_out(server: tuple[Process, int]) -> None:
    """One who would say nothing stood in the way of every connection behind."""
    _, port = server
    with connect((HERE, port)) as control, socket.socket() as other:
        request = omni(direction=6, request_size=1, response_size=1, flags=Flag.CONNECTION | Flag.ROUTING, length=-5)
        place = (HERE, data_port(control, request))
        other.bind((VICTIM, 0))
        other.setblocking(False)
        other.connect_ex(place)
        for _ in range(5):
            with connect(place) as data:
                data.sendall(b"?")
                assert len(data.recv(10)) == 1
        assert answer(control) is not None


FOREIGN = """
    ip link set lo up
    for each in 192.0.2.1 192.0.2.7 192.0.2.99; do ip address add $each/32 dev lo; done
    exec "$@"
"""


def abroad(script: str) -> str:
    """What a script prints in a network namespace with addresses that are no loopback; there alone two addresses are
    not known to be one host's, and the route to each prefers another of ours.
    """
    command = ["unshare", "--net", "sh", "-ec", FOREIGN, "sh", *PATHGAUGE[:1], "-c", script]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=root)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("direction", [frames.TRANSMIT, frames.RECEIVE | frames.TRANSMIT])
def test_a_third_address_is_not_sent_datagrams(direction: int, require_root: None) -> None:
    said = abroad(f"""
import socket
from tests.interop.test_netperf_attack import *
with netserver() as (process, port), socket.socket(type=socket.SOCK_DGRAM) as victim:
    victim.bind(("192.0.2.99", 0))
    victim.settimeout(0.5)
    request = omni(**UDP, direction={direction}, request_size=1, response_size=60000, length=1,
                   client_ip=frames.pack_address("192.0.2.99"), client_port=victim.getsockname()[1])
    with connect(("192.0.2.1", port), source="192.0.2.7") as control:
        control.sendall(request.pack())
        print(answer(control).status)
    try:
        victim.recv(1)
        print("flooded")
    except TimeoutError:
        print("in peace")
""")
    assert said == "13\nin peace\n"


@pytest.mark.parametrize("test", ["UDP_RR", "UDP_STREAM", "TCP_RR"])
def test_data_from_another_address_of_the_client(test: str, require_root: None) -> None:
    said = abroad(f"""
import subprocess
from tests.interop.test_netperf_attack import *
with netserver() as (process, port):
    words = ["netperf", "-P", "0", "-H", "192.0.2.1", "-L", "192.0.2.7", "-p", str(port), "-t", "{test}", "-l", "1"]
    subprocess.run([*words, "--", "-L", "192.0.2.99", "-k", "THROUGHPUT"], check=True)
""")
    assert float(said.removeprefix("THROUGHPUT=")) > 100


# --- the options that keep strangers within bounds --------------------------------------------------------------------


def test_who_lacks_the_passphrase_gets_nothing() -> None:
    with netserver("-Z", "secret", "--max-tests", "2") as (process, port):
        client = beside(port, "TCP_RR", "-Z", "secret")
        for phrase in (b"", b"secre", b"secret1", b"Secret", b"\xff" * 648):
            assert ask(connect((HERE, port)), Frame(Kind.PASSPHRASE, -1, phrase)) is None
        assert ask(connect((HERE, port)), omni()) is None
        assert throughput(client) > 0
        until(lambda: not process.children(), "a child is left")


def test_allow_keeps_others_out() -> None:
    with netserver("--allow", "127.0.0.0/26", "--allow", "::1") as (process, port):
        assert throughput(beside(port)) > 0
        quick(port, "::1")
        descriptors = process.descriptors()
        for _ in range(50):
            assert ask(connect((HERE, port)), Frame(Kind.CALIBRATE)) is None
        until(lambda: process.descriptors() == descriptors, "descriptors are left")
        assert not process.children()


def test_one_place_goes_round_and_most_tests_hold() -> None:
    with netserver("--max-tests", "1") as (process, port):
        clients = [beside(port) for _ in range(3)]
        most = 0
        while any(client.poll() is None for client in clients):
            most = max(most, len(process.children()))
            time.sleep(0.02)
        assert all(throughput(client) > 0 for client in clients)
        assert most == 1


def test_limits_of_a_test_and_data_ports() -> None:
    low = free_port()
    options = ("--max-length", "2", "--max-buffer", "64K", "--max-size", "8K", "--data-ports", f"{low}-{low + 1}")
    with netserver(*options) as (_, port):
        for changed in ({"length": 3}, {"receive_buffer": 65537}, {"receive_size": 8193}):
            response = ask(connect((HERE, port)), omni(**changed))
            assert response is not None
            assert response.status != 0
        with connect((HERE, port)) as control:
            assert data_port(control, omni(length=2, receive_size=8192, port=low + 2)) in (low, low + 1)
        assert throughput(beside(port, "TCP_RR")) > 0


def test_without_descriptors_it_waits_and_does_not_spin() -> None:
    with netserver(prefix=("prlimit", "--nofile=32:32")) as (process, port), ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect((HERE, port)))
        before = process.cpu_seconds()
        time.sleep(1)
        assert process.cpu_seconds() - before < 0.3
        stack.close()
        until(lambda: process.descriptors() < 20, "descriptors are left")
        assert throughput(beside(port)) > 0


def test_one_client_after_the_other() -> None:
    with netserver("-f") as (process, port):
        clients = [beside(port), beside(port, "UDP_RR")]
        with connect((HERE, port)) as control:
            control.sendall(b"half a message")
            assert all(throughput(client) > 0 for client in clients)
        assert ask(connect((HERE, port)), Frame(4)) is not None
        assert len(process.children()) <= 1
        quick(port)


@pytest.mark.parametrize(
    ("options", "open_at", "closed_at"),
    [
        (("-4",), HERE, "::1"),
        (("-6",), "::1", HERE),
        (("-L", "127.0.0.5"), "127.0.0.5", HERE),
        (("-L", "::1"), "::1", HERE),
    ],
)
def test_where_it_listens(options: tuple[str, ...], open_at: str, closed_at: str) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*PATHGAUGE, "netserver", "-D", "-p", str(port), *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        shown = f"[{open_at}]" if ":" in open_at else open_at
        line = process.stdout.readline()
        assert line.startswith("pathgauge netserver listens on ")
        assert f":{port}\n" in line
        assert "-L" not in options or shown in line
        quick(port, open_at)
        with pytest.raises(OSError, match="refused"):
            connect((closed_at, port), source="")
    finally:
        process.terminate()
        process.communicate(timeout=10)


# --- its beginning and its end ----------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_its_end_is_its_childrens(number: signal.Signals) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*PATHGAUGE, "netserver", "-D", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    reached(port)
    with connect((HERE, port)) as control, connect((HERE, data_port(control, omni(direction=frames.TRANSMIT)))):
        children = Process(process.pid).children()
        assert len(children) == 1
        process.send_signal(number)
        _, said = process.communicate(timeout=5)
        assert process.returncode == (143 if number == signal.SIGTERM else -number)
        assert said == ("pathgauge: terminated\n" if number == signal.SIGTERM else "")
        until(lambda: not any(alive(pid) for pid in children), "a child lives on")


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server((HERE, 0)) as other:
        port = other.getsockname()[1]
        words = [*PATHGAUGE, "netserver", "-D", "-p", str(port)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"pathgauge: netserver cannot listen: port {port}: Address already in use",
        "  name another port or address: -p PORT, -L ADDRESS",
    ]


def test_a_daemon_is_nobodys_and_ends_when_told(tmp_path: Path) -> None:
    port = free_port()
    words = [*PATHGAUGE, "netserver", "-p", str(port), "-L", HERE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)  # its output has an end
    (found,) = re.findall(r"in the background as process (\d+)", done.stdout)
    daemon = Process(int(found))
    try:
        quick(port)
        assert throughput(beside(port)) > 0
        state = (daemon.folder / "stat").read_text().rpartition(")")[2].split()
        assert (int(state[1]) != os.getpid(), int(state[3]) != os.getsid(0)) == (True, True)
        assert {os.readlink(daemon.folder / "fd" / str(number)) for number in range(3)} == {"/dev/null"}
        assert os.readlink(daemon.folder / "cwd") == "/"
    finally:
        os.kill(daemon.pid, signal.SIGTERM)
    until(lambda: not alive(daemon.pid), "it lives on")


@pytest.mark.parametrize(("options", "served"), [((), True), (("--allow", "192.0.2.0/24"), False), (("-v", "2"), True)])
def test_inetd_hands_it_a_connection(options: tuple[str, ...], served: bool) -> None:
    """Standard input, output and error are the connection, as inetd has them: nothing but messages goes there."""
    with socket.create_server((HERE, 0)) as listener:
        port = listener.getsockname()[1]
        client = beside(port) if served else None
        control = connect((HERE, port)) if client is None else None
        accepted, _ = listener.accept()
        with accepted:
            process = subprocess.Popen(
                [*PATHGAUGE, "netserver", *options],
                stdin=accepted.fileno(),
                stdout=accepted.fileno(),
                stderr=accepted.fileno(),
            )
    if client is not None:
        assert throughput(client) > 0
    if control is not None:
        assert ask(control, Frame(Kind.CALIBRATE)) is None
    assert process.wait(10) == 0
