"""Each of the two clients against each of the two servers, stock netperf's and ours, in every test and variant.

`make test` runs a part of the table in which every two of client, server, test and variant meet; with
PATHGAUGE_INTEROP=whole, as `make interop` sets it, every cell is run.
"""

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pathgauge.paths.lab import Lab
from pathgauge.paths.types import BuiltPath, PathSpec, WireSpec
from tests.netns.lab_processes import PATHGAUGE

pytestmark = pytest.mark.long
PROGRAMS = ("ours", "stock")
BOTH = list(itertools.product(PROGRAMS, PROGRAMS))
CLIENTS = {"ours": [*PATHGAUGE, "netperf"], "stock": ["netperf"]}
SERVERS = {"ours": [*PATHGAUGE, "netserver", "-D"], "stock": ["netserver", "-D"]}
ADDRESSES = {4: "127.0.0.1", 6: "::1"}
CPUS = os.cpu_count() or 1
Found = dict[str, float]


@pytest.fixture(scope="module", autouse=True)
def peers() -> None:
    missing = [name for name in ("netserver", "netperf") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' '.join(missing)}: scripts/ installs the peers")


# The table ------------------------------------------------------------------------------------------------------------

# What each test's cells move unless the time is the point: bytes or transactions that take some 0.1 s.
LIMITS = {
    "TCP_STREAM": 100_000_000,
    "TCP_MAERTS": 100_000_000,
    "TCP_SENDFILE": 100_000_000,
    "TCP_RR": 2000,
    "TCP_CRR": 500,
    "TCP_CC": 500,
    "TCP_MSS": 1,
    "UDP_STREAM": 20_000_000,
    "UDP_RR": 2000,
    "OMNI": 100_000_000,
    "LOC_CPU": 1,
    "REM_CPU": 1,
}
SELECTED = (
    "THROUGHPUT,THROUGHPUT_UNITS,ELAPSED_TIME,LOCAL_SEND_SIZE,LOCAL_RECV_SIZE,REMOTE_SEND_SIZE,REMOTE_RECV_SIZE,"
    "REQUEST_SIZE,RESPONSE_SIZE,LOCAL_BYTES_SENT,LOCAL_BYTES_RECVD,REMOTE_BYTES_SENT,REMOTE_BYTES_RECVD,"
    "LSS_SIZE,RSR_SIZE,PROTOCOL,DIRECTION"
)
SELECTED_CPU = "THROUGHPUT,ELAPSED_TIME,LOCAL_SEND_THROUGHPUT,LOCAL_CPU_UTIL,REMOTE_CPU_UTIL,LOCAL_SD,REMOTE_SD"
VARIANTS: dict[str, tuple[list[str], list[str]]] = {  # options before -- and behind it
    "limited": ([], []),
    "timed": ([], []),
    "cpu": (["-c", "-C"], []),
    "confidence": (["-i", "3,2", "-I", "95,10"], []),
    "verbose": (["-v", "2"], []),
    "interim": (["-D", "0.2"], []),
    "keyval": ([], ["-k", SELECTED]),
    "keyval-cpu": (["-c", "-C"], ["-k", SELECTED_CPU]),
    "ipv6": (["-6"], []),
    "bound": (["-T", f"0,{min(1, CPUS - 1)}"], []),
    "sizes": ([], ["-s", "32K", "-S", "48K"]),
    "nodelay": ([], ["-D"]),
}
SIZES = {  # what `sizes` asks for besides, and what is to be printed for it
    "TCP_STREAM": ("-m 4K -M 8K", {"LOCAL_SEND_SIZE": 4096}),
    "TCP_MAERTS": ("-m ,4K -M ,8K", {"REMOTE_SEND_SIZE": 4096}),
    "TCP_SENDFILE": ("-m 4K -M 8K", {"LOCAL_SEND_SIZE": 4096}),
    "TCP_RR": ("-r 64,128", {"REQUEST_SIZE": 64, "RESPONSE_SIZE": 128}),
    "TCP_CRR": ("-r 64,128", {"REQUEST_SIZE": 64, "RESPONSE_SIZE": 128}),
    "TCP_CC": ("", {}),
    "TCP_MSS": ("", {}),
    "UDP_STREAM": ("-m 1400", {"LOCAL_SEND_SIZE": 1400}),
    "UDP_RR": ("-r 64,128", {"REQUEST_SIZE": 64, "RESPONSE_SIZE": 128}),
    "OMNI": ("-m 4K", {"LOCAL_SEND_SIZE": 4096}),
}
TIMED = {"timed", "interim"}
CONNECTIONS = {"TCP_CRR", "TCP_CC"}
COUNTED = {"TCP_RR", "TCP_CRR", "TCP_CC", "UDP_RR"}

