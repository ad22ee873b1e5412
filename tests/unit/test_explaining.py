"""The order of experiments."""

from typing import cast

import pytest

from facts_twin import case, facts
from pathgauge.explain import knobs
from pathgauge.explain.case import Case
from pathgauge.explain.cause import Knob, causes
from pathgauge.explain.explaining import Explaining, Suspect
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question
from pathgauge.paths.lab import Lab
from pathgauge.traffic.registry import TESTS


def explaining(made: Case, *suspects: Suspect) -> Explaining:
    """One that knows its case and has nothing to measure with."""
    kind = TESTS["TCP_STREAM"]
    question = Question(kind=kind, parameters={}, confidence=0.95, margins={}, primary=frozenset())
    found = Explaining(cast("Engine", None), cast("Lab", None), (), question, 1.0, shaped=False, seed=1, tell=print)
    found.case, found.suspects = made, list(suspects)
    return found


def suspect(name: str, weight: float, *turned: Knob) -> Suspect:
    return Suspect(causes()[name], (), weight, turned)


SMALL, LARGE = knobs.parameter("local-buffer", None), knobs.parameter("remote-buffer", 1 << 20)


def order(found: Explaining) -> list[str]:
    return [each.cause.name for each, _ in found._open_knobs()]


def test_the_likeliest_comes_first() -> None:
    suspects = suspect("send-buffer", 0.3, SMALL), suspect("receive-window", 0.5, LARGE), suspect("nagle", 0.05, SMALL)
    assert order(explaining(case(facts()), *suspects)) == ["receive-window", "send-buffer"]


@pytest.mark.parametrize(("weight", "first"), [(0.3, "send-buffer"), (0.15, "receive-window")])
def test_what_makes_the_paths_alike_goes_before_what_helps_both(weight: float, first: str) -> None:
    slow, fast = facts(parameters={"local_buffer": 8192}), facts("fast")
    suspects = suspect("receive-window", 0.5, LARGE), suspect("send-buffer", weight, SMALL)
    assert order(explaining(case(slow, fast), *suspects))[0] == first


def test_what_both_have_makes_nothing_alike() -> None:
    both = [facts(name, parameters={"local_buffer": 8192}) for name in ("slow", "fast")]
    suspects = suspect("send-buffer", 0.3, SMALL), suspect("receive-window", 0.5, LARGE)
    assert order(explaining(case(both[0], both[1]), *suspects))[0] == "receive-window"
