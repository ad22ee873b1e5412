"""`--send-method`, `--receive-method`, `--wait` and `--low-water`, from the command line to the document."""

import json
import re
from pathlib import Path

import pytest

from pathgauge.traffic.methods import RECEIVE_METHODS, SEND_METHODS, ZEROCOPY
from tests.conftest import Nobody
from tests.netns.runs import QUICK, compare, measure, rows

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "5s", "--blocks", "5", *QUICK)


def test_methods_are_compared_as_any_setting_is() -> None:
    document = measure("host", "--test", "TCP_STREAM", "--vary", "send-method=copy,sendfile,splice,zerocopy", *BRIEF)
    (test,) = document["tests"]
    assert test["parameters"]["send-method"] == "copy"
    assert {test["parameters"][name] for name in ("receive-method", "wait", "low-water")} == {"copy", "block", None}
    methods = ["sendfile", "splice", "zerocopy"]
    assert [row["candidate_parameters"] for row in rows(document, "goodput")] == [
        {"send-method": method} for method in methods
    ]
    assert list(test["loop_rates"]) == [f"send-method={name}" for name in ("copy", "sendfile", "splice")]
    assert {row["limited"] for row in document["slices"] if row["path"] == "send-method=zerocopy"} <= {None, "cpu"}
    assert all(
        row["bytes_sent"] / row["local_seconds"] >= 0.8 * test["loop_rates"][row["path"]]
        for row in document["slices"]
        if row["limited"] == "ceiling"
    )
    zerocopy = [row for row in document["slices"] if row["zerocopy_sends"] is not None]
    assert {row["path"] for row in zerocopy} == {"send-method=zerocopy"}
    assert all(0 <= row["zerocopy_copied"] <= row["zerocopy_sends"] for row in zerocopy)
    assert any("the kernel copied 100% of what zerocopy sent after all" in warning for warning in document["warnings"])
    assert all(row["void"] is None for row in document["slices"])


def test_methods_of_one_path_and_of_copies_at_once() -> None:
    document = measure(
        *("host", "macvlan", "--copies", "3", "--parallel", "--test", "TCP_STREAM", "--low-water", "256K"),
        *("--set", "macvlan.send-method=zerocopy", *BRIEF),
    )
    assert document["ended"] == "complete"
    of_macvlan = [row for row in document["slices"] if row["path"] == "macvlan"]
    assert all(row["total_bytes_sent"] == row["total_bytes_received"] for row in document["slices"])
    assert all(row["zerocopy_sends"] is not None for row in of_macvlan)
    assert all(row["zerocopy_sends"] is None for row in document["slices"] if row["path"] == "host")


def test_rings_are_methods_like_any_other() -> None:
    options = ("--vary", "send-method=io-uring,io-uring-zerocopy", "--receive-method", "io-uring", *BRIEF)
    document = measure("host", "--test", "TCP_STREAM", *options)
    zerocopy = [row for row in document["slices"] if row["zerocopy_sends"] is not None]
    assert {row["path"] for row in zerocopy} == {"send-method=io-uring-zerocopy"}
    assert sum(row["zerocopy_sends"] for row in zerocopy) > 0
    assert any("copied 100% of what io-uring-zerocopy sent" in warning for warning in document["warnings"])
    assert all(row["void"] is None for row in document["slices"])
    assert all(row["total_bytes_sent"] == row["total_bytes_received"] for row in document["slices"])


def test_a_ring_on_a_slow_wire_sends_and_stops_as_a_copy_does() -> None:
    options = ("--link-rate", "100mbit", "--congestion", "cubic", "--vary", "send-method=copy,io-uring", *BRIEF)
    document = measure("host", "--test", "TCP_STREAM", *options, "--slice", "100ms")
    assert all(row["void"] is None for row in document["slices"])
    (goodput,) = rows(document, "goodput")
    assert goodput["ratio"]["estimate"] == pytest.approx(1, abs=0.1)


def test_what_was_mapped_is_counted_and_what_was_not_is_told() -> None:
    options = ("--receive-method", "mmap", "--vary", "send-method=copy,zerocopy", *BRIEF)
    document = measure("host", "--test", "TCP_STREAM", *options)
    mapped = {
        name: [row["bytes_mapped"] / row["total_bytes_received"] for row in document["slices"] if row["path"] == name]
        for name in ("send-method=copy", "send-method=zerocopy")
    }
    assert max(mapped["send-method=copy"]) < 0.5
    assert min(mapped["send-method=zerocopy"]) > 0.5, "the kernel's copies are pages of their own"
    (warning,) = [warning for warning in document["warnings"] if "mmap received was mapped" in warning]
    assert warning.startswith("TCP_STREAM on send-method=copy: ")


