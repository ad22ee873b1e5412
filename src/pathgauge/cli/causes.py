"""`pathgauge causes`: the catalogue of causes, or one cause's page."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathgauge.explain.cause import Cause

SCHEMA = "pathgauge.causes/1"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "causes",
        help="list the causes that are known, or show one",
        description="Lists the causes that `pathgauge explain` knows. With NAME: that one's page.",
        epilog="examples:\n  pathgauge causes\n  pathgauge causes small-sends\n  pathgauge causes --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="show this one [all, as a list]")
    parser.add_argument("--json", action="store_true", help="write them as JSON to standard output")
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints them."""
    from pathgauge.errors import UserError
    from pathgauge.explain.cause import causes
    from pathgauge.quantities import nearest, quoted
    from pathgauge.report.output import say

    known = causes()
    if args.name is not None and args.name not in known:
        raise UserError(f"there is no cause {quoted(args.name)}; {nearest(args.name, known)}", hint="pathgauge causes")
    chosen = known if args.name is None else {args.name: known[args.name]}
    if args.json:
        say(sys.stdout, _document(chosen))
    elif args.name is None:
        say(sys.stdout, *_table(chosen))
    else:
        say(sys.stdout, *_page(chosen[args.name]))
    return 0


def _table(causes: "Mapping[str, Cause]") -> Iterator[str]:
    width = max(map(len, causes))
    for cause in causes.values():
        yield f"{cause.code:<4} {cause.name:<{width}}  {cause.summary}"
    yield ""
    yield "pathgauge causes NAME says more of one; pathgauge explain finds which it is."


def _page(cause: "Cause") -> Iterator[str]:
    from pathgauge.explain.cause import page

    yield f"{cause.name} ({cause.code}): {cause.summary}"
    yield ""
    yield page(cause)
    yield ""
    yield f"reproduced on one machine: {'yes' if cause.reach == 'here' else cause.reach}"
    if cause.references:
        yield f"references: {', '.join(cause.references)}"


def _document(causes: "Mapping[str, Cause]") -> str:
    import json

    from pathgauge.explain.cause import page

    entries = [
        {"cause": name, "code": cause.code, "summary": cause.summary, "page": page(cause), "reach": cause.reach}
        for name, cause in causes.items()
    ]
    return json.dumps({"schema": SCHEMA, "causes": entries}, indent=2)
