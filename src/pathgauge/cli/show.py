"""`pathgauge show FILE`: the table and the plots of a document again."""

import argparse
import sys


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "show",
        help="print the table of a results document again",
        description="Prints the table of a results document again, and its plot where a metric has several candidates.",
        epilog="examples:\n  pathgauge show result.json\n  pathgauge show result.json --metric latency_p99\n"
        "  pathgauge show result.json --plot result.svg\n"
        "  pathgauge compare --quiet --json - | pathgauge show -",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    file = parser.add_argument("file", metavar="FILE", help="a file that --json has written; - for standard input")
    file.complete = {"bash": "_shtab_compgen_files", "zsh": "_files"}  # type: ignore[attr-defined]
    parser.add_argument(
        "--metric", metavar="NAME", action="append", default=[], help="show this metric too; `all` for all"
    )
    plot = parser.add_argument(
        "--plot", metavar="FILE.svg", help="draw the differences with their intervals as an SVG, too"
    )
    plot.complete = {"bash": "_shtab_compgen_files", "zsh": "_files"}  # type: ignore[attr-defined]
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints the table."""
    from pathgauge.errors import UserError
    from pathgauge.option_values import parse_plot
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
    if args.plot is not None:
        from pathgauge.report.svg import svg

        target = parse_plot(args.plot)
        store.check_writable(target, "plot")
        store.write_atomic(target, svg(result, metrics).encode())
    say(sys.stdout, *table.lines(result, look_of(sys.stdout), metrics))
    return 0
