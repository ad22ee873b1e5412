"""The engine of `explain`: the gap, the evidence, the causes ranked by it, experiments, and what is left over.

The likeliest cause is tried first, by its knob, in blocks like those of a comparison. What closes part of the gap stays
turned while the next is tried, so that a cause that hides behind another is found, and shares add up. Where no knob
alone helps, the likeliest are turned in pairs.
"""

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pathgauge.errors import PathgaugeError
from pathgauge.explain import gather, trial
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import NOTHING, Cause, Knob, Setting, Sign, causes, weigh
from pathgauge.explain.gap import Gap, choose, metrics_of
from pathgauge.explain.trial import Found, Names, Scale, TurnedArm
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.loop import Outcome, Plan, pilot, run_test
from pathgauge.measuring.measured import Arm
from pathgauge.paths.lab import Lab
from pathgauge.paths.turning import Turn
from pathgauge.results.document import Comparison, Moment
from pathgauge.statistics.interaction import LOOKS, Span, spent
from pathgauge.traffic.metrics import METRICS

CONFIDENCE = 0.99  # of everything that is called confirmed, together
GAP_SHARE, GAP_SHORTEST, GAP_LONGEST = 0.25, 8.0, 15.0  # of the time, for the gap itself; in s
GAP_AT_MOST = 0.6  # of the time, while no gap is told
TRIAL_LONGEST = 9.0  # s, of an experiment while there is time for others
FIRST = LOOKS[0] + 1.5  # blocks of an experiment that must fit
LEAST_WEIGHT = 0.1  # of evidence for which a knob is turned
LIKELY = 0.45  # from which a cause that could not be settled is suspected
ALIKE = 0.3  # of weight, for a knob that makes the paths alike
CLOSED = 0.85  # of the gap: nothing more is looked for
PAIRED = 4  # of the likeliest, turned two at a time
ARMS = 4

Tell = Callable[[str], None]


