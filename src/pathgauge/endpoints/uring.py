"""Whether this process may use io_uring, and what to do where it may not."""

import errno
import os
import resource
from pathlib import Path

from pathgauge import _native
from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege

SWITCH = Path("/proc/sys/kernel/io_uring_disabled")
PLAIN = "--send-method copy --receive-method copy"


def require(locked: int = 0) -> None:
    """Raise MissingFeature or MissingPrivilege where there is none, or none for so many bytes of locked memory."""
    number = _native.why_no_ring(locked)
    if number:
        raise _refusal(number, locked)


def _refusal(number: int, locked: int) -> MachineError:
    if number == errno.EPERM:
        return _forbidden()
    if number == errno.ENOSYS:
        return MissingFeature("this kernel has no io_uring", hint=f"leave out the io-uring methods: {PLAIN}")
    if number == errno.EINVAL:
        return MissingFeature(
            f"io_uring as it is used here takes Linux 6.1, and this is {os.uname().release}",
            hint=f"leave out the io-uring methods: {PLAIN}",
        )
    if number == errno.ENOMEM and locked:
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        return MissingPrivilege(
            f"io-uring-zerocopy sends from {locked} bytes of locked memory, more than is left of this user's {limit}",
            hint="a smaller --send-size, --send-method io-uring, or more memory: ulimit -l unlimited (as root), or "
            "memlock in /etc/security/limits.conf",
        )
    return MissingFeature(f"io_uring cannot be used: {os.strerror(number)}", hint=PLAIN)


def _forbidden() -> MissingPrivilege:
    try:
        switch = SWITCH.read_text(encoding="ascii").strip()
    except OSError:
        switch = "0"  # kernels before 6.6 have none
    if switch != "0":
        return MissingPrivilege(
            f"io_uring is switched off on this machine (kernel.io_uring_disabled is {switch})",
            hint="sudo sysctl kernel.io_uring_disabled=0",
        )
    return MissingPrivilege(
        "io_uring is forbidden to this process, as containers forbid it by seccomp",
        hint=f"run pathgauge outside of the container, or leave out the io-uring methods: {PLAIN}",
    )
