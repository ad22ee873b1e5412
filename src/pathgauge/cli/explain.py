"""`pathgauge explain`: why one path is slower than another, or what limits one."""

import argparse
import sys
from typing import TYPE_CHECKING

from pathgauge import options
from pathgauge.errors import MachineError, UserError

if TYPE_CHECKING:
    from pathgauge.results.document import Result

SHORTEST, LONGEST = 0.05, 0.5  # s, of a slice of the time line: reading all counters takes some 20 ms

EXAMPLES = """examples:
  pathgauge explain host bridge --wire rate=1gbit
      why does the bridge differ from the host's own path?
  pathgauge explain host --test TCP_STREAM --vary send-size=64K,1400
      why are small sends slower?
  pathgauge explain macvlan --test TCP_RR
      what limits this path?
  pathgauge explain --path good=local,netns:a --path bad=local,netns:b --allow-changes
      two paths that exist; knobs of theirs may be turned, and are turned back
  pathgauge explain host nat --timeline 100ms --json why.json
      with every counter, ten times a second

exit code: 0 done, whatever was found; 2 a mistake in the command; 3 the machine lacks something; 70 a defect of
pathgauge; 130 and 143 on SIGINT and SIGTERM"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "explain",
        help="say why one path is slower than another, or what limits one",
        description="Compares two paths (or looks at one), reads the kernel's counters, ranks the causes that would\n"
        "show so, and turns one knob after the other until it is proven which of them it is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help="baseline and candidate, or one path [host macvlan]")
    options.add_arguments(parser, [name for name in options.OPTIONS if name not in options.NOT_EXPLAINED])
    parser.add_argument(
        "--allow-changes", action="store_true", help="turn knobs of paths that exist, too, and turn them back [off]"
    )
    parser.add_argument(
        "--timeline",
        metavar="TIME",
        help="cut the evidence into slices of this length, listed in the document with every counter that rose [off]",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Explains; raises what stopped it, once the document is safe."""
    texts = options.given(args)
    paths = args.paths
    if "config" in texts:
        from pathgauge.config import read_config

        paths_of_file, texts_of_file = read_config(texts["config"][-1])
        paths = paths or paths_of_file
        texts = texts_of_file | texts
    values = options.parse_values(texts)
    request = options.build_request(paths, values, args.command_line, explaining=True)
    every = {} if args.timeline is None else {"every": _length(args.timeline)}
    target = values.get("json")

    from pathgauge.explain.run import explain_request
    from pathgauge.measuring.run import Stopped
    from pathgauge.paths.endpoint import EXISTING
    from pathgauge.report.output import say
    from pathgauge.results import store

    if isinstance(target, str) and target != "-":
        store.check_writable(target)
    human = None if values.get("quiet") else (sys.stderr if target == "-" else sys.stdout)
    stopped: Stopped | None = None

    def tell(text: str) -> None:
        if human is not None:
            say(sys.stderr, text)

    may_turn = args.allow_changes or not any(spec.kind == EXISTING for spec in request.paths)
    try:
        result = explain_request(request, tell, may_turn=may_turn, **every)
    except Stopped as early:
        stopped, result = early, early.result
    _deliver(result, target if isinstance(target, str) else None, human is not None)
    if stopped is not None:
        raise stopped.cause
    return 0


def _length(text: str) -> float:
    """Of a slice, such that a second holds a whole number of them."""
    from pathgauge.quantities import parse_time

    seconds = parse_time(text)
    if not SHORTEST <= seconds <= LONGEST:
        raise UserError(
            f"a slice of evidence cannot be {seconds:g} s long", hint=f"--timeline {SHORTEST:g}s to {LONGEST:g}s"
        )
    return 1 / round(1 / seconds)


def _deliver(result: "Result", target: str | None, shown: bool) -> None:
    from pathgauge.report import explanation
    from pathgauge.report.output import say
    from pathgauge.report.progress import look_of
    from pathgauge.results import store

    human = sys.stderr if target == "-" else sys.stdout
    try:
        if target == "-":
            store.write_stream(store.encode(result))
        elif target is not None:
            store.write_atomic(target, store.encode(result))
    except MachineError:  # no reason to keep the answer back
        if shown:
            say(human, *explanation.lines(result, look_of(human)))
        raise
    if shown:
        written = [] if target in (None, "-") else [f"written: {target}"]
        say(human, *explanation.lines(result, look_of(human)), *written)