@dataclass(slots=True)
class Suspect:
    """A cause in a case: its evidence, and the knobs that can be turned here."""

    cause: Cause
    signs: Sequence[Sign]
    weight: float
    knobs: Sequence[Knob]
    trials: list["Tried"] = field(default_factory=list)
    status: str = "untested"
    share: Span | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One experiment that was made: the knobs turned, on top of those already found (`base`)."""

    knobs: tuple[Knob, ...]
    base: tuple[Knob, ...]
    settings: tuple[Setting, Setting | None]
    found: Found | None
    outcome: trial.Outcome
    seconds: float
    failure: str = ""
    planted: bool = False


@dataclass(slots=True)
class Explaining:
    """One question: the arms (one, or the baseline and a candidate) under one test, until `budget` seconds are over."""

    engine: Engine
    lab: Lab
    arms: Sequence[EngineArm]
    question: Question
    budget: float
    shaped: bool
    seed: int
    tell: Tell = lambda _text: None
    may_turn: bool = True
    asked: Sequence[str] = ()
    every: float = gather.SECONDS
    slice: float | None = None
    warmup: float | None = None
    fixed: dict[str, frozenset[str]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    plan: Plan = field(default_factory=lambda: Plan(0.0, 0.0, 0.0))
    outcomes: list[Outcome] = field(default_factory=list)
    rows: list[Comparison] = field(default_factory=list)
    gap: Gap | None = None
    case: Case | None = None
    differences: list[str] = field(default_factory=list)
    timeline: list[Moment] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    base: tuple[Knob, ...] = ()
    closed: float = 0.0
    number: int = 0

    @property
    def alone(self) -> bool:
        """Whether one path is asked about."""
        return len(self.arms) == 1

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.budget - (time.monotonic() - self.started)

    @property
    def _first_look(self) -> float:
        """What an experiment takes until it can be looked at first, as the blocks of the gap lasted."""
        blocks = [block.seconds for block in self.outcomes[0].blocks]
        return FIRST * sum(blocks) / len(blocks) * (1 if self.alone else 2)

    def run(self) -> None:
        """Until the gap is explained, the knobs are through, or time is up; all fields hold what was found so far."""
        self.differences = gather.differences([self._facts(arm) for arm in self.arms])
        for line in self.differences:
            self.tell(f"configured differently: {line}")
        self._see_gap()
        if not self.alone and self.gap is None:
            if self.every < gather.SECONDS:  # a time line was asked for
                self._see_evidence()
            return
        self._see_evidence()
        self._weigh()
        self._alone()
        if not self.base:
            self._pairs()

    def _see_gap(self) -> None:
        """Compare the two paths; of one alone, only see how it runs."""
        outcome = Outcome(self.plan)
        self.outcomes.append(outcome)
        metrics = metrics_of(self.question.kind, self.asked)
        question = replace(self.question, primary=frozenset(metrics), candidates=1)
        names = [arm.name for arm in self.arms]

        def look() -> Sequence[_State]:
            if self.alone:
                return ()
            self.rows = judge(question, metrics, outcome.blocks, *names)
            if time.monotonic() > enough and choose(self.rows) is not None:
                return [_State("told")]
            leading = self.rows[:1]
            return [_State(row.verdict) for row in (leading if leading[0].verdict != "equivalent" else self.rows)]

        # Where nothing is told in the time that a gap takes as a rule, there is nothing else to spend time on.
        usual = min(GAP_LONGEST, max(GAP_SHARE * self.budget, min(GAP_SHORTEST, self.budget / 2)))
        enough = time.monotonic() + usual
        # Slices are as short as the usual time wants them: experiments have the same, and must fit in what is left.
        plan = pilot(self.arms, usual, self.slice, self.warmup, shaped=self.shaped)
        run_test(
            self.arms,
            budget=usual / 3 if self.alone else max(usual, GAP_AT_MOST * self.budget),
            slice_seconds=None,
            warmup=None,
            plan=plan,
            shaped=self.shaped,
            generator=self._random(),
            outcome=outcome,
            look=look,
            tell=lambda _elapsed, _rows: None,
        )
        self.plan = outcome.plan
        if not self.alone:
            self.rows = judge(question, metrics, outcome.blocks, *names)
            self.gap = choose(self.rows)

    def _see_evidence(self) -> None:
        """Slices with the full set of counters, and the case they make."""
        ordered = self._slow_first()
        self.tell("reading the kernel's counters")
        facts = [self._facts(arm) for arm in ordered]
        found, self.timeline = gather.evidence(self.lab, ordered, facts, self.every, self.warmup)
        metric = self.gap.metric if self.gap else self.asked[0] if self.asked else self.question.kind.primary
        self.case = Case(metric, found[0], found[1] if len(found) > 1 else None)

    def _slow_first(self) -> list[EngineArm]:
        slow = None if self.gap is None else self.gap.slow
        return sorted(self.arms, key=lambda arm: slow is not None and arm.name != slow)

    def _weigh(self) -> None:
        case = self.case
        if case is None:
            return
        for cause in causes().values():
            signs = cause.signature(case)
            weight = weigh(signs)
            knobs = cause.knobs(case) if weight >= LEAST_WEIGHT else ()
            allowed = [knob for knob in knobs if self._may(knob, case)]
            suspect = Suspect(cause, signs, weight, allowed)
            suspect.trials += [_refused(knob, case) for knob in knobs if knob not in allowed]
            self.suspects.append(suspect)
        self.suspects.sort(key=lambda each: -each.weight)
        for suspect in self.suspects:
            if suspect.weight <= -LIKELY:
                suspect.status = "refuted"

    def _alone(self) -> None:
        """Each knob by itself, the likeliest cause's first; from the start again once one was found."""
        again, idle = True, set[str]()
        while again and self.closed < CLOSED:
            again = False
            for suspect, knob in self._open_knobs():
                if knob.name in idle:
                    continue
                if self.left < self._first_look or self.closed >= CLOSED:
                    return
                tried = self._try((knob,))
                if tried is None:
                    idle.add(knob.name)
                    continue
                self._note(tried, [each for each in self.suspects if knob.name in names_of(each.knobs)])
                if tried.outcome == "confirmed":
                    self._keep(tried, suspect)
                    again = True
                    break

    def _open_knobs(self) -> Iterator[tuple[Suspect, Knob]]:
        """Those not tried yet on top of what was found; after a find, of the refuted ones only the likely again.

        What makes the paths alike goes before what would help both: it says why the gap is there, not only how to get
        rid of it.
        """
        for suspect in sorted(self.suspects, key=lambda each: -each.weight - ALIKE * self.makes_alike(each)):
            if suspect.status == "confirmed" or suspect.weight < LEAST_WEIGHT:
                continue
            for knob in suspect.knobs:
                times = [tried for tried in suspect.trials if names_of(tried.knobs) == [knob.name]]
                on_top = [tried for tried in times if names_of(tried.base) == names_of(self.base)]
                if knob.name not in names_of(self.base) and not on_top and (not times or suspect.weight >= LIKELY):
                    yield suspect, knob

    def makes_alike(self, suspect: Suspect) -> bool:
        """Whether a knob of it takes a setting of the slow path to where the fast one has it already."""
        case = self.case
        if case is None or case.fast is None or suspect.weight < LEAST_WEIGHT:
            return False
        return any(knob.cure(case.slow) != NOTHING and knob.cure(case.fast) == NOTHING for knob in suspect.knobs)

    def _pairs(self) -> None:
        """Two knobs at a time."""
        likely = [each for each in self.suspects if each.weight >= LEAST_WEIGHT and each.knobs][:PAIRED]
        for one, other in itertools.combinations(likely, 2):
            if self.left < self._first_look:
                return
            knobs = one.knobs[0], other.knobs[0]
            if knobs[0].name == knobs[1].name:
                continue
            tried = self._try(knobs)
            if tried is None:
                continue
            self._note(tried, [one, other])
            if tried.outcome == "confirmed":
                self._keep(tried, one)
                self._keep(tried, other)
                return

    def _note(self, tried: Tried, suspects: Sequence[Suspect]) -> None:
        for suspect in suspects:
            suspect.trials.append(tried)
            if tried.outcome == "refuted" and suspect.status != "confirmed":
                suspect.status = "refuted"
            elif tried.outcome == "undecided" and suspect.status == "refuted" and suspect.weight > 0.0:
                suspect.status = "untested"

    def _keep(self, tried: Tried, suspect: Suspect) -> None:
        """What was confirmed: it stays turned, and counts towards the gap."""
        suspect.status = "confirmed"
        found = tried.found
        if found is not None and found.closed is not None and self.gap is not None:
            direct = found.share if not tried.base and found.share is not None else None
            suspect.share = direct or _scaled(found.closed, self.gap.log)
        if tried.knobs[0].name not in names_of(self.base):
            self.base = (*self.base, *tried.knobs)
            self.closed += suspect.share.estimate if suspect.share else 0.0
        if (
            suspect.knobs
            and (knob := tried.knobs[0]).plant is not None
            and self.left > self._first_look
            and not self.alone
        ):
            planted = self._plant(knob)
            if planted is not None:
                suspect.trials.append(planted)

    def _try(self, knobs: tuple[Knob, ...]) -> Tried | None:
        """One experiment, on top of what was found so far; None where there is nothing to turn."""
        case = self.case
        assert case is not None  # noqa: S101 - there is one before there are suspects
        began = time.monotonic()
        before = [_together(facts, self.base) for facts in case.both()]
        after = [_together(facts, (*self.base, *knobs)) for facts in case.both()]
        if after[0] is None or before[0] is None or after[0] == before[0]:
            return None
        self.number += 1
        confidence = spent(self.number, CONFIDENCE)
        self.tell(f"experiment {self.number}: {' and '.join(names_of(knobs))}")
        settings = [*before, *(each or NOTHING for each in after)]
        found, failure = self._measure([each or NOTHING for each in settings], confidence)
        gap = self.gap.log if self.gap else 0.0
        outcome = found.outcome(gap, self._margin()) if found else "undecided"
        own = (after[0], after[1] if len(after) > 1 else None)
        return Tried(knobs, self.base, own, found, outcome, time.monotonic() - began, failure)

    def _may(self, knob: Knob, case: Case) -> bool:
        return all(self._allowed(knob.cure(facts)) for facts in case.both())

    def _allowed(self, setting: Setting | None) -> bool:
        """Whether it may be turned here; what is the whole machine's never is."""
        turns = setting.turns if setting is not None else ()
        return not turns or (self.may_turn and not any(turn.is_global for turn in turns))

    def _plant(self, knob: Knob) -> Tried | None:
        """Plant the cause into the fast path: the gap has to open there, too."""
        case = self.case
        if case is None or case.fast is None or knob.plant is None:
            return None
        setting = knob.plant(case.fast)
        if setting is None or not self._allowed(setting):
            return None
        began = time.monotonic()
        self.number += 1
        self.tell(f"experiment {self.number}: {knob.name} planted in {case.fast.name}")
        arms: list[Arm] = [self._arm(case.fast, NOTHING, 0, "free"), self._arm(case.fast, setting, 1, "planted")]
        scale = Scale(METRICS[case.gap], case.kind)
        names = Names("planted", "free")
        found, failure = self._blocks(arms, scale, names, spent(self.number, CONFIDENCE))
        outcome = found.outcome(0.0, trial.LEAST_SHARE * self.gap.log if self.gap else 0.0) if found else "undecided"
        return Tried((knob,), (), (NOTHING, setting), found, outcome, time.monotonic() - began, failure, planted=True)

    def _measure(self, settings: Sequence[Setting], confidence: float) -> tuple[Found | None, str]:
        """Arms of the slow path and the fast one, without and with the knob."""
        case = self.case
        assert case is not None  # noqa: S101
        sides = case.both()
        labels = ["slow", "fast"][: len(sides)] + ["slow turned", "fast turned"][: len(sides)]
        arms = [
            self._arm(facts, setting, index, label)
            for index, (facts, setting, label) in enumerate(zip([*sides, *sides], settings, labels, strict=True))
        ]
        names = Names("slow", "slow turned") if len(sides) == 1 else Names("slow", "slow turned", "fast", "fast turned")
        return self._blocks(arms, Scale(METRICS[case.gap], case.kind), names, confidence)

    def _blocks(self, arms: Sequence[Arm], scale: Scale, names: Names, confidence: float) -> tuple[Found | None, str]:
        outcome = Outcome(self.plan)
        gap = self.gap.log if self.gap and names.fast else 0.0
        margin = self._margin()

        looks = 0
        last = _State("undecided")

        def judged() -> Found | None:
            return trial.judge(scale, outcome.blocks, names, spent(looks, confidence))

        def look() -> Sequence[_State]:
            nonlocal looks, last
            if outcome.valid in LOOKS:
                looks += 1
                found = judged()
                said = found.outcome(gap, margin) if found else "undecided"
                last = _State("undecided" if said == "confirmed" and found and not found.sharp else said)
            return [last]

        failure = ""
        try:
            run_test(
                arms,
                budget=max(0.1, min(self.left, max(TRIAL_LONGEST, self._first_look, self.left / 3))),
                slice_seconds=None,
                warmup=None,
                plan=self.plan,
                shaped=self.shaped,
                generator=self._random(),
                outcome=outcome,
                look=look,
                tell=lambda _elapsed, _rows: None,
            )
        except PathgaugeError as error:
            failure = str(error)
        if outcome.valid not in LOOKS:
            looks += 1  # time was up between two looks
        return judged(), failure

    def _arm(self, facts: Facts, setting: Setting, index: int, name: str) -> Arm:
        """The path under the test's parameters, both with what the setting changes."""
        first = next(arm for arm in self.arms if arm.name == facts.name)
        parameters = msgspec.structs.replace(first.parameters, **dict(setting.parameters))
        arm = replace(
            first,
            name=name,
            index=index,
            port=0,
            parameters=first.kind.complete(parameters, first.path.mtu),
        )
        return TurnedArm(arm, self.lab, setting.turns) if setting.turns else arm

    def _facts(self, arm: EngineArm) -> Facts:
        return Facts(
            name=arm.name,
            path=arm.path,
            kind=arm.kind,
            parameters=arm.parameters,
            configuration=self.lab.configuration(arm.path.spec.name),
            fixed=self.fixed.get(arm.name, frozenset()),
        )

    def _margin(self) -> float:
        metric = METRICS[self.case.gap if self.case else self.question.kind.primary]
        return math.log1p(self.question.margin(metric))

    def _random(self) -> random.Random:
        return random.Random(f"{self.seed} explain {self.number} {len(self.outcomes)}")


@dataclass(frozen=True, slots=True)
class _State:
    """What the measuring loop asks of a look."""

    verdict: str
    blocks_needed: int | None = None


def _refused(knob: Knob, case: Case) -> Tried:
    """The experiment that was not made."""
    why = "it is not turned on paths that exist, unless --allow-changes is given"
    return Tried((knob,), (), (knob.cure(case.slow) or NOTHING, None), None, "undecided", 0.0, failure=why)


def _together(facts: Facts, knobs: Sequence[Knob]) -> Setting | None:
    """All knobs turned on one path; None where one cannot be turned there."""
    parameters: dict[str, object] = {}
    turns: list[Turn] = []
    for knob in knobs:
        setting = knob.cure(facts)
        if setting is None:
            return None
        parameters |= setting.parameters
        turns += setting.turns
    return Setting(parameters, tuple(turns))


def _scaled(closed: Span, gap: float) -> Span:
    return Span(closed.estimate / gap, closed.low / gap, closed.high / gap)


def names_of(knobs: Sequence[Knob]) -> list[str]:
    """The knobs' names."""
    return [knob.name for knob in knobs]
