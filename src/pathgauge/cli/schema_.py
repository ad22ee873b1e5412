"""`pathgauge schema`: the JSON Schema of the results document."""

import argparse
import sys


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    return subparsers.add_parser(
        "schema",
        help="print the JSON Schema of the results document",
        description="Prints the JSON Schema (2020-12) of the results document.",
        epilog="examples:\n  pathgauge schema > result.schema.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def run(args: argparse.Namespace) -> int:
    """Prints it."""
    from pathgauge.report.output import say
    from pathgauge.results.schema import schema_text

    del args
    say(sys.stdout, schema_text().rstrip("\n"))
    return 0
