"""CPU cycles and instructions of the whole machine, kernel and user, through perf_event_open.

One counter for each online CPU, of all processes. There is no fallback to user-only cycles: where the kernel's own are
not to be had, cycles are unknown. The counters are pinned, so the kernel never shares a hardware counter between them
and others by turns: what is read was counted, not extrapolated. If one could not run all the time, the reading is None.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

from pathgauge.errors import MachineError

_SYSCALL_NUMBERS = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
CYCLES = (0, 0)  # PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES
INSTRUCTIONS = (0, 1)  # PERF_COUNT_HW_INSTRUCTIONS
_ATTR_SIZE = 64  # PERF_ATTR_SIZE_VER0, which every kernel takes
_PINNED = 1 << 2
_READ_TIMES = 1 | 2  # PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING
_CLOSE_ON_EXEC = 8
_READING = struct.Struct("=QQQ")  # count, ns enabled, ns running
ONLINE_CPUS = "/sys/devices/system/cpu/online"


class _Unavailable(Exception):
    """Why there are no cycles, as a clause; never leaves this module."""


class HardwareCounter:
    """One event, counted on all CPUs. `read()` is None when the machine changed under it; differences are exact."""

    def __init__(self, counters: list[int], online: int, online_at_start: bytes) -> None:
        self._counters = counters
        self._online = online
        self._online_at_start = online_at_start

    def read(self) -> int | None:
        """Events of all CPUs since opening; None if a counter did not run all the time, or a CPU came or went."""
        if not self._counters:
            raise MachineError("The hardware counters are closed.")
        total = 0
        for counter in self._counters:
            count = _read_counter(counter)
            if count is None:
                return None
            total += count
        if os.pread(self._online, len(self._online_at_start) + 1, 0) != self._online_at_start:
            return None
        return total

    def close(self) -> None:
        """May be called more than once."""
        if self._counters:
            _close_all(self._counters, self._online)
            self._counters = []


def open_counter(event: tuple[int, int]) -> HardwareCounter | None:
    """Opens the counters of one event; None where the kernel does not give them (`why_no_cycles()` tells why)."""
    try:
        return _open(*event)
    except _Unavailable:
        return None


def why_no_cycles() -> str:
    """Why cycles are not to be had here, found by trying, as a clause; "" if they are."""
    try:
        _open(*CYCLES).close()
    except _Unavailable as reason:
        return str(reason)
    return ""


def parse_cpu_list(text: str) -> list[int]:
    """The kernel's list of CPUs, such as `0-3,8`. Raises ValueError on anything else."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        cpus.extend(range(int(first), int(last if dash else first) + 1))
    return cpus


def _read_counter(counter: int) -> int | None:
    try:
        raw = os.read(counter, _READING.size)
    except OSError:
        return None
    if len(raw) != _READING.size:  # end of file: a pinned counter that lost its place on the CPU
        return None
    count, enabled, running = _READING.unpack(raw)
    return int(count) if running == enabled else None


def _open(kind: int, config: int) -> HardwareCounter:
    """Opens one counter of the given perf type and config on each online CPU, or raises _Unavailable."""
    number = _SYSCALL_NUMBERS.get(platform.machine()) if sys.maxsize > 1 << 32 else None
    if number is None:
        raise _Unavailable(f"pathgauge does not know how to ask for them on {platform.machine()}")
    try:
        online = os.open(ONLINE_CPUS, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _Unavailable(f"{ONLINE_CPUS} cannot be read ({error.strerror})") from error
    counters: list[int] = []
    try:
        text = os.pread(online, 4096, 0)
        for cpu in parse_cpu_list(text.decode("ascii")):
            counters.append(_open_counter(number, kind, config, cpu))
            if _read_counter(counters[-1]) is None:
                raise _Unavailable(f"another user of the hardware counters holds those of CPU {cpu}")
    except (OSError, ValueError) as error:
        _close_all(counters, online)
        raise _Unavailable(f"the online CPUs are not known ({error})") from error
    except _Unavailable:
        _close_all(counters, online)
        raise
    return HardwareCounter(counters, online, text)


def _close_all(counters: list[int], online: int) -> None:
    for descriptor in (*counters, online):
        os.close(descriptor)


def _open_counter(number: int, kind: int, config: int, cpu: int) -> int:
    # type, size, config, sample_period, sample_type, read_format, flags: nothing is excluded, nothing is inherited.
    attributes = struct.pack("=IIQQQQQ", kind, _ATTR_SIZE, config, 0, 0, _READ_TIMES, _PINNED).ljust(_ATTR_SIZE, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    descriptor = libc.syscall(
        ctypes.c_long(number),
        ctypes.create_string_buffer(attributes, _ATTR_SIZE),
        ctypes.c_int(-1),  # every process
        ctypes.c_int(cpu),
        ctypes.c_int(-1),  # no group
        ctypes.c_ulong(_CLOSE_ON_EXEC),
    )
    if descriptor < 0:
        raise _Unavailable(_reason(ctypes.get_errno(), cpu))
    return int(descriptor)


def _reason(code: int, cpu: int) -> str:
    if code in (errno.EACCES, errno.EPERM):
        return f"the kernel refuses them to this user (kernel.perf_event_paranoid is {_paranoid()})"
    if code in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV, errno.ENXIO):
        return f"the kernel shows no hardware cycle counter on CPU {cpu}"
    if code in (errno.EMFILE, errno.ENFILE):
        return "there are too few file descriptors for one counter a CPU"
    if code == errno.ENOSYS:
        return "the running kernel has no perf events"
    return f"perf_event_open failed on CPU {cpu}: {os.strerror(code)}"


def _paranoid() -> str:
    try:
        with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"
