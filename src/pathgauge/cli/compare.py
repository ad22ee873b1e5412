"""`pathgauge compare`: asks, measures, prints, writes the document."""

import argparse
import sys
from typing import TYPE_CHECKING, TextIO, cast

from pathgauge import __version__, options
from pathgauge.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pathgauge.measuring.request import Request
    from pathgauge.report.progress import Lines, Live
    from pathgauge.results.document import Result

EXAMPLES = """examples:
  pathgauge compare
      host against macvlan, all five tests
  pathgauge compare host macvlan --test TCP_STREAM --send-size 1400 --link-rate 1gbit
      the question of 2007
  pathgauge compare macvlan --test TCP_STREAM --vary send-size=1400,64K
      what does the send size matter on one path?
  pathgauge compare host bridge --wire rate=1gbit --explain
      and why is it slower?
  pathgauge compare host host
      the same path twice: what does this machine's own noise look like?
  pathgauge compare host macvlan --set macvlan.nodelay=on --json result.json --fail-on slower

exit code: 0 done, whatever the verdict; 1 --fail-on fired; 2 a mistake in the command; 3 the machine lacks something or
no block was valid; 70 a defect of pathgauge; 130 and 143 on SIGINT and SIGTERM"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "compare",
        help="compare paths, or settings of one path",
        description="Measures paths side by side until the answer is settled. The first path is the baseline.\n"
        "A path is [NAME=]KIND[:key=value,...], such as host, macvlan or vepa=macvlan:mode=vepa.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="baseline, then candidates [host macvlan; with --vary: host]"
    )
    options.add_arguments(parser)
    parser.add_argument("--version", action="version", version=f"pathgauge {__version__}")
    return parser


def run(args: argparse.Namespace) -> int:
    """Runs the comparison. 1 if --fail-on fired, else 0; raises what stopped it, once the document is safe."""
    texts = options.given(args)
    paths = args.paths
    if "config" in texts:
        from pathgauge.config import read_config

        paths_of_file, texts_of_file = read_config(texts["config"][-1])
        paths = paths or paths_of_file
        texts = texts_of_file | texts
    values = options.parse_values(texts)
    request = options.build_request(paths, values, args.command_line)
    if values.get("print-config"):
        from pathgauge.config import written
        from pathgauge.report.output import say

        say(sys.stdout, written(paths, texts).rstrip("\n"))
        return 0
    target, plot = values.get("json"), cast("str | None", values.get("plot"))

    from pathgauge.measuring import run as runner
    from pathgauge.results import store

    if isinstance(target, str) and target != "-":
        store.check_writable(target)
    if plot is not None:
        store.check_writable(plot, "plot")
    stopped: runner.Stopped | None = None
    human = None if values.get("quiet") else (sys.stderr if target == "-" else sys.stdout)
    needed = target is not None or plot is not None or "fail-on" in values
    told: set[str] = set()
    try:
        if human is None:
            from pathgauge.measuring.observer import Silent

            result = runner.compare_request(request, Silent())
        else:
            with _observer(human, request.tests, needed=needed) as observer:
                told = observer.told
                result = runner.compare_request(request, observer)
    except runner.Stopped as early:
        stopped, result = early, early.result
    _deliver(result, target if isinstance(target, str) else None, plot, human, told, needed=needed)
    if stopped is not None:
        raise stopped.cause
    if values.get("explain") and human is not None:
        _explain(request, result, human)
    return int("fail-on" in values and any(row.primary and row.verdict == "slower" for row in result.comparisons))


def _explain(request: "Request", result: "Result", human: TextIO) -> None:
    """Each slower row, one after the other; on paths that exist only the test's own parameters are turned."""
    from pathgauge.explain.run import explain_request, narrowed
    from pathgauge.paths.endpoint import EXISTING
    from pathgauge.report import explanation
    from pathgauge.report.output import say
    from pathgauge.report.progress import look_of

    may_turn = not any(spec.kind == EXISTING for spec in request.paths)
    for row in result.comparisons:
        if row.primary and row.verdict == "slower":
            say(human, "", f"Explaining {row.test} {row.metric} on {row.candidate.path}:")
            answer = explain_request(narrowed(request, row), lambda text: say(sys.stderr, text), may_turn=may_turn)
            say(human, *explanation.lines(answer, look_of(human)))


def _observer(stream: TextIO, tests: tuple[str, ...], *, needed: bool) -> "Lines | Live":
    from pathgauge.report import progress

    return progress.Live(stream, tests) if progress.is_terminal(stream) else progress.Lines(stream, needed=needed)


def _deliver(
    result: "Result", target: str | None, plot: str | None, human: TextIO | None, told: set[str], *, needed: bool
) -> None:
    """The document first, because it is what cannot be had again; then the plot, the table, and where both are."""
    from pathgauge.results import store

    try:
        if target == "-":
            store.write_stream(store.encode(result))
        elif target is not None:
            store.write_atomic(target, store.encode(result))
        if plot is not None:
            from pathgauge.report.svg import svg

            store.write_atomic(plot, svg(result).encode())
    except MachineError:  # no reason to keep the table back
        if human is not None:
            _print(result, [], human, told, needed=True)
        raise
    else:
        if human is not None:
            written = [file for file in (target, plot) if file is not None and file != "-"]
            _print(result, written, human, told, needed=needed)


def _print(result: "Result", files: "Sequence[str]", human: TextIO, told: set[str], *, needed: bool) -> None:
    import msgspec

    from pathgauge.report import table
    from pathgauge.report.output import say
    from pathgauge.report.progress import look_of

    fresh = [text for text in result.warnings if text not in told]
    shown = msgspec.structs.replace(result, warnings=fresh)
    written = [f"written: {file}" for file in files]
    try:
        say(human, *table.lines(shown, look_of(human)), *written)
    except BrokenPipeError:
        if not needed:
            raise
