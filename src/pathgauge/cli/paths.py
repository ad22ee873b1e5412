"""`pathgauge paths`: the kinds of path, what each needs, and whether this machine has it."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathgauge.paths.registry import Kind

SCHEMA = "pathgauge.paths/1"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "paths",
        help="list the kinds of path, and what this machine has of them",
        description="Lists the kinds of path, each built for a try in a lab that is taken down again.\n"
        "With KIND: that one, with its drawing and its options.",
        epilog="exit code: 0; 2 where there is no such kind; 3 where KIND cannot be built here\n\n"
        "examples:\n  pathgauge paths\n  pathgauge paths macvlan\n  pathgauge paths --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("kind", metavar="KIND", nargs="?", help="show this one [all, as a list]")
    parser.add_argument("--json", action="store_true", help="write them as JSON to standard output")
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints them."""
    from pathgauge.errors import MachineError, UserError
    from pathgauge.paths.registry import kinds, probe_kinds
    from pathgauge.quantities import nearest, quoted
    from pathgauge.report.output import say

    chosen = kinds()
    if args.kind is not None:
        if args.kind not in chosen:
            raise UserError(f"there is no kind of path {quoted(args.kind)}; {nearest(args.kind, chosen)}")
        chosen = {args.kind: chosen[args.kind]}
    reasons = probe_kinds(tuple(chosen))
    if args.json:
        say(sys.stdout, _document(chosen, reasons))
    elif args.kind is None:
        say(sys.stdout, *_table(chosen, reasons))
    else:
        say(sys.stdout, *_page(chosen[args.kind], reasons[args.kind]))
    return MachineError.exit_code if args.kind is not None and reasons[args.kind] else 0


def _table(kinds: "Mapping[str, Kind]", reasons: Mapping[str, str | None]) -> Iterator[str]:
    rows = [(name, kind.summary, reasons[name] or "yes") for name, kind in kinds.items()]
    header = ("kind", "what it is", "here")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(2)]
    for row in (header, *rows):
        yield f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}"
    yield ""
    yield "pathgauge paths KIND draws one; pathgauge compare host KIND measures it."


def _page(kind: "Kind", reason: str | None) -> Iterator[str]:
    yield kind.page
    for option in kind.options:
        values = ", ".join(f"{value} (default)" if value == option.default else value for value in option.values)
        yield ""
        yield f"{kind.name}:{option.name}=...  {option.summary}: {values}"
    yield ""
    yield f"needs: {kind.requirement}"
    yield f"here: {reason or 'can be built'}"


def _document(kinds: "Mapping[str, Kind]", reasons: Mapping[str, str | None]) -> str:
    import json

    entries = [
        {
            "kind": name,
            "summary": kind.summary,
            "options": {option.name: {"values": option.values, "default": option.default} for option in kind.options},
            "needs": kind.requirement,
            "available": reasons[name] is None,
            "reason": reasons[name],
        }
        for name, kind in kinds.items()
    ]
    return json.dumps({"schema": SCHEMA, "kinds": entries}, indent=2)
