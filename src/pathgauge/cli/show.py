"""`pathgauge show FILE`: the table of a document again."""

import argparse
import sys


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "show",
        help="print the table of a results document again",
        description="Prints the table of a results document again.",
        epilog="examples:\n  pathgauge show result.json\n  pathgauge show result.json --metric latency_p99\n"
        "  pathgauge compare --quiet --json - | pathgauge show -",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    file = parser.add_argument("file", metavar="FILE", help="a file that --json has written; - for standard input")
    file.complete = {"bash": "_shtab_compgen_files", "zsh": "_files"}  # type: ignore[attr-defined]
    parser.add_argument(
        "--metric", metavar="NAME", action="append", default=[], help="show this metric too; `all` for all"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints the table."""
    from pathgauge.errors import UserError
    from pathgauge.quantities import nearest, quoted
    from pathgauge.report import table
    from pathgauge.report.output import say
    from pathgauge.report.progress import look_of
    from pathgauge.results import store

    result = store.read(args.file)
    known = list(dict.fromkeys(row.metric for row in result.comparisons))
    metrics = known if "all" in args.metric else args.metric
    for metric in metrics:
        if metric not in known:
            raise UserError(f"this document has no metric {quoted(metric)}; {nearest(metric, known)}")
    say(sys.stdout, *table.lines(result, look_of(sys.stdout), metrics))
    return 0
