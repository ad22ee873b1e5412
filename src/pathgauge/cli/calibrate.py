"""`pathgauge calibrate`: comparisons whose answer is known."""

import argparse
import sys
from typing import TYPE_CHECKING

from pathgauge import options, quantities

if TYPE_CHECKING:
    from pathgauge.calibration import Calibrating
    from pathgauge.results.calibration import Calibration

MOST_ROUNDS = 1000
UNTRUSTED = 1

EXAMPLES = """examples:
  pathgauge calibrate
      is this machine, now, an instrument? (under a minute)
  pathgauge calibrate --rounds 20 --keep
      how often is it wrong? (about 12 minutes); pathgauge doctor shows it from then on
  pathgauge calibrate --margin 1 --confidence 99 --link-rate 100mbit --json calibration.json

exit code: 0 verdicts of this machine can be believed, as far as the trials show; 1 they cannot; 2 a mistake in the
command; 3 the machine lacks something; 70 a defect of pathgauge; 130 and 143 on SIGINT and SIGTERM"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Adds the verb."""
    parser = subparsers.add_parser(
        "calibrate",
        help="see whether this machine finds what is there, and nothing else",
        description="Compares a path with itself, which must not be called different, and puts known effects into the\n"
        "wire (its shaped rate lowered by 5 %, and by the margin), which must be found.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--rounds", metavar="N", default="1", help="make all six trials so many times [1]")
    parser.add_argument("--keep", action="store_true", help="keep the outcome, for pathgauge doctor to show")
    parser.add_argument(
        "--margin", metavar="PERCENT", default="2%", help="smallest difference that matters, in %% [2%%]"
    )
    options.add_arguments(parser, ("link-rate", "confidence", "json", "quiet"))
    return parser


def run(args: argparse.Namespace) -> int:
    """Makes the trials. 1 where the machine's verdicts cannot be believed, else 0."""
    calibrating = _asked(args)
    target = options.given(args).get("json", [None])[-1]
    human = None if args.quiet else (sys.stderr if target == "-" else sys.stdout)

    from pathgauge.report import calibration as words
    from pathgauge.report.output import say
    from pathgauge.results import calibration, store

    def tell(*lines: str) -> None:
        if human is not None:
            say(human, *lines)

    if target not in (None, "-"):
        store.check_writable(target)
    calibrating.tell = lambda trial: tell(words.sentence(trial))
    found, cause = _made(calibrating)
    tell(*words.lines(found))
    if target == "-":
        store.write_stream(calibration.encode(found))
    elif target is not None:
        store.write_atomic(target, calibration.encode(found))
        tell(f"written: {target}")
    if cause is not None:
        raise cause
    if args.keep:
        tell(f"kept: {calibration.keep(found)}")
    return 0 if found.trusted else UNTRUSTED


def _asked(args: argparse.Namespace) -> "Calibrating":
    values = options.parse_values(options.given(args))

    from pathgauge.calibration import Calibrating

    rate, confidence = values.get("link-rate"), values.get("confidence")
    return Calibrating(
        command=args.command_line,
        rounds=quantities.parse_whole(args.rounds, 1, MOST_ROUNDS, "number of rounds"),
        rate=rate if isinstance(rate, int) else None,
        confidence=confidence if isinstance(confidence, float) else 0.95,
        margin=quantities.parse_margin(args.margin),
    )


def _made(calibrating: "Calibrating") -> "tuple[Calibration, BaseException | None]":
    """The outcome, and what ended it early, if something did once there was an outcome."""
    try:
        calibrating.run()
    except BaseException as cause:
        if not calibrating.trials:
            raise
        ended = f"stopped: {cause}" if isinstance(cause, Exception) else "interrupted"
        return calibrating.document(ended), cause
    return calibrating.document("complete"), None
