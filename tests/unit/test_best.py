"""`best`: what is tried, what is picked, what all paths then get, and what it does not go with."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from builders import result, row
from pathgauge import options
from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege, UserError
from pathgauge.measuring import best as measuring
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.request import Request
from pathgauge.report import format as words
from pathgauge.report.table import Look, lines
from pathgauge.results.document import Picked, Slice, Tried
from pathgauge.traffic import best
from pathgauge.traffic.methods import BEST, RECEIVE_METHODS, SEND_METHODS
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

Known = dict[tuple[object, ...], float | list[float] | Exception]
STREAM, DATAGRAMS, ASKING = TESTS["TCP_STREAM"], TESTS["UDP_STREAM"], TESTS["TCP_RR"]
NO_ENGINE = cast("Engine", None)


def request(*paths: str, **given: object) -> Request:
    return options.request_from_python(paths, {"test": "TCP_STREAM", **given})


def test_every_pair_of_methods_is_tried_with_and_without_a_mark_the_plain_way_first() -> None:
    both = [Parameters(send_method=BEST, receive_method=BEST)]
    ways = best.ways(STREAM, both, None)
    assert ways[0] == {"send_method": "copy", "receive_method": "copy", "low_water": None}
    assert len(ways) == 2 * len(SEND_METHODS["tcp"]) * len(RECEIVE_METHODS["tcp"])
    assert {way["send_method"] for way in ways} == set(SEND_METHODS["tcp"])
    datagrams = best.ways(DATAGRAMS, both, None)
    assert {way["receive_method"] for way in datagrams} == set(RECEIVE_METHODS["udp"])
    assert "low_water" not in datagrams[0]


@pytest.mark.parametrize(
    ("given", "varied", "fields"),
    [
        ({"send_method": BEST}, None, {"send_method"}),
        ({"receive_method": BEST}, None, {"receive_method", "low_water"}),
        ({"receive_method": BEST, "low_water": 4096}, None, {"receive_method"}),
        ({"receive_method": BEST, "wait": "spin"}, None, {"receive_method"}),
        ({"receive_method": BEST}, "receive_method", {"receive_method"}),
        ({"send_method": BEST, "receive_method": BEST}, "send_method", {"send_method", "receive_method", "low_water"}),
    ],
)
def test_what_is_tried(given: dict[str, Any], varied: str | None, fields: set[str]) -> None:
    assert set(best.ways(STREAM, [Parameters(**given)], varied)[0]) == fields


def test_only_a_test_that_heeds_it_is_asked() -> None:
    assert best.asked([Parameters(), Parameters(send_method=BEST)], STREAM) == ["send_method"]
    assert best.asked([Parameters(send_method=BEST)], ASKING) == []
    assert best.asked([Parameters()], STREAM) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"set": "macvlan.send-method=best"}, "macvlan is to have its own"),
        ({"send_method": "best", "set": "macvlan.send-method=copy"}, "the best send-method is one for all paths"),
        ({"receive_method": "best", "server": "netperf://198.18.0.1", "device": "eth0",
          "address": "macvlan=198.18.0.3/15"}, "a netserver has only its one way"),
        ({"send_method": "best", "flows": 10}, "--send-method is for one connection"),
    ],
)  # fmt: skip
def test_what_it_does_not_go_with(given: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        request("host", "macvlan", **given)


@pytest.mark.parametrize("explaining", [True, False])
def test_nothing_is_explained_of_it(explaining: bool) -> None:
    values = options.parse_values({"test": ["TCP_STREAM"], "send-method": ["best"]})
    values |= {} if explaining else {"explain": True}
    with pytest.raises(UserError, match="explain looks into one method"):
        options.build_request(["host", "macvlan"], values, explaining=explaining)


def picked(**way: str | int | None) -> Picked:
    parameters = {name.replace("_", "-"): value for name, value in way.items()}
    tried = [Tried(parameters=parameters, goodput=2e9), Tried(parameters=parameters, goodput=None, reason="too old")]
    return Picked(asked=["send-method"], path="host", parameters=parameters, goodput=2e9, tried=tried)


def test_what_was_picked_is_for_all_paths() -> None:
    asked = request("host", "macvlan", send_method="best", receive_method="best", set="macvlan.nodelay=on")
    settled = measuring.settled(asked, picked(send_method="splice", receive_method="copy", low_water=262144))
    for variant in settled.variants:
        assert (variant.send_method, variant.receive_method, variant.low_water) == ("splice", "copy", 262144)
    assert settled.variants[1].nodelay
    assert measuring.settled(asked, None) is asked


def test_what_was_picked_stands_for_one_value_among_others() -> None:
    asked = request("host", vary="send-method=copy,best", receive_method="best")
    settled = measuring.settled(asked, picked(send_method="splice", receive_method="discard", low_water=None))
    assert settled.vary == ("send_method", (("copy", "copy"), ("splice", "best")))
    assert [variant.receive_method for variant in settled.variants] == ["discard", "discard"]


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Callable[[Known], list[Parameters]]:
    """Stands for the arms: the goodput of each way, by send and receive method and mark, look by look, or what goes
    wrong.
    """
    seen: list[Parameters] = []

    def use(known: Known) -> list[Parameters]:
        def build(request: Request, engine: object, kind: object) -> list[Parameters]:
            seen.extend(request.variants[:1])
            return request.variants

        def one(arm: Parameters, seconds: float) -> Slice:
            found = known.get((arm.send_method, arm.receive_method, arm.low_water), 1e9)
            if isinstance(found, list):
                found = found.pop(0)
            if isinstance(found, Exception):
                raise found
            return msgspec.structs.replace(row(), bytes_received=int(found / 80), remote_seconds=0.1)

        monkeypatch.setattr("pathgauge.measuring.arms.build", build)
        monkeypatch.setattr(measuring, "_slice", one)
        return seen

    return use


def pick(asked: Request) -> Picked:
    found = measuring.pick(asked, NO_ENGINE, STREAM)
    assert found is not None
    return found


def test_the_fastest_is_picked_and_all_are_told(rates: Any) -> None:
    lacking: Known = {
        ("zerocopy", "copy", None): MissingFeature("no zerocopy"),
        ("io-uring", "copy", None): MissingPrivilege("switched off"),
    }
    seen = rates({("splice", "copy", 262144): 2e9, **lacking})
    found = pick(request("host", "macvlan", send_method="best", receive_method="best"))
    assert found.parameters == {"send-method": "splice", "receive-method": "copy", "low-water": 262144}
    assert found.asked == ["send-method", "receive-method"]
    assert found.goodput == pytest.approx(2e9)
    assert [each.reason for each in found.tried if each.goodput is None] == ["no zerocopy", "switched off"]
    assert len(seen) > len(found.tried), "the fastest are tried again"


def test_what_is_hardly_faster_than_the_plain_way_is_not_picked(rates: Any) -> None:
    rates({("splice", "copy", None): 1.015e9})
    assert pick(request("host", "macvlan", send_method="best")).parameters == {"send-method": "copy"}
    rates({("splice", "copy", None): 1.03e9})
    assert pick(request("host", "macvlan", send_method="best")).parameters == {"send-method": "splice"}


def test_a_moment_of_other_load_does_not_decide(rates: Any) -> None:
    rates({("splice", "copy", None): [2e9, 0.5e9, 0.7e9], ("copy", "copy", None): [0.1e9, 0.2e9, 1e9]})
    found = pick(request("host", "macvlan", send_method="best"))
    assert found.parameters == {"send-method": "splice"}
    assert [each.goodput for each in found.tried] == pytest.approx([1e9, 1e9, 2e9, 1e9, 1e9, 1e9])


def test_a_message_that_a_method_cannot_send_leaves_it_out(rates: Any) -> None:
    rates({("splice", "copy", None): 9e9})
    found = pick(request("host", "macvlan", send_method="best", send_size="2M"))
    assert found.parameters == {"send-method": "copy"}
    assert "does not fit the pipe" in found.tried[2].reason


def test_a_method_that_does_not_go_with_another_value_is_left_out(rates: Any) -> None:
    rates({("splice", "copy", None): 9e9})
    found = pick(request("host", send_method="best", vary="send-size=1400,2M"))
    assert found.parameters == {"send-method": "copy"}
    assert "does not fit the pipe" in found.tried[2].reason


def test_among_methods_the_one_that_is_to_be_the_best_is_looked_at(rates: Any) -> None:
    seen = rates({("splice", "discard", 262144): 2e9})
    found = pick(request("host", vary="send-method=sendfile,best", receive_method="best"))
    assert found.parameters == {"send-method": "splice", "receive-method": "discard", "low-water": 262144}
    assert {parameters.send_method for parameters in seen} == {"sendfile"}, "the baseline keeps its own"


def test_where_no_method_works_it_is_said_why(rates: Any) -> None:
    rates({(send, "copy", None): MissingFeature("none of it") for send in SEND_METHODS["tcp"]})
    with pytest.raises(MachineError, match="TCP_STREAM: no method works here: none of it"):
        pick(request("host", "macvlan", send_method="best"))


def test_nothing_is_tried_where_nothing_is_asked() -> None:
    assert measuring.pick(request("host", "macvlan"), NO_ENGINE, STREAM) is None


def test_it_is_told_when_it_is_found_and_in_the_report() -> None:
    found = picked(send_method="splice", low_water=None)
    first, rates, left_out = words.tried("TCP_STREAM", found)
    assert first == (
        "TCP_STREAM: best is send-method=splice, low-water=none: 2.00 Gbit/s over host, of 2 ways that were tried"
    )
    assert rates == "TCP_STREAM: tried (send-method, low-water): splice/none 2.00 Gbit/s"
    assert left_out == "TCP_STREAM: left out splice/none: too old"
    document = result()
    test = msgspec.structs.replace(document.tests[0], picked=found)
    assert first in list(lines(msgspec.structs.replace(document, tests=[test]), Look()))