Cell = tuple[str, str, str, str]  # client, server, test, variant


def left_out(server: str, test: str, variant: str) -> str:
    """Why there is no such cell; "" where there is one."""
    calibration = test in ("LOC_CPU", "REM_CPU")
    if calibration and variant in ("sizes", "nodelay", "keyval", "keyval-cpu"):
        return "calibration has no options of its own"
    if (calibration or test == "TCP_MSS") and variant in ("limited", "timed", "interim", "confidence", "cpu"):
        return "nothing is moved: it is the same as without the option"
    if test in ("TCP_SENDFILE", "TCP_CC", "TCP_MSS") and variant.startswith("keyval"):
        return "the older protocol's tests have no selectors: ours says so, stock complains and runs on"
    if server == "stock" and test == "TCP_SENDFILE" and variant == "confidence":
        return "stock netserver resets the data connection of the second iteration, whoever the client is"
    if test.startswith("UDP") and variant == "nodelay":
        return "UDP has no Nagle's algorithm: stock complains and runs on"
    return ""


CELLS: list[Cell] = [
    (client, server, test, variant)
    for test, variant, server, client in itertools.product(LIMITS, VARIANTS, PROGRAMS, PROGRAMS)
    if not left_out(server, test, variant)
]


def pairs(cell: Cell) -> frozenset[tuple[tuple[int, str], ...]]:
    """Every two factors' values that meet in a cell."""
    return frozenset(itertools.combinations(enumerate(cell), 2))


def covering(cells: Sequence[Cell]) -> list[Cell]:
    """Few of the cells in which every two values meet that meet in any: always the one that brings most new ones, the
    first of several.
    """
    meet = {cell: pairs(cell) for cell in cells}
    left = set().union(*meet.values())
    chosen = []
    while left:
        best = max(meet, key=lambda cell: len(meet[cell] & left))
        left -= meet.pop(best)
        chosen.append(best)
    return chosen


def chosen_cells() -> list[Cell]:
    return CELLS if os.environ.get("PATHGAUGE_INTEROP") == "whole" else covering(CELLS)


def command(cell: Cell) -> list[str]:
    """The client's command line, but for where the server is."""
    client, _, test, variant = cell
    before, behind = VARIANTS[variant]
    if variant == "sizes":
        behind = behind + SIZES[test][0].split()
    return [*CLIENTS[client], "-t", test, "-l", length(cell), *before, "--", *behind]


def length(cell: Cell) -> str:
    client, _, test, variant = cell
    if variant not in TIMED:
        return str(-LIMITS[test] * (10 if "cpu" in variant and test not in CONNECTIONS else 1))
    # parts of a second are ours alone; a connection test of ours waits for a stock server's timer in any case
    return "0.5" if client == "ours" and variant == "timed" else "1"


# What the programs print ----------------------------------------------------------------------------------------------

