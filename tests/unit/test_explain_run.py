"""From a row of a comparison to the question that explain is asked; what is refused; what an answer reads like."""

from typing import Any

import msgspec
import pytest

from builders import comparison, result
from pathgauge import options
from pathgauge.asking import EXPLAIN_MAX_TIME
from pathgauge.errors import UserError
from pathgauge.explain.run import narrowed
from pathgauge.measuring.request import Request
from pathgauge.report.explanation import lines
from pathgauge.report.table import Look
from pathgauge.results.document import Doubt, Experiment, Explained, Explanation, Result, Share


def asked(*paths: str, explaining: bool = False, **texts: list[str]) -> Request:
    named = {name.replace("_", "-"): values for name, values in texts.items()}
    return options.build_request(paths, options.parse_values(named), explaining=explaining)


def test_a_row_becomes_a_question_of_its_own() -> None:
    request = asked("host", "macvlan", "bridge", link_rate=["1gbit"])
    one = narrowed(request, comparison(test="TCP_RR", metric="goodput", paths=("host", "bridge")))
    assert [spec.name for spec in one.paths] == ["host", "bridge"]
    assert one.tests == ("TCP_RR",)
    assert one.metrics == ("goodput",)
    assert one.max_time == EXPLAIN_MAX_TIME
    assert one.wire == request.wire


def test_so_does_a_row_of_values() -> None:
    request = asked("host", test=["TCP_STREAM"], vary=["send-size=64K,1400,100"])
    one = narrowed(request, comparison(paths=("send-size=64K", "send-size=100")))
    assert one.vary is not None
    assert [typed for _, typed in one.vary[1]] == ["64K", "100"]
    assert len(one.paths) == 1


def test_explain_takes_one_path_one_test_and_a_minute() -> None:
    request = asked("host", explaining=True)
    assert request.tests == ("TCP_STREAM",)
    assert request.max_time == EXPLAIN_MAX_TIME
    assert asked("host", explaining=True, max_time=["5"]).max_time == 5.0


@pytest.mark.parametrize(
    ("paths", "texts"),
    [
        (("host", "macvlan", "bridge"), {}),
        (("host",), {"test": ["TCP_RR", "UDP_RR"]}),
        (("host", "macvlan"), {"labs": ["5"]}),
        (("host", "macvlan"), {"blocks": ["9"]}),
    ],
)
def test_what_explain_does_not_take(paths: tuple[str, ...], texts: dict[str, list[str]]) -> None:
    with pytest.raises(UserError):
        asked(*paths, explaining=True, **texts)


def answer(**changes: Any) -> Result:
    share = Share(estimate=0.97, low=0.93, high=1.01)
    given: dict[str, Any] = {
        "explained": Explained(
            test="TCP_STREAM", metric="goodput", slow="macvlan", fast="host", gap=0.62, unexplained=0.03,
            differences=["send-size: 65536 on host, 1400 on macvlan"],
        ),
        "explanations": [
            Explanation(
                cause="small-sends", summary="each small send costs a packet of its own", status="confirmed",
                weight=0.8, share=share, evidence=["each send is 1400 bytes"], remedy=["use sends of 32 KiB or more"],
                experiments=[
                    Experiment(
                        knobs=["send-size=65536"], changed=["send-size=65536"], outcome="confirmed", blocks=9,
                        improved=Share(estimate=1.6, low=1.5, high=None), closed=share,
                    )
                ],
            ),
            Explanation(
                cause="nagle", summary="Nagle holds sends", status="refuted", weight=0.2,
                experiments=[Experiment(knobs=["nodelay=on"], outcome="refuted", reason="it did nothing")],
            ),
        ],
        "top_cause": "small-sends",
    }  # fmt: skip
    return msgspec.structs.replace(result(), **(given | changes))


def test_the_first_sentence_is_one_to_act_on() -> None:
    said = list(lines(answer(), Look()))
    assert said[0] == (
        "TCP_STREAM: macvlan is 38 % slower than host (8.58 Gbit/s against 9.00 Gbit/s) because "
        "each small send costs a packet of its own: use sends of 32 KiB or more."
    )
    assert said[1] == "That closes 97 % [93, 101] of the gap."
    assert any("improves it 1.6 times [1.5, ?]; closes 97 % [93, 101] of the gap; confirmed after 9 blocks" in line
               for line in said)  # fmt: skip
    assert "Ruled out:" in said
    assert not any("\x1b" in line for line in said)


def test_colours_only_where_they_are_wanted() -> None:
    assert any("\x1b[32m" in line for line in lines(answer(), Look(colours=True)))


def test_what_was_not_found_is_not_named() -> None:
    nothing = answer(explanations=[], top_cause=None)
    assert next(iter(lines(nothing, Look()))).endswith("no cause was found.")
    alike = answer(
        explained=Explained(test="TCP_STREAM", metric="goodput", slow="b", fast="a", gap=None, unexplained=None)
    )
    assert "no difference" in next(iter(lines(alike, Look())))


def test_why_nothing_can_be_told_is_said() -> None:
    doubt = Doubt(name="void", evidence="5 of 5 blocks are void", advice="stop what voids them", undermines=True)
    row = msgspec.structs.replace(comparison(ratio=(None, None, None), verdict="undecided"), doubts=[doubt])
    asked = Explained(test="TCP_STREAM", metric="goodput", slow="b", fast="a", gap=None, unexplained=None)
    said = list(lines(answer(explained=asked, comparisons=[row], explanations=[], top_cause=None), Look()))
    assert "  5 of 5 blocks are void: stop what voids them" in said


def test_what_comes_from_elsewhere_cannot_steer_a_terminal() -> None:
    evil = answer(explained=Explained(
        test="TCP_STREAM", metric="goodput", slow="macvlan", fast="host", gap=0.5, unexplained=None,
        differences=["\x1b[2J"],
    ))  # fmt: skip
    assert not any("\x1b" in line for line in lines(evil, Look()))
