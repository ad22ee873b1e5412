"""`pathgauge VERB ...`: finds the verb, and turns whatever happens into one sentence and an exit code.

0 done, 1 `--fail-on` fired, 2 the user's mistake, 3 the machine lacks something, 70 our defect, 129, 130 and 143 on
SIGHUP, SIGINT and SIGTERM.
"""

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import FrameType
from typing import NoReturn

from pathgauge import __version__, options
from pathgauge.errors import InternalError, PathgaugeError, UserError
from pathgauge.quantities import nearest, quoted

VERBS = {
    "compare": "compare paths, or settings of one path",
    "explain": "say why one path is slower than another, or what limits one",
    "causes": "list the causes that are known, or show one",
    "calibrate": "see whether this machine finds what is there, and nothing else",
    "paths": "list the kinds of path, and what this machine has of them",
    "lab": "keep a lab standing, look into it, take it down",
    "doctor": "say what this machine can do and what disturbs it",
    "show": "print the table of a results document again",
    "netperf": "be netperf: its command line, against any netserver",
    "netserver": "be netserver: serve netperf, stock or ours",
    "schema": "print the JSON Schema of the results document, or of a file for --config",
    "completion": "print the completion script of a shell",
}
_MODULES = {"schema": "schema_"}
_WHOLE = ("netperf", "netserver")  # programs of their own: their words are not ours to parse

EXAMPLES = """examples:
  pathgauge compare                                   host against macvlan, all five tests
  pathgauge compare host macvlan --test TCP_STREAM --link-rate 1gbit
  pathgauge compare macvlan --test TCP_STREAM --vary send-size=1400,64K
  pathgauge doctor

`pathgauge VERB --help` tells more about a verb."""

IMPATIENCE_SECONDS = 3.0  # a second signal within it is the same wish


class Terminated(BaseException):
    """SIGTERM or SIGHUP came; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Parser(argparse.ArgumentParser):
    """argparse with our form of error."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message, hint=f"see {self.prog} --help")


def module_of(verb: str) -> str:
    """The module that holds a verb."""
    return f"pathgauge.cli.{_MODULES.get(verb, verb)}"


def build_parser(wanted: Sequence[str], *, completing: bool = False) -> argparse.ArgumentParser:
    """The parser with the wanted verbs whole; of the others only the name, so that nothing of theirs is imported.

    `completing` adds to options what a completion script needs.
    """
    parser = _Parser(
        prog="pathgauge",
        description="Says whether one network path is slower than another, by how much, and whether that is real.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pathgauge {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=False, title="verbs")
    for verb, summary in VERBS.items():
        if verb in wanted:
            added = import_module(module_of(verb)).add_parser(subparsers)
            if completing:
                options.add_completion(added)
        else:
            subparsers.add_parser(verb, help=summary, add_help=False)
    return parser


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    verb = argv[0] if argv and argv[0] in VERBS else ""
    if argv and not verb and not argv[0].startswith("-"):
        raise UserError(f"there is no verb {quoted(argv[0])}; {nearest(argv[0], VERBS)}", hint="see pathgauge --help")
    parser = build_parser([verb])
    args, rest = parser.parse_known_args(argv)
    # Paths behind an option that stands between them: argparse leaves them over.
    if rest and hasattr(args, "paths") and not any(item.startswith("-") for item in rest):
        args.paths = [*args.paths, *rest]
    elif rest:
        _refuse(rest, verb)
    if args.verb and not verb:
        raise UserError("the verb comes first", hint=f"pathgauge {args.verb} ...")
    if not args.verb:
        parser.print_help(sys.stderr)
        raise UserError("no verb was given", hint="pathgauge compare")
    args.command_line = ["pathgauge", *argv]
    return args


def _refuse(rest: Sequence[str], verb: str) -> NoReturn:
    unknown = next((item for item in rest if item.startswith("-")), rest[0]).partition("=")[0]
    hint = f"see pathgauge {verb} --help" if verb else "see pathgauge --help"
    if verb in ("compare", "explain"):
        near = get_close_matches(unknown.lstrip("-"), options.OPTIONS, n=1)
        hint = f"did you mean --{near[0]}?" if near else hint
    raise UserError(f"{quoted(unknown)} is not known here", hint=hint)


@contextlib.contextmanager
def _signals(*, program: bool) -> Iterator[None]:
    """SIGTERM and SIGHUP as an exception, like SIGINT, and any only once in a while: what the first began, keeping
    what was measured, must not be lost to an impatient second. Left alone where they are ignored, or outside the main
    thread.
    """
    raised = -math.inf

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        del frame
        now = time.monotonic()
        if now - raised < IMPATIENCE_SECONDS:
            return
        raised = now
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    defaults: dict[int, Callable[[int, FrameType | None], object] | signal.Handlers] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    ours = threading.current_thread() is threading.main_thread()
    taken = [number for number, default in defaults.items() if ours and signal.getsignal(number) == default]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        # A program that one has ended must not be ended in another way by a further one while it exits.
        over = program and raised > -math.inf
        for number in taken:
            signal.signal(number, signal.SIG_IGN if over else defaults[number])


def _complain(message: str, hint: str = "") -> None:
    """Say it on standard error, which may be gone too."""
    with contextlib.suppress(OSError, ValueError):
        print(f"pathgauge: {message}", file=sys.stderr)
        if hint:
            print(f"  {hint}", file=sys.stderr)


def _defect() -> int:
    _complain("this is a defect of pathgauge; please report it with the lines below")
    with contextlib.suppress(OSError, ValueError):
        traceback.print_exc(file=sys.stderr)
    return InternalError.exit_code


def _open_streams() -> None:
    """Where a caller closed a standard stream, it is empty, what is said goes nowhere, and no file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))


def _settle_output() -> None:
    """If standard output cannot take what is left, let the interpreter flush it into nothing at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _run(argv: Sequence[str]) -> int:
    from pathgauge.report.output import say

    try:
        if argv and argv[0] in _WHOLE:
            return int(import_module(module_of(argv[0])).run_words(argv[1:]))
        args = _parse(argv)
        code = int(import_module(module_of(args.verb)).run(args))
    except SystemExit as done:  # --help and --version
        code = int(done.code or 0)
    say(sys.stdout)
    return code


def _words() -> list[str]:
    """The command line; called by the name of one of the programs that we can be, it is that verb's."""
    name = os.path.basename(sys.argv[0])
    return [name, *sys.argv[1:]] if name in _WHOLE else sys.argv[1:]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; raises nothing."""
    _open_streams()
    try:
        with _signals(program=argv is None):
            return _run(_words() if argv is None else list(argv))
    except InternalError:
        return _defect()
    except PathgaugeError as error:
        _complain(str(error), error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted")
        return 128 + signal.SIGINT
    except Terminated as told:
        _complain("terminated" if told.number == signal.SIGTERM else "the terminal is gone")
        return 128 + told.number
    except BrokenPipeError:  # whoever read has seen enough
        return 0
    except Exception:  # noqa: BLE001 - the last line of defence: one sentence, then the traceback
        return _defect()
    finally:
        _settle_output()
