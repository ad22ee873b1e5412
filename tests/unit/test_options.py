import argparse
from pathlib import Path

import pytest

from pathgauge import options
from pathgauge.errors import UserError
from pathgauge.measuring.arms import Needs, needs
from pathgauge.measuring.request import Request
from pathgauge.options import OPTIONS, request_from_python
from pathgauge.traffic.kind import WAY_METRICS
from pathgauge.traffic.methods import is_plain
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

ROOT = Path(__file__).parents[2]


def ask(*paths: str, **given: object) -> Request:
    return request_from_python(paths, given)


def test_the_parameters_of_the_table_are_the_fields_of_parameters() -> None:
    assert {option.field for option in OPTIONS.values() if option.parameter} == set(Parameters.__struct_fields__)


@pytest.mark.parametrize("name", ["request-size", "response-size", "nodelay", "ipv6", "confidence", "max-time"])
def test_defaults_shown_are_those_used(name: str) -> None:
    option = OPTIONS[name]
    used = Parameters() if option.parameter else ask()
    assert option.parse(option.default) == getattr(used, option.field)


def test_rates_margin_shown_is_the_one_used() -> None:
    from pathgauge.traffic.metrics import METRICS

    assert "rates 2%" in OPTIONS["margin"].default
    assert METRICS["goodput"].default_margin == METRICS["transaction_rate"].default_margin == 0.02


def test_the_default_comparison() -> None:
    request = ask()
    assert [path.name for path in request.paths] == ["host", "macvlan"]
    assert request.tests == ("TCP_STREAM", "TCP_MAERTS", "TCP_RR", "UDP_STREAM", "UDP_RR")
    assert request.parameters == Parameters()


def test_texts_and_typed_values_ask_for_the_same() -> None:
    texts = ask(send_size="64K", test="TCP_STREAM", nodelay="on", max_time="5s", margin="3%", link_rate="1gbit")
    typed = ask(send_size=65536, test=["TCP_STREAM"], nodelay=True, max_time=5, margin=[3], wire={"rate": "1gbit"})
    assert texts == typed
    assert typed.parameters.send_size == 65536
    assert typed.wire.rate == 10**9


def test_tables_of_python() -> None:
    request = ask("host", "m=macvlan", margin={"cpu_local": 7}, set={"m": {"nodelay": True}}, test="TCP_RR")
    assert request.margins == {"cpu_local": pytest.approx(0.07)}
    assert request.settings == {"m": {"nodelay": True}}


def test_a_margin_without_a_metric_is_the_rates_and_yields_to_one_with() -> None:
    margins = ask(margin=["goodput=1%", "5%", "latency_p99=20%"]).margins
    assert margins == {
        "goodput": pytest.approx(0.01),
        "transaction_rate": pytest.approx(0.05),
        "send_rate": pytest.approx(0.05),
        "latency_p99": pytest.approx(0.2),
    }


def test_vary_keeps_what_was_typed_and_takes_host_by_default() -> None:
    request = ask(vary="send-size=1400,64K", test="TCP_STREAM")
    assert request.vary == ("send_size", ((1400, "1400"), (65536, "64K")))
    assert [path.kind for path in request.paths] == ["host"]
    assert ask(vary={"nodelay": [False, True]}, test="TCP_RR").vary == ("nodelay", ((False, "off"), (True, "on")))


def test_what_is_of_the_lab_is_varied_by_a_path_for_each_value() -> None:
    request = ask("macvlan", vary="rps=off,1,0-1", test="TCP_RR", set="macvlan.nodelay=on", rps="0")
    assert request.vary is None
    assert [path.name for path in request.paths] == ["rps=off", "rps=1", "rps=0-1"]
    assert {path.kind for path in request.paths} == {"macvlan"}
    assert [path.wire(request.wire).rps for path in request.paths] == ["off", "1", "0-1"]
    assert request.settings == {path.name: {"nodelay": True} for path in request.paths}
    assert [path.changes for path in ask(vary={"tso": [True, False]}, test="TCP_RR").paths] == [{"tso": 1}, {"tso": 0}]
    limits = ask("host:qdisc=pfifo", vary="qdisc_limit=10,1000", test="TCP_RR").paths
    assert [path.changes["qdisc-limit"] for path in limits] == [10, 1000]
    with pytest.raises(UserError, match="mtu is both varied and set"):
        ask("host:mtu=1400", vary="mtu=1500,9000", test="TCP_RR")


