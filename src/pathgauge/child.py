"""Processes of our own: started by exec, heard when they complain, and told apart when they die."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import IO

from pathgauge import errors

GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Child:
    """One process; `who` is what it is called in messages, such as `the lab's keeper`."""

    who: str
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]

    @classmethod
    def start(
        cls, who: str, module: str, arguments: Sequence[object], *, keep: Collection[int], session: bool
    ) -> "Child":
        """Start `python -m module`, the descriptors of `keep` open in it under the same numbers. It is in a session, or
        at least a process group, of its own: a Ctrl-C at the terminal is the controller's to handle.
        """
        complaints = os.fdopen(os.memfd_create("pathgauge"), "w+b")  # no temporary folder is needed
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *map(str, arguments)],
                pass_fds=sorted(keep),
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=complaints,
                start_new_session=session,
                process_group=None if session else 0,
            )
        except BaseException:
            complaints.close()
            raise
        return cls(who, process, complaints)

    def death(self, answer_seconds: float) -> errors.PathgaugeError:
        """The error that says why it does not answer: silent for so long, killed from outside, or a defect of ours."""
        try:
            code = self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            return errors.EndDied(f"{self.who} gave no answer for {answer_seconds:.0f} s", hint="run it again")
        if code < 0:
            return errors.EndDied(
                f"{self.who} was killed by {signal.Signals(-code).name} in the middle of the run",
                hint="see dmesg for an out-of-memory kill; otherwise run it again",
            )
        self.complaints.seek(0)
        last = self.complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return errors.InternalError(f"{self.who} stopped with status {code}: {''.join(last)}")


def raised(name: str, message: str, hint: str) -> errors.PathgaugeError:
    """The error that a process told by its class's name, its sentence and its hint."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.PathgaugeError):
        return kind(message, hint=hint)
    return errors.InternalError(message, hint=hint)


def told(error: Exception, otherwise: str) -> tuple[str, str, str]:
    """An error as a process tells it: the name of a class in errors.py, its sentence, its hint. For one that is not
    ours the sentence is `otherwise`.
    """
    if isinstance(error, errors.PathgaugeError):
        name = next(kind.__name__ for kind in type(error).__mro__ if hasattr(errors, kind.__name__))
        return name, str(error), error.hint
    return "MachineError" if isinstance(error, OSError) else "InternalError", otherwise, ""