STREAM = ("RECEIVER", "SENDER", "SEND_SIZE", "ELAPSED_TIME", "THROUGHPUT")
TRANSACTIONS = ("LSS_SIZE", "LSR_SIZE", "REQUEST_SIZE", "RESPONSE_SIZE", "ELAPSED_TIME", "THROUGHPUT")
DATAGRAMS = ("LSS_SIZE", "LOCAL_SEND_SIZE", "ELAPSED_TIME", "LOCAL_SEND_CALLS", "FAILED", "THROUGHPUT")
ARRIVED = ("RSR_SIZE", "ELAPSED_TIME", "REMOTE_RECV_CALLS", "RECEIVED")
OMNI = ("LSS_SIZE", "RSR_SIZE", "LOCAL_SEND_SIZE", "ELAPSED_TIME", "THROUGHPUT")
CPU = ("LOCAL_CPU_UTIL", "REMOTE_CPU_UTIL", "LOCAL_SD", "REMOTE_SD")
OMNI_CPU = {6: "LOCAL_CPU_UTIL", 13: "REMOTE_CPU_UTIL", 20: "LOCAL_SD", 21: "REMOTE_SD"}  # by column


def rows(printed: str) -> list[list[str]]:
    """The lines of numbers, as words."""
    return [line.split() for line in printed.splitlines() if re.match(r" *-?\d", line)]


def keyval(printed: str) -> Found:
    """The NAME=VALUE lines whose values are numbers."""
    return {name: float(value) for name, value in re.findall(r"^([A-Z_]+)=(-?[\d.]+)$", printed, re.MULTILINE)}


def numbers(names: Sequence[str], row: Sequence[str]) -> Found:
    return {name: float(value) for name, value in zip(names, row, strict=False)}


def classic(test: str, printed: str) -> Found:
    """What a classic layout says, by the names that the selectors have for it."""
    table = rows(printed)
    if test == "OMNI":
        found = numbers(OMNI, table[0])
        found |= {name: float(table[0][column]) for column, name in OMNI_CPU.items() if column < len(table[0])}
        return found
    if test in ("LOC_CPU", "REM_CPU"):
        return {"RATE": float(table[0][0])}
    if test == "TCP_MSS":
        return {"TRANSPORT_MSS": float(table[0][0])}
    if test == "UDP_STREAM":
        names = (*DATAGRAMS, "LOCAL_CPU_UTIL", "LOCAL_SD"), (*ARRIVED, "REMOTE_CPU_UTIL", "REMOTE_SD")
        return numbers(names[0], table[0]) | numbers(names[1], table[1])
    if test in COUNTED:
        return numbers((*TRANSACTIONS, *CPU), table[0]) | numbers(("RSS_SIZE", "RSR_SIZE"), table[1])
    near, far = ("REMOTE", "LOCAL") if test == "TCP_MAERTS" else ("LOCAL", "REMOTE")
    names_of = {"SEND_SIZE": f"{near}_SEND_SIZE", "SENDER": f"{near[0]}SS_SIZE", "RECEIVER": f"{far[0]}SR_SIZE"}
    found = numbers((*STREAM, *CPU), table[0])
    return {names_of.get(name, name): value for name, value in found.items()}


def check_numbers(cell: Cell, found: Found, printed: str) -> None:
    """That what was printed is in range, and as asked."""
    _, _, test, variant = cell
    if test in ("LOC_CPU", "REM_CPU"):
        assert found["RATE"] == os.sysconf("SC_CLK_TCK")
        assert ("cpus" in printed) == (variant == "verbose")
        return
    if test == "TCP_MSS":
        assert 500 < found["TRANSPORT_MSS"] < 65536
        return
    assert found["THROUGHPUT"] > 0
    assert found.get("RECEIVED", 1.0) > 0
    if variant in TIMED:
        asked = float(length(cell))
        assert 0.95 * asked <= found["ELAPSED_TIME"] < asked + 0.5
    else:
        assert 0 <= found["ELAPSED_TIME"] < 10
    if "cpu" in variant:
        assert all(0 <= found[f"{end}_CPU_UTIL"] <= 100 for end in ("LOCAL", "REMOTE"))
        check_demand(test, found)
    if variant == "sizes":
        expected = SIZES[test][1]
        assert {name: found[name] for name in expected} == expected
        assert found.get("LSS_SIZE", 65536) == 65536  # Linux doubles what is asked for
        assert found.get("RSR_SIZE", 98304) == 98304


