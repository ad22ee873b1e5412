"""The three verdicts and the refusal."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.results.document import VerdictName
from pathgauge.statistics.interval import Interval, Refusal, of_blocks, of_sums
from pathgauge.statistics.quantile import of_histograms
from pathgauge.statistics.verdict import decide

MIRROR: dict[VerdictName, VerdictName] = {
    "slower": "faster",
    "faster": "slower",
    "equivalent": "equivalent",
    "undecided": "undecided",
}


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


VALUES = np.geomspace(0.5, 2.0, 400)


def estimated(kind: str, before: np.ndarray, after: np.ndarray, *, fixed: bool) -> Interval | Refusal:
    """The ratio of two paths by one of the three ways, from transactions of shape (blocks, transactions)."""
    if kind == "blocks":
        return of_blocks(before.mean(axis=1).tolist(), after.mean(axis=1).tolist(), 0.95, fixed=fixed)
    if kind == "sums":
        terms = [[(float(block.sum()), float(block.size)) for block in side] for side in (before, after)]
        return of_sums(terms[0], terms[1], 0.95, fixed=fixed)
    places = [np.searchsorted(VALUES, side) for side in (before, after)]
    counts = [np.array([np.bincount(row, minlength=401)[:400] for row in side], dtype=float) for side in places]
    return of_histograms(counts[0], counts[1], VALUES, 0.5, 0.95, fixed=fixed)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("kind", ["blocks", "sums", "histograms"])
def test_swapping_the_paths_mirrors_what_is_measured(kind: str, fixed: bool) -> None:
    """From the blocks to the verdict, over ratios that lead to each verdict; the seed is fixed."""
    generator = np.random.default_rng(20070709)
    seen: Counter[VerdictName] = Counter()
    for ratio in np.geomspace(0.9, 1 / 0.9, 41):
        before, after = (scale * np.exp(0.1 * generator.standard_normal((8, 200))) for scale in (1.0, ratio))
        there, back = estimated(kind, before, after, fixed=fixed), estimated(kind, after, before, fixed=fixed)
        assert isinstance(there, Interval)
        assert isinstance(back, Interval)
        edges = [there.low, there.estimate, there.high]
        assert edges == pytest.approx([1 / back.high, 1 / back.estimate, 1 / back.low], rel=1e-12)
        verdicts = [decide(found, 0.04, "lower")[0] for found in (there, back)]
        assert verdicts[1] == MIRROR[verdicts[0]]
        seen[verdicts[0]] += 1
    assert set(seen) == set(MIRROR)
