"""`pathgauge compare`, from the command line to the document, over real labs."""

import json
import math
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.arms import placed
from pathgauge.measuring.engine import Engine
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import BuiltPath, WireSpec
from pathgauge.results.document import Comparison, Result
from pathgauge.results.latency import Histogram
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import DEFAULT_TESTS, TESTS
from tests.netns.lab_processes import run
from tests.netns.runs import QUICK, Document, Running, compare, measure, rows

EXAMPLES = Path(__file__).parents[2] / "examples"

PAYLOAD_SHARE = 1448 / 1514  # of what a shaped wire counts: TCP's payload in a full frame, its Ethernet header included
CONTROL = re.compile(r"[^\n\x20-\x7e]")
MODES = {"bridge": "h0-s0", "private": "h0-s0", "vepa": "h0-s0", "passthru": "h1-s1"}

# --- one run of everything --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The file and the text of one run of all five tests, its output in a pipe."""
    file = tmp_path_factory.mktemp("whole") / "result.json"
    return file, compare("host", "macvlan", "--max-time", "0.6", *QUICK, "--json", str(file)).stdout


@pytest.fixture(scope="module")
def document(whole: tuple[Path, str]) -> Document:
    found: Document = json.loads(whole[0].read_bytes())
    return found


@pytest.fixture(scope="module")
def result(whole: tuple[Path, str]) -> Result:
    return msgspec.json.decode(whole[0].read_bytes(), type=Result)


