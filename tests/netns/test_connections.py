"""TCP_CRR, TCP_CC, `--burst` and `--rate`, from the command line to the document."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.conftest import Nobody
from tests.netns.runs import QUICK, compare, measure, rows

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "4s", "--blocks", "5", *QUICK)
CONNECTIONS = ("--test", "TCP_CRR", "--test", "TCP_CC")


def totals(document: dict[str, Any], test: str, name: str) -> int:
    return sum(int(row[name]) for row in document["slices"] if row["test"] == test)


def test_each_transaction_is_a_connection() -> None:
    document = measure("host", "macvlan", *CONNECTIONS, "--request-size", "100", "--response-size", "300", *BRIEF)
    assert document["ended"] == "complete"
    assert all(row["void"] is None for row in document["slices"])
    for test in ("TCP_CRR", "TCP_CC"):
        assert totals(document, test, "transactions") > 100
        assert [row["primary"] for row in rows(document, "transaction_rate") if row["test"] == test] == [True]
        assert {row["metric"] for row in document["comparisons"] if row["test"] == test} >= {"latency_p99", "cpu_local"}
    asked = totals(document, "TCP_CRR", "transactions")
    sent, received = totals(document, "TCP_CRR", "bytes_sent"), totals(document, "TCP_CRR", "bytes_received")
    slices = sum(row["test"] == "TCP_CRR" for row in document["slices"])
    assert abs(sent - 100 * asked) <= 100 * slices, "an edge may lie within a transaction"
    assert abs(received - 100 * asked) <= 200 * slices
    assert totals(document, "TCP_CC", "bytes_sent") == 0
    assert all(row["retransmits"] is None and row["rtt_seconds"] is None for row in document["slices"]), (
        "no one connection could tell"
    )
    assert all(not test["loop_rates"] for test in document["tests"])
    assert all(each["mss"] for test in document["tests"] for each in test["connections"])


def test_a_connection_costs_more_than_a_transaction() -> None:
    found = {}
    for test in ("TCP_RR", "TCP_CRR"):
        document = measure("host", "again=host", "--test", test, *BRIEF)
        found[test] = rows(document, "transaction_rate")[0]["baseline"]["estimate"]
    assert found["TCP_CRR"] < found["TCP_RR"]


@pytest.mark.parametrize("more", [(), ("--nodelay",), ("--ipv6",)], ids=["nagle", "nodelay", "ipv6"])
def test_requests_in_flight_raise_the_rate(more: tuple[str, ...]) -> None:
    document = measure("host", "--test", "TCP_RR", "--vary", "burst=0,16", *more, *BRIEF)
    assert all(row["void"] is None for row in document["slices"]), "several requests may share a packet"
    (row,) = rows(document, "transaction_rate")
    assert row["candidate_parameters"] == {"burst": 16}
    assert row["ratio"]["estimate"] > 2


def test_datagrams_in_flight_and_copies_at_once() -> None:
    document = measure("host", "macvlan", "--copies", "2", "--parallel", "--test", "UDP_RR", "--burst", "4", *BRIEF)
    assert document["ended"] == "complete"
    document = measure("host", "macvlan", "--copies", "2", "--parallel", "--test", "TCP_CRR", "--ipv6", *BRIEF)
    assert document["ended"] == "complete"
    assert all(0 < row["fairness"] <= 1 for row in document["slices"])


@pytest.mark.parametrize("test", ["TCP_RR", "UDP_RR", "TCP_CRR"])
def test_transactions_keep_to_a_rate(test: str) -> None:
    document = measure("host", "macvlan", "--test", test, "--rate", "300", "--slice", "100ms", *BRIEF)
    rates = [row["transactions"] / row["local_seconds"] for row in document["slices"] if row["void"] is None]
    assert median(rates) == pytest.approx(300, rel=0.1), "in slices that a busy machine does not cut short"
    assert {each["parameters"]["rate"] for each in document["tests"]} == {300}


@pytest.mark.parametrize(("test", "more"), [("TCP_STREAM", ()), ("UDP_STREAM", ("--send-method", "gso"))])
def test_streams_keep_to_a_rate(test: str, more: tuple[str, ...]) -> None:
    document = measure("host", "--test", test, "--vary", "rate=20mbit,40mbit", "--slice", "100ms", *more, *BRIEF[:4])
    (row,) = rows(document, "goodput")
    assert row["baseline"]["estimate"] == pytest.approx(20e6, rel=0.1)
    assert row["candidate"]["estimate"] == pytest.approx(40e6, rel=0.1)


def test_a_rate_that_no_path_keeps_is_told_and_counts_as_latency() -> None:
    document = measure("host", "again=host", "--test", "TCP_RR", "--rate", "9m", *BRIEF)
    assert any("a second were asked" in warning for warning in document["warnings"])
    plain = measure("host", "again=host", "--test", "TCP_RR", *BRIEF)
    medians = [rows(each, "latency_p50")[0]["baseline"]["estimate"] for each in (document, plain)]
    assert medians[0] > 10 * medians[1]


def test_what_does_not_go_together_is_told() -> None:
    said = compare("host", "macvlan", "--test", "TCP_CC", "--request-size", "10", code=2).stderr
    assert "TCP_CC does not heed request-size" in said
    said = compare("host", "macvlan", "--test", "TCP_CRR", "--burst", "4", code=2).stderr
    assert "TCP_CRR does not heed burst" in said
    said = compare("host", "macvlan", "--test", "TCP_RR", "--burst", "4097", code=2).stderr
    assert "4096" in said


def test_connections_need_no_root(as_nobody: Nobody, nobody_python: Path) -> None:
    options = (*CONNECTIONS, "--dscp", "10", "--local-buffer", "32K", *BRIEF, "--quiet", "--json", "-")
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", "host", "macvlan", *options])
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert all(row["transactions"] > 0 for row in document["slices"])
