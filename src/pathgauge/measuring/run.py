"""A whole comparison: from the request to the results document."""

import math
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from pathgauge.counters.perf import CYCLES, open_counter
from pathgauge.errors import NoValidBlock
from pathgauge.measuring import arms as arms_of
from pathgauge.measuring import assemble, best, ceiling
from pathgauge.measuring.arms import AnyArm
from pathgauge.measuring.awake import Awake
from pathgauge.measuring.crowd import Crowd
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.limits import Own, marked
from pathgauge.measuring.loop import Outcome, Plan, run_test
from pathgauge.measuring.measured import Block
from pathgauge.measuring.observer import Observer, Progress
from pathgauge.measuring.request import Request
from pathgauge.measuring.server_arm import SLICE_SECONDS
from pathgauge.paths.lab import Lab
from pathgauge.paths.room import make_room
from pathgauge.results.document import Comparison, Environment, Picked, Result, Slice
from pathgauge.results.environment import collect
from pathgauge.traffic import load
from pathgauge.traffic.kind import TestKind

LEAST_MAPPED = 0.5  # of what mmap received; less is told


class Stopped(Exception):
    """A comparison that was ended early by `cause` (an error or an interrupt); `result` is what it has."""

    def __init__(self, cause: BaseException, result: Result) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.result = result


@dataclass(slots=True)
class Gathered:
    """One test as far as it got, in one lab after another; `arms` are the last lab's."""

    kind: TestKind
    arms: Sequence[AnyArm]
    question: Question
    own: dict[str, Own]
    picked: Picked | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def blocks(self) -> list[Block]:
        """Those of all labs."""
        return [block for outcome in self.outcomes for block in outcome.blocks]

    @property
    def marked(self) -> list[Block]:
        """The same with what of our own limited their slices."""
        return marked(self.blocks, self.own)

    @property
    def valid(self) -> int:
        """How many of them count."""
        return sum(outcome.valid for outcome in self.outcomes)

    def comparisons(self, metrics: Sequence[str]) -> list[Comparison]:
        """Every candidate against the baseline."""
        baseline, *candidates = (arm.name for arm in self.arms)
        blocks = self.marked
        return [row for name in candidates for row in judge(self.question, metrics, blocks, baseline, name)]

    def look_again(self) -> None:
        """Measure anew what the loops do, where slices came near it: other load may have slowed them down before."""
        near = {row.path for row in assemble.rows(self.marked) if row.limited == "ceiling"}
        for arm in self.arms:
            if arm.name in near:
                self.own[arm.name] = arms_of.limits(arm, _loop_rate(arm, again=True))

    def final(self) -> list[Comparison]:
        """All metrics, as of the last look."""
        return self.comparisons(self.kind.metrics)