def faults(value: object, schema: dict[str, Any], whole: dict[str, Any], where: str) -> list[str]:
    """What of a value the JSON Schema does not allow; a field that the schema does not name is a fault here."""
    if "$ref" in schema:
        return faults(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole, where)
    if "anyOf" in schema:
        tried = [faults(value, each, whole, where) for each in schema["anyOf"]]
        return min(tried, key=len)
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    if "type" in schema and not is_of(value, schema["type"]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = []
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += faults(item, schema["items"], whole, f"{where}[{number}]")
    if isinstance(value, dict):
        named = schema.get("properties", {})
        found += [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            inner = named.get(name, schema.get("additionalProperties"))
            found += faults(item, inner, whole, f"{where}.{name}") if inner else [f"{where}: {name} is unknown"]
    return found


def is_of(value: object, name: str) -> bool:
    """Whether the value is of JSON Schema's type."""
    if name in ("integer", "number") and isinstance(value, bool):
        return False
    types: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": int | float,
        "boolean": bool,
        "null": type(None),
    }
    return isinstance(value, types[name])


def test_the_document_is_what_the_schema_says(document: Document) -> None:
    schema = json.loads(run("schema").stdout)
    assert faults(document, schema, schema, "document") == []
    broken = {**document, "ended": 1, "labs": "one", "comparisons": [{}]}
    assert len(faults(broken, schema, schema, "document")) > 10, "the check itself must bite"


def test_every_test_and_metric_is_in_the_document(result: Result) -> None:
    assert result.ended == "complete"
    assert result.command[:4] == ["pathgauge", "compare", "host", "macvlan"]
    assert [path.name for path in result.paths] == ["host", "macvlan"]
    assert [test.test for test in result.tests] == list(DEFAULT_TESTS)
    for kind in (TESTS[name] for name in DEFAULT_TESTS):
        found = {row.metric: row for row in result.comparisons if row.test == kind.name}
        assert tuple(found) == kind.metrics
        assert [name for name, row in found.items() if row.primary] == [kind.primary]
    for row in result.comparisons:
        assert (row.baseline.path, row.candidate.path) == ("host", "macvlan")
        assert row.ratio.confidence == 0.95
        assert row.margin > 0
        assert row.reason
        assert row.unit
        assert 0 < row.measured_seconds < 20
        for triple in (row.ratio, row.baseline, row.candidate):
            if triple.low is not None:
                assert triple.estimate is not None
                assert triple.high is not None
                assert triple.low <= triple.estimate <= triple.high


def test_blocks_are_abba_or_baab(result: Result) -> None:
    for test in result.tests:
        slices = [row for row in result.slices if row.test == test.test]
        assert len(slices) == 4 * (test.blocks + test.void_blocks)
        assert [(row.block, row.position) for row in slices] == [(n // 4, n % 4) for n in range(len(slices))]
        assert [row.start for row in slices] == sorted(row.start for row in slices)
        for first in range(0, len(slices), 4):
            order = [row.path for row in slices[first : first + 4]]
            assert order in (["host", "macvlan", "macvlan", "host"], ["macvlan", "host", "host", "macvlan"])
        assert test.blocks > 0
        assert all(row.blocks == test.blocks for row in result.comparisons if row.test == test.test)


def of_block(result: Result, test: str, block: int, path: str) -> float:
    """A block's primary metric from its raw slices: sums over seconds, at the end that knows."""
    kind = TESTS[test]
    slices = [row for row in result.slices if (row.test, row.block, row.path) == (test, block, path)]
    assert len(slices) == 2
    if kind.pattern == "transactions":
        return sum(row.transactions for row in slices) / sum(row.local_seconds for row in slices)
    at_remote = kind.active == "local"
    seconds = sum(row.remote_seconds if at_remote else row.local_seconds for row in slices)
    return sum(8 * row.bytes_received for row in slices) / seconds


def test_the_primary_ratio_is_that_of_the_raw_slices(result: Result) -> None:
    for row in result.comparisons:
        if not row.primary or row.ratio.estimate is None:
            continue
        void = {each.block for each in result.slices if each.test == row.test and each.void is not None}
        blocks = {each.block for each in result.slices if each.test == row.test} - void
        logs = [
            math.log(of_block(result, row.test, block, "macvlan") / of_block(result, row.test, block, "host"))
            for block in blocks
        ]
        assert row.blocks == len(blocks)
        assert row.ratio.estimate == pytest.approx(math.exp(math.fsum(logs) / len(logs)), rel=1e-9)


def side(result: Result, test: str, metric: str) -> list[float | None]:
    """A metric's estimates of baseline and candidate."""
    (row,) = (row for row in result.comparisons if (row.test, row.metric) == (test, metric))
    return [row.baseline.estimate, row.candidate.estimate]


@pytest.mark.parametrize("test", ["TCP_RR", "UDP_RR"])
def test_latencies_are_in_order_and_fit_the_rate(result: Result, test: str) -> None:
    names = ("p50", "p90", "p99", "p999", "max")
    for path in (0, 1):
        known = [value for name in names if (value := side(result, test, f"latency_{name}")[path]) is not None]
        assert len(known) >= 3  # of few transactions not every quantile is known
        assert known == sorted(known)
        assert known[0] > 1e-6
        mean, rate = side(result, test, "latency_mean")[path], side(result, test, "transaction_rate")[path]
        assert mean is not None
        assert rate is not None
        # One transaction at a time: their mean is the rate's inverse, but for the loop's own work and the edges. The
        # histograms also hold the ramp and the way to the second edge, which one stall of milliseconds can colour.
        assert 0.6 < mean * rate < 3
    for row in result.slices:
        if row.test == test:
            assert row.latency is not None
            assert Histogram.decode(row.latency).counts.sum() >= row.transactions


def test_costs_and_losses_are_possible(result: Result) -> None:
    cpus = os.cpu_count() or 1
    for row in result.comparisons:
        for each in (row.baseline, row.candidate):
            if row.metric in ("cpu_local", "cpu_remote"):
                assert each.estimate is not None
                assert 0 < each.estimate < 1.1, "one thread does the work of an end"
            if row.metric == "cpu_machine" and each.estimate is not None:
                assert 0 <= each.estimate < 1.5 * cpus  # counted in ticks
            if row.metric == "loss":
                assert each.estimate is not None
                assert 0 <= each.estimate < 1
    for path in (0, 1):
        goodput, cpu, demand = (
            side(result, "TCP_STREAM", name)[path] for name in ("goodput", "cpu_local", "service_demand_local")
        )
        assert goodput is not None
        assert cpu is not None
        assert demand is not None
        assert demand == pytest.approx(1e6 * cpu / (goodput / 8 / 1024), rel=0.5)
    if not result.environment.cycles:
        assert side(result, "TCP_STREAM", "cycles_per_byte") == [None, None], "unknown is not zero"


def test_text_in_a_pipe_is_plain_lines(whole: tuple[Path, str]) -> None:
    _, text = whole
    assert CONTROL.search(text) is None
    assert text.startswith("lab ready in ")
    for name in DEFAULT_TESTS:
        assert len(re.findall(rf"^{name}: macvlan .* against host ", text, re.MULTILINE)) == 1
    assert text.endswith(f"written: {whole[0]}\n")


def test_show_prints_the_same_table(whole: tuple[Path, str]) -> None:
    file, text = whole
    shown = run("show", str(file)).stdout
    table = shown.partition("warning: ")[0]  # warnings were told when they came
    assert table.startswith("test ")
    assert table in text


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_every_mode_of_macvlan(*, ipv6: bool) -> None:
    paths = ["host", *(f"{mode}=macvlan:mode={mode}" for mode in MODES)]
    family = "client_ipv6" if ipv6 else "client_ipv4"
    found = measure(*paths, "--test", "UDP_RR", "--max-time", "0.5", *QUICK, *(["--ipv6"] if ipv6 else []))
    assert [path["name"] for path in found["paths"]] == ["host", *MODES]
    assert {path["name"]: path["wire"] for path in found["paths"]} == {"host": "h0-s0", **MODES}
    assert len({path["addresses"][family] for path in found["paths"]}) == 5
    for path in found["paths"][1:]:
        (own,) = (device for device in path["devices"] if device["role"] == "own")
        assert own["kind"] == "macvlan"
        assert path["options"] == {"mode": path["name"]}
    assert found["tests"][0]["parameters"]["ipv6"] is ipv6
    assert {row["void"] for row in found["slices"]} <= {None, "nothing came through"}
    assert found["tests"][0]["blocks"] >= 1
    against = rows(found, "transaction_rate")
    assert [(row["baseline"]["path"], row["candidate"]["path"]) for row in against] == [
        ("host", mode) for mode in MODES
    ]
    first = [row["path"] for row in found["slices"] if row["block"] == 0]
    assert sorted(first[:5]) == sorted(["host", *MODES])
    assert first[5:] == first[4::-1], "with more than two, the second half is the first in reverse as well"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.build(parse_paths(["host", "macvlan"]), WireSpec()) as built:
        yield built


def arm(engine: Engine, test: str, path: BuiltPath, **parameters: object) -> EngineArm:
    given = msgspec.structs.replace(Parameters(), **parameters)
    kind = TESTS[test]
    return EngineArm(engine, path.spec.name, path, kind, kind.complete(placed(given), path.mtu), 0)


@pytest.mark.parametrize("test", ["TCP_STREAM", "UDP_RR"])
def test_a_path_that_is_bypassed_does_not_count(lab: Lab, test: str) -> None:
    host, macvlan = lab.paths["host"], lab.paths["macvlan"]
    namespace, addresses = host.client_namespace, host.client_addresses
    bypassed = replace(
        macvlan, client_namespace=namespace, client_addresses=addresses, seen_addresses=host.seen_addresses
    )
    with Engine(lab, 1, None) as engine:
        under = arm(engine, test, bypassed)
        under.open()
        under.warm(0.01)
        void = under.measure(0.005, 0.03).row.void
        under.close()
    assert void is not None
    # A few bytes of neighbour discovery may still run through it.
    assert re.match(r"mv0 in macvlan carried \d{1,4} bytes of \d+: the traffic took another path", void)


# --- shaped wires -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "bits"), [("100mbit", 1e8), ("1gbit", 1e9)])
def test_a_shaped_path_against_itself_is_equivalent(rate: str, bits: float) -> None:
    # It takes 3 s; a machine whose host takes its CPUs away meanwhile needs longer.
    found = measure("host", "host", "--test", "TCP_STREAM", "--link-rate", rate, "--slice", "0.15", "--max-time", "60")
    (row,) = rows(found, "goodput")
    assert (row["baseline"]["path"], row["candidate"]["path"]) == ("host", "host.2")
    assert row["verdict"] == "equivalent", (row["reason"], row["doubts"], found["warnings"])
    for each in ("baseline", "candidate"):
        assert 0.97 * PAYLOAD_SHARE < row[each]["estimate"] / bits < 1.02 * PAYLOAD_SHARE
    assert found["tests"][0]["stopped"] == "settled"
    assert found["wire"]["rate"] == bits
    assert found["wire"]["queue_discipline"] == "tbf"


def test_a_wire_that_carries_a_tenth_less_is_found() -> None:
    found = measure("host", "slow=host", "--test", "TCP_STREAM", "--link-rate", "500mbit", "--set", "slow.rate=450mbit")
    assert [(path["wire"], path["wire_rate"]) for path in found["paths"]] == [("h0-s0", 5e8), ("h1-s1", 4.5e8)]
    (row,) = rows(found, "goodput")
    assert row["verdict"] == "slower", (row["reason"], row["doubts"], found["warnings"])
    assert row["ratio"]["low"] < 0.9 < row["ratio"]["high"]


def test_devices_of_one_path_are_changed_on_a_wire_of_its_own() -> None:
    found = measure("host", "a=host", "b=vxlan", "--set", "a.gso=off", "--set", "a.tso=off", "--set", "b.mtu=1300",
                    "--test", "TCP_STREAM", "--max-time", "1", *QUICK)  # fmt: skip
    brackets = measure("host", "a=host:gso=off,tso=off", "b=vxlan:mtu=1300",
                       "--test", "TCP_STREAM", "--max-time", "1", *QUICK)  # fmt: skip
    assert [path["devices"] for path in brackets["paths"]] == [path["devices"] for path in found["paths"]]
    plain, segmented, small = found["paths"]
    assert segmented["settings"] == {"gso": "off", "tso": "off"}
    assert {path["wire"] for path in found["paths"]} == {"h0-s0", "h1-s1", "h2-s2"}
    assert (plain["devices"][0]["offloads"]["gso"], segmented["devices"][0]["offloads"]["gso"]) == (True, False)
    assert [device["mtu"] for device in small["devices"]] == [1300, 1400, 1400, 1300]
    assert [seen["mss"] for seen in found["tests"][0]["connections"]] == [1448, 1448, 1248]


def test_loopback_is_a_yardstick_without_a_wire() -> None:
    found = measure("loopback", "a=loopback:mtu=1500", "host", "--test", "TCP_STREAM", "--max-time", "1", *QUICK)
    assert [path["wire"] for path in found["paths"]] == ["", "", "h0-s0"]
    assert [[device["mtu"] for device in path["devices"]] for path in found["paths"]] == [[65536], [1500], [1500, 1500]]
    assert {row["void"] for row in found["slices"]} <= {None, "nothing came through"}
    refused = run("compare", "loopback", "host", "--wire", "mtu=9000", "--quiet", check=False)
    assert refused.returncode == 2
    assert "loopback has no wire that could be shaped: loopback lies within one namespace" in refused.stderr


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_runs(example: Path) -> None:
    # Of a shaped wire 20 ms show its bucket, which is filled whenever the machine holds a sender up.
    quick = () if "link-rate" in example.read_text() else QUICK
    found = run("compare", "--config", str(example), "--max-time", "4", *quick, "--json", "-", "--quiet", check=False)
    assert found.returncode in (0, 1), found.stderr
    document = json.loads(found.stdout)
    assert document["ended"] == "complete"
    assert document["comparisons"]


def test_what_a_device_has_fixed_is_refused_and_not_ignored() -> None:
    done = run("compare", "host", "a=macvlan", "--set", "a.gso=off", check=False)
    assert done.returncode == 2
    assert "gso of mv0 cannot be switched off: a macvlan has it fixed" in done.stderr


# --- labs -------------------------------------------------------------------------------------------------------------


def test_labs_are_built_anew_and_judged_together() -> None:
    found = measure("host", "macvlan", "--test", "TCP_RR", "--labs", "5", "--blocks", "5", "--max-time", "20", *QUICK)
    assert found["labs"] == 5
    assert {row["lab"] for row in found["slices"]} == {0, 1, 2, 3, 4}
    (run,) = found["tests"]
    assert run["blocks"] + run["void_blocks"] == 25
    (row,) = rows(found, "transaction_rate")
    assert row["spread"]["labs"] is not None
    assert row["ratio"]["low"] is not None


# --- options ----------------------------------------------------------------------------------------------------------


def test_set_changes_one_path_alone() -> None:
    found = measure("host", "macvlan", "--test", "TCP_STREAM", "--set", "macvlan.send-size=1400", "--max-time", "0.4",
                    *QUICK)  # fmt: skip
    assert [path["settings"] for path in found["paths"]] == [{}, {"send-size": "1400"}]
    for row in found["slices"]:
        assert row["bytes_sent"] == row["messages_sent"] * (1400 if row["path"] == "macvlan" else 65536)


def test_vary_compares_settings_and_a_slowdown_fails(tmp_path: Path) -> None:
    # Sends of 1400 bytes make a system call for every frame: a tenth of the goodput, far from the margin of 2 %.
    file = tmp_path / "vary.json"
    compare("macvlan", "--test", "TCP_STREAM", "--vary", "send-size=64K,1400", "--congestion", "cubic",
            "--fail-on", "slower", "--max-time", "5", "--json", str(file), code=1)  # fmt: skip
    found = json.loads(file.read_bytes())
    assert [path["name"] for path in found["paths"]] == ["send-size=64K", "send-size=1400"]
    assert {path["kind"] for path in found["paths"]} == {"macvlan"}
    (row,) = rows(found, "goodput")
    assert (row["baseline"]["path"], row["candidate"]["path"]) == ("send-size=64K", "send-size=1400")
    assert row["verdict"] == "slower"
    assert row["ratio"]["high"] < 1 / 1.02
    assert {seen["congestion"] for seen in found["tests"][0]["connections"]} == {"cubic"}


def test_a_metric_asked_for_drives_the_stop() -> None:
    # The wire fixes the rate of large requests, far inside the margin of 90 %; an extreme is never judged.
    asked = ("host", "host", "--test", "TCP_RR", "--request-size", "64K", "--link-rate", "1gbit", "--margin", "90")
    alone = measure(*asked, *QUICK)
    both = measure(*asked, *QUICK, "--metric", "latency_max", "--max-time", "1.5")
    assert (alone["tests"][0]["stopped"], both["tests"][0]["stopped"]) == ("settled", "time is up")
    assert [row["metric"] for row in both["comparisons"] if row["primary"]] == ["transaction_rate", "latency_max"]
    (row,) = rows(alone, "transaction_rate")
    assert (row["margin"], row["verdict"]) == (0.9, "equivalent")


def test_a_seed_gives_the_same_schedule() -> None:
    def schedule(seed: str) -> dict[str, list[str]]:
        """The order of the paths in each test's first block: there is always one, however slow the machine is."""
        tests = ("UDP_RR", "TCP_RR", "UDP_STREAM")
        named = [word for test in tests for word in ("--test", test)]
        found = measure("host", "host", "host", *named, "--seed", seed, "--max-time", "0.1", *QUICK)
        assert {test["seed"] for test in found["tests"]} == {int(seed)}
        first = [row for row in found["slices"] if row["block"] == 0]
        return {test: [row["path"] for row in first if row["test"] == test] for test in tests}

    # The generator is Python's, so that it is no chance whether these two seeds differ.
    assert schedule("5") == schedule("5") != schedule("6")


def test_json_to_a_pipe_leaves_it_to_the_document() -> None:
    done = compare("host", "macvlan", "--test", "UDP_RR", "--max-time", "0.3", *QUICK, "--json", "-")
    assert msgspec.json.decode(done.stdout, type=Result).ended == "complete"
    assert done.stderr.startswith("lab ready in ")
    assert "verdict" in done.stderr
    assert CONTROL.search(done.stderr) is None


def test_buffers_and_congestion_control_are_those_of_the_sockets() -> None:
    found = measure("host", "macvlan", "--test", "TCP_MAERTS", "--local-buffer", "64K", "--remote-buffer", "32K",
                    "--congestion", "reno", "--max-time", "0.3", *QUICK)  # fmt: skip
    (test,) = found["tests"]
    assert test["parameters"]["local-buffer"] == 65536
    assert [seen["path"] for seen in test["connections"]] == ["host", "macvlan"]
    for seen in test["connections"]:
        assert seen["congestion"] == "reno"
        assert seen["mss"] == 1448
        # The kernel doubles what is asked.
        assert seen["local_send_buffer"] == seen["local_receive_buffer"] == 131072
        assert seen["remote_send_buffer"] == seen["remote_receive_buffer"] == 65536


def bound(pid: int) -> set[tuple[str, str]]:
    """Of each thread of a process, but for its first: the CPUs it may run on, and the one it ran on last."""
    found = set()
    for task in Path(f"/proc/{pid}/task").glob("*"):
        if task.name == str(pid):
            continue
        try:
            allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)", task.joinpath("status").read_text(), re.MULTILINE)
            last = task.joinpath("stat").read_text().rpartition(")")[2].split()[36]
        except OSError:
            continue
        if allowed is not None:
            found.add((allowed[1], last))
    return found


def test_the_ends_run_on_the_cpus_they_were_given() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("needs two CPUs")
    first, second = str(allowed[0]), str(allowed[1])  # by default the client has the first: here they are swapped
    seen: dict[str, list[tuple[str, str]]] = {"local": [], "remote": []}
    with Running("host", "macvlan", "--test", "UDP_RR", "--local-cpu", second, "--remote-cpu", first,
                 "--max-time", "1", *QUICK) as running:  # fmt: skip
        running.until("lab ready")
        while running.process.poll() is None:
            for name, pid in running.children().items():
                if name in seen:
                    seen[name] += bound(pid)
            time.sleep(0.01)
        code, text = running.finish()
    assert code == 0, text
    assert f"Client on CPU {second}, server on CPU {first}, on all paths." in text
    for name, cpu in (("local", second), ("remote", first)):
        # A look may fall between a thread's start and its binding, or between its binding and its move.
        settled = [last for mask, last in seen[name] if mask.isdigit()]
        assert {mask for mask, _ in seen[name] if mask.isdigit()} == {cpu}
        assert settled.count(cpu) > 0.5 * len(settled)


ETH_P_ALL = 3
EXPEDITED = 46


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("test", ["TCP_RR", "UDP_RR"])
def test_dscp_is_on_the_wire(lab: Lab, test: str, require_root: None, *, ipv6: bool) -> None:
    path = lab.paths["macvlan"]
    tap = inside(path.server_space, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)))
    with tap, Engine(lab, 1, None) as engine:
        tap.settimeout(0.05)
        under = arm(engine, test, path, ipv6=ipv6, dscp=EXPEDITED)
        under.open()
        under.warm(0.005)
        under.close()
        found = dscp_by_sender(tap, ipv6=ipv6)
    family: Any = "ipv6" if ipv6 else "ipv4"
    assert found == {path.client_addresses[family]: {EXPEDITED}, path.server_addresses[family]: {EXPEDITED}}


