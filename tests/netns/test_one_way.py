"""`--one-way`: requests and responses timed apart, from the command line to the document."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from pathgauge.results.latency import Histogram, seconds
from tests.conftest import Nobody
from tests.netns.runs import QUICK, Document, compare, measure, rows

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "8s", "--blocks", "5", *QUICK)


class Times(NamedTuple):
    """What was timed in a slice, in seconds."""

    number: int
    total: float
    longest: float


def times(row: Document, field: str) -> Times:
    histogram = Histogram.decode(row[field])
    values = seconds(histogram.places)
    return Times(int(histogram.counts.sum()), float(values @ histogram.counts), float(values[-1]))


@pytest.mark.parametrize("options", [("--test", "TCP_RR"), ("--test", "UDP_RR"), ("--test", "TCP_RR", "--rate", "2k")])
def test_both_ways_make_the_whole(options: tuple[str, ...]) -> None:
    document = measure("host", "macvlan", *options, "--one-way", *BRIEF[:4], "--slice", "150ms", "--warmup", "10ms")
    for row in document["slices"]:
        assert row["void"] is None
        whole, there, back = (times(row, field) for field in ("latency", "request_delay", "response_delay"))
        assert whole.number == row["transactions"]
        assert back.number == whole.number
        assert there.number == pytest.approx(whole.number, abs=1 + row["messages_lost"]), "one may lie across an edge"
        across_edges = whole.longest + there.longest
        if "--rate" in options:
            assert there.total + back.total <= whole.total * 1.01 + across_edges, "from when sent, not from when due"
        elif not row["messages_lost"]:
            assert there.total + back.total == pytest.approx(whole.total, abs=0.01 * whole.total + across_edges)
    for name in ("delay_request_p50", "delay_request_p99", "delay_response_p50", "delay_response_p99"):
        (row,) = rows(document, name)
        assert 1e-6 < row["baseline"]["estimate"] < 0.1


@pytest.mark.long
def test_it_is_the_request_that_waits_behind_a_stream_to_the_server() -> None:
    wire = ("--wire", "rate=100mbit", "--congestion", "cubic", "--slice", "150ms", "--warmup", "300ms", *BRIEF[:4])
    test = ("--test", "TCP_RR", "--beside", "TCP_STREAM", "--one-way")
    said = compare("host", "macvlan", *test, *wire, "--json", "-").stdout
    document = json.loads(said[said.index("{") :])
    for side in ("baseline", "candidate"):
        request, response = (rows(document, name)[0][side]["estimate"] for name in _MEDIANS)
        assert request > 5 * response
    backwards = measure("host", "macvlan", *test[:2], "--beside", "TCP_MAERTS", "--one-way", *wire)
    request, response = (rows(backwards, name)[0]["baseline"]["estimate"] for name in _MEDIANS)
    assert response > 5 * request


_MEDIANS = ("delay_request_p50", "delay_response_p50")


@pytest.mark.long
def test_a_lost_datagram_is_no_long_way() -> None:
    document = measure("host", "macvlan", "--test", "UDP_RR", "--one-way", "--wire", "loss=1%", *BRIEF[:4],
                       "--slice", "400ms", "--warmup", "10ms")  # fmt: skip
    assert sum(row["messages_lost"] for row in document["slices"]) > 0
    longest = {}
    for field in ("latency", "request_delay", "response_delay"):
        histograms = [Histogram.decode(row[field]) for row in document["slices"]]
        longest[field] = float(seconds(Histogram.summed(histograms).places[-1]))
    assert longest["latency"] > 0.1, "it was asked again after that time"
    assert max(longest["request_delay"], longest["response_delay"]) < 0.1


def test_of_copies_at_once_all_are_timed() -> None:
    document = measure("host", "macvlan", "--copies", "3", "--parallel", "--test", "TCP_RR", "--one-way", *BRIEF)
    for row in document["slices"]:
        assert times(row, "response_delay").number == row["transactions"]
        assert times(row, "request_delay").number == pytest.approx(row["transactions"], abs=3)


def test_it_is_said_under_the_table_and_nothing_of_it_where_it_was_not_asked() -> None:
    said = compare("host", "macvlan", "--test", "TCP_RR", "--one-way", "--metric", "delay_request_p50", *BRIEF).stdout
    assert "TCP_RR, host: a request was on its way for " in said
    assert "TCP_RR, macvlan: a request was on its way for " in said
    assert "TCP_RR delay_request_p50" in said
    document = measure("host", "macvlan", "--test", "TCP_RR", *BRIEF)
    assert not any(row["metric"].startswith("delay") for row in document["comparisons"])
    assert all(row["request_delay"] is row["response_delay"] is None for row in document["slices"])


def test_what_is_not_on_one_machine_is_refused() -> None:
    options = (
        "--test",
        "TCP_RR",
        "--one-way",
        "--path",
        "one=local,netperf://127.0.0.1",
        "--path",
        "two=local,netperf://127.0.0.1",
    )
    said = compare(*options, code=2).stderr
    assert "for pathgauge's own ends, not for a netserver" in said


def test_one_way_needs_no_root(as_nobody: Nobody, nobody_python: Path) -> None:
    measured = ("compare", "host", "--test", "UDP_RR", "--vary", "one-way=off,on", *BRIEF)
    done = as_nobody([nobody_python, "-m", "pathgauge", *measured, "--quiet", "--json", "-"])
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (row,) = rows(document, "delay_response_p50")
    assert row["baseline"]["estimate"] is None
    assert row["candidate"]["estimate"] > 0
