"""How the variance of blocks divides: planted shares come back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.statistics.levels import Pair, divide


def planted(
    slices: float, connections: float, labs: float, count: int, blocks: int
) -> tuple[list[list[float]], list[tuple[Pair, Pair]]]:
    """Log-ratios by lab and both paths' slices, with what each level adds to a block's log-ratio."""
    generator = np.random.default_rng(20070709)
    ratios, pairs = [], []
    for _ in range(count):
        lab = generator.normal(0.0, labs)
        logs = []
        for _ in range(blocks):
            sides = [
                generator.normal(lab * side, connections / math.sqrt(2)) + generator.normal(0.0, slices, 2)
                for side in (0, 1)
            ]
            pairs.append(((float(sides[0][0]), float(sides[0][1])), (float(sides[1][0]), float(sides[1][1]))))
            logs.append(float(sides[1].mean() - sides[0].mean()))
        ratios.append(logs)
    return ratios, pairs


@pytest.mark.parametrize(
    ("slices", "connections", "labs"), [(0.02, 0.0, 0.0), (0.01, 0.03, 0.0), (0.01, 0.02, 0.05), (0.0, 0.0, 0.04)]
)
def test_each_level_gets_what_was_planted(slices: float, connections: float, labs: float) -> None:
    found = divide(*planted(slices, connections, labs, 400, 20))
    assert found is not None
    assert found.slices == pytest.approx(slices, rel=0.05)
    assert found.connections == pytest.approx(connections, rel=0.05, abs=0.003)
    assert found.labs == pytest.approx(labs, rel=0.1, abs=0.004)


def test_one_lab_has_no_share_of_its_own() -> None:
    ratios, pairs = planted(0.01, 0.01, 0.0, 1, 50)
    found = divide(ratios, pairs)
    assert found is not None
    assert found.labs is None


@pytest.mark.parametrize("labs", [[], [[]], [[0.1]], [[0.1], [0.2]]])
def test_too_little_divides_nothing(labs: list[list[float]]) -> None:
    assert divide(labs, [((0.1, 0.1), (0.1, 0.1))]) is None


@given(st.lists(st.lists(st.floats(-1, 1), min_size=2, max_size=5), min_size=1, max_size=5), st.floats(-1, 1))
def test_a_common_ratio_adds_nothing(labs: list[list[float]], ratio: float) -> None:
    pairs: list[tuple[Pair, Pair]] = [((0.1, 0.2), (0.3, 0.1))]
    plain, moved = divide(labs, pairs), divide([[value + ratio for value in lab] for lab in labs], pairs)
    assert plain is not None
    assert moved is not None
    assert moved.connections == pytest.approx(plain.connections, abs=1e-6)
    assert (moved.labs is None) is (plain.labs is None)
    if moved.labs is not None and plain.labs is not None:
        assert moved.labs == pytest.approx(plain.labs, abs=1e-6)
