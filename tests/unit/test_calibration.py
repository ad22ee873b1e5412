"""Trials with a known answer: what is asked, what counts as right, what the document says of them."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import comparison, result
from pathgauge import calibration
from pathgauge.calibration import Calibrating, holds
from pathgauge.cli.main import main
from pathgauge.errors import MachineError
from pathgauge.measuring.observer import Observer
from pathgauge.measuring.request import Request
from pathgauge.measuring.run import Stopped
from pathgauge.report.calibration import lines
from pathgauge.results.calibration import Calibration, encode, kept, kept_file
from pathgauge.results.document import Result, VerdictName
from pathgauge.statistics.proportion import bounds

Answer = Callable[[Request], Result]


def answer(low: float, high: float, verdict: VerdictName) -> Result:
    ratio = ((low * high) ** 0.5, low, high)
    return result(comparison(values=(8e9, 8e9), ratio=ratio, verdict=verdict, reason="because"))


def honest(request: Request) -> Result:
    """An instrument that finds what is in the wire, to 0.1 %."""
    truth = (request.paths[1].rate or 1) / (request.wire.rate or 1)
    verdict: VerdictName = "slower" if truth < 0.97 else "equivalent" if truth > 0.99 else "undecided"
    return answer(truth * 0.999, truth * 1.001, verdict)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[Request]]:
    asked: list[Request] = []

    def install(found: Answer) -> list[Request]:
        def compare(request: Request, _observer: Observer) -> Result:
            asked.append(request)
            return found(request)

        monkeypatch.setattr(calibration, "compare_request", compare)
        return asked

    return install


def calibrated(**changes: object) -> Calibration:
    running = Calibrating(command=["pathgauge", "calibrate"])
    for name, value in changes.items():
        setattr(running, name, value)
    running.run()
    return running.document("complete")


def test_an_honest_machine_is_trusted(machine: Callable[[Answer], list[Request]]) -> None:
    asked = machine(honest)
    found = calibrated()
    assert [trial.right for trial in found.trials] == [True] * 6
    assert (found.false_claims.count, found.missed_truths.count, found.found.count, found.found.of) == (0, 0, 2, 2)
    assert found.trusted
    rates = [(request.wire.rate, request.paths[1].rate) for request in asked[3:]]
    assert rates == [(500_000_000, 500_000_000), (500_000_000, 475_000_000), (500_000_000, 490_196_078)]
    assert asked[5].blocks == calibration.FIXED_BLOCKS
    assert all(request.paths[0].kind == request.paths[1].kind == "host" for request in asked)


def test_a_slow_machine_gets_a_slower_wire(machine: Callable[[Answer], list[Request]]) -> None:
    def slow(request: Request) -> Result:
        found = honest(request)
        rows = [msgspec.structs.replace(row, baseline=msgspec.structs.replace(row.baseline, estimate=4e8))
                for row in found.comparisons]  # fmt: skip
        return msgspec.structs.replace(found, comparisons=rows)

    asked = machine(slow)
    calibrated()
    assert asked[3].wire.rate == 100_000_000
    asked.clear()
    calibrated(rate=20_000_000)
    assert asked[3].wire.rate == 20_000_000


def test_a_machine_that_claims_what_is_not_there_is_not(machine: Callable[[Answer], list[Request]]) -> None:
    machine(lambda request: honest(request) if request.paths[1].rate else answer(0.90, 0.95, "slower"))
    found = calibrated()
    assert found.false_claims.count == 3
    assert found.missed_truths.count == 3
    assert not found.trusted
    text = "\n".join(lines(found))
    assert "claimed in 3 of 4 trials" in text
    assert "Do not believe" in text


def test_a_machine_that_sees_nothing_is_not(machine: Callable[[Answer], list[Request]]) -> None:
    machine(lambda _request: answer(0.7, 1.4, "undecided"))
    found = calibrated()
    assert found.false_claims.count == found.missed_truths.count == found.found.count == 0
    assert not found.trusted
    assert re.search(r"Noise of TCP_STREAM: \d+ % to either side after .* takes about", "\n".join(lines(found)))


def test_one_false_claim_in_twenty_rounds_is_what_was_promised(machine: Callable[[Answer], list[Request]]) -> None:
    left = iter([answer(0.90, 0.95, "slower")])
    machine(lambda request: next(left, honest(request)))
    found = calibrated(rounds=20)
    assert (found.false_claims.count, found.false_claims.of) == (1, 80)
    assert found.trusted


def test_a_refusal_is_no_find(machine: Callable[[Answer], list[Request]]) -> None:
    machine(lambda _request: result(comparison(ratio=(None, None, None), verdict="undecided")))
    found = calibrated()
    assert (found.missed_truths.of, found.found.count) == (0, 0)
    assert not any(holds(trial) for trial in found.trials)
    assert "Noise of TCP_STREAM: unknown" in list(lines(found))


def test_what_ends_a_trial_ends_the_calibration_with_what_there_is(
    machine: Callable[[Answer], list[Request]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    count = iter(range(10))

    def dies(request: Request) -> Result:
        if next(count) == 2:
            raise Stopped(MachineError("the end died", hint="run it again"), honest(request))
        return honest(request)

    machine(dies)
    file = tmp_path / "c.json"
    assert main(["calibrate", "--json", str(file)]) == 3
    told = capsys.readouterr()
    assert "the end died" in told.err
    found = msgspec.json.decode(file.read_bytes(), type=Calibration)
    assert (found.ended, len(found.trials), found.trusted) == ("stopped: the end died", 2, False)
    assert "That is too little" in told.out
    assert told.out.endswith(f"written: {file}\n")


def test_nothing_at_all_is_the_error_itself(
    machine: Callable[[Answer], list[Request]], capsys: pytest.CaptureFixture[str]
) -> None:
    def dies(_request: Request) -> Result:
        raise MachineError("no veth here")

    machine(dies)
    assert main(["calibrate"]) == 3
    assert capsys.readouterr().err.startswith("pathgauge: no veth here")


def test_the_command_keeps_and_says(
    machine: Callable[[Answer], list[Request]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert kept() is None
    machine(honest)
    assert main(["calibrate", "--keep", "--json", "-"]) == 0
    told = capsys.readouterr()
    found = kept()
    assert found is not None
    assert encode(found).decode() == told.out
    assert f"kept: {kept_file()}" in told.err
    kept_file().write_text("{}")
    assert kept() is None
    machine(lambda _request: answer(0.5, 0.6, "slower"))
    assert main(["calibrate", "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--rounds", "0"], "number of rounds"), (["--margin", "x"], "x"), (["--confidence", "100"], "out of range"),
     (["--json", "/nowhere/x.json"], "cannot be written")],
)  # fmt: skip
def test_mistakes(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", *words]) == 2
    assert says in capsys.readouterr().err


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.5, 0.999))
def test_bounds_hold_what_was_seen_and_mirror(count: int, rest: int, confidence: float) -> None:
    of = count + rest
    low, high = bounds(count, of, confidence)
    assert 0.0 <= low <= (count / of if of else 1.0) <= high + 1e-12
    mirrored = bounds(rest, of, confidence)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


def test_bounds_against_known_values() -> None:
    """Three of ten at 95 %: the classic table's 6.67 % to 65.25 %."""
    assert bounds(3, 10, 0.95) == pytest.approx((0.0667, 0.6525), abs=1e-4)
    assert bounds(0, 60, 0.90)[1] == pytest.approx(1 - 0.05 ** (1 / 60))