def test_the_load_is_varied_and_not_the_wire() -> None:
    assert ask(vary="rate=100,200", test="TCP_RR").vary is not None


def test_rps_is_of_the_wire_of_all_paths() -> None:
    assert ask(rps=1).wire.rps == ask(wire="rps=1").wire.rps == "1"
    assert ask(rps="0+2-3").wire.rps == "0+2-3"
    assert ask(rps="0/1-2").wire.rps == "0/1-2"
    assert ask(rps="OFF/1").wire.rps == "off/1"


def test_a_path_name_may_have_dots() -> None:
    assert ask("host", "host", set="host.2.nodelay=on").settings == {"host.2": {"nodelay": True}}


def test_names_are_found_whatever_their_case() -> None:
    request = ask(test="tcp_rr", metric="latency-p99")
    assert (request.tests, request.metrics) == (("TCP_RR",), ("latency_p99",))


def test_none_means_not_given() -> None:
    assert ask(send_size=None, seed=None) == ask()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"test": "TCP_STEAM"}, "did you mean TCP_STREAM"),
        ({"metric": "latency_p9"}, "did you mean latency_p9"),
        ({"metric": "loss", "test": "TCP_RR"}, "TCP_RR has no metric loss"),
        ({"send_size": 0}, "--send-size: size '0' is out of range"),
        ({"send_size": -5}, "negative"),
        ({"send_size": [1, 2]}, "takes one value, not 2"),
        ({"send_size": b"1"}, "a value cannot be"),
        ({"send_sise": 5}, "did you mean send-size"),
        ({"json": "x"}, "there is no option 'json'"),
        ({"link_rate": 0}, "--link-rate: rate '0'"),
        ({"wire": "speed=1gbit"}, "a wire has no 'speed'"),
        ({"wire": "rate=1gbit", "link_rate": "2gbit"}, "different rates"),
        ({"slice": "20s"}, "longer than the whole time"),
        ({"slice": "3s", "max_time": "2s"}, "longer than the whole time"),
        ({"send_size": "128K"}, "does not fit one datagram of UDP_STREAM: at most 65507"),
        ({"request_size": 65508}, "UDP_RR"),
        ({"send_size": 65528, "ipv6": True, "test": "UDP_STREAM"}, "at most 65527"),
        ({"set": "macvlan.send-size=70000"}, "does not fit one datagram"),
        ({"vary": "send-size=1400,70000", "test": "UDP_STREAM"}, "does not fit one datagram"),
        ({"vary": "send-size=1400", "test": "TCP_STREAM"}, "two values"),
        ({"vary": "send-size=1400,1400", "test": "TCP_STREAM"}, "same value twice"),
        ({"vary": "send-sise=1400,64K", "test": "TCP_STREAM"}, "did you mean send-size"),
        ({"vary": "seed=1,2", "test": "TCP_STREAM"}, "no test parameter 'seed'"),
        ({"vary": "send-size=1400,64K"}, "exactly one test"),
        ({"vary": "send-size=1,2", "test": ["TCP_STREAM", "TCP_RR"]}, "exactly one test"),
        ({"vary": "nodelay=on,off", "test": "UDP_RR"}, "UDP_RR does not heed nodelay"),
        ({"nodelay": True, "test": ["UDP_RR", "UDP_STREAM"]}, "UDP_RR nor UDP_STREAM does not heed nodelay"),
        ({"set": "macvlna.nodelay=on"}, "did you mean macvlan"),
        ({"set": "nodelay=on"}, "sets nothing"),
        ({"set": "macvlan.nodelya=on"}, "did you mean nodelay"),
        ({"margin": "goodputt=2%"}, "did you mean goodput"),
        ({"margin": "0%"}, "out of range"),
        ({"confidence": 100}, "out of range"),
        ({"seed": -1}, "no seed"),
        ({"local_cpu": "all"}, "no CPU number"),
        ({"send_method": "sendfle"}, "did you mean sendfile"),
        ({"receive_method": "disc"}, "did you mean discard"),
        ({"wait": "doze"}, "there is no way to wait 'doze'"),
        ({"busy_poll": "-1"}, "no time to poll, in us"),
        ({"realtime": 100}, "priority of SCHED_FIFO '100' is out of range"),
        ({"realtime": "high"}, "no priority of SCHED_FIFO"),
        ({"mptcp": True, "test": "UDP_RR"}, "UDP_RR does not heed mptcp"),
        ({"rps": "1,2"}, "--rps: '1,2' names no CPUs"),
        ({"rps": "3-1"}, "'3-1' is out of range"),
        ({"rps": "0/1/2"}, "'0/1/2' names more than two sides"),
        ({"rps": "0/"}, "'' names no CPUs"),
        ({"rps": "1", "wire": "rps=0"}, "--wire and --rps name different CPUs"),
        ({"vary": "rps=off,x", "test": "TCP_RR"}, "'x' names no CPUs"),
        ({"vary": "rps=off,1", "test": "TCP_RR", "set": "host.rps=0"}, "rps is both varied and set"),
        ({"beside": "TCP", "test": "TCP_RR"}, "no 'TCP' runs beside"),
        ({"beside": "TCP_STREAM", "test": "TCP_CRR"}, "TCP_CRR does not heed beside"),
        ({"beside_rate": "1gbit", "test": "TCP_RR"}, "the rate of what runs beside"),
        ({"beside": "TCP_STREAM", "flows": 2, "test": "TCP_RR"}, "goes with one connection"),
        ({"beside": "TCP_STREAM", "copies": 2, "parallel": True, "test": "TCP_RR"}, "goes with one path at a time"),
        ({"tls": "aes", "test": "TCP_RR"}, "no cipher 'aes'"),
        ({"tls": "aes-128-gcm", "test": "UDP_RR"}, "UDP_RR does not heed tls"),
        (
            {"tls": "aes-128-gcm", "test": "TCP_STREAM", "send_method": "io-uring"},
            "does not go with --send-method io-uring",
        ),
        (
            {"tls": "aes-128-gcm", "test": "TCP_STREAM", "receive_method": "mmap"},
            "does not go with --receive-method mmap",
        ),
        ({"tls": "aes-128-gcm", "test": "TCP_RR", "flows": 2}, "does not go with --flows"),
        ({"tls": "aes-128-gcm", "test": "TCP_RR", "mptcp": True}, "does not go with --mptcp"),
        ({"tls": "aes-256-gcm", "test": "TCP_STREAM", "send_method": "zerocopy"}, "with --send-method zerocopy"),
        ({"tls": "aes-256-gcm", "test": "TCP_MAERTS", "receive_method": "discard"}, "with --receive-method discard"),
        ({"one_way": True, "test": "TCP_CRR"}, "TCP_CRR does not heed one-way"),
        ({"one_way": True, "test": "UDP_RR", "burst": 1}, "--burst has several in flight"),
        ({"one_way": True, "test": "TCP_RR", "flows": 2}, "--flows has several in flight"),
        ({"metric": "delay_request_p50", "test": "TCP_RR"}, "each way of a transaction is timed where that is asked"),
        ({"send_method": "sendfile"}, "UDP_STREAM has no send-method sendfile; it has copy, batch, gso"),
        ({"send_method": "gso", "test": "TCP_STREAM"}, "TCP_STREAM has no send-method gso"),
        ({"send_method": "io-uring-zerocopy"}, "UDP_STREAM has no send-method io-uring-zerocopy"),
        ({"receive_method": "mmap"}, "UDP_STREAM has no receive-method mmap"),
        ({"send_method": "io-uring-zerocopy", "mptcp": True, "test": "TCP_STREAM"}, "Multipath TCP has no send-method"),
        ({"receive_method": "mmap", "mptcp": True, "test": "TCP_STREAM"}, "Multipath TCP has no receive-method mmap"),
        ({"receive_method": "gro", "test": "TCP_MAERTS"}, "TCP_MAERTS has no receive-method gro"),
        ({"set": "macvlan.receive-method=splice", "test": "UDP_STREAM"}, "UDP_STREAM has no receive-method splice"),
        ({"vary": "send-method=copy,gso", "test": "TCP_STREAM"}, "TCP_STREAM has no send-method gso"),
        ({"send_method": "sendfile", "test": "TCP_RR"}, "TCP_RR does not heed send-method"),
        ({"low_water": "1M", "test": ["TCP_RR", "UDP_STREAM"]}, "does not heed low-water"),
        ({"send_method": "splice", "send_size": "2M", "test": "TCP_STREAM"}, "does not fit the pipe"),
        ({"vary": "send-size=1M,2M", "send_method": "splice", "test": "TCP_STREAM"}, "does not fit the pipe"),
        ({"wait": "spin", "low_water": 2, "test": "TCP_STREAM"}, "sleeps for no mark of low water"),
        ({"max_time": "nan"}, "no time"),
        ({"labs": 3}, "3 labs say nothing"),
        ({"copies": 0}, "number of copies"),
        ({"copies": 4001}, "number of copies"),
        ({"parallel": True}, "there is one of each path"),
        ({"copies": 501, "parallel": True}, "more than the 500"),
        ({"copies": 2, "metric": "fairness"}, "connections that run at once"),
        ({"metric": "load_goodput", "test": "TCP_RR"}, "that of a stream beside transactions"),
        ({"wire": "limit=3M"}, "neither burst nor limit"),
        ({"wire": "rate=1gbit,rate=2gbit"}, "does not describe a wire"),
        ({"wire": "rate=1gbit,dealy=5ms"}, "did you mean delay"),
        ({"wire": "delay=11s"}, "more than 0 and at most 10s"),
        ({"wire": "jitter=1ms"}, "a wire without delay has no jitter"),
        ({"wire": "rate=1gbit,reorder=1%"}, "a wire without delay has no reorder"),
        ({"wire": "delay=1ms,jitter=2ms"}, "more than the delay"),
        ({"wire": "shaper=htb"}, "neither burst nor limit nor shaper"),
        ({"wire": "rate=1gbit,shaper=hbt"}, "there is no shaper 'hbt'; did you mean htb"),
        ({"set": "macvlan.jitter=1ms"}, "a wire without delay has no jitter"),
        ({"set": "macvlan.qdisc=fq_codle"}, "did you mean fq_codel"),
        ({"set": "macvlan.qdisc-limit=100"}, "none is named"),
        ({"set": ["macvlan.qdisc=noqueue", "macvlan.qdisc-limit=100"]}, "noqueue has no limit"),
        ({"set": "macvlan.queues=0"}, "number of queues"),
        ({"set": "macvlan.rules=1000000"}, "number of rules"),
        ({"set": "macvlan.conntrack=maybe"}, "neither on nor off"),
        ({"wire": "mtu=100"}, "MTU"),
        ({"wire": "loss=100%"}, "loss '100%' is out of range"),
        ({"wire": "loss=0"}, "loss '0' is out of range"),
        ({"wire": "loss=many"}, "no percentage"),
        ({"set": "macvlan.loss=-1%"}, "negative"),
        ({"set": "macvlan.mtu=100"}, "MTU"),
        ({"set": "macvlan.gso=perhaps"}, "perhaps"),
        ({"path": ["a=local,local", "b=local,local"], "set": "a.mtu=1400"}, "a.mtu changes a lab of ours"),
        ({"path": ["a=local,local", "a=local,local"]}, "two paths have the same name"),
        ({"path": ["a=local,local", "b=local,local"], "link_rate": "1gbit"}, "--link-rate is for paths of a lab"),
        ({"path": ["a=local,nowhere"]}, "is no endpoint"),
        ({"set": "macvlan.rate=1"}, "rate '1'"),
        (
            {
                "set": "macvlan.rate=1gbit",
                "server": "netperf://198.18.0.1",
                "device": "eth0",
                "address": "198.18.0.3/15",
            },
            "changes a lab of ours",
        ),
        (
            {"labs": 5, "server": "netperf://198.18.0.1", "device": "eth0", "address": "198.18.0.3/15"},
            "and a --server is elsewhere",
        ),
    ],
)
def test_what_cannot_be_asked(given: dict[str, object], says: str) -> None:
    with pytest.raises(UserError) as caught:
        ask(**given)
    assert says in str(caught.value)