def check_demand(test: str, found: Found) -> None:
    """That service demand follows from utilisation and rate: us of all CPUs for each transaction or KiB."""
    # datagrams cost what they cost whether or not they arrive; where few names are printed, THROUGHPUT is what did
    rate = found.get("LOCAL_SEND_THROUGHPUT", found["THROUGHPUT"]) if test == "UDP_STREAM" else found["THROUGHPUT"]
    per_second = rate if test in COUNTED else rate * 1e6 / 8 / 1024
    for end in ("LOCAL", "REMOTE"):
        demand = found[f"{end}_CPU_UTIL"] * 1e4 * CPUS / per_second
        rounding = 0.0006 + demand * 0.06 / max(rate, 1) + 0.006 * 1e4 * CPUS / per_second
        # stock takes the other end's where one end's utilisation is exactly zero
        assert abs(found[f"{end}_SD"] - demand) <= rounding or found[f"{end}_CPU_UTIL"] == 0


def check_keyval(cell: Cell, found: Found, printed: str) -> None:
    """That every name asked for is there, and that as much was moved as was asked for."""
    _, _, test, variant = cell
    if variant != "keyval":
        return
    for name in SELECTED.split(","):
        assert f"{name}=" in printed
    limit = LIMITS[test]
    if test in COUNTED:
        assert found["LOCAL_BYTES_SENT"] == found["LOCAL_BYTES_RECVD"] == limit
        assert found["REMOTE_BYTES_RECVD"] == limit
    else:
        inward = test == "TCP_MAERTS"
        moved = found["LOCAL_BYTES_RECVD" if inward else "LOCAL_BYTES_SENT"]
        size = found["REMOTE_SEND_SIZE" if inward else "LOCAL_SEND_SIZE"]
        assert limit <= moved <= limit + size


def check_shape(cell: Cell, printed: str) -> None:
    """What a variant adds to what is printed."""
    client, _, test, variant = cell
    interims = re.findall(r"^Interim result: +([\d.]+) \S+ over (\d\.\d+) seconds", printed, re.MULTILINE)
    if variant == "interim":
        seconds = [float(each) for _, each in interims]
        assert seconds
        assert all(float(rate) > 0 for rate, _ in interims)
        if client == "ours":  # stock's come when enough was moved, be that late, and may lack the rest
            assert all(0.2 <= each < 0.4 for each in seconds[:-1])
            assert 0.9 < sum(seconds) < 1.5
    else:
        assert not interims
    second = variant == "verbose" and test not in ("OMNI", "UDP_STREAM", "UDP_RR", "TCP_MSS", "LOC_CPU", "REM_CPU")
    assert ("Alignment" in printed) == second
    iterates = variant == "confidence" and test != "TCP_CC"
    assert ("% conf." in printed) == (variant == "confidence")
    assert iterates or "!!!" not in printed
    assert (" : cpu bind" in printed) == (variant == "bound" and test not in ("LOC_CPU", "REM_CPU"))
    assert (" : nodelay" in printed) == (variant == "nodelay")
    assert ("AF_INET6" in printed) == (variant == "ipv6" and test not in ("LOC_CPU", "REM_CPU"))


# Running --------------------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that neither family uses."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as finder:
        return int(finder.getsockname()[1])


