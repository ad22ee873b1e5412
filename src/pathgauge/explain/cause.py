"""A cause: its signature, the knobs that test it, its remedy. And the catalogue of all of them."""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pathgauge.explain.case import Case, Facts
from pathgauge.paths.turning import Turn

Reach = Literal["here", "partly", "not here"]  # whether one machine can reproduce it


@dataclass(frozen=True, slots=True)
class Sign:
    """One piece of evidence: how strongly it speaks for the cause (1: it all but shows it) or against (-1: it rules it
    out), and the words for it, with the numbers in them.
    """

    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What is changed while a knob is turned: parameters of the test, and the machine."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()


NOTHING = Setting()


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that can be turned. `cure` says how on a path (NOTHING where the path lacks it, None where it cannot
    be turned there), `plant` how the cause is planted into a path that is free of it.
    """

    name: str
    cure: Callable[[Facts], Setting | None]
    plant: Callable[[Facts], Setting | None] | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """`code` is its row in the literature's catalogue (A1 ... G7), `question` the one of six it belongs to: 1 the same
    path? 2 who waits? 3 loss? 4 work per byte? 5 round trip? 6 accounting.

    `signature` gives the evidence in a case, none where it cannot be told; `knobs` what can be turned to test it;
    `advice` what to do, as commands to type or sentences, most useful first.
    """

    name: str
    code: str
    question: int
    summary: str
    signature: Callable[[Case], Sequence[Sign]]
    knobs: Callable[[Case], Sequence[Knob]]
    advice: Callable[[Case], Sequence[str]]
    reach: Reach = "here"
    references: tuple[str, ...] = ()
    page: str = ""


def weigh(signs: Sequence[Sign]) -> float:
    """All evidence together, -1 to 1: the strongest against rules out, else what speaks for adds up with less and less
    said by each further sign.
    """
    if not signs:
        return 0.0
    against = min(0.0, *(sign.weight for sign in signs), 0.0)
    doubt = 1.0
    for sign in signs:
        if sign.weight > 0.0:
            doubt *= 1.0 - min(sign.weight, 0.99)
    return max(-1.0, min(1.0, (1.0 - doubt) + against))


def no_knobs(case: Case) -> Sequence[Knob]:
    """Of a cause that cannot be tested from here."""
    del case
    return ()


_MODULES: tuple[str, ...] = (
    "sends",
    "windows",
    "transport",
    "offloads",
    "queues",
    "processors",
    "work",
    "measurement",
)


@cache
def causes() -> Mapping[str, Cause]:
    """Every cause by name, in the order of the questions."""
    found: list[Cause] = []
    for name in _MODULES:
        module = importlib.import_module(f"pathgauge.explain.causes.{name}")
        found += module.CAUSES
    names = [cause.name for cause in found]
    if len(set(names)) < len(names):
        raise ValueError(f"a cause is there twice: {names}")
    return {cause.name: cause for cause in sorted(found, key=lambda cause: cause.question)}


def page(cause: Cause) -> str:
    """What it is: its own words, or those at the head of its file."""
    return cause.page or inspect.cleandoc(sys.modules[cause.signature.__module__].__doc__ or "")
