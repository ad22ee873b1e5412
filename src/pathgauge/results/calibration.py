"""The typed document of a calibration, `pathgauge.calibration/1`, and where a machine keeps its own."""

import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from pathgauge.errors import UserError
from pathgauge.results.document import Environment, VerdictName

SCHEMA: Final = "pathgauge.calibration/1"
GREATEST_FILE = 2**24


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison whose answer is known: `truth` is the ratio that was put into the wire, 1 for none.

    `rate` is the wire's in bit/s; `seconds` is what the test took, `to_decide` what would have decided (null: it did,
    or nothing would). `right` says whether what came out agrees with the truth, `reason` why the verdict is what it is.
    """

    name: str
    test: str
    rate: int | None
    truth: float
    margin: float
    estimate: float | None
    low: float | None
    high: float | None
    verdict: VerdictName
    blocks: int
    seconds: float
    to_decide: float | None
    right: bool
    reason: str


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`count` of `of` trials, with the exact interval of the probability behind it at the calibration's confidence."""

    count: int
    of: int
    low: float
    high: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `pathgauge calibrate`.

    `false_claims`: trials without a difference that were called slower or faster. `missed_truths`: trials of any kind
    whose interval does not hold what was put in. `found`: trials with a difference in which it was found.
    """

    schema: Literal["pathgauge.calibration/1"] = SCHEMA
    created: str
    command: list[str]
    ended: str
    environment: Environment
    confidence: float
    rounds: int
    trials: list[Trial]
    false_claims: Share
    missed_truths: Share
    found: Share
    trusted: bool


def encode(found: Calibration) -> bytes:
    """The document as JSON text."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def kept_file() -> Path:
    """Where this user keeps this machine's calibration: below $XDG_STATE_HOME, or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local/state"
    return base / "pathgauge" / "calibration.json"


def keep(found: Calibration) -> Path:
    """Put it there, in place of an earlier one. Raises UserError, MachineError."""
    from pathgauge.results import store

    file = kept_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{file.parent} cannot be made: {error.strerror}", hint="leave --keep out") from None
    store.write_atomic(str(file), encode(found))
    return file


def kept() -> Calibration | None:
    """This machine's calibration; None where there is none that can be read."""
    try:
        with kept_file().open("rb") as file:
            return msgspec.json.decode(file.read(GREATEST_FILE), type=Calibration)
    except (OSError, ValueError):
        return None
