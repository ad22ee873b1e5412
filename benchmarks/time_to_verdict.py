"""How long until one knows: the same question asked of netperf's own confidence loop and of pathgauge, on one lab.

    python -m benchmarks.time_to_verdict [--file time_to_verdict.jsonl] [--shaped 10] [--unshaped 3]

The question: is macvlan within 2.5 % of host, at 99 %? netperf answers with `-i 30,3 -I 99,5` on each path in turn,
with its default iterations of 10 s; pathgauge with `--confidence 99 --margin 2.5`. Of netperf's two means and the
widths of their intervals (it reports them as THROUGHPUT_CONFID) the interval of the ratio is made as a careful reader
would, and read by pathgauge's own rule. Who comes first is drawn. Runs that the file has already are not run again.
"""

import argparse
import math
import random
import re
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.netperf import PORT, Netserver
from benchmarks.peers.program import within
from benchmarks.runs import Outcome, resume
from pathgauge import compare
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import BuiltPath, WireSpec
from pathgauge.statistics.interval import Interval
from pathgauge.statistics.verdict import decide

RATE = 500_000_000
MARGIN = 0.025
LEVEL = 99.0
SELECTORS = "THROUGHPUT,THROUGHPUT_CONFID,CONFIDENCE_ITERATION"


def netperf(path: BuiltPath, iterations: str = "30,3", width: str = "99,5") -> tuple[float, float, int]:
    """Mean throughput, the half-width of its interval as a share of it, and the iterations that it took."""
    where = ("-H", path.server_addresses["ipv4"], "-p", str(PORT), "-4", "-t", "TCP_STREAM")
    command = ("netperf", *where, "-i", iterations, "-I", width, "--", "-m", "65536", "-k", SELECTORS)
    done = subprocess.run(within(path.client_namespace, *command), capture_output=True, text=True, check=True)
    said = dict(re.findall(r"^(\w+)=(.*)$", done.stdout, re.MULTILINE))
    return float(said["THROUGHPUT"]), float(said["THROUGHPUT_CONFID"]) / 200, int(said["CONFIDENCE_ITERATION"])


def by_netperf(paths: Sequence[BuiltPath]) -> Outcome:
    """The verdict that netperf's figures carry, and the seconds until they were there."""
    began = time.monotonic()
    (before, wide, first), (after, wider, second) = (netperf(path) for path in paths)
    took = time.monotonic() - began
    half = math.hypot(wide, wider)
    ratio = after / before
    found = Interval(ratio, ratio * math.exp(-half), ratio * math.exp(half), LEVEL / 100)
    verdict, _ = decide(found, MARGIN, "higher")
    return {"netperf_seconds": round(took, 1), "netperf": verdict, "netperf_ratio": round(ratio, 4),
            "netperf_half": round(half, 4), "iterations": [first, second]}  # fmt: skip


def by_pathgauge(rate: int | None, budget: float) -> Outcome:
    """pathgauge's verdict, and the seconds until it was there, the building of its lab included."""
    shaped = {} if rate is None else {"link_rate": rate}
    began = time.monotonic()
    result = compare(
        "host", "macvlan", test=["TCP_STREAM"], confidence=LEVEL, margin=100 * MARGIN, max_time=budget, **shaped
    )
    took = time.monotonic() - began
    row = next(row for row in result.comparisons if row.primary)
    low, high = (None if edge is None else round(edge, 4) for edge in (row.ratio.low, row.ratio.high))
    return {"pathgauge_seconds": round(took, 1), "pathgauge": row.verdict, "pathgauge_interval": [low, high]}


def ask(rate: int | None) -> Outcome:
    """Ask both, in an order that is drawn. pathgauge may take as long as netperf's loop could."""
    stock: Outcome = {}

    def ask_netperf() -> None:
        with Lab.build(parse_paths(["host", "macvlan"]), WireSpec(rate=rate)) as lab:
            path = lab.paths["host"]
            with Netserver(path):
                time.sleep(0.3)
                stock.update(by_netperf(list(lab.paths.values())))

    first = random.random() < 0.5
    if first:
        ask_netperf()
    ours = by_pathgauge(rate, 600.0)
    if not first:
        ask_netperf()
    return {"shaped": rate is not None, "first": "netperf" if first else "pathgauge", **stock, **ours}


def report(found: Sequence[Outcome]) -> None:
    """The table."""
    print("| wire | runs | netperf: median s | its answers | pathgauge: median s | its answers | times faster |")
    print("|---|---|---|---|---|---|---|")
    for shaped in (True, False):
        runs = [run for run in found if run["shaped"] is shaped]
        if not runs:
            continue
        medians = [statistics.median(run[f"{name}_seconds"] for run in runs) for name in ("netperf", "pathgauge")]
        times = [run["netperf_seconds"] / run["pathgauge_seconds"] for run in runs]
        answers = [counted([run[name] for run in runs]) for name in ("netperf", "pathgauge")]
        wire = f"{RATE / 1e6:.0f} Mbit/s" if shaped else "unshaped"
        print(
            f"| {wire} | {len(runs)} | {medians[0]:.1f} | {answers[0]} | {medians[1]:.1f} | {answers[1]} "
            f"| {statistics.median(times):.1f} ({min(times):.1f} - {max(times):.1f}) |"
        )


def counted(answers: Sequence[str]) -> str:
    """How often each was given."""
    return ", ".join(f"{answers.count(name)} {name}" for name in dict.fromkeys(answers))


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=Path("time_to_verdict.jsonl"))
    parser.add_argument("--shaped", type=int, default=10, help="runs on a wire of 500 Mbit/s")
    parser.add_argument("--unshaped", type=int, default=3)
    chosen = parser.parse_args()
    names = [f"shaped-{number}" for number in range(chosen.shaped)]
    names += [f"unshaped-{number}" for number in range(chosen.unshaped)]
    report(resume(chosen.file, names, lambda name: ask(RATE if name.startswith("shaped") else None)))


if __name__ == "__main__":
    main()
