"""The engine against its peers (netperf, iperf3, nuttcp, sockperf): it and each of them alternate in one run over the
same namespaces.

    python -m benchmarks.engine [--seconds 60] [--slice 1] [--congestion cubic] [--peer netperf]
        [--page docs/reference/performance.md] [CASE...]

Each slice of each program is a run on a fresh connection, client and server pinned alike. The comparison is the
product's own: a peer is the baseline, the engine the candidate, the loop and the statistics are `pathgauge compare`'s.
What one CPU copies and what a call of the kernel costs are measured in the same run, and what they alone would permit.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.cases import BEST, PLAIN, Case, limit
from benchmarks.page import add_option, put
from benchmarks.peers.iperf3 import Iperf3Arm
from benchmarks.peers.netperf import NetperfArm
from benchmarks.peers.nuttcp import NuttcpArm
from benchmarks.peers.program import PeerArm, within
from benchmarks.peers.sockperf import SockperfArm
from pathgauge import _native
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.arms import placed
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.loop import Outcome, Plan, run_test
from pathgauge.measuring.measured import Arm, Measured, Warmed
from pathgauge.paths.lab import Lab
from pathgauge.paths.types import BuiltPath, PathSpec, WireSpec
from pathgauge.quantities import significant
from pathgauge.results.document import Comparison, Connection
from pathgauge.traffic.registry import TESTS

PROGRAMS: dict[str, type[PeerArm]] = {
    "netperf": NetperfArm,
    "iperf3": Iperf3Arm,
    "nuttcp": NuttcpArm,
    "sockperf": SockperfArm,
}
ENGINE = "pathgauge"
HEADER = (
    "| case | peer | its rate | pathgauge | rate: ratio [95 %] | client's CPU per unit: ratio "
    "| server's CPU per unit: ratio | p99: ratio | loss | of the limit |\n|---|---|---|---|---|---|---|---|---|---|"
)


class FreshArm(EngineArm):
    """The engine, measured as its peers measure themselves: each slice on a fresh connection, its start included."""

    __slots__ = ()

    def open(self) -> None:
        """Each slice opens its own."""

    def warm(self, seconds: float) -> Warmed:
        """Nothing is warmed."""
        return Warmed(seconds, 1)

    def measure(self, ramp: float, seconds: float) -> Measured:
        """One slice from a connection's first byte."""
        del ramp
        EngineArm.open(self)
        measured = EngineArm.measure(self, 0.0, seconds)
        EngineArm.close(self)
        return measured

    def connection(self) -> Connection:
        """Nothing is open to ask."""
        return Connection(path=self.name)

    def close(self) -> None:
        """Nothing is open between slices."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The engine and one peer: the comparisons, and the datagrams lost as a share of those sent, by arm."""

    comparisons: list[Comparison]
    loss: dict[str, float]
    blocks: int


@dataclass(frozen=True, slots=True)
class Found:
    """One case, by peer, and what the machine would permit."""

    case: Case
    pairs: dict[str, Pair]
    limit: float


def run_case(case: Case, chosen: argparse.Namespace) -> Found:
    """Measure one case, the engine and each peer for `--seconds`."""
    kind = TESTS[case.test]
    pairs: dict[str, Pair] = {}
    with ExitStack() as stack:
        lab = stack.enter_context(Lab.build([PathSpec(case.path, case.path)], WireSpec()))
        path = lab.paths[case.path]
        control_congestion(path, chosen.congestion)
        engine = stack.enter_context(Engine(lab, 1, None))
        parameters = kind.complete(placed(case.parameters), path.mtu)
        ours = FreshArm(engine, ENGINE, path, kind, parameters, 0)
        for name, options in case.peers.items():
            if name not in (chosen.peer or PROGRAMS):
                continue
            given = kind.complete(placed(case.of_peers or case.parameters), path.mtu)
            with PROGRAMS[name](name, path, kind, given, options) as theirs:
                pairs[name] = run_pair(case, [ours, theirs], chosen, parameters.send_size or 1)
    return Found(case, pairs, limit(case, kind, parameters, _native.own_cost()))


def run_pair(case: Case, arms: Sequence[Arm], chosen: argparse.Namespace, size: int) -> Pair:
    """Alternate the engine with a peer until the budget is spent."""
    kind, peer = TESTS[case.test], arms[1].name
    outcome = Outcome(Plan(0.0, 0.0, chosen.slice))
    run_test(
        arms,
        budget=chosen.seconds,
        slice_seconds=chosen.slice,
        warmup=0.0,
        generator=random.Random(f"{chosen.seed} {case.name} {peer}"),
        outcome=outcome,
        look=list,  # the whole budget is spent: the interval is what is asked for, not a verdict
        tell=lambda elapsed, _current: progress(case, peer, outcome, elapsed, chosen.seconds),
    )
    for block in outcome.blocks:
        if block.void:
            print(f"\r{case.name}: a void block: {block.void}", file=sys.stderr)
    asked = Question(kind, {}, 0.95, {}, frozenset({kind.primary}), fixed=True)
    metrics = [kind.primary, "service_demand_local", "service_demand_remote"]
    if peer == "sockperf":
        metrics.append("latency_p99")
    return Pair(
        judge(asked, metrics, outcome.blocks, peer, ENGINE),
        lost(outcome, [ENGINE, peer], size) if case.test == "UDP_STREAM" else {},
        outcome.valid,
    )