def test_vary_with_two_paths_or_with_set_of_the_same_key() -> None:
    with pytest.raises(UserError, match="one path, and 2 were given"):
        ask("host", "macvlan", vary="send-size=1,2", test="TCP_STREAM")
    with pytest.raises(UserError, match="both varied and set"):
        ask("host", vary="nodelay=on,off", set="host.nodelay=on", test="TCP_RR")


def test_a_kind_in_brackets_takes_what_set_changes_in_a_lab() -> None:
    bracket = ask("host", "macvlan:mtu=1400,gso=off,rate=1gbit")
    settings = ["macvlan.mtu=1400", "macvlan.gso=off", "macvlan.rate=1gbit"]
    assert bracket.paths == ask("host", "macvlan", set=settings).paths
    both = ask("host", "macvlan:mtu=1400", set="macvlan.gso=off").paths[1]
    assert both.changes == {"mtu": 1400, "gso": 0}
    with pytest.raises(UserError, match="mtu of the path macvlan is given twice"):
        ask("host", "macvlan:mtu=1400", set="macvlan.mtu=1500")
    elsewhere = {"server": "netperf://198.18.0.1", "device": "eth0", "address": "198.18.0.3/15"}
    with pytest.raises(UserError, match=r"macvlan\.mtu changes a lab of ours"):
        ask("host", "macvlan:mtu=1400", **elsewhere)


