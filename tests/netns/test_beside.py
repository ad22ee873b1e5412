"""`--beside`: transactions while a stream loads their path, from the command line to the document."""

import json
from pathlib import Path

import pytest

from tests.conftest import Nobody
from tests.netns.runs import QUICK, compare, measure, rows

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "8s", "--blocks", "5", *QUICK)
RATE = 100e6


def test_a_full_queue_makes_transactions_wait() -> None:
    wire = ("--wire", "rate=100mbit", "--congestion", "cubic", "--slice", "150ms", "--warmup", "300ms", *BRIEF[:4])
    document = measure("host", "--test", "TCP_RR", "--vary", "beside=none,TCP_STREAM", *wire)
    (median,) = rows(document, "latency_p50")
    assert median["candidate"]["estimate"] > 5 * median["baseline"]["estimate"]
    (load,) = rows(document, "load_goodput")
    assert load["baseline"]["estimate"] is None
    assert 0.7 * RATE < load["candidate"]["estimate"] < RATE
    for row in document["slices"]:
        assert row["void"] is None
        assert (row["load_bytes_received"] is None) is (row["path"] == "beside=none")
    assert not rows(document, "service_demand_machine"), "the load has its part in it"


@pytest.mark.parametrize(("test", "load"), [("UDP_RR", "TCP_MAERTS"), ("TCP_RR", "UDP_STREAM")])
def test_every_load_beside_either_test_on_each_path(test: str, load: str) -> None:
    options = ("--beside", load, "--beside-rate", "50mbit", "--slice", "100ms", "--warmup", "50ms", *BRIEF[:4])
    document = measure("host", "macvlan", "--test", test, *options)
    assert document["ended"] == "complete"
    assert document["tests"][0]["parameters"]["beside"] == load
    (row,) = rows(document, "load_goodput")
    for side in ("baseline", "candidate"):
        assert row[side]["estimate"] == pytest.approx(50e6, rel=0.3)
    assert all(row["void"] is None for row in document["slices"])


def test_what_ran_beside_stands_under_the_table() -> None:
    said = compare("host", "macvlan", "--test", "UDP_RR", "--beside", "TCP_STREAM", "--link-rate", "200mbit", *BRIEF)
    assert "UDP_RR, host: beside it TCP_STREAM, which brought over " in said.stdout
    assert "UDP_RR, macvlan: beside it TCP_STREAM" in said.stdout


def test_a_load_beside_needs_no_root(as_nobody: Nobody, nobody_python: Path) -> None:
    measured = ("compare", "host", "--test", "TCP_RR", "--vary", "beside=none,TCP_STREAM", *BRIEF)
    words = (*measured, "--quiet", "--json", "-")
    done = as_nobody([nobody_python, "-m", "pathgauge", *words])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["environment"]["rootless"] is True
