"""`pathgauge netperf`: netperf's own command line, taken as it is."""

import argparse
import sys
from collections.abc import Sequence

SUMMARY = "be netperf: its command line, against any netserver"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb; its options are netperf's, and not parsed here."""
    parser = subparsers.add_parser("netperf", help=SUMMARY, add_help=False)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    return parser


def run_words(words: Sequence[str]) -> int:
    """Be netperf. Raises UserError; other errors become netperf's exit codes."""
    from pathgauge.errors import MachineError
    from pathgauge.peers.netperf import program

    try:
        return program.run(words)
    except MachineError as error:
        print(f"netperf: {error}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return 255 if error.exit_code == 255 else 1  # noqa: PLR2004 - netperf's own codes