@dataclass(slots=True)
class Run:
    """A comparison under way: its document can be made at any time. `lab` is the last that was built, the `labs`th."""

    request: Request
    observer: Observer
    seed: int
    lab: Lab
    environment: Environment
    labs: int = 1
    tests: list[Gathered] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    queues: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def see_queues(self) -> None:
        """Note which CPUs receive for devices that are not a lab's: those are as they were made."""
        for name, path in self.lab.paths.items():
            if self.request.attachment is not None or path.spec.found is not None:
                self.queues |= self.lab.queues(name)

    def warn(self, text: str) -> None:
        """Tell once, now and in the document."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.observer.warning(text)

    def warn_of_gaps(self) -> None:
        """Tell of paths on this machine that could not be followed to their end."""
        for name, path in self.lab.paths.items():
            if path.gap is not None and path.server_namespace is not None:
                last = path.devices[path.gap.before - 1]
                self.warn(
                    f"{name}: how it goes on after {last.name} in {last.namespace} is not known: {path.gap.reason}"
                )

    def measure(self, engine: Engine, place: int) -> None:
        """Run the test at that place of the request to its end, or for its share of the time in one of several labs."""
        request = self.request
        kind = request.kind(place)
        new = place == len(self.tests)
        picked = best.pick(request, engine, kind) if new else self.tests[place].picked
        if new and picked is not None:
            self.observer.picked(kind.name, picked)
        arms = arms_of.build(best.settled(request, picked), engine, kind)
        if new:
            own = {arm.name: arms_of.limits(arm, _loop_rate(arm)) for arm in arms}
            self.tests.append(Gathered(kind, arms, self._question(kind, arms), own, picked))
        gathered = self.tests[place]
        gathered.arms = arms
        earlier = gathered.outcomes[0].plan if gathered.outcomes else None
        outcome = Outcome(Plan(0.0, 0.0, 0.0))
        gathered.outcomes.append(outcome)
        deciding = [name for name in kind.metrics if name in gathered.question.primary]
        elsewhere = request.against_netserver
        run_test(
            arms,
            budget=request.max_time / request.labs,
            slice_seconds=SLICE_SECONDS if elsewhere and request.slice is None else request.slice,
            warmup=0.0 if elsewhere else request.warmup,
            plan=earlier,
            blocks=request.blocks,
            shaped=kind.pattern == "stream" and any(arm.path.rate is not None for arm in arms),
            streams=max(arm.parameters.flows for arm in arms) if kind.pattern == "stream" else 1,
            crowd=max(len(arm.arms) if isinstance(arm, Crowd) else 1 for arm in arms),
            lab=self.labs - 1,
            generator=random.Random(f"{self.seed} {kind.name}" + (f" {self.labs}" if self.labs > 1 else "")),
            outcome=outcome,
            look=lambda: gathered.comparisons(deciding) if request.labs == 1 else (),
            tell=lambda elapsed, current: self._tell(gathered, elapsed, current),
        )
        gathered.look_again()
        self._warn_of(kind, arms, outcome)
        if self.labs == request.labs:
            self.observer.test_done(gathered.final())

    def _question(self, kind: TestKind, arms: Sequence[AnyArm]) -> Question:
        request = self.request
        baseline, *candidates = (arms_of.shown(kind, arm.parameters) for arm in arms)
        return Question(
            kind=kind,
            parameters=baseline,
            changes={
                arm.name: {key: value for key, value in shown.items() if value != baseline[key]}
                for arm, shown in zip(arms[1:], candidates, strict=True)
            },
            confidence=request.confidence,
            margins=request.margins,
            primary=frozenset({kind.primary, *(name for name in request.metrics if name in kind.metrics)}),
            fixed=request.blocks is not None or request.labs > 1,
            candidates=len(arms) - 1,
            labs=request.labs,
            steered=any("rps" in spec.changes for spec in request.paths),
            wire_rates={arm.name: arm.path.rate for arm in arms},
        )

    def _tell(self, gathered: Gathered, elapsed: float, current: Sequence[Comparison]) -> None:
        before = math.fsum(outcome.seconds for outcome in gathered.outcomes[:-1])
        self.observer.block_done(
            Progress(
                test=gathered.kind.name,
                test_index=self.tests.index(gathered),
                tests=len(self.request.tests),
                blocks=gathered.valid,
                void_blocks=len(gathered.blocks) - gathered.valid,
                elapsed=before + elapsed,
                budget=self.request.max_time,
                current=tuple(current),
            )
        )

    def _warn_of(self, kind: TestKind, arms: Sequence[AnyArm], outcome: Outcome) -> None:
        test = kind.name
        for arm, seen in zip(arms, outcome.connections, strict=False):
            for option, asked, got in (
                ("local-buffer", arm.parameters.local_buffer, seen.local_send_buffer),
                ("local-buffer", arm.parameters.local_buffer, seen.local_receive_buffer),
                ("remote-buffer", arm.parameters.remote_buffer, seen.remote_send_buffer),
                ("remote-buffer", arm.parameters.remote_buffer, seen.remote_receive_buffer),
            ):
                if asked is not None and got is not None and got < 2 * asked:  # the kernel doubles what it grants
                    self.warn(
                        f"{test} on {arm.name}: {option} {asked} was asked, the kernel gave {got // 2} bytes; "
                        "see sysctl net.core.wmem_max net.core.rmem_max"
                    )
            rows = [measured.row for block in outcome.blocks for measured in block.slices.get(arm.name, ())]
            self._warn_of_copies(test, arm, rows)
            rate, started = arm.parameters.rate, load.missed(kind, arm.parameters, rows)
            if started is not None:
                self.warn(
                    f"{test} on {arm.name}: {rate:,.0f} a second were asked, {started:,.0f} were started; "
                    "how long the others waited is part of their latency"
                )
        if any(arm.parameters.local_cpu == arm.parameters.remote_cpu for arm in arms):
            self.warn("both ends share one CPU: what one end gains the other loses")

    def _warn_of_copies(self, test: str, arm: AnyArm, rows: Sequence[Slice]) -> None:
        """Say how much of what was to be sent or received without a copy the kernel copied after all."""
        sends = sum(row.zerocopy_sends or 0 for row in rows)
        copied = sum(row.zerocopy_copied or 0 for row in rows)
        if copied:
            self.warn(
                f"{test} on {arm.name}: the kernel copied {copied / sends:.0%} of what {arm.parameters.send_method} "
                "sent after all; where the receiver is on the same machine it must"
            )
        received = sum(row.total_bytes_received for row in rows if row.bytes_mapped is not None)
        mapped = sum(row.bytes_mapped or 0 for row in rows)
        if received and mapped < LEAST_MAPPED * received:
            self.warn(
                f"{test} on {arm.name}: {mapped / received:.0%} of what mmap received was mapped, the rest copied; "
                "only whole pages of the kernel's own can be, as of --send-method zerocopy on the same machine"
            )

    def document(self, ended: str) -> Result:
        """The document of all that has been measured."""
        return assemble.document(
            self.request,
            ended=ended,
            environment=self.environment,
            paths=assemble.describe_paths(self.request, self.lab.paths, self.queues),
            wire=dict(self.lab.wire_facts),
            tests=[
                assemble.describe_test(
                    test.question,
                    test.outcomes,
                    test.arms[0].parameters,
                    self.seed,
                    arms_of.at_once(test.arms),
                    {name: own.rate for name, own in test.own.items() if own.rate is not None},
                    test.picked,
                    arms_of.cpus(self.request) if self.request.awake else (),
                )
                for test in self.tests
            ],
            comparisons=[row for test in self.tests for row in test.final()],
            warnings=self.warnings,
            slices=assemble.rows(block for test in self.tests for block in test.marked),
            labs=self.labs,
        )


def _loop_rate(arm: AnyArm, *, again: bool = False) -> float | None:
    """What the arm's loops do with no network between them, where that can be told."""
    loops = [ceiling.Loop(each.kind, each.parameters, each.flows) for each in arms_of.loops(arm)]
    return ceiling.loop_rate(loops, again=again) if loops else None