def test_one_path_is_no_comparison() -> None:
    with pytest.raises(UserError, match="needs two paths") as caught:
        ask("macvlan")
    assert "pathgauge compare host macvlan" in caught.value.hint


def test_a_larger_send_is_fine_where_no_datagram_has_to_hold_it() -> None:
    assert ask(send_size="128K", test=["TCP_STREAM", "UDP_RR"]).parameters.send_size == 131072
    assert ask(send_size=65527, ipv6=True, test="UDP_STREAM").parameters.send_size == 65527


def test_methods_are_parameters_like_any_other() -> None:
    request = ask(
        vary="send-method=copy,sendfile,zerocopy", test="TCP_STREAM", receive_method="Discard", low_water="256K"
    )
    assert request.vary == ("send_method", (("copy", "copy"), ("sendfile", "sendfile"), ("zerocopy", "zerocopy")))
    assert (request.parameters.receive_method, request.parameters.low_water) == ("discard", 262144)
    assert not is_plain(TESTS["TCP_STREAM"], request.parameters)
    assert is_plain(TESTS["TCP_RR"], request.parameters), "it heeds none of these"
    assert not any(is_plain(kind, ask(wait="spin").parameters) for kind in TESTS.values() if not kind.connects)
    assert all(is_plain(kind, ask().parameters) for kind in TESTS.values())
    assert ask("host", "macvlan", wait="spin").parameters.wait == "spin", "every test has it"
    given = ask(vary="busy-poll=0,50", test="UDP_RR", realtime=7)
    assert given.vary == ("busy_poll", ((0, "0"), (50, "50")))
    assert given.parameters.realtime == 7
    assert not is_plain(TESTS["TCP_RR"], ask("host", "macvlan", mptcp=True, test="TCP_RR").parameters)
    assert not any(is_plain(kind, given.parameters) for kind in TESTS.values())
    assert ask(set="macvlan.send-method=gso", test="UDP_STREAM").settings == {"macvlan": {"send_method": "gso"}}
    # A test that does not heed a parameter is not held to it.
    assert ask(send_method="splice", send_size="1M", test=["TCP_STREAM", "TCP_RR"]).parameters.send_size == 1 << 20


