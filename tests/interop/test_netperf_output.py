"""Stock netperf's own lines, read and printed again by ours: they are the same."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence

import pytest

from pathgauge.peers.netperf.output import banner, lines
from pathgauge.peers.netperf.record import Confidence, CpuUse, EndRecord, Record
from pathgauge.peers.netperf.selection import listing
from pathgauge.peers.netperf.selectors import P999
from pathgauge.peers.netperf.settings import RECEIVE, SEND, EndOptions, Output, Settings
from pathgauge.peers.netperf.units import UNITS

pytestmark = pytest.mark.long
BRAND = "a brand"
CPU_OPTIONS = {"": (), "c": ("-c",), "C": ("-C",), "cC": ("-c", "-C")}
BOTH = SEND | RECEIVE


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a netserver of our own."""
    missing = [name for name in ("netserver", "netperf") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' '.join(missing)}: scripts/ installs the peers")
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        free = int(finder.getsockname()[1])
    process = subprocess.Popen(
        ["netserver", "-D", "-4", "-L", "127.0.0.1", "-p", str(free)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 5
        while True:
            try:
                socket.create_connection(("127.0.0.1", free), timeout=1).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < end, "netserver does not listen"
                time.sleep(0.02)
        yield free
    finally:
        process.kill()
        process.wait()


def stock(port: int, *options: str) -> list[str]:
    """Every line that stock netperf prints with the options."""
    command = ["netperf", "-H", "127.0.0.1", "-p", str(port), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


# What it printed, as a record of ours


def blank_record(settings: Settings, first: str) -> Record:
    """A record with the ends as the banner line has them."""
    match = re.search(r" from (\S+) \((\S*)\) port (\d+) \S+ to (\S+) \((\S*)\) port (\d+) (\w+)", first)
    ends = match.groups() if match else ("0.0.0.0", "0.0.0.0", "0", "127.0.0.1", "", "0", "AF_INET")  # noqa: S104  # a word in a banner
    source, source_address, source_port, target, target_address, target_port, family = ends
    return Record(
        settings,
        source_name=source,
        source_address=source_address,
        source_port=int(source_port),
        target_name=target,
        target_address=target_address,
        target_port=int(target_port),
        family=family,
        local=EndRecord(settings.local),
        remote=EndRecord(settings.remote),
    )


def percentages(record: Record, rest: Sequence[str]) -> None:
    """Both ends' utilisation and service demand, where a row has them."""
    if rest[:1] and rest[0] != BRAND.split(maxsplit=1)[0]:
        local, remote = record.local.cpu, record.remote.cpu
        local.utilisation, remote.utilisation, local.demand, remote.demand = map(float, rest[:4])


def placing(record: Record, words: Sequence[str], near: str, far: str) -> None:
    align, far_align, offset, far_offset = map(int, words[:4])
    for end, way, values in (
        (record.local, near, (align, offset)),
        (record.remote, far, (far_align, far_offset)),
    ):
        setattr(end.asked, f"{way}_align", values[0])
        setattr(end.asked, f"{way}_offset", values[1])


def read_stream(record: Record, rows: list[list[str]]) -> None:
    inward = record.settings.test == "TCP_MAERTS"
    sender, receiver = (record.remote, record.local) if inward else (record.local, record.remote)
    receive_buffer, send_buffer, size, elapsed, rate, *rest = rows[0]
    receiver.receive_buffer, sender.send_buffer, sender.send_size = int(receive_buffer), int(send_buffer), int(size)
    record.elapsed, record.throughput = float(elapsed), float(rate)
    percentages(record, rest)
    if record.settings.verbosity < 2:
        return
    extra = next(row for row in rows[1:] if row[0].isdigit())
    near, far = ("receive", "send") if inward else ("send", "receive")
    placing(record, extra, near, far)
    near_each, near_calls, far_each, far_calls = map(float, extra[5:])
    moved = round(near_each * near_calls) if "e" in extra[4] else int(extra[4])
    for end, way, total, calls in (
        (record.local, near, moved, near_calls),
        (record.remote, far, round(far_each * far_calls), far_calls),
    ):
        setattr(end, f"{way}_calls", int(calls))
        setattr(end, "bytes_sent" if way == "send" else "bytes_received", total)
    record.mss = int(rows[-1][0])


def read_transactions(record: Record, rows: list[list[str]]) -> None:
    send, receive, request, response, elapsed, rate, *rest = rows[0]
    record.local.send_buffer, record.local.receive_buffer = int(send), int(receive)
    record.settings.request_size, record.settings.response_size = int(request), int(response)
    record.elapsed, record.throughput = float(elapsed), float(rate)
    percentages(record, rest)
    record.remote.send_buffer, record.remote.receive_buffer = map(int, rows[1])
    if record.settings.verbosity < 2 or record.settings.test == "UDP_RR":
        return
    extra = rows[-1]
    placing(record, extra, "send", "receive")
    if record.settings.test == "TCP_RR":
        # the same rate with three decimals, moved until it is printed as in the first row, and so is its inverse
        near = [float(extra[5]) + step * 1e-6 for step in range(-500, 501)]
        record.throughput = next(r for r in near if f"{r:.2f} {r:.3f} {1e6 / r:.3f}" == f"{rate} {extra[5]} {extra[4]}")
        unit = UNITS["m"].bytes_per_second
        record.local.bytes_sent = round(float(extra[6]) * unit * record.elapsed)
        record.local.bytes_received = round(float(extra[7]) * unit * record.elapsed)


def read_datagrams(record: Record, rows: list[list[str]]) -> None:
    local, remote = record.local, record.remote
    buffer, size, elapsed, good, bad, rate, *rest = rows[0]
    local.send_buffer, local.send_size, local.send_calls, local.failed_sends = map(int, (buffer, size, good, bad))
    record.elapsed, record.throughput = float(elapsed), float(rate)
    buffer, elapsed, good, rate, *far_rest = rows[1]
    remote.receive_buffer, remote.receive_calls, record.receive_throughput = int(buffer), int(good), float(rate)
    if rest:
        local.cpu.utilisation, local.cpu.demand = map(float, rest)
        remote.cpu.utilisation, remote.cpu.demand = map(float, far_rest)


def read_warning(record: Record, printed: list[str]) -> None:
    widths = [float(width) / 100 for width in re.findall(r"^!!! .*: (\S+)%$", "\n".join(printed), re.MULTILINE)]
    if widths:
        throughput, local, remote = widths
        record.confidence = Confidence(3, throughput, local, remote, reached=False)


def read(settings: Settings, printed: list[str]) -> Record:
    """A record with all that the lines say; `settings` are those of the run."""
    record = blank_record(settings, printed[0])
    read_warning(record, printed)
    text = "\n".join(printed)
    methods = re.search(r"% (\w)\s*(?:% )?(\w) ", text)
    if methods:
        record.local.cpu.method, record.remote.cpu.method = methods.groups()
    rows = [line.split() for line in printed if re.match(r" *-?\d", line)]
    if settings.test == "TCP_MSS":
        record.mss = int(rows[0][0])
    elif settings.verbosity == 0:
        read_single(record, rows[0])
    elif settings.transactions:
        read_transactions(record, rows)
    elif settings.test == "UDP_STREAM":
        read_datagrams(record, rows)
    else:
        read_stream(record, rows)
    return record


def read_single(record: Record, words: list[str]) -> None:
    if record.settings.local_cpu_wanted or record.settings.remote_cpu_wanted:
        cpu = CpuUse(demand=float(words[0]), method=words[1] if len(words) > 1 else "S")
        record.local.cpu = record.remote.cpu = cpu
    else:
        record.throughput = float(words[0])


SHAPES = {
    "TCP_STREAM": SEND,
    "TCP_MAERTS": RECEIVE,
    "TCP_SENDFILE": SEND,
    "UDP_STREAM": SEND,
    "TCP_RR": BOTH,
    "UDP_RR": BOTH,
    "TCP_CRR": BOTH,
    "TCP_CC": 0,
    "TCP_MSS": SEND,
}


def settings_of(
    test: str, cpu: str = "", verbosity: int = 1, banner: bool = True, output: Output = "classic"
) -> Settings:
    return Settings(
        test=test,
        direction=SHAPES[test],
        connection=test in ("TCP_CRR", "TCP_CC"),
        transport="udp" if test.startswith("UDP") else "tcp",
        verbosity=verbosity,
        banner=banner,
        brand=BRAND,
        local_cpu_wanted="c" in cpu,
        remote_cpu_wanted="C" in cpu,
        output=output,
        local=EndOptions(),
        remote=EndOptions(),
    )


def length(test: str) -> str:
    """Short, but long enough that what is printed has its digits; UDP_STREAM ends after no number of bytes."""
    return "1" if test == "UDP_STREAM" else "-2000" if SHAPES[test] != SEND and test != "TCP_MAERTS" else "-30000000"


@pytest.mark.interop
@pytest.mark.parametrize("headings", [True, False], ids=["headings", "bare"])
@pytest.mark.parametrize("cpu", CPU_OPTIONS)
@pytest.mark.parametrize("verbosity", [0, 1, 2])
@pytest.mark.parametrize("test", SHAPES)
def test_classic_layouts_are_those_of_netperf(port: int, test: str, verbosity: int, cpu: str, headings: bool) -> None:
    settings = settings_of(test, cpu, verbosity, headings)
    # -O 8: where netperf prints the remote offset in the alignment's column, the two are then the same
    settings.remote.receive_offset = 8
    printed = stock(
        port,
        *("-t", test, "-l", length(test), "-v", str(verbosity), "-P", str(int(headings)), "-B", BRAND, "-O", "8"),
        *CPU_OPTIONS[cpu],
    )
    record = read(settings, printed)
    ours = list(lines(record))
    assert [*([banner(record)] if headings else []), *ours] == printed


@pytest.mark.interop
@pytest.mark.parametrize("unit", "GMKBgmk")
@pytest.mark.parametrize("cpu", ["", "cC"])
@pytest.mark.parametrize("test", ["TCP_STREAM", "TCP_RR", "TCP_SENDFILE"])
def test_units_are_called_as_netperf_calls_them(port: int, test: str, cpu: str, unit: str) -> None:
    settings = settings_of(test, cpu)
    settings.units = unit
    options = ("-t", test, "-l", length(test), "-f", unit, "-B", BRAND)
    printed = stock(port, *options, *CPU_OPTIONS[cpu])
    record = read(settings, printed)
    assert [banner(record), *lines(record)] == printed


@pytest.mark.interop
def test_confidence_that_was_not_reached_has_the_shape_of_netperfs_warning(port: int) -> None:
    settings = settings_of("TCP_RR")
    settings.iterations_max, settings.width, settings.confidence_given = 3, 0.01, True
    printed = stock(port, "-t", "TCP_RR", "-l", "1", "-i", "3,3", "-I", "99,1", "-B", BRAND)
    record = read(settings, printed)
    ours = [banner(record), *lines(record)]
    said = slice(2, 5)  # in our own words
    assert [line[:4] for line in ours[said]] == [line[:4] for line in printed[said]]
    ours[said] = printed[said]
    assert ours == printed


@pytest.mark.interop
@pytest.mark.parametrize(
    ("options", "change"),
    [
        (("--", "-D"), {"nodelay": True}),
        (("--", "-b", "4"), {"first_burst": 4}),
        (("--", "-V"), {"discard": True}),
        (("-T", "0,0"), {"cpu": 0}),
        (
            ("-i", "3,3", "-I", "95,90", "-r"),
            {"iterations_max": 3, "confidence": 95, "width": 0.9, "result_only": True},
        ),
    ],
)
def test_banner_is_that_of_netperf(port: int, options: tuple[str, ...], change: dict[str, object]) -> None:
    settings = settings_of("TCP_RR")
    for name, value in change.items():
        setattr(settings if hasattr(settings, name) else settings.local, name, value)
    first = stock(port, "-t", "TCP_RR", "-l", "1", *options)[0]
    assert banner(blank_record(settings, first)) == first


@pytest.mark.interop
@pytest.mark.parametrize("output", ["human", "csv"])
def test_listing_is_that_of_netperf_and_our_own_behind(port: int, output: Output) -> None:
    letter = "-O" if output == "human" else "-o"
    printed = ",".join(stock(port, "-t", "OMNI", "--", letter, "?"))
    assert ",".join(listing(output)) == f"{printed},{P999.name}"


@pytest.mark.interop
@pytest.mark.parametrize("headings", [True, False], ids=["headings", "bare"])
@pytest.mark.parametrize("output", ["keyval", "csv", "human"])
@pytest.mark.parametrize(
    ("test", "options"),
    [
        ("TCP_STREAM", ()),
        ("TCP_STREAM", ("-c", "-C")),
        ("TCP_MAERTS", ("-c",)),
        ("TCP_RR", ("-c", "-C")),
        ("TCP_CRR", ()),
        ("UDP_STREAM", ("-C",)),
    ],
)
def test_default_selection_is_that_of_netperf(
    port: int, test: str, options: tuple[str, ...], output: Output, headings: bool
) -> None:
    letter = {"keyval": "-k", "csv": "-o", "human": "-O"}[output]
    cpu = "".join(option[1] for option in options)
    common = ("-t", test, "-l", length(test), "-P", str(int(headings)), *options)
    printed = stock(port, *common, "--", letter)
    settings = settings_of(test, cpu, banner=headings, output=output)
    record = blank_record(settings, printed[0])
    # the shape is compared: names or headings, and the columns between them
    shown = [*([banner(record)] if headings else []), *lines(record)]
    assert len(shown) == len(printed)
    if output == "keyval":
        assert [line.split("=")[0] for line in shown] == [line.split("=")[0] for line in printed]
    elif output == "csv":
        assert shown[:-1] == printed[:-1]
        assert shown[-1].count(",") == printed[-1].count(",")
    else:
        assert [line.split() for line in shown[:-1]] == [line.split() for line in printed[:-1]]
        assert len(shown[-1].split()) == len(printed[-1].split())


@pytest.mark.interop
def test_all_selectors_are_those_of_netperf(port: int) -> None:
    settings = settings_of("TCP_RR")
    settings.selection, settings.request_size, settings.response_size = "all", 1, 1

    def both(letter: str, output: Output) -> tuple[list[str], list[str]]:
        theirs = stock(port, "-t", "TCP_RR", "-l", "-100", "-B", BRAND, "--", letter, "all")[1:]
        settings.output = output
        return theirs, list(lines(blank_record(settings, "")))

    theirs, ours = both("-k", "keyval")
    assert [line.split("=")[0] for line in ours] == [*(line.split("=")[0] for line in theirs), P999.name]
    theirs, ours = both("-o", "csv")
    assert ours[0] == f"{theirs[0]},{' '.join(P999.heading)}"
    theirs, ours = both("-O", "human")
    assert len(ours) == len(theirs) == 4 * 5 + 3
    for block in range(3):  # ours has one more column in the last
        for row in range(4):
            assert ours[6 * block + row].split() == theirs[6 * block + row].split()


@pytest.mark.interop
def test_values_of_selectors_are_those_of_netperf(port: int) -> None:
    settings = settings_of("TCP_RR", output="keyval")
    settings.selection, settings.request_size, settings.response_size = "all", 1, 1
    settings.local = EndOptions(send_align=16, receive_align=32, send_offset=1, receive_offset=2, nodelay=True)
    settings.remote = EndOptions(send_align=64, receive_align=128, send_offset=3, receive_offset=4)
    options = ("-a", "16,32", "-A", "64,128", "-o", "1,2", "-O", "3,4", "-y", "3,4", "-Y", "cs1,ef", "-B", BRAND)
    printed = stock(port, "-t", "TCP_RR", "-l", "-5000", *options, "--", "-k", "all", "-D")
    theirs = dict(line.split("=", 1) for line in printed[1:])
    record = blank_record(settings, printed[0])
    settings.uuid, settings.command_line = theirs["UUID"], theirs["COMMAND_LINE"].strip('"')
    record.throughput, record.elapsed = float(theirs["TRANSACTION_RATE"]), float(theirs["ELAPSED_TIME"])
    record.mss = int(theirs["TRANSPORT_MSS"])
    for name, end in (("LOCAL", record.local), ("REMOTE", record.remote)):
        end.nodelay, end.congestion, end.retransmits = True, theirs[f"{name}_CONG_CONTROL"], 0
        end.send_calls, end.receive_calls = int(theirs[f"{name}_SEND_CALLS"]), int(theirs[f"{name}_RECV_CALLS"])
        end.bytes_sent, end.bytes_received = int(theirs[f"{name}_BYTES_SENT"]), int(theirs[f"{name}_BYTES_RECVD"])
        end.send_size, end.receive_size = int(theirs[f"{name}_SEND_SIZE"]), int(theirs[f"{name}_RECV_SIZE"])
        end.priority, end.tos = {"LOCAL": (3, 0x20), "REMOTE": (4, 0xB8)}[name]
        letters = name[0] + "S"
        end.send_buffer, end.send_buffer_end = int(theirs[f"{letters}S_SIZE"]), int(theirs[f"{letters}S_SIZE_END"])
        end.receive_buffer = int(theirs[f"{letters}R_SIZE"])
        end.receive_buffer_end = int(theirs[f"{letters}R_SIZE_END"])
    ours = dict(line.split("=", 1) for line in lines(record))
    different = {name for name, value in theirs.items() if ours[name] != value}
    # not measured is -1 with us, and 0 with netperf; rates have more digits than their seconds; latency is not rebuilt
    unmeasured = {name for name in theirs if re.search(r"_CPU_(PERCENT|PEAK)", name)}
    rough = {name for name in theirs if name.endswith(("_SEND_THROUGHPUT", "_RECV_THROUGHPUT"))}
    latency = {name for name in theirs if name.endswith("_LATENCY")}
    assert float(ours["THROUGHPUT"]) == pytest.approx(float(theirs["THROUGHPUT"]), abs=0.011)  # rounded twice
    assert different <= unmeasured | rough | latency | {"THROUGHPUT"}
