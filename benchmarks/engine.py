"""The engine against stock netperf 2.7: both alternate in one run over the same namespaces, pinned alike.

    python -m benchmarks.engine [--seconds 60] [--slice 0.2] [--markdown FILE] [TEST...]

Each slice of either is a run of about 0.2 s (`--slice`) on a fresh connection, its start included. The comparison is
the product's own: netperf is the baseline, the engine the candidate, the loop and the statistics are
`pathgauge compare`'s.
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

from benchmarks.netperf_arm import NetperfArm, Netserver
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.arms import placed
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.judge import Question, judge
from pathgauge.measuring.loop import Outcome, Plan, run_test
from pathgauge.measuring.measured import Arm, Measured, Warmed
from pathgauge.paths.lab import Lab
from pathgauge.paths.types import PathSpec, WireSpec
from pathgauge.results.document import Comparison, Connection
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

SLICE_SECONDS = 0.2
GOAL = 0.97


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    name: str
    test: str
    parameters: Parameters


CASES = (
    Case("TCP_STREAM 64K", "TCP_STREAM", Parameters(send_size=65536)),
    Case("TCP_STREAM 1400", "TCP_STREAM", Parameters(send_size=1400)),
    Case("TCP_MAERTS 64K", "TCP_MAERTS", Parameters(send_size=65536)),
    Case("TCP_RR 1/1", "TCP_RR", Parameters()),
    Case("UDP_STREAM 1400", "UDP_STREAM", Parameters(send_size=1400)),
    Case("UDP_RR 1/1", "UDP_RR", Parameters()),
)


def with_congestion(case: Case, name: str | None) -> Case:
    """The case under a congestion control of its own; only TCP has one."""
    if name is None or not case.test.startswith("TCP"):
        return case
    return Case(f"{case.name} {name}", case.test, msgspec.structs.replace(case.parameters, congestion=name))


class FreshArm(EngineArm):
    """The engine, measured as netperf measures itself: each slice on a connection of its own, its start included."""

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


def run_case(case: Case, seconds: float, slice_seconds: float, seed: int) -> tuple[list[Comparison], Outcome]:
    """Measure one case for at most `seconds`."""
    kind = TESTS[case.test]
    with ExitStack() as stack:
        lab = stack.enter_context(Lab.build([PathSpec("host", "host")], WireSpec()))
        path = lab.paths["host"]
        engine = stack.enter_context(Engine(lab, 1, None))
        server = stack.enter_context(Netserver(path))
        parameters = kind.complete(placed(case.parameters), path.mtu)
        stock = NetperfArm("netperf", path, kind, parameters, server)
        wait_for(stock)
        stock.calibrate()
        arms: list[Arm] = [stock, FreshArm(engine, "pathgauge", path, kind, parameters, 0)]
        outcome = Outcome(Plan(0.0, 0.0, slice_seconds))
        metrics = [kind.primary, "cpu_local", "cpu_remote", "service_demand_local", "service_demand_remote"]

        def look() -> list[Comparison]:
            asked = Question(kind, {}, 0.95, {}, frozenset({kind.primary}), fixed=True)
            return judge(asked, metrics, outcome.blocks, "netperf", "pathgauge")

        run_test(
            arms,
            budget=seconds,
            slice_seconds=slice_seconds,
            warmup=0.0,
            generator=random.Random(f"{seed} {case.name}"),
            outcome=outcome,
            look=list,  # the whole budget is spent: the interval is what is asked for, not a verdict
            tell=lambda elapsed, _current: progress(case, outcome, elapsed, seconds),
        )
        return look(), outcome


def wait_for(stock: NetperfArm) -> None:
    """Until netserver answers."""
    for _ in range(50):
        if subprocess.run(stock.command("-1"), capture_output=True, check=False).returncode == 0:
            return
    raise SystemExit("netserver does not answer; is netperf installed? sudo scripts/install-peers")


def progress(case: Case, outcome: Outcome, elapsed: float, budget: float) -> None:
    """One line on a terminal, nothing in a pipe."""
    if sys.stderr.isatty():
        print(f"\r{case.name}: {outcome.valid} blocks, {elapsed:.0f} of {budget:.0f} s", end="", file=sys.stderr)


def row(case: Case, found: Sequence[Comparison]) -> str:
    """One line of the table."""
    rate, _, _, local, remote = found
    speed = "Gbit/s" if rate.unit == "bit/s" else "k/s"
    scale = 1e9 if rate.unit == "bit/s" else 1e3

    def ratio(comparison: Comparison) -> str:
        known = comparison.ratio
        if known.estimate is None:
            return "unknown"
        return f"{known.estimate:.3f} [{known.low:.3f}, {known.high:.3f}]"

    reached = "yes" if (rate.ratio.low or 0.0) >= GOAL else "no"
    values = [f"{(side.estimate or 0.0) / scale:.3g} {speed}" for side in (rate.baseline, rate.candidate)]
    return f"| {case.name} | {values[0]} | {values[1]} | {ratio(rate)} | {reached} | {ratio(local)} | {ratio(remote)} |"


HEADER = (
    "| case | netperf 2.7 | pathgauge | rate: ratio [95 %] | lower bound >= 0.97 "
    "| client's CPU per unit: ratio | server's CPU per unit: ratio |\n|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of each case (default 60)")
    parser.add_argument(
        "--slice", type=float, default=SLICE_SECONDS, help=f"of each slice, in s (default {SLICE_SECONDS})"
    )
    parser.add_argument("--congestion", metavar="NAME", help="of the TCP cases (default: the kernel's)")
    parser.add_argument("--seed", type=int, default=20070709)
    parser.add_argument("--markdown", type=Path, help="write the table to this file, too")
    parser.add_argument("--json", type=Path, help="write the comparisons to this file")
    parser.add_argument("case", nargs="*", help="only the cases that contain this text")
    chosen = parser.parse_args()
    cases = [case for case in CASES if not chosen.case or any(text in case.name for text in chosen.case)]
    cases = [with_congestion(case, chosen.congestion) for case in cases]
    lines, documents = [HEADER], []
    print(HEADER)
    for case in cases:
        found, outcome = run_case(case, chosen.seconds, chosen.slice, chosen.seed)
        lines.append(row(case, found))
        documents.append({"case": case.name, "blocks": outcome.valid, "comparisons": msgspec.to_builtins(found)})
        print(("\r" if sys.stderr.isatty() else "") + lines[-1], flush=True)
    if chosen.markdown:
        chosen.markdown.write_text("\n".join(lines) + "\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(documents, indent=1) + "\n")


if __name__ == "__main__":
    main()
