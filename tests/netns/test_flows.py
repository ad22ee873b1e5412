"""`--flows`, `--threads` and TCP_BIDIR, from the command line to the document."""

import itertools
import json
from pathlib import Path

import pytest

from tests.conftest import Nobody
from tests.netns.runs import QUICK, compare, measure, rows

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "8s", "--blocks", "5", *QUICK)


@pytest.mark.parametrize("test", ["TCP_STREAM", "TCP_MAERTS", "TCP_RR"])
def test_many_flows_over_each_path(test: str) -> None:
    document = measure("host", "macvlan", "--test", test, "--flows", "300", "--slice", "200ms", "--ipv6", *BRIEF[:4])
    assert document["ended"] == "complete"
    assert all(row["void"] is None for row in document["slices"])
    assert all(row["retransmits"] is not None and row["rtt_seconds"] is None for row in document["slices"])
    (run,) = document["tests"]
    assert run["parameters"]["flows"] == 300
    for each in run["copies"]:
        assert (each["at_once"], len(each["rates"])) == ("flows", 300)
        assert min(each["rates"]) > 0
        assert each["fairness"] > 0.5
    (row,) = rows(document, "goodput" if test != "TCP_RR" else "transaction_rate")
    summed = sum(run["copies"][0]["rates"])
    assert summed == pytest.approx(row["baseline"]["estimate"], rel=0.2), "one is a median, the other a mean"


def test_whole_messages_of_any_size() -> None:
    sizes = ("--request-size", "300K", "--response-size", "2M")
    document = measure("host", "--test", "TCP_RR", "--vary", "flows=1,16", *sizes, "--slice", "300ms", *BRIEF[:4])
    for row in document["slices"]:
        assert row["void"] is None
        assert row["transactions"] > 0
        assert row["total_bytes_received"] % (300 * 1024) == 0, "what was asked has all been answered"


def test_threads_share_the_flows() -> None:
    document = measure("host", "--test", "TCP_RR", "--flows", "9", "--vary", "threads=1,3", *BRIEF)
    assert [len(each["rates"]) for each in document["tests"][0]["copies"]] == [9, 9]
    assert all(row["void"] is None for row in document["slices"])


@pytest.mark.parametrize("flows", [1, 3])
def test_both_directions_at_once(flows: int) -> None:
    document = measure("host", "macvlan", "--test", "TCP_BIDIR", "--flows", str(flows), *BRIEF)
    assert all(row["void"] is None for row in document["slices"])
    assert {row["metric"] for row in document["comparisons"]} >= {"goodput", "fairness", "cpu_local"}
    for each in document["tests"][0]["copies"]:
        assert each["at_once"] == ("directions" if flows == 1 else "flows")
        assert len(each["rates"]) == 2 * flows


def test_both_directions_of_a_shaped_wire_are_full() -> None:
    wire = ("--link-rate", "100mbit", "--local-buffer", "128K", "--remote-buffer", "128K")
    document = measure("host", "macvlan", "--test", "TCP_BIDIR", *wire, "--slice", "300ms", *BRIEF[:4])
    for each in document["tests"][0]["copies"]:
        assert each["rates"] == [pytest.approx(96e6, rel=0.05)] * 2


def test_copies_with_several_flows_each() -> None:
    document = measure("host", "macvlan", "--copies", "3", "--parallel", "--flows", "4", "--test", "TCP_RR", *BRIEF)
    assert all(row["void"] is None for row in document["slices"])
    assert {len(each["rates"]) for each in document["tests"][0]["copies"]} == {12}


def test_flows_come_and_go_without_a_trace() -> None:
    """Ports are free at once: more connections are made than there are ports, and none waits for its end."""
    before = waiting()
    document = measure(
        "host", "host", "--test", "TCP_RR", "--flows", "1500", "--max-time", "30s", "--blocks", "10", *QUICK
    )
    assert document["tests"][0]["blocks"] == 10
    assert waiting() <= before + 100


def waiting() -> int:
    fields = Path("/proc/net/sockstat").read_text().split()
    return int(dict(itertools.pairwise(fields))["tw"])


def test_an_ordinary_user_has_them_too(as_nobody: Nobody, nobody_python: Path) -> None:
    options = ("--test", "TCP_BIDIR", "--flows", "20", "--json", "-", *BRIEF)
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", "host", "macvlan", *options])
    document = json.loads(done.stdout)
    assert all(row["void"] is None for row in document["slices"])


def test_what_does_not_go_together_is_told() -> None:
    for arguments, told in (
        (("--flows", "0"), "flows"),
        (("--flows", "20001"), "20000"),
        (("--threads", "2"), "2 threads"),
        (("--flows", "2", "--rate", "1gbit"), "--rate"),
        (("--flows", "2", "--test", "UDP_RR"), "UDP_RR does not heed flows"),
    ):
        test = () if "--test" in arguments else ("--test", "TCP_STREAM")
        said = compare("host", "macvlan", *test, *arguments, code=2).stderr
        assert told in said