def control_congestion(path: BuiltPath, name: str | None) -> None:
    """Let every program's connections over the path use that congestion control: its routes say so."""
    for space in {path.client_namespace, path.server_space} if name is not None else ():
        for table in ("main", "local"):
            shown = subprocess.run(
                within(space, "ip", "route", "show", "table", table), capture_output=True, text=True, check=True
            )
            for route in shown.stdout.splitlines():
                if not route.startswith("broadcast"):
                    change = ("ip", "route", "change", *route.split(), "table", table, "congctl", f"{name}")
                    subprocess.run(within(space, *change), check=True)


def lost(outcome: Outcome, names: Sequence[str], size: int) -> dict[str, float]:
    """Datagrams that did not come, as a share of those sent."""
    shares = {}
    for name in names:
        rows = [measured.row for block in outcome.blocks if not block.void for measured in block.slices[name]]
        came = sum(row.total_bytes_received for row in rows) / size
        gone = sum((row.total_bytes_sent - row.total_bytes_received) / size + row.messages_lost for row in rows)
        shares[name] = gone / (came + gone)
    return shares


def progress(case: Case, peer: str, outcome: Outcome, elapsed: float, budget: float) -> None:
    """One line on a terminal, nothing in a pipe."""
    if sys.stderr.isatty():
        print(
            f"\r{case.name}, {peer}: {outcome.valid} blocks, {elapsed:.0f} of {budget:.0f} s", end="", file=sys.stderr
        )


def ratio(comparison: Comparison | None) -> str:
    """With its interval."""
    if comparison is None or comparison.ratio.estimate is None:
        return ""
    known = comparison.ratio
    return f"{known.estimate:.3f} [{known.low:.3f}, {known.high:.3f}]"


def rows(found: Found) -> list[str]:
    """A line of the table for each peer, the fastest one's name in bold."""
    best = max(found.pairs, key=lambda name: found.pairs[name].comparisons[0].baseline.estimate or 0.0)
    lines = []
    for name, pair in found.pairs.items():
        by_metric = {comparison.metric: comparison for comparison in pair.comparisons}
        rate = pair.comparisons[0]
        scale, unit = (1e9, "Gbit/s") if rate.unit == "bit/s" else (1e3, "k/s")
        theirs, ours = ((side.estimate or 0.0) for side in (rate.baseline, rate.candidate))
        loss = f"{100 * pair.loss[name]:.1f} % - {100 * pair.loss[ENGINE]:.1f} %" if pair.loss else ""
        cells = [
            found.case.name,
            " ".join([f"**{name}**" if name == best else name, *found.case.peers[name]]),
            f"{significant(theirs / scale, 3)} {unit}",
            f"{significant(ours / scale, 3)} {unit}",
            ratio(rate),
            ratio(by_metric.get("service_demand_local")),
            ratio(by_metric.get("service_demand_remote")),
            ratio(by_metric.get("latency_p99")),
            loss,
            f"{ours / found.limit:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def chosen_cases(texts: Sequence[str], peers: Sequence[str]) -> list[Case]:
    """The cases that contain one of the texts (all, where there is none) and have one of the peers."""
    return [
        case
        for case in (*PLAIN, *BEST)
        if (not texts or any(text in case.name for text in texts)) and not case.peers.keys().isdisjoint(peers)
    ]


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of the engine and each peer (default 60)")
    parser.add_argument("--slice", type=float, default=1.0, help="of each slice, in whole s (default 1)")
    parser.add_argument("--peer", action="append", choices=PROGRAMS, help="only this one (repeatable)")
    parser.add_argument("--congestion", metavar="NAME", help="of every program's connections (default: the kernel's)")
    parser.add_argument("--seed", type=int, default=20070709)
    add_option(parser)
    parser.add_argument("--json", type=Path, help="write the comparisons to this file")
    parser.add_argument("case", nargs="*", help="only the cases that contain this text")
    chosen = parser.parse_args()
    cost = _native.own_cost()
    lines = [
        f"One CPU copies {cost.copy_rate / 1e9:.1f} GB/s; a call of the kernel takes {cost.call_ns:.0f} ns.",
        "",
        HEADER,
    ]
    print("\n".join(lines), flush=True)
    documents = []
    for case in chosen_cases(chosen.case, chosen.peer or list(PROGRAMS)):
        found = run_case(case, chosen)
        lines += rows(found)
        documents.append(
            {
                "case": case.name,
                "peers": {
                    name: {"blocks": pair.blocks, "comparisons": msgspec.to_builtins(pair.comparisons)}
                    for name, pair in found.pairs.items()
                },
            }
        )
        print(("\r" if sys.stderr.isatty() else "") + "\n".join(rows(found)), flush=True)
        if chosen.page:
            put(chosen.page, "engine", lines)
        if chosen.json:
            chosen.json.write_text(json.dumps(documents, indent=1) + "\n")


if __name__ == "__main__":
    main()