def test_memory_that_cannot_be_locked_is_told(as_nobody: Nobody, nobody_python: Path) -> None:
    words = ("compare", "host", "--test", "TCP_STREAM", "--vary", "send-method=io-uring,io-uring-zerocopy", *BRIEF)
    limited = ["prlimit", "--memlock=65536", str(nobody_python), "-m", "pathgauge", *words]
    done = as_nobody(limited)
    assert done.returncode == 3, done.stderr
    assert "bytes of locked memory, more than is left of this user's 65536" in done.stderr
    assert "--send-method io-uring" in done.stderr


def test_gso_sends_many_times_the_datagrams() -> None:
    options = ("--send-size", "64", "--receive-method", "gro", "--vary", "send-method=copy,gso")
    document = measure("host", "--test", "UDP_STREAM", *options, *BRIEF)
    (goodput,) = rows(document, "goodput")
    assert goodput["ratio"]["estimate"] > 3


@pytest.mark.long
def test_the_best_methods_are_found_and_are_the_same_on_all_paths() -> None:
    options = ("--test", "TCP_STREAM", "--send-method", "best", "--receive-method", "best")
    document = measure("host", "macvlan", *options, *BRIEF)
    (test,) = document["tests"]
    picked = test["picked"]
    assert picked["asked"] == ["send-method", "receive-method"]
    assert picked["path"] == "host"
    assert len(picked["tried"]) == 2 * len(SEND_METHODS["tcp"]) * len(RECEIVE_METHODS["tcp"])
    assert all(each["goodput"] or each["reason"] for each in picked["tried"])
    assert picked["goodput"] in [each["goodput"] for each in picked["tried"]]
    assert {name: test["parameters"][name] for name in picked["parameters"]} == picked["parameters"]
    assert all(row["candidate_parameters"] == {} for row in document["comparisons"])
    assert document["ended"] == "complete"


def test_the_best_method_is_one_value_among_others() -> None:
    said = compare("host", "--test", "UDP_STREAM", "--send-size", "64", "--vary", "send-method=copy,best", *BRIEF)
    assert "UDP_STREAM: tried (send-method): " in said.stdout
    (best,) = re.findall(r"^UDP_STREAM: best is send-method=([\w-]+)", said.stdout, re.MULTILINE)[:1]
    assert best in SEND_METHODS["udp"]
    assert "send-method=best" in said.stdout


@pytest.mark.skipif(not Path("/proc/sys/net/mptcp/enabled").exists(), reason="needs Multipath TCP")
def test_a_way_that_an_end_refuses_leaves_the_next_alone() -> None:
    """Multipath TCP knows no zerocopy."""
    document = measure("host", "macvlan", "--test", "TCP_STREAM", "--mptcp", "--send-method", "best", *BRIEF)
    tried = document["tests"][0]["picked"]["tried"]
    assert {each["parameters"]["send-method"] for each in tried if each["goodput"] is None} == {*ZEROCOPY, "io-uring"}
    assert document["ended"] == "complete"


@pytest.mark.long
def test_a_way_that_cannot_be_asked_for_is_left_out() -> None:
    """A datagram larger than a packet cannot be cut by gso."""
    options = ("--test", "UDP_STREAM", "--send-size", "9000", "--send-method", "best", "--receive-method", "best")
    document = measure("host", "macvlan", *options, *BRIEF)
    tried = document["tests"][0]["picked"]["tried"]
    left_out = [each for each in tried if each["goodput"] is None]
    assert {each["parameters"]["send-method"] for each in left_out} == {"gso"}
    assert len(left_out) == len(RECEIVE_METHODS["udp"])
    assert document["ended"] == "complete"


def test_what_cannot_be_is_told_with_what_to_type() -> None:
    said = compare("host", "macvlan", "--test", "UDP_STREAM", "--send-method", "gso", "--send-size", "9000", code=2)
    assert "9000 bytes do not fit one" in said.stderr
    assert "--send-size 1472" in said.stderr
    said = compare("host", "macvlan", "--send-method", "zerocopy", code=2)
    assert "UDP_STREAM has no send-method zerocopy" in said.stderr


def test_methods_need_no_root(as_nobody: Nobody, nobody_python: Path) -> None:
    sending = "send-method=splice,zerocopy,io-uring,io-uring-zerocopy"
    methods = ("--vary", sending, "--receive-method", "splice", "--low-water", "256K")
    options = ("--test", "TCP_STREAM", *methods, *BRIEF, "--quiet", "--json", "-")
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", "host", *options])
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["environment"]["rootless"] is True
    assert all(row["total_bytes_sent"] == row["total_bytes_received"] for row in document["slices"])
