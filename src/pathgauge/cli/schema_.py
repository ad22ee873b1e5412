"""`pathgauge schema`: the JSON Schemas of the results document and of a comparison's file."""

import argparse
import sys


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of the results document, or of a file for --config",
        description="Prints the JSON Schema (2020-12) of the results document, with --config of a comparison's file.",
        epilog="examples:\n  pathgauge schema > result.schema.json\n  pathgauge schema --config > config.schema.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="store_true", help="that of a file for pathgauge compare --config")
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints it."""
    from pathgauge.report.output import say

    if args.config:
        from pathgauge.config_schema import schema_text
    else:
        from pathgauge.results.schema import schema_text
    say(sys.stdout, schema_text().rstrip("\n"))
    return 0