def dscp_by_sender(tap: socket.socket, *, ipv6: bool) -> dict[str, set[int]]:
    """The DSCPs of the TCP and UDP packets that the tap has heard, by the sender's address; resets do not count."""
    found: dict[str, set[int]] = {}
    while True:
        try:
            packet, address = tap.recvfrom(128)
        except TimeoutError:
            return found
        if address[0] == "lo" or packet[0] >> 4 != (6 if ipv6 else 4):
            continue
        protocol, sender, rest = (
            (packet[6], packet[8:24], packet[40:]) if ipv6 else (packet[9], packet[12:16], packet[20:])
        )
        if protocol not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
            continue
        if protocol == socket.IPPROTO_TCP and rest[13] & 4:
            continue
        field = int.from_bytes(packet[:2], "big") >> 4 & 0xFF if ipv6 else packet[1]
        name = socket.inet_ntop(socket.AF_INET6 if ipv6 else socket.AF_INET, sender)
        found.setdefault(name, set()).add(field >> 2)


def test_python_gets_the_same_document() -> None:
    import pathgauge

    found = pathgauge.compare("host", "macvlan", test=["UDP_RR"], max_time=0.3, slice=0.02, warmup="10ms")
    assert isinstance(found, Result)
    assert all(isinstance(row, Comparison) for row in found.comparisons)
    assert found.tests[0].slice_seconds == 0.02
    assert found.command == []
