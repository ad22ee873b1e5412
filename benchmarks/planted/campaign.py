"""Runs the planted scenarios and says how often `explain` was right: `python -m benchmarks.planted.campaign`.

Resumable (each outcome is a line of --file), shardable (--shard 1/4), seeded. Needs root, ip, tc, nft and ethtool.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.planted.scenarios import Scenario, every
from benchmarks.planted.topology import two_paths
from benchmarks.runs import resume

Outcome = dict[str, Any]
PATIENCE = 60.0  # s beyond the budget
SORTS = {
    ("single",): ("one cause: it is the top cause", "90 %"),
    ("pair",): ("two causes at once: both are found", "70 %"),
    ("decoy", "none"): ("harmless differences, or none: nothing is confirmed", "29 of 30"),
}
ORDER = ("single", "pair", "decoy", "none")
MARK = "<!-- below: made by `make planted`; do not edit -->"


def ask(scenario: Scenario, budget: float) -> Outcome:
    """Plant, ask, compare with what was planted. What cannot be planted here is told, and is wrong."""
    try:
        return _ask(scenario, budget)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return {"sort": scenario.sort, "right": False, "seconds": 0.0, "error": str(error)[-400:]}


def _ask(scenario: Scenario, budget: float) -> Outcome:
    good_plan, bad_plan = scenario.plans()
    with two_paths(good_plan, bad_plan) as (good, bad):
        command = [
            sys.executable, "-m", "pathgauge", "explain", "--quiet", "--json", "-", "--allow-changes",
            "--path", f"good={good}", "--path", f"bad={bad}", "--test", scenario.test,
            "--max-time", f"{budget:g}", *scenario.options,
        ]  # fmt: skip
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=budget + PATIENCE, check=False)
        took = time.monotonic() - began
    if done.returncode != 0:
        return {"sort": scenario.sort, "right": False, "seconds": round(took, 1), "error": done.stderr[-400:]}
    found = json.loads(done.stdout)
    confirmed = [each["cause"] for each in found["explanations"] if each["status"] == "confirmed"]
    suspected = [each["cause"] for each in found["explanations"] if each["status"] == "suspected"]
    return {
        "sort": scenario.sort,
        "planted": ["|".join(sorted(names)) for names in scenario.causes],
        "right": _right(scenario, found["top_cause"], confirmed, suspected),
        "top": found["top_cause"],
        "confirmed": confirmed,
        "suspected": suspected,
        "metric": found["explained"]["metric"],
        "gap": found["explained"]["gap"],
        "unexplained": found["explained"]["unexplained"],
        "seconds": round(took, 1),
    }


def _right(scenario: Scenario, top: str | None, confirmed: Sequence[str], suspected: Sequence[str]) -> bool:
    if scenario.sort == "single":
        return top in scenario.causes[0]
    if scenario.sort == "pair":
        named = {*confirmed, *suspected}
        return all(names & named for names in scenario.causes)
    return not confirmed


def report(found: Sequence[Outcome]) -> Iterator[str]:
    """The shares, and the table."""
    yield "| what was planted | right | of | share | median time | least asked |"
    yield "|---|---|---|---|---|---|"
    for sort, (words, asked) in SORTS.items():
        of = [each for each in found if each["sort"] in sort]
        if of:
            right, median = sum(each["right"] for each in of), statistics.median(each["seconds"] for each in of)
            yield f"| {words} | {right} | {len(of)} | {100 * right / len(of):.0f} % | {median:.0f} s | {asked} |"
    yield ""
    singles = {name for each in found if each["sort"] == "single" for name in each["planted"]}
    yield f"{len(found)} runs, {len(singles)} causes alone, each in one to four strengths."
    yield ""
    yield "| scenario | planted | top cause | gap (metric) | seconds | right |"
    yield "|---|---|---|---|---|---|"
    for each in sorted(found, key=lambda one: (ORDER.index(str(one["sort"])), str(one["run"]))):
        gap = "" if not each.get("gap") else f"{each['gap']:.2f} ({each['metric']})"
        planted = ", ".join(name.replace("|", " or ") for name in each.get("planted", [])) or "nothing"
        top = each.get("top") or "none"
        if each["sort"] == "pair":
            top = ", ".join([*each.get("confirmed", []), *each.get("suspected", [])]) or "none"
        elif top != "none":
            top += "" if top in each["confirmed"] else " (suspected)"
        cells = (each["run"], planted, top, gap, f"{each['seconds']:.0f}", "yes" if each["right"] else "no")
        yield f"| {' | '.join(cells)} |"


def publish(file: Path, lines: Sequence[str], budget: float) -> None:
    """Write the report below the mark of a page."""
    above = file.read_text(encoding="utf-8").partition(MARK)[0]
    release = os.uname().release.partition("-")[0]
    machine = f"Linux {release}, {len(os.sched_getaffinity(0))} CPUs; {budget:g} s for each at most."
    file.write_text("\n".join([above + MARK, "", machine, "", *lines, ""]), encoding="utf-8")


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=Path("planted.jsonl"))
    parser.add_argument("--seed", type=int, default=1, help="fixes the order of the scenarios")
    parser.add_argument("--shard", default="1/1", help="which part of them, K/N")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds that explain may take for each")
    parser.add_argument("--only", default="", help="only scenarios whose name holds this")
    parser.add_argument("--rounds", type=int, default=4, help="how often those with nothing to find are asked")
    parser.add_argument("--publish", type=Path, help="write the report into this page, below its mark")
    chosen = parser.parse_args()
    part, parts = map(int, chosen.shard.split("/"))
    known = {scenario.name: scenario for scenario in every()}
    names = [f"{name}" for name in known if chosen.only in name]
    names += [
        f"{name}#{number}"
        for number in range(2, chosen.rounds + 1)
        for name, scenario in known.items()
        if scenario.sort in ("none", "decoy") and chosen.only in name
    ]
    random.Random(chosen.seed).shuffle(names)
    names = names[part - 1 :: parts]
    found = resume(chosen.file, names, lambda name: ask(known[name.partition("#")[0]], chosen.budget))
    lines = list(report(found))
    print("\n".join(lines))
    if chosen.publish is not None:
        publish(chosen.publish, lines, chosen.budget)


if __name__ == "__main__":
    main()
