"""The three verdicts and the refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.statistics.interval import Interval, Refusal
from pathgauge.statistics.verdict import decide

MIRROR = {"slower": "faster", "faster": "slower", "equivalent": "equivalent", "undecided": "undecided"}


@pytest.mark.parametrize(
    ("low", "high", "better", "verdict"),
    [
        (0.90, 0.95, "higher", "slower"),
        (0.90, 0.95, "lower", "faster"),
        (1.05, 1.10, "higher", "faster"),
        (1.05, 1.10, "lower", "slower"),
        (0.99, 1.01, "higher", "equivalent"),
        (0.97, 1.00, "higher", "undecided"),
        (0.90, 0.985, "higher", "undecided"),  # a difference beyond zero, but not beyond the margin
        (1.00, 1.05, "lower", "undecided"),
        (0.50, 2.00, "lower", "undecided"),
    ],
)
def test_verdicts_at_a_margin_of_two_percent(low: float, high: float, better: str, verdict: str) -> None:
    found, _ = decide(Interval((low + high) / 2, low, high, 0.95), 0.02, better)  # type: ignore[arg-type]
    assert found == verdict


def test_undecided_says_whether_zero_is_excluded() -> None:
    assert "zero is excluded" in decide(Interval(0.98, 0.97, 0.99, 0.95), 0.02, "higher")[1]
    assert "zero is not excluded" in decide(Interval(1.0, 0.97, 1.03, 0.95), 0.02, "higher")[1]


def test_a_refusal_is_undecided_for_its_reason() -> None:
    assert decide(Refusal("too few"), 0.02, "higher") == ("undecided", "too few")


@given(st.floats(0.5, 2.0), st.floats(1.0, 1.5), st.floats(0.001, 0.3), st.sampled_from(["higher", "lower"]))
def test_swapping_the_paths_mirrors_the_verdict(centre: float, width: float, margin: float, better: str) -> None:
    low, high = centre / width, centre * width
    near = min(abs(edge - bound) for edge in (low, high) for bound in (1 + margin, 1 / (1 + margin)))
    if near < 1e-9:
        return  # rounding decides at the very edge
    there, _ = decide(Interval(centre, low, high, 0.95), margin, better)  # type: ignore[arg-type]
    back, _ = decide(Interval(1 / centre, 1 / high, 1 / low, 0.95), margin, better)  # type: ignore[arg-type]
    assert back == MIRROR[there]
