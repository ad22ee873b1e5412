"""How the cost of a byte and of a transaction grows with the number of flows, and what a flow takes of memory.

    python -m benchmarks.flows [--seconds 240] [--flows 8 1 100 1000 10000] [--plot docs/reference/plots/flows.svg]
        [--page docs/reference/performance.md]

The rates are one comparison each, `pathgauge compare host --vary flows=...`, its first number the baseline; the memory
is read while all flows stand open on a path of their own, after each has carried something. The plot needs matplotlib
(`pip install .[plots]`).
"""

import argparse
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.page import add_option, put
from pathgauge import compare
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.arms import placed
from pathgauge.measuring.engine import Engine
from pathgauge.paths.lab import Lab
from pathgauge.paths.room import make_room
from pathgauge.paths.types import PathSpec, WireSpec
from pathgauge.quantities import significant
from pathgauge.results.document import PathEstimate, Ratio
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

TESTED = ("TCP_STREAM", "TCP_RR")
MACHINE = "service_demand_machine"
WARM_SECONDS = 1.0
LINE = "#1b6ca8"
KIB = 1024
FEW = 100  # flows, of which each one's memory is lost in the rest
HEADER = (
    "| test | flows | rate | ratio to the first [95 %] | machine's service demand | ratio to the first [95 %] "
    "| memory of a flow: pathgauge | the kernel |\n|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Grown:
    """One number of flows: its rate and the machine's service demand (whose ratio is to the first number's), and the
    memory of one flow in bytes, both ends together: pathgauge's own and the kernel's.
    """

    flows: int
    rate: PathEstimate
    rate_ratio: Ratio | None
    demand: PathEstimate
    demand_ratio: Ratio | None
    ours: float
    kernel: float


def memory(test: str, flows: int) -> tuple[float, float]:
    """Bytes that a flow takes with both its ends: of pathgauge's processes, and of the kernel."""
    kind = TESTS[test]
    with Lab.build([PathSpec("host", "host")], WireSpec()) as lab, Engine(lab, 1, None, flows) as engine:
        path = lab.paths["host"]
        parameters = kind.complete(placed(Parameters(flows=flows, congestion="cubic")), path.mtu)
        arm = EngineArm(engine, "host", path, kind, parameters, 0, flows=flows)
        before = of_ends(engine), of_kernel()
        arm.open()
        arm.warm(WARM_SECONDS)
        after = of_ends(engine), of_kernel()
        arm.close()
    return (after[0] - before[0]) / flows, (after[1] - before[1]) / flows


def of_ends(engine: Engine) -> int:
    """The private memory of both ends' processes, and the shared of their board, in bytes."""
    total = 0
    for end in engine.ends.values():
        rollup = Path(f"/proc/{end.process.pid}/smaps_rollup").read_text()
        total += sum(int(line.split()[1]) * KIB for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def of_kernel() -> int:
    """Its slabs, which hold the sockets, and the pages in TCP's buffers, in bytes."""
    slabs = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("Slab:"))
    tcp = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(slabs.split()[1]) * KIB + int(tcp.split()[-1]) * resource.getpagesize()


def grow(test: str, flows: Sequence[int], seconds: float) -> list[Grown]:
    """All numbers of flows, the first the baseline."""
    result = compare(
        "host", test=[test], vary=f"flows={','.join(map(str, flows))}", metric=[MACHINE], max_time=seconds,
        **({"congestion": "cubic"} if test == "TCP_STREAM" else {}),
    )  # fmt: skip
    rates = [row for row in result.comparisons if row.metric == TESTS[test].primary]
    demands = [row for row in result.comparisons if row.metric == MACHINE]
    sides: list[tuple[PathEstimate, Ratio | None, PathEstimate, Ratio | None]]
    sides = [(rates[0].baseline, None, demands[0].baseline, None)]
    sides += [
        (rate.candidate, rate.ratio, demand.candidate, demand.ratio)
        for rate, demand in zip(rates, demands, strict=True)
    ]
    return [Grown(number, *side, *memory(test, number)) for number, side in zip(flows, sides, strict=True)]


def row(test: str, grown: Grown) -> str:
    """A line of the table."""

    def shown(ratio: Ratio | None) -> str:
        if ratio is None:
            return "1"
        return "unknown" if ratio.low is None else f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"

    scale, unit = (1e9, "Gbit/s") if TESTS[test].pattern == "stream" else (1e3, "k/s")
    each = "us/KiB" if TESTS[test].pattern == "stream" else "us"
    cells = [
        test,
        f"{grown.flows:,}",
        f"{significant((grown.rate.estimate or 0.0) / scale, 3)} {unit}",
        shown(grown.rate_ratio),
        f"{significant(grown.demand.estimate or 0.0, 3)} {each}",
        shown(grown.demand_ratio),
        *((f"{significant(size / KIB, 3)} KiB" if grown.flows >= FEW else "") for size in (grown.ours, grown.kernel)),
    ]
    return f"| {' | '.join(cells)} |"


def draw(path: Path, found: dict[str, list[Grown]]) -> None:
    """The machine's CPU time per KiB and per transaction over the number of flows."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "pathgauge", "font.size": 9}
    figure, both = pyplot.subplots(1, len(found), figsize=(7.2, 3.0), layout="constrained")
    for axes, (test, grown) in zip(both, found.items(), strict=True):
        ordered = sorted(grown, key=lambda each: each.flows)
        plot(axes, ordered)
        axes.set_title(test, loc="left")
        axes.set_ylabel("machine, us per KiB" if TESTS[test].pattern == "stream" else "machine, us per transaction")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def plot(axes: Any, ordered: Sequence[Grown]) -> None:
    """One test's, with intervals where there are any."""
    counts = [each.flows for each in ordered]
    middles = [each.demand.estimate or 0.0 for each in ordered]
    ends = [
        (middle - (each.demand.low or middle), (each.demand.high or middle) - middle)
        for each, middle in zip(ordered, middles, strict=True)
    ]
    axes.errorbar(counts, middles, yerr=list(zip(*ends, strict=True)), color=LINE, marker="o", markersize=4, capsize=2)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("flows")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def main() -> None:
    """Print the table and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=240.0, help="budget of each test (default 240)")
    parser.add_argument("--flows", type=int, nargs="+", default=[8, 1, 100, 1000, 10000], metavar="N")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the cost over the flows into it")
    add_option(parser)
    chosen = parser.parse_args()
    make_room(sum(chosen.flows), "so many flows", "fewer --flows")
    print(HEADER, flush=True)
    found, lines = {}, [HEADER]
    for test in TESTED:
        found[test] = grow(test, chosen.flows, chosen.seconds)
        rows = [row(test, each) for each in found[test]]
        print("\n".join(rows), flush=True)
        lines += rows
    if chosen.page:
        put(chosen.page, "flows", lines)
    if chosen.plot:
        draw(chosen.plot, found)


if __name__ == "__main__":
    main()