@contextmanager
def serving(program: str, family: int, port: int, *options: str) -> Iterator[None]:
    """A server on the loopback address of a family."""
    words = [*SERVERS[program], f"-{family}", "-L", ADDRESSES[family], "-p", str(port), *options]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(process, ADDRESSES[family], port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def wait_for(process: subprocess.Popen[bytes], address: str, port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def ports(peers: None) -> Iterator[dict[str, int]]:
    """The port of each server, of ours and of the stock one, in both families."""
    with ExitStack() as stack:
        found = {}
        for program in PROGRAMS:
            found[program] = free_port()
            for family in ADDRESSES:
                stack.enter_context(serving(program, family, found[program]))
        yield found


def run(words: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)


def at(port: int, words: Sequence[str], family: int = 4) -> list[str]:
    """A command line with where the server is, in front of its first option."""
    place = next(place for place, word in enumerate(words) if word == "-t")
    return [*words[:place], "-H", ADDRESSES[family], "-p", str(port), *words[place:]]


@pytest.mark.parametrize("cell", chosen_cells(), ids="-".join)
def test_every_client_measures_with_every_server(cell: Cell, ports: dict[str, int]) -> None:
    _, server, test, variant = cell
    done = run(at(ports[server], command(cell), 6 if variant == "ipv6" else 4))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = keyval(done.stdout) if variant.startswith("keyval") else classic(test, done.stdout)
    check_numbers(cell, found, done.stdout)
    check_keyval(cell, found, done.stdout)
    check_shape(cell, done.stdout)


@pytest.mark.parametrize("client", PROGRAMS)
def test_service_demand_is_that_of_the_printed_utilisation(client: str, ports: dict[str, int]) -> None:
    """By the same formula in both clients, of a run long enough that all of its digits are there."""
    for test in ("TCP_STREAM", "TCP_RR"):
        words = [*CLIENTS[client], "-t", test, "-l", "1", "-c", "-C"]
        done = run(at(ports["stock"], words))
        assert done.returncode == 0, done.stdout + done.stderr
        found = classic(test, done.stdout)
        assert all(0 < found[f"{end}_CPU_UTIL"] <= 100 for end in ("LOCAL", "REMOTE"))
        check_demand(test, found)
        # Both ends are this machine, and saw the same second: two ticks of 10 ms at its start and end are 4 %.
        assert found["LOCAL_CPU_UTIL"] == pytest.approx(found["REMOTE_CPU_UTIL"], abs=4)


def test_a_json_document_stands_alone_and_has_a_name(ports: dict[str, int]) -> None:
    words = [*CLIENTS["ours"], "-t", "TCP_RR", "-l", "-1000", "--percentiles", "99.9", "--json"]
    first, second = (json.loads(run(at(ports["stock"], words)).stdout) for _ in range(2))
    assert first["THROUGHPUT"] > 0
    assert 0 < first["P50_LATENCY"] <= first["P999_LATENCY"] <= first["MAX_LATENCY"]
    assert len({first["UUID"], second["UUID"], ""}) == 3


# A shaped wire --------------------------------------------------------------------------------------------------------

RATE = 500_000_000


def within(namespace: int, *words: str) -> list[str]:
    """The command line that runs a command in the network namespace behind one of this process's descriptors."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", *words]


@contextmanager
def serving_a_path(program: str, path: BuiltPath, port: int) -> Iterator[None]:
    """A server in a path's server namespace; it is ready when a client of its own namespace reaches it."""
    assert path.server_namespace is not None
    address = path.server_addresses["ipv4"]
    words = within(path.server_namespace, *SERVERS[program], "-4", "-L", address, "-p", str(port))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    probe = within(path.client_namespace, *CLIENTS["stock"], "-H", address, "-p", str(port), "-t", "REM_CPU")
    try:
        end = time.monotonic() + 10
        while run(probe).returncode != 0:
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < end, "it does not listen"
        yield
    finally:
        process.terminate()
        process.wait(10)


def test_the_four_agree_on_the_rate_of_a_shaped_wire(require_root: None) -> None:
    found = {}
    with Lab.build([PathSpec("host", "host")], WireSpec(rate=RATE)) as lab, ExitStack() as stack:
        path = lab.paths["host"]
        ports_there = {"ours": 12865, "stock": 12866}
        for program, port in ports_there.items():
            stack.enter_context(serving_a_path(program, path, port))
        for client, server in BOTH:
            where = ["-H", path.server_addresses["ipv4"], "-p", str(ports_there[server])]
            words = [*CLIENTS[client], *where, "-t", "TCP_STREAM", "-l", "2", "--", "-m", "64K"]
            done = run(within(path.client_namespace, *words))
            assert done.returncode == 0, done.stdout + done.stderr
            found[client, server] = classic("TCP_STREAM", done.stdout)["THROUGHPUT"]
    assert max(found.values()) < 1.03 * min(found.values()), found
    assert all(0.9 * RATE < 1e6 * rate < 1.03 * RATE for rate in found.values()), found


# Command lines of the world -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("client", "server"), BOTH)
def test_the_command_line_of_2007_as_it_was_meant(client: str, server: str, ports: dict[str, int]) -> None:
    """`netperf -H HOST -i 30,3 -l 20 -t TCP_STREAM -- -m 1400 -s 128K -S 128K`, of some bytes instead of 20 s."""
    words = [*CLIENTS[client], "-i", "30,3", "-l", "-20000000", "-t", "TCP_STREAM"]
    words += ["--", "-m", "1400", "-s", "128K", "-S", "128K"]
    done = run(at(ports[server], words))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " : +/-2.500% @ 99% conf. " in done.stdout
    found = classic("TCP_STREAM", done.stdout)
    assert (found["LOCAL_SEND_SIZE"], found["LSS_SIZE"], found["RSR_SIZE"]) == (1400, 262144, 262144)
    assert found["THROUGHPUT"] > 0


@pytest.mark.parametrize("client", PROGRAMS)
def test_the_command_line_of_2007_as_it_was_typed(client: str) -> None:
    """HOST was forgotten: the word behind -H is taken for one, and it is none."""
    typed = "-H -i 30,3 -l 20 -t TCP_STREAM -- -m 1400 -S 128K -S 128K"
    done = run([*CLIENTS[client], *typed.split()])
    assert done.returncode == 255
    assert "-i" in done.stdout + done.stderr


@pytest.mark.parametrize("client", PROGRAMS)
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-H", "127.0.0.1", "-p", "1", "-t", "TCP_STREAM"], 255),
        (["-H", "no-such-host.invalid", "-t", "TCP_STREAM"], 255),
        (["-t", "OMNI", "--", "-k", "?"], 1),
        (["-h"], 1),
        (["-V"], 0),
    ],
)
def test_exit_codes_are_those_of_netperf(client: str, words: list[str], code: int) -> None:
    assert run([*CLIENTS[client], *words]).returncode == code


