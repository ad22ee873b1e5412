"""`pathgauge completion SHELL`: the shell's completion script, made by shtab from the parser."""

import argparse
import sys

SHELLS = ("bash", "zsh")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "completion",
        help="print the completion script of a shell",
        description="Prints a completion script for bash or zsh.",
        epilog="examples:\n"
        "  pathgauge completion bash > ~/.local/share/bash-completion/completions/pathgauge\n"
        '  pathgauge completion zsh > "${fpath[1]}/_pathgauge"\n'
        '  eval "$(pathgauge completion bash)"',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash or zsh")
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints it."""
    import shtab

    from pathgauge.cli.main import VERBS, build_parser
    from pathgauge.report.output import say

    say(sys.stdout, shtab.complete(build_parser(tuple(VERBS), completing=True), args.shell))
    return 0
