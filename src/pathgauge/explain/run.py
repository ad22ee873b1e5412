"""A whole explanation: from the request to the results document."""

import math
import random
from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from pathgauge.asking import EXPLAIN_MAX_TIME
from pathgauge.explain.explaining import ALIKE, CLOSED, LIKELY, Explaining, Suspect, Tried, names_of
from pathgauge.explain.gather import SECONDS
from pathgauge.measuring import arms as arms_of
from pathgauge.measuring import assemble
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question
from pathgauge.measuring.request import Request
from pathgauge.measuring.run import Stopped
from pathgauge.paths.lab import Lab
from pathgauge.paths.turned import restore_left
from pathgauge.results.document import Comparison, Environment, Experiment, Explained, Explanation, Result, Share
from pathgauge.results.environment import collect
from pathgauge.statistics.interaction import Span

SLOTS = 4  # arms of an experiment


def explain_request(
    request: Request, tell: Callable[[str], None], *, may_turn: bool = True, every: float = SECONDS
) -> Result:
    """Build the lab, or look at the paths that exist; find out; and leave all as it was. With a slice of evidence
    `every` so many seconds, if that is less than a second, the document has a time line of them.

    Raises UserError and MachineError; Stopped, with what is known by then, where there was a gap to explain already.
    """
    for line in restore_left():
        tell(f"left by a run that was killed: {line}")
    seed = random.SystemRandom().randrange(2**32) if request.seed is None else request.seed
    kind = request.kind(0)
    with ExitStack() as stack:
        lab = stack.enter_context(Lab.build(request.paths, arms_of.wire(request), request.attachment))
        environment = collect(rootless=lab.rootless, cycles=False)
        engine = stack.enter_context(Engine(lab, SLOTS, None, ways=any(each.one_way for each in request.variants)))
        arms = [arm for arm in arms_of.build(request, engine, kind) if isinstance(arm, EngineArm)]
        question = Question(
            kind=kind,
            parameters=arms_of.shown(kind, arms[0].parameters),
            confidence=request.confidence,
            margins=request.margins,
            primary=frozenset(),
        )
        explaining = Explaining(
            engine=engine,
            lab=lab,
            arms=arms,
            question=question,
            budget=request.max_time,
            shaped=kind.pattern == "stream" and any(arm.path.rate is not None for arm in arms),
            seed=seed,
            tell=tell,
            may_turn=may_turn,
            asked=request.metrics,
            every=every,
            slice=request.slice,
            warmup=request.warmup,
        )
        try:
            explaining.run()
        except BaseException as cause:
            if explaining.case is None:
                raise
            ended = f"stopped: {str(cause) or type(cause).__name__}" if isinstance(cause, Exception) else "interrupted"
            raise Stopped(cause, _document(request, lab, environment, explaining, seed, ended)) from cause
        return _document(request, lab, environment, explaining, seed, "complete")


def _document(request: Request, lab: Lab, environment: Environment, found: Explaining, seed: int, ended: str) -> Result:
    result = assemble.document(
        request,
        ended=ended,
        environment=environment,
        paths=assemble.describe_paths(request, lab.paths, {}),
        wire=dict(lab.wire_facts),
        tests=[assemble.describe_test(found.question, found.outcomes[:1], found.arms[0].parameters, seed)],
        comparisons=found.rows,
        warnings=[],
        slices=assemble.rows(block for outcome in found.outcomes[:1] for block in outcome.blocks),
        labs=1,
    )
    made = [(_explanation(suspect, found), found.makes_alike(suspect)) for suspect in found.suspects]
    explanations = [each for each, _ in sorted(made, key=lambda pair: _rank(*pair))]
    top = next((each.cause for each in explanations if each.status in ("confirmed", "suspected")), None)
    return msgspec.structs.replace(result, explained=_explained(found), explanations=explanations, top_cause=top)


