"""`pathgauge netperf`: netperf's own command line, taken as it is."""

import argparse
import contextlib
import sys
from collections.abc import Sequence

NETPERF_LOST = 255  # what netperf ends with where the other end is not to be had
SUMMARY = "be netperf: its command line, against any netserver"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb; its options are netperf's, and not parsed here."""
    parser = subparsers.add_parser("netperf", help=SUMMARY, add_help=False)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    return parser


def run_words(words: Sequence[str]) -> int:
    """Be netperf: its exit codes, but for a mistake in the command line, which is 2. Raises InternalError."""
    from pathgauge.errors import MachineError, UserError
    from pathgauge.peers.netperf import program

    try:
        return program.run(words)
    except (UserError, MachineError) as error:
        with contextlib.suppress(OSError):
            print(f"netperf: {error}", file=sys.stderr)
            if error.hint:
                print(f"  {error.hint}", file=sys.stderr)
        return error.exit_code if isinstance(error, UserError) or error.exit_code == NETPERF_LOST else 1
