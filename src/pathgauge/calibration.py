"""Comparisons whose answer is known show whether the verdicts of this machine, now, can be believed.

A path against itself must not be called different; a known effect, put into the wire by shaping one path's wire lower
than the other's, must be found, and found as large as it is.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pathgauge import options
from pathgauge.errors import MachineError
from pathgauge.measuring.observer import Silent
from pathgauge.measuring.run import Stopped, compare_request
from pathgauge.results.calibration import Calibration, Share, Trial
from pathgauge.results.document import Comparison, Environment, Result
from pathgauge.statistics.interval import blocks_needed
from pathgauge.statistics.proportion import bounds

TESTS = ("TCP_STREAM", "TCP_RR", "UDP_STREAM")
SECONDS = 6.0  # for a trial without a difference
KNOWN_SECONDS = 10.0
FIXED_BLOCKS = 8  # an effect as large as the margin never settles
EFFECT = 0.05
FASTEST_WIRE = 500_000_000  # bit/s, where the machine can do four times as much
SLOWEST_WIRE = 10_000_000
HEADROOM = 4.0
FOUND = 0.9  # of the known effects, so that the machine can be trusted to show one
WIRE_ERROR = 0.0025  # how well shaping hits the ratio of two rates


@dataclass(frozen=True, slots=True)
class Plan:
    """One trial to be made. `effect` is the share by which the candidate's wire is slower."""

    name: str
    test: str
    rate: int | None = None
    effect: float = 0.0
    blocks: int | None = None

    @property
    def truth(self) -> float:
        return 1.0 - self.effect


@dataclass(slots=True)
class Calibrating:
    """A calibration under way: its document can be made at any time."""

    command: Sequence[str]
    rounds: int = 1
    rate: int | None = None
    confidence: float = 0.95
    margin: float = 0.02
    tell: Callable[[Trial], None] = lambda _trial: None
    trials: list[Trial] = field(default_factory=list)
    environment: Environment | None = None
    reached: float = 0.0  # TCP_STREAM's goodput over an unshaped wire, bit/s

    def run(self) -> None:
        """Make all trials. Raises UserError and MachineError."""
        for _ in range(self.rounds):
            for plan in self._same():
                self._make(plan)
            for plan in self._known(self._wire_rate()):
                self._make(plan)

    def _same(self) -> Iterator[Plan]:
        for test in TESTS:
            yield Plan("the same path twice", test)

    def _known(self, rate: int) -> Iterator[Plan]:
        yield Plan("the same path twice", "TCP_STREAM", rate)
        yield Plan(f"{100 * EFFECT:g} % less in the wire", "TCP_STREAM", rate, EFFECT)
        least = self.margin / (1.0 + self.margin)
        yield Plan("the margin less in the wire", "TCP_STREAM", rate, least, FIXED_BLOCKS)

    def _wire_rate(self) -> int:
        """A rate that this machine reaches with ease, as the unshaped trials showed."""
        if self.rate is not None:
            return self.rate
        return max(SLOWEST_WIRE, min(FASTEST_WIRE, int(self.reached / HEADROOM)))

    def _make(self, plan: Plan) -> None:
        result = self._compare(plan)
        self.environment = self.environment or result.environment
        row = next(row for row in result.comparisons if row.primary)
        seconds = sum(test.seconds for test in result.tests)
        if plan == Plan(plan.name, "TCP_STREAM"):
            self.reached = row.baseline.estimate or 0.0
        trial = Trial(
            name=plan.name,
            test=plan.test,
            rate=plan.rate,
            truth=plan.truth,
            margin=row.margin,
            estimate=row.ratio.estimate,
            low=row.ratio.low,
            high=row.ratio.high,
            verdict=row.verdict,
            blocks=row.blocks,
            seconds=seconds,
            to_decide=self._to_decide(row, seconds),
            right=_is_right(plan, row, self.margin),
            reason=row.reason,
        )
        self.trials.append(trial)
        self.tell(trial)

    def _compare(self, plan: Plan) -> Result:
        texts = {
            "test": [plan.test],
            "confidence": [f"{100 * self.confidence:.10g}"],
            "margin": [f"{100 * self.margin:.10g}"],
            "max-time": [str(KNOWN_SECONDS if plan.rate else SECONDS)],
        }
        if plan.rate is not None:
            texts["link-rate"] = [str(plan.rate)]
            texts["set"] = [f"candidate.rate={round(plan.rate * plan.truth)}"]
        if plan.blocks is not None:
            texts |= {"blocks": [str(plan.blocks)], "max-time": ["60"]}
        request = options.build_request(("host", "candidate=host"), options.parse_values(texts), self.command)
        try:
            return compare_request(request, Silent())
        except Stopped as early:
            raise early.cause from None

    def _to_decide(self, row: Comparison, seconds: float) -> float | None:
        """How long a run would have to be that tells a path from one like it, if all stays as it is."""
        if row.ratio.low is None or row.ratio.high is None or row.verdict != "undecided" or row.blocks == 0:
            return None
        half = math.log(row.ratio.high / row.ratio.low) / 2.0
        needed = blocks_needed(row.blocks, half, math.log1p(row.margin), self.confidence)
        return None if needed is None else seconds * needed / row.blocks

    def document(self, ended: str) -> Calibration:
        """All that was found so far. Raises MachineError where that is nothing."""
        if self.environment is None:
            raise MachineError("no trial of the calibration came to an end", hint="type: pathgauge doctor")
        same = [trial for trial in self.trials if trial.truth == 1.0]
        known = [trial for trial in self.trials if trial.truth != 1.0]
        claims = self._share([trial.verdict in ("slower", "faster") for trial in same])
        found = self._share([trial.right for trial in known])
        return Calibration(
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            command=list(self.command),
            ended=ended,
            environment=self.environment,
            confidence=self.confidence,
            rounds=self.rounds,
            trials=self.trials,
            false_claims=claims,
            missed_truths=self._share([not holds(trial) for trial in self.trials if trial.low is not None]),
            found=found,
            trusted=claims.low <= 1.0 - self.confidence and 0 < FOUND * found.of <= found.count,
        )

    def _share(self, outcomes: Sequence[bool]) -> Share:
        low, high = bounds(sum(outcomes), len(outcomes), self.confidence)
        return Share(count=sum(outcomes), of=len(outcomes), low=low, high=high)


def holds(trial: Trial) -> bool:
    """Whether the interval holds the truth, as far as shaping hits it."""
    if trial.low is None or trial.high is None:
        return False
    slack = 0.0 if trial.truth == 1.0 else WIRE_ERROR
    return trial.low * (1.0 - slack) <= trial.truth <= trial.high * (1.0 + slack)


def _is_right(plan: Plan, row: Comparison, margin: float) -> bool:
    """Nothing claimed where there is nothing; a large effect called slower; one of the margin's size seen at least."""
    if plan.effect == 0.0:
        return row.verdict in ("equivalent", "undecided")
    if row.ratio.high is None:
        return False
    return row.verdict == "slower" if plan.effect > margin else row.ratio.high < 1.0