def test_a_stream_beside_is_a_parameter_whose_metric_comes_with_it() -> None:
    request = ask(vary="beside=none,tcp_stream", test="TCP_RR", beside_rate="10mbit")
    assert request.vary == ("beside", ((None, "none"), ("TCP_STREAM", "tcp_stream")))
    metrics = request.kind(0).metrics
    assert "load_goodput" in metrics
    assert not {name for name in metrics if name.startswith("service_demand")}, "the load has its part in them"
    assert "load_goodput" not in ask("host", "macvlan", test="TCP_RR").kind(0).metrics
    assert needs(request) == Needs(loops=3, flows=1, connections=3)


def test_a_cipher_is_a_parameter_like_any_other() -> None:
    request = ask("host", vary="tls=off,aes-128-gcm,ChaCha20-Poly1305", test="TCP_STREAM", send_method="sendfile")
    assert [variant.tls for variant in request.variants] == [None, "aes-128-gcm", "chacha20-poly1305"]
    assert [is_plain(TESTS["TCP_RR"], variant) for variant in request.variants] == [True, False, False]


def test_each_way_is_timed_where_that_is_asked_of_any_path_and_its_metrics_come_with_it() -> None:
    request = ask("host", "bridge", set="bridge.one-way=on", test=["TCP_RR", "TCP_STREAM"], metric="delay_request_p99")
    assert [variant.one_way for variant in request.variants] == [False, True]
    assert set(WAY_METRICS) < set(request.kind(0).metrics)
    assert not set(WAY_METRICS) & set(request.kind(1).metrics)
    assert needs(request) == Needs(loops=2, flows=1, connections=2, ways=True)
    plain = ask("host", "bridge", test="TCP_RR")
    assert not set(WAY_METRICS) & set(plain.kind(0).metrics)
    assert not needs(plain).ways
    assert not is_plain(request.kind(0), request.variants[1])


def test_argparse_gives_texts_and_the_last_of_a_single_option_wins() -> None:
    parser = argparse.ArgumentParser()
    options.add_arguments(parser)
    argv = ["--test", "TCP_RR", "--test", "UDP_RR", "--seed", "1", "--seed", "2", "--nodelay", "--no-ipv6"]
    assert options.given(parser.parse_args(argv)) == {
        "test": ["TCP_RR", "UDP_RR"],
        "seed": ["2"],
        "nodelay": ["on"],
        "ipv6": ["off"],
    }


def test_a_verb_can_have_some_options_only() -> None:
    parser = argparse.ArgumentParser()
    options.add_arguments(parser, ["wire", "link-rate"])
    assert set(vars(parser.parse_args([]))) == {"wire", "link_rate"}


def test_the_reference_page_is_that_of_the_table() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text()
    again = "from pathgauge.options import reference_markdown as page; open('docs/reference/cli.md', 'w').write(page())"
    assert page == options.reference_markdown(), f'write it again: python -c "{again}"'
