"""The plots of docs/explanation/statistics.md, from the simulations of tests/calibration.

    python -m benchmarks.plots [--folder docs/explanation/plots]

Needs matplotlib (`pip install .[plots]`). The seeds are fixed: the same plots each time.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot

from pathgauge.statistics.interval import spread_at
from pathgauge.statistics.sequence import half_width
from tests.calibration.models import MODELS
from tests.calibration.simulate import ALPHA, MARGIN, run

SEED = 20070709
RUNS = 4000
BLOCKS = 120
SPREAD = 0.2
OURS, OTHER, LINE = "#1b6ca8", "#d1495b", "#777777"


def one_look(count: int, confidence: float) -> float:
    """Student's half-width, made for one look."""
    return spread_at(count, confidence, fixed=True)


def misses(axes: Any) -> None:
    """How often the interval at the stop misses the truth, by kind of noise."""
    names = list(MODELS)
    shares: dict[str, list[float]] = {"ours": [], "student": []}
    for name in names:
        noise = SPREAD * MODELS[name](np.random.default_rng([SEED, len(name)]), RUNS, BLOCKS)
        shares["ours"].append(100 * (1 - run(noise, 0.0).covered))
        shares["student"].append(100 * (1 - run(noise, 0.0, width=one_look, widened=False).covered))
    places = np.arange(len(names))
    axes.barh(
        places - 0.2, shares["student"], 0.4, color=OTHER, label="Student's interval, looked at after every block"
    )
    axes.barh(places + 0.2, shares["ours"], 0.4, color=OURS, label="pathgauge's")
    axes.axvline(100 * ALPHA, color=LINE, linestyle="--", linewidth=1)
    axes.set_yticks(places, [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("runs whose interval missed the truth at the stop, % (promised: 5)")
    axes.legend(frameon=False)


def widths(axes: Any) -> None:
    """How wide the intervals are."""
    counts = np.arange(5, 301)
    spread = [math.sqrt(count - 1) for count in counts]  # the root of the sum of squares, for a spread of 1
    axes.plot(counts, [s * half_width(int(n), 0.95) for n, s in zip(counts, spread, strict=True)], color=OURS,
              label="pathgauge's, good at all looks")  # fmt: skip
    axes.plot(counts, [s * one_look(int(n), 0.95) for n, s in zip(counts, spread, strict=True)], color=OTHER,
              label="Student's, good at one look (--blocks)")  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("blocks")
    axes.set_ylabel("half-width, in spreads of a block")
    axes.legend(frameon=False)


def times(axes: Any) -> None:
    """How many blocks a verdict takes."""
    spreads = np.geomspace(0.002, 0.1, 12)
    for truth, colour, label in ((0.0, OURS, "no difference"), (0.05, OTHER, "5 % slower"), (0.03, LINE, "3 % slower")):
        needed = []
        for spread in spreads:
            noise = spread * MODELS["normal"](np.random.default_rng(SEED), 400, 1500)
            needed.append(run(noise, math.log1p(-truth)).blocks)
        axes.plot(100 * spreads, needed, color=colour, marker="o", markersize=3, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("spread of a block's ratio, %")
    axes.set_ylabel(f"blocks until a verdict, median (margin {100 * MARGIN:g} %)")
    axes.legend(frameon=False)


def draw(folder: Path, name: str, plot: Callable[[Any], None]) -> None:
    """One plot into one file."""
    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), layout="constrained")
    plot(axes)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)
    print(folder / f"{name}.svg")


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("docs/explanation/plots"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("svg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "pathgauge", "font.size": 9}
    for name, plot in (("misses", misses), ("widths", widths), ("times", times)):
        draw(folder, name, plot)


if __name__ == "__main__":
    main()