def _rank(found: Explanation, alike: bool) -> tuple[int, float]:
    """By status, then by evidence, with what a knob that makes the paths alike has before others."""
    order = ("confirmed", "suspected", "untested", "refuted")
    return order.index(found.status), -(found.weight + ALIKE * alike + (found.share.estimate if found.share else 0.0))


def _explained(found: Explaining) -> Explained:
    gap = found.gap
    names = [arm.name for arm in found.arms]
    return Explained(
        test=found.question.kind.name,
        metric=gap.metric if gap else found.case.gap if found.case else found.question.kind.primary,
        slow=gap.slow if gap else names[-1],
        fast=gap.fast if gap else names[0] if len(names) > 1 else None,
        gap=math.exp(-gap.log) if gap else None,
        unexplained=max(0.0, 1.0 - found.closed) if gap else None,
        differences=found.differences,
        timeline=found.timeline,
        evidence_seconds=found.case.slow.seconds if found.case else 0.0,
    )


def _explanation(suspect: Suspect, found: Explaining) -> Explanation:
    cause, status = suspect.cause, suspect.status
    if status == "untested" and suspect.weight >= LIKELY and found.closed < CLOSED:
        status = "suspected"
    case = found.case
    telling = status in ("confirmed", "suspected") and case is not None
    return Explanation(
        cause=cause.name,
        summary=cause.summary,
        status=status,  # type: ignore[arg-type]  # one of four words
        weight=round(suspect.weight, 3),
        share=_share(suspect.share),
        evidence=[sign.words for sign in suspect.signs],
        experiments=[_experiment(tried) for tried in suspect.trials],
        remedy=list(cause.advice(case)) if telling and case is not None else [],
        references=list(cause.references),
    )


def _experiment(tried: Tried) -> Experiment:
    found, (slow, fast) = tried.found, tried.settings
    setting = fast if tried.planted and fast is not None else slow
    changed = [f"{name.replace('_', '-')}={value}" for name, value in setting.parameters.items()]
    return Experiment(
        knobs=names_of(tried.knobs),
        with_=names_of(tried.base),
        changed=[*changed, *(turn.command for turn in setting.turns)],
        planted=tried.planted,
        outcome=tried.outcome,
        reason=tried.failure,
        blocks=found.blocks if found else 0,
        seconds=round(tried.seconds, 3),
        confidence=found.confidence if found else None,
        improved=_ratio(found.improved) if found else None,
        baseline_improved=_ratio(found.fast_improved) if found else None,
        closed=_share(found.share) if found else None,
    )


def _ratio(span: Span | None) -> Share | None:
    if span is None or not math.isfinite(span.estimate):
        return None
    return Share(estimate=_exp(span.estimate) or 0.0, low=_exp(span.low), high=_exp(span.high))


def _exp(value: float) -> float | None:
    return math.exp(value) if math.isfinite(value) and value < 700.0 else None  # noqa: PLR2004 - what a float holds


def _share(span: Span | None) -> Share | None:
    if span is None or not math.isfinite(span.estimate):
        return None
    low, high = (edge if math.isfinite(edge) else None for edge in (span.low, span.high))
    return Share(estimate=span.estimate, low=low, high=high)


def narrowed(request: Request, row: Comparison) -> Request:
    """The question of one row of a comparison: its test, its metric, its two paths (or values of `vary`)."""
    names = row.baseline.path, row.candidate.path
    paths, vary = request.paths, request.vary
    if vary is None:
        paths = tuple(spec for spec in paths if spec.name in names)
    else:
        option = vary[0].replace("_", "-")
        vary = vary[0], tuple(pair for pair in vary[1] if f"{option}={pair[1]}" in names)
    return msgspec.structs.replace(
        request,
        paths=paths,
        vary=vary,
        tests=(row.test,),
        metrics=(row.metric,),
        max_time=max(EXPLAIN_MAX_TIME, request.max_time),
    )
