"""`pathgauge lab`: labs that stand for a person to look into, until they are taken down."""

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pathgauge import options
from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.paths.journal import Record
    from pathgauge.paths.standing import Listed

_MOST_ROWS = 40
SCHEMA = "pathgauge.labs/1"

EXAMPLES = """examples:
  pathgauge lab up host macvlan --link-rate 1gbit
  pathgauge lab list
  pathgauge lab up macvlan --copies 1000
  pathgauge lab exec NAME -- ip -statistics link
  pathgauge lab exec NAME:server -- ss -tn
  pathgauge lab down NAME
  pathgauge lab clean            remove what killed commands left

A lab's name is printed by `up`. What stands is journalled in /run/pathgauge (root), $XDG_RUNTIME_DIR/pathgauge or
$TMPDIR/pathgauge-UID; PATHGAUGE_RUNTIME_DIR names another folder. A lab whose record is removed there ends by itself,
and no lab outlives a reboot."""

_SUMMARIES = {
    "up": "build a lab and let it stand",
    "list": "list the labs that stand",
    "exec": "run a command in a namespace of a lab",
    "down": "take a lab down",
    "clean": "remove what killed commands left",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "lab",
        help="keep a lab standing, look into it, take it down",
        description="Keeps labs standing, for a person to look into.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="lab_verb", metavar="VERB", required=True, title="verbs")
    added = {
        name: verbs.add_parser(name, help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False)
        for name, summary in _SUMMARIES.items()
    }
    added["up"].add_argument("paths", metavar="PATH", nargs="+", help="[NAME=]KIND[:key=value,...]")
    options.add_arguments(added["up"], ("wire", "link-rate", "rps", "copies"))
    added["list"].add_argument("--json", action="store_true", help="write the list as JSON to standard output")
    added["exec"].usage = "pathgauge lab exec NAME[:NAMESPACE] -- COMMAND ..."
    added["exec"].add_argument(
        "lab_name", metavar="NAME[:NAMESPACE]", help="the lab, and one of its namespaces [the first path's client]"
    )
    added["exec"].add_argument("run_command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what to run there")
    added["down"].add_argument("lab_name", metavar="NAME", help="the lab")
    added["clean"].add_argument("--all", action="store_true", help="take down the labs that stand, too")
    return parser


def run(args: argparse.Namespace) -> int:
    """Runs one of the verbs; `exec` does not return. Raises PathgaugeError."""
    verbs = {"up": _up, "list": _list, "exec": _exec, "down": _down, "clean": _clean}
    verbs[args.lab_verb](args)
    return 0


def _up(args: argparse.Namespace) -> None:
    from pathgauge.asking import wire as asked_wire
    from pathgauge.paths import standing
    from pathgauge.paths.spec import parse_paths

    values = options.parse_values(options.given(args))
    copies = cast("int", values.get("copies", 1))
    specs = [replace(spec, copies=copies) for spec in parse_paths(args.paths)]
    standing.up(specs, asked_wire(values), command=args.command_line, announce=_announce)


def _announce(record: "Record") -> None:
    rows = [
        (space.name, device, *addresses.values())
        for space in record.spaces
        for device, addresses in space.devices.items()
    ]
    shown, rest = rows[:_MOST_ROWS], len(rows) - _MOST_ROWS
    lines = [f"lab {record.name}", "", *_aligned([("namespace", "device", "addresses"), *shown]), ""]
    if rest > 0:
        lines.insert(-1, f"and {rest} devices more: pathgauge lab list --json")
    lines += [
        f"look into it:  pathgauge lab exec {record.name} -- COMMAND           (in the namespace {record.client})",
        f"               pathgauge lab exec {record.name}:server -- COMMAND",
        f"take it down:  pathgauge lab down {record.name}",
    ]
    print("\n".join(lines), flush=True)  # a reader that is gone is an error while the lab can still be undone


def _list(args: argparse.Namespace) -> None:
    from pathgauge.paths import standing

    labs = standing.listing()
    if args.json:
        import json

        print(json.dumps({"schema": SCHEMA, "labs": [_as_json(lab) for lab in labs]}, indent=2))
    elif not labs:
        print("no labs", file=sys.stderr)
    else:
        rows = [
            (
                lab.name,
                lab.state,
                lab.record.created if lab.record else "?",
                " ".join(lab.record.paths) if lab.record else "?",
                lab.note,
            )
            for lab in labs
        ]
        print("\n".join(_aligned([("lab", "state", "created", "paths", ""), *rows])))
        if any(lab.state in ("dead", "unreadable") for lab in labs):
            print("remove what does not stand:  pathgauge lab clean", file=sys.stderr)


def _exec(args: argparse.Namespace) -> None:
    from pathgauge.paths import standing

    command = args.run_command[1:] if args.run_command[:1] == ["--"] else args.run_command
    if not command:
        raise UserError("no command was given", hint="pathgauge lab exec NAME -- ip addr")
    name, colon, space = args.lab_name.partition(":")
    standing.execute(name, space if colon else None, command)


def _down(args: argparse.Namespace) -> None:
    from pathgauge.paths import standing

    standing.down(args.lab_name)


def _clean(args: argparse.Namespace) -> None:
    from pathgauge.paths import standing

    for cleaned in standing.clean(everything=args.all):
        print(f"{cleaned.name}: {cleaned.what}")


def _as_json(lab: "Listed") -> dict[str, object]:
    record = lab.record
    return {
        "name": lab.name,
        "state": lab.state,
        "note": lab.note,
        "created": record.created if record else None,
        "command": record.command if record else None,
        "paths": record.paths if record else None,
        "client": record.client if record else None,
        "keeper": record.keeper.pid if record and record.keeper else None,
        "namespaces": {space.name: space.devices for space in record.spaces} if record else None,
    }


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as columns two spaces apart."""
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
