"""Live verdicts whose answer is known: fresh labs, nothing or something put into the wire.

    python -m benchmarks.verdicts [--file verdicts.jsonl] [--same 60] [--five 40] [--one 20]

Each run builds a lab of its own and asks `pathgauge compare` as a user would. Nothing put in: slower and faster are
wrong. 5 % put in: slower is right. 1 % put in, with the margin of 2 %: slower is wrong. Runs that the file has already
are not run again.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import Outcome, resume
from benchmarks.time_to_verdict import counted
from pathgauge import compare
from pathgauge.statistics.proportion import bounds

RATES = (1_000_000_000, 500_000_000, 200_000_000)
TESTS = ("TCP_STREAM", "TCP_RR", "UDP_STREAM")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is put into the wire, and which verdicts are wrong (`wrong`) or wanted (`wanted`)."""

    name: str
    effect: float
    wrong: tuple[str, ...]
    wanted: tuple[str, ...]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("same", 0.0, ("slower", "faster"), ("equivalent", "undecided")),
        Kind("five", 0.05, ("equivalent", "faster"), ("slower",)),
        Kind("one", 0.01, ("slower", "faster"), ("equivalent", "undecided")),
    )
}


def run(name: str) -> Outcome:
    """The run called KIND-NUMBER: every second `same` without a shaped wire, the tests and the rates in turn."""
    kind, _, number = name.partition("-")
    turn, effect = int(number), KINDS[kind].effect
    options: dict[str, object] = {"test": [TESTS[turn // 2 % len(TESTS)] if kind == "same" else "TCP_STREAM"]}
    if kind != "same" or turn % 2:
        rate = RATES[turn // 2 % len(RATES)]
        options |= {"link_rate": rate, "set": {"candidate": {"rate": round(rate * (1 - effect))}}}
    result = compare("host", "candidate=host", **options)
    row = next(row for row in result.comparisons if row.primary)
    interval = [None if edge is None else round(edge, 5) for edge in (row.ratio.low, row.ratio.high)]
    seconds = round(sum(test.seconds for test in result.tests), 1)
    return {"test": row.test, "rate": options.get("link_rate"), "verdict": row.verdict, "interval": interval,
            "seconds": seconds, "doubts": [doubt.name for doubt in row.doubts]}  # fmt: skip


def report(found: Sequence[Outcome]) -> None:
    """The table."""
    print("| put in | runs | verdicts | wanted | wrong [95 %] | interval missed the truth | median s |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS.values():
        runs = [one for one in found if one["run"].startswith(f"{kind.name}-")]
        if not runs:
            continue
        verdicts = [one["verdict"] for one in runs]
        wrong = sum(verdict in kind.wrong for verdict in verdicts)
        wanted = sum(verdict in kind.wanted for verdict in verdicts)
        low, high = bounds(wrong, len(runs), 0.95)
        known = [one["interval"] for one in runs if one["interval"][0] is not None]
        missed = sum(not (edges[0] <= 1 - kind.effect <= edges[1]) for edges in known)
        seconds = statistics.median(one["seconds"] for one in runs)
        print(
            f"| {100 * kind.effect:g} % | {len(runs)} | {counted(verdicts)} | {wanted} of {len(runs)} "
            f"| {wrong} of {len(runs)} [{100 * low:.1f}, {100 * high:.1f}] % "
            f"| {missed} of {len(known)} | {seconds:.1f} |"
        )


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=Path("verdicts.jsonl"))
    for kind, count in (("same", 60), ("five", 40), ("one", 20)):
        parser.add_argument(
            f"--{kind}", type=int, default=count, help=f"runs with {100 * KINDS[kind].effect:g} %% put in"
        )
    chosen = parser.parse_args()
    names = [f"{kind}-{number}" for kind in KINDS for number in range(getattr(chosen, kind))]
    report(resume(chosen.file, names, run))


if __name__ == "__main__":
    main()