def compare_request(request: Request, observer: Observer) -> Result:
    """Build the lab, measure every test, judge, and take the lab down again; with several labs one after the other.

    Raises UserError and MachineError; Stopped where blocks had been measured before an error, a defect or an interrupt.
    """
    seed = random.SystemRandom().randrange(2**32) if request.seed is None else request.seed
    run: Run | None = None
    needs = arms_of.needs(request)
    make_room(needs.connections, f"{needs.connections} connections", "ask for fewer flows")
    try:
        for number in range(1, request.labs + 1):
            with ExitStack() as stack:
                lab = stack.enter_context(Lab.build(request.paths, arms_of.wire(request), request.attachment))
                observer.lab_ready(list(lab.paths), lab.build_seconds)
                awake = stack.enter_context(Awake(arms_of.cpus(request) if request.awake else ()))
                cycles = None if request.awake else open_counter(CYCLES)  # the spinners' are in the machine's
                if cycles is not None:
                    stack.callback(cycles.close)
                if run is None:
                    environment = collect(rootless=lab.rootless, cycles=cycles is not None)
                    run = Run(request, observer, seed, lab, environment)
                run.lab, run.labs = lab, number
                run.see_queues()
                run.warn_of_gaps()
                engine = stack.enter_context(Engine(lab, needs.loops, cycles, needs.flows, needs.ways, awake))
                for place in range(len(request.tests)):
                    run.measure(engine, place)
    except BaseException as cause:
        if run is None or not any(test.blocks for test in run.tests):
            raise
        ended = f"stopped: {str(cause) or type(cause).__name__}" if isinstance(cause, Exception) else "interrupted"
        raise Stopped(cause, run.document(ended)) from cause
    assert run is not None  # noqa: S101 - there is one lab at least
    result = run.document("complete")
    if not any(test.valid for test in run.tests):
        why = next((block.void for test in run.tests for block in test.blocks if block.void), "none ran")
        raise Stopped(NoValidBlock(f"no block was valid: {why}", hint="type: pathgauge doctor"), result)
    return result
