"""A whole comparison: from the request to the results document."""

import math
import os
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from pathgauge.counters.perf import open_machine_cycles
from pathgauge.errors import NoValidBlock
from pathgauge.measuring import arms as arms_of
from pathgauge.measuring import assemble
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.loop import Outcome, Plan, run_test
from pathgauge.measuring.observer import Observer, Progress
from pathgauge.measuring.request import Request
from pathgauge.measuring.server_arm import SLICE_SECONDS, ServerArm
from pathgauge.paths.lab import Lab
from pathgauge.results.document import Comparison, Environment, Result
from pathgauge.results.environment import collect
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.registry import TESTS

STEAL_SHARE = 0.01


class Stopped(Exception):
    """A comparison that was ended early by `cause` (an error or an interrupt); `result` is what it has."""

    def __init__(self, cause: BaseException, result: Result) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.result = result


@dataclass(slots=True)
class Gathered:
    """One test as far as it got."""

    kind: TestKind
    arms: Sequence[EngineArm | ServerArm]
    question: Question
    outcome: Outcome = field(default_factory=lambda: Outcome(Plan(0.0, 0.0, 0.0)))

    def comparisons(self, metrics: Sequence[str], look: int) -> list[Comparison]:
        """Every candidate against the baseline."""
        asked = replace(self.question, look=look)
        baseline, *candidates = (arm.name for arm in self.arms)
        blocks = self.outcome.blocks
        return [row for name in candidates for row in judge(asked, metrics, blocks, baseline, name)]

    def final(self) -> list[Comparison]:
        """All metrics, as of the last look."""
        return self.comparisons(self.kind.metrics, max(1, self.outcome.looks))


@dataclass(slots=True)
class Run:
    """A comparison under way: its document can be made at any time."""

    request: Request
    observer: Observer
    seed: int
    lab: Lab
    environment: Environment
    tests: list[Gathered] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Tell once, now and in the document."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.observer.warning(text)

    def measure(self, engine: Engine, kind: TestKind) -> None:
        """Run one test to its end."""
        request = self.request
        arms = arms_of.build(request, engine, kind)
        primary = frozenset({kind.primary, *(name for name in request.metrics if name in kind.metrics)})
        baseline, *candidates = (arms_of.shown(kind, arm.parameters) for arm in arms)
        question = Question(
            kind=kind,
            parameters=baseline,
            changes={
                arm.name: {key: value for key, value in shown.items() if value != baseline[key]}
                for arm, shown in zip(arms[1:], candidates, strict=True)
            },
            confidence=request.confidence,
            margins=request.margins,
            primary=primary,
            look=1,
            seed=self.seed,
            fixed=request.blocks is not None,
            candidates=len(arms) - 1,
            wire_rate=request.wire.rate,
        )
        gathered = Gathered(kind, arms, question)
        self.tests.append(gathered)
        deciding = [name for name in kind.metrics if name in primary]
        attached = request.attachment is not None
        run_test(
            arms,
            budget=request.max_time,
            slice_seconds=SLICE_SECONDS if attached and request.slice is None else request.slice,
            warmup=0.0 if attached else request.warmup,
            blocks=request.blocks,
            rarely=any(METRICS[name].quantile is not None for name in deciding),
            shaped=request.wire.rate is not None and kind.pattern == "stream",
            generator=random.Random(f"{self.seed} {kind.name}"),
            outcome=gathered.outcome,
            look=lambda number: gathered.comparisons(deciding, number),
            tell=lambda elapsed, current: self._tell(gathered, elapsed, current),
        )
        self._warn_of(gathered)
        self.observer.test_done(gathered.final())

    def _tell(self, gathered: Gathered, elapsed: float, current: Sequence[Comparison]) -> None:
        outcome = gathered.outcome
        self.observer.block_done(
            Progress(
                test=gathered.kind.name,
                test_index=len(self.tests) - 1,
                tests=len(self.request.tests),
                blocks=outcome.valid,
                void_blocks=len(outcome.blocks) - outcome.valid,
                elapsed=elapsed,
                budget=self.request.max_time,
                current=tuple(current),
            )
        )

    def _warn_of(self, gathered: Gathered) -> None:
        test, outcome = gathered.kind.name, gathered.outcome
        void = [block for block in outcome.blocks if block.void is not None]
        if void:
            self.warn(f"{test}: {len(void)} of {len(outcome.blocks)} blocks are void: {void[-1].void}")
        for arm, seen in zip(gathered.arms, outcome.connections, strict=False):
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
        rows = [slice_.row for block in outcome.blocks for slices in block.slices.values() for slice_ in slices]
        stolen = math.fsum(row.machine_steal_seconds or 0.0 for row in rows)
        whole = math.fsum(row.machine_seconds or 0.0 for row in rows) * (os.cpu_count() or 1)
        if stolen > STEAL_SHARE * whole:
            self.warn(
                f"{test}: the hypervisor took {100 * stolen / whole:.2g} % of the machine's CPU time (steal); "
                "measure when the host is quieter"
            )
        if any(arm.parameters.local_cpu == arm.parameters.remote_cpu for arm in gathered.arms):
            self.warn("both ends share one CPU: what one end gains the other loses")

    def document(self, ended: str) -> Result:
        """The document of all that has been measured."""
        return assemble.document(
            self.request,
            ended=ended,
            environment=self.environment,
            paths=assemble.describe_paths(self.request, self.lab.paths),
            wire=dict(self.lab.wire_facts),
            tests=[
                assemble.describe_test(
                    test.kind.name, test.outcome, test.question.parameters, test.arms[0].parameters, self.seed
                )
                for test in self.tests
            ],
            comparisons=[row for test in self.tests for row in test.final()],
            warnings=self.warnings,
            slices=assemble.rows(test.outcome for test in self.tests),
        )


def compare_request(request: Request, observer: Observer) -> Result:
    """Build the lab, measure every test, judge, and take the lab down again.

    Raises UserError and MachineError; Stopped where blocks had been measured before an error, a defect or an interrupt.
    """
    seed = random.SystemRandom().randrange(2**32) if request.seed is None else request.seed
    with ExitStack() as stack:
        lab = stack.enter_context(Lab.build(request.paths, request.wire, request.attachment))
        observer.lab_ready(list(lab.paths), lab.build_seconds)
        cycles = open_machine_cycles()
        if cycles is not None:
            stack.callback(cycles.close)
        run = Run(request, observer, seed, lab, collect(rootless=lab.rootless, cycles=cycles is not None))
        arms = len(request.vary[1]) if request.vary else len(request.paths)
        try:
            engine = stack.enter_context(Engine(lab, arms, cycles))
            for test in request.tests:
                run.measure(engine, TESTS[test])
        except BaseException as cause:
            if not any(test.outcome.blocks for test in run.tests):
                raise
            ended = f"stopped: {str(cause) or type(cause).__name__}" if isinstance(cause, Exception) else "interrupted"
            raise Stopped(cause, run.document(ended)) from cause
        result = run.document("complete")
    if not any(test.outcome.valid for test in run.tests):
        why = next((block.void for test in run.tests for block in test.outcome.blocks if block.void), "none ran")
        raise Stopped(NoValidBlock(f"no block was valid: {why}", hint="type: pathgauge doctor"), result)
    return result
