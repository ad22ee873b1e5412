"""The tests and metrics as tables: complete, consistent, with netperf's defaults."""

import msgspec
import pytest

from pathgauge.endpoints.methods import RECEIVERS, SENDERS
from pathgauge.errors import UserError
from pathgauge.traffic.kind import udp_payload
from pathgauge.traffic.methods import RECEIVE_METHODS, SEND_METHODS
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import DEFAULT_TESTS, TESTS


def test_the_tests_under_their_names() -> None:
    assert list(TESTS) == [*DEFAULT_TESTS, "TCP_CRR", "TCP_CC", "TCP_BIDIR"]
    assert all(kind.name == name for name, kind in TESTS.items())


@pytest.mark.parametrize("name", list(TESTS))
def test_a_test_knows_its_metrics_and_parameters(name: str) -> None:
    kind = TESTS[name]
    assert kind.primary == kind.metrics[0]
    assert set(kind.metrics) <= set(METRICS)
    assert kind.parameters <= set(msgspec.structs.asdict(Parameters()))
    assert {kind.active, kind.passive} == {"local", "remote"}
    assert ("congestion" in kind.parameters) is (kind.transport == "tcp" and not kind.connects)
    assert ("burst" in kind.parameters) is (kind.pattern == "transactions" and not kind.connects)


def test_every_metric_is_some_tests() -> None:
    used = {metric for kind in TESTS.values() for metric in kind.every_metric}
    assert used == set(METRICS)


def test_defaults() -> None:
    stream = TESTS["TCP_STREAM"].complete(Parameters(), 1500)
    assert (stream.send_size, stream.receive_size) == (65536, 131072)
    assert TESTS["TCP_MAERTS"].active == "remote"
    assert TESTS["TCP_RR"].complete(Parameters(), 1500) == TESTS["TCP_CRR"].complete(Parameters(), 1500) == Parameters()
    nothing = TESTS["TCP_CC"].complete(Parameters(request_size=5), 1500)
    assert (nothing.request_size, nothing.response_size) == (0, 0)


@pytest.mark.parametrize(("mtu", "ipv6", "size"), [(1500, False, 1472), (1500, True, 1452), (1280, True, 1232)])
def test_udp_sends_the_largest_unfragmented_datagram(mtu: int, ipv6: bool, size: int) -> None:
    assert TESTS["UDP_STREAM"].complete(Parameters(ipv6=ipv6), mtu).send_size == size
    assert udp_payload(mtu, ipv6=ipv6) == size


def test_what_is_given_is_kept() -> None:
    given = Parameters(send_size=1400, receive_size=2048)
    for name in ("TCP_STREAM", "UDP_STREAM"):
        assert TESTS[name].complete(given, 1500) == given


def test_gso_takes_no_datagram_that_would_be_fragmented() -> None:
    stream = TESTS["UDP_STREAM"]
    assert stream.complete(Parameters(send_method="gso"), 1500).send_size == 1472
    assert stream.complete(Parameters(send_method="gso", send_size=1472), 1500).send_size == 1472
    assert stream.complete(Parameters(send_method="batch", send_size=9000), 1500).send_size == 9000
    with pytest.raises(UserError, match="1453 bytes do not fit") as caught:
        stream.complete(Parameters(send_method="gso", send_size=1453, ipv6=True), 1500)
    assert "--send-size 1452" in caught.value.hint


@pytest.mark.parametrize("name", list(TESTS))
def test_every_method_that_a_test_has_is_one_that_the_ends_know(name: str) -> None:
    kind = TESTS[name]
    heeds = "send_method" in kind.parameters
    assert heeds is ("receive_method" in kind.parameters) is (kind.pattern == "stream")
    assert ("low_water" in kind.parameters) is (heeds and kind.transport == "tcp")
    assert ("wait" in kind.parameters) is not kind.connects
    assert set(SEND_METHODS[kind.transport]) <= set(SENDERS)
    assert set(RECEIVE_METHODS[kind.transport]) <= set(RECEIVERS)
    assert SEND_METHODS[kind.transport][0] == RECEIVE_METHODS[kind.transport][0] == Parameters().send_method


def test_margins_are_those_promised() -> None:
    margins = {name: metric.default_margin for name, metric in METRICS.items()}
    assert margins["goodput"] == margins["transaction_rate"] == 0.02
    assert margins["cpu_local"] == margins["latency_p50"] == 0.05
    assert margins["latency_p99"] == 0.10
