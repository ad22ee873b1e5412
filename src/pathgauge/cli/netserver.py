"""`pathgauge netserver`: netserver's own command line, taken as it is."""

import argparse
import contextlib
import sys
from collections.abc import Sequence

from pathgauge import __version__

SUMMARY = "be netserver: serve netperf, stock or ours"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb; its options are netserver's, and not parsed here."""
    parser = subparsers.add_parser("netserver", help=SUMMARY, add_help=False)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    return parser


def run_words(words: Sequence[str]) -> int:
    """Be netserver. Raises UserError and MachineError."""
    from pathgauge.peers.netperf import netserver, server_options

    settings = server_options.parse(words)
    if settings.show == "help":
        print(server_options.help_text())
        return 1
    if settings.show == "version":
        print(f"pathgauge {__version__}, as netserver")
        return 0
    netserver.run(settings, lambda text: print(text, flush=True), _log)
    return 0


def _log(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"netserver: {text}", file=sys.stderr, flush=True)
