"""Real-time priority for a loop's thread."""

import os

from pathgauge.errors import MissingPrivilege


def enter(priority: int) -> None:
    """Let the calling thread run under SCHED_FIFO with that priority. Raises PermissionError."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def require(priority: int) -> None:
    """Raise MissingPrivilege where a thread of this process may not."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        enter(priority)
    except PermissionError as error:
        raise MissingPrivilege(
            f"priority {priority} of real time is not allowed here",
            hint=f"run as root, or allow it in /etc/security/limits.conf: rtprio {priority}",
        ) from error
    os.sched_setscheduler(0, *before)