@pytest.mark.parametrize(("client", "server"), BOTH)
def test_a_passphrase_opens_and_a_wrong_one_does_not(client: str, server: str) -> None:
    port = free_port()
    with serving(server, 4, port, "-Z", "open sesame"):
        for passphrase, code in (("open sesame", 0), ("open", 1)):
            words = at(port, [*CLIENTS[client], "-Z", passphrase, "-t", "TCP_RR", "-l", "-10"])
            done = run(words)
            assert done.returncode == code, (passphrase, done.stdout, done.stderr)


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A folder with links to pathgauge by the names of the two programs."""
    script = Path(sys.executable).parent / "pathgauge"
    if not script.exists():
        script = tmp_path / "pathgauge"
        script.write_text(f"#!{sys.executable}\nimport sys\nfrom pathgauge.cli.main import main\nsys.exit(main())\n")
        script.chmod(0o755)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("netperf", "netserver"):
        (folder / name).symlink_to(script)
    return folder


def test_a_link_by_a_programs_name_is_that_program(links: Path) -> None:
    port = free_port()
    server = subprocess.Popen(
        [links / "netserver", "-D", "-4", "-L", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(server, "127.0.0.1", port)
        done = run([str(links / "netperf"), "-H", "127.0.0.1", "-p", str(port), "-t", "TCP_RR", "-l", "-100"])
    finally:
        server.terminate()
        server.wait(10)
    assert done.returncode == 0, done.stdout + done.stderr
    assert classic("TCP_RR", done.stdout)["THROUGHPUT"] > 0
    assert "as netperf" in run([str(links / "netperf"), "-V"]).stdout
    assert "as netserver" in run([str(links / "netserver"), "-V"]).stdout


# The covering array itself --------------------------------------------------------------------------------------------


def test_every_two_values_meet_in_the_part_that_is_run() -> None:
    chosen = covering(CELLS)
    every = set().union(*map(pairs, CELLS))
    assert set().union(*map(pairs, chosen)) == every
    assert len(chosen) < len(CELLS) / 3
    assert chosen == covering(CELLS)
