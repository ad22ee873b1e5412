"""Every error pathgauge raises on purpose.

    PathgaugeError
    ├── UserError            exit 2    what was asked cannot be: a wrong name, size, rate, address
    ├── MachineError         exit 3    the machine lacks something, or nothing valid could be measured
    │   ├── MissingPrivilege           neither root nor a user namespace, or the kernel said EPERM
    │   ├── MissingFeature             the kernel or the system lacks a device kind, a module, a tool
    │   ├── EndDied                    a process of the run ended before its work was done
    │   └── NoValidBlock               blocks were measured and every one was void
    └── InternalError        exit 70   a defect of pathgauge: please report it

Each carries a `hint`: what to type or change. Interrupts are no errors: they end with 130 (SIGINT) or 143 (SIGTERM).
"""

from typing import ClassVar


class PathgaugeError(Exception):
    """Base of all; `str()` is one sentence, `hint` says what to type or change ("" where nothing helps)."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UserError(PathgaugeError, ValueError):
    """What was asked for cannot be: exit 2."""

    exit_code = 2


class MachineError(PathgaugeError):
    """The machine lacks something, or nothing valid could be measured on it: exit 3."""

    exit_code = 3


class MissingPrivilege(MachineError):
    """Neither root nor a user namespace is to be had, or the kernel refused an operation."""


class MissingFeature(MachineError):
    """The running kernel or system lacks a device kind, a module or a tool."""


class EndDied(MachineError):
    """A process of the run (an end, the lab's keeper) ended before its work was done."""


class NoValidBlock(MachineError):
    """Blocks were measured, and every one was void."""


class InternalError(PathgaugeError):
    """A defect of pathgauge itself: exit 70."""

    exit_code = 70
