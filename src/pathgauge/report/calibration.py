"""A calibration in words."""

from collections.abc import Iterator, Sequence
from statistics import median

from pathgauge.quantities import format_value, significant
from pathgauge.report import format as words
from pathgauge.results.calibration import Calibration, Share, Trial
from pathgauge.results.document import Ratio


def sentence(trial: Trial) -> str:
    """One trial on one line."""
    ratio = Ratio(estimate=trial.estimate, low=trial.low, high=trial.high, confidence=0.0)
    said = f"{words.difference(ratio)}, {trial.verdict}; {trial.blocks} blocks, {trial.seconds:.1f} s"
    outcome = "as it should be" if trial.right else f"WRONG: {_expected(trial)}"
    return f"{_what(trial)}: {said}; {outcome}"


def lines(found: Calibration) -> Iterator[str]:
    """What the trials say together."""
    yield ""
    for test, rate in dict.fromkeys((trial.test, trial.rate) for trial in found.trials if trial.truth == 1.0):
        own = [t for t in found.trials if (t.test, t.rate, t.truth) == (test, rate, 1.0)]
        yield f"Noise of {_over(test, rate)}: {_noise(own)}"
    percent = words.percent(found.confidence)
    yield f"A difference where there is none was claimed in {_share(found.false_claims, percent)}."
    yield f"The interval missed what was put in in {_share(found.missed_truths, percent)}."
    yield f"What was put in was found in {_share(found.found, percent)}."
    if found.ended != "complete":
        yield f"This calibration did not end by itself: {found.ended}."
    if found.rounds == 1:
        yield "One round shows a broken instrument, not a rate of errors: --rounds 20 does (about 12 minutes)."
    if found.found.of == 0:
        yield "That is too little to say whether verdicts of this machine can be believed."
    elif found.trusted:
        yield "Verdicts of this machine can be believed, as far as this shows."
    else:
        yield "Do not believe verdicts of this machine: pathgauge doctor says what disturbs it."


def _noise(trials: Sequence[Trial]) -> str:
    """How wide the interval of no difference is, and how long until the margin could be told."""
    halves = [(t.high / t.low) ** 0.5 - 1 for t in trials if t.low and t.high]
    if not halves:
        return "unknown"
    seconds = median(trial.seconds for trial in trials)
    text = f"{significant(100 * median(halves), 2)} % to either side after {significant(seconds, 2)} s"
    waits = [trial.to_decide for trial in trials if trial.to_decide is not None]
    if all(trial.verdict == "equivalent" for trial in trials):
        return f"{text}; that settles a margin of {words.percent(trials[0].margin)}"
    if waits:
        return f"{text}; a margin of {words.percent(trials[0].margin)} takes about {significant(median(waits), 2)} s"
    return f"{text}; a margin of {words.percent(trials[0].margin)} is out of reach"


def _share(share: Share, confidence: str) -> str:
    if share.of == 0:
        return "0 of 0 trials"
    return f"{share.count} of {share.of} trials ({confidence}: {100 * share.low:.3g} to {100 * share.high:.3g} %)"


def _over(test: str, rate: int | None) -> str:
    return test if rate is None else f"{test} at {format_value(float(rate), 'bit/s')}"


def _what(trial: Trial) -> str:
    return f"{_over(trial.test, trial.rate)}, {trial.name}"


def _expected(trial: Trial) -> str:
    if trial.truth == 1.0:
        return "there is no difference"
    return f"{100 * (trial.truth - 1.0):+.3g} % was put in ({trial.reason})"
