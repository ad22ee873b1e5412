"""`pathgauge doctor`: what this machine can do, what disturbs it, and the commands that mend it."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathgauge.doctor import Finding

SCHEMA = "pathgauge.doctor/1"
_COLOURS = {"ok": "\033[32m", "warning": "\033[33m", "missing": "\033[31m"}
_PLAIN = "\033[0m"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what this machine can do, what disturbs it, and what mends it",
        description="Examines this machine for about a second: whether labs and each kind of path can be built,\n"
        "whether CPU cycles can be counted, and what disturbs measurements. Each finding comes with what mends it.",
        epilog="exit code: 0 if a comparison can be run here, else 3\n\n"
        "examples:\n  pathgauge doctor\n  pathgauge doctor --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="write the findings as JSON to standard output")
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints the findings. 0 if a comparison can be run here, else 3."""
    from pathgauge.doctor import comparison_possible, examine
    from pathgauge.errors import MachineError

    findings = examine()
    possible = comparison_possible(findings)
    if args.json:
        print(_document(findings, possible))
    else:
        print("\n".join(lines(findings, possible, colours=_wants_colours())))
    return 0 if possible else MachineError.exit_code


def lines(findings: Sequence["Finding"], possible: bool, *, colours: bool) -> list[str]:
    """The findings as aligned lines, a mend on a line of its own below its finding, and a sentence in the end."""
    width = max((len(finding.name) for finding in findings), default=0)
    shown = []
    for finding in findings:
        status = f"{finding.status:<7}"
        if colours:
            status = f"{_COLOURS[finding.status]}{status}{_PLAIN}"
        shown.append(f"{status}  {finding.name:<{width}}  {finding.detail}")
        if finding.mend:
            shown.append(f"{'':<7}  {'':<{width}}  -> {finding.mend}")
    missing = [finding.name for finding in findings if finding.essential and finding.status == "missing"]
    verdict = "A comparison can be run here." if possible else f"No comparison can be run here: {', '.join(missing)}."
    return [*shown, "", verdict]


def _document(findings: Sequence["Finding"], possible: bool) -> str:
    import json
    from dataclasses import asdict

    rows = [asdict(finding) for finding in findings]
    return json.dumps({"schema": SCHEMA, "comparison_possible": possible, "findings": rows}, indent=2)


def _wants_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
