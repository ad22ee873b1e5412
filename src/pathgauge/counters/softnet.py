"""/proc/net/softnet_stat: what each CPU did with received packets before any protocol saw them.

Every namespace shows the same numbers: they are the machine's. All are 32 bits wide and in hexadecimal.
"""

from pathgauge.counters.held import HeldFile
from pathgauge.counters.reading import NARROW, Counters
from pathgauge.counters.text import number, read_table, whole_lines

SOFTNET_STAT = "/proc/net/softnet_stat"

# Columns 3 to 7 have been zero for long, 8 (cpu_collision) since 4.7.
_COUNTERS = {0: "processed", 1: "dropped", 2: "time_squeeze", 9: "received_rps", 10: "flow_limit"}
_BACKLOG, _CPU, _LEAST = 11, 12, 3
_WIDEST = 64


def parse_softnet_stat(text: bytes) -> Counters:
    """`softnet.<cpu>.dropped` and so on; a row is an online CPU, whose number newer kernels tell. Raises nothing."""
    narrow: dict[str, int] = {}
    gauges: dict[str, int] = {}
    for row, line in enumerate(whole_lines(text)):
        values = [number(word, 16) for word in line.split()[:_WIDEST]]
        if len(values) < _LEAST or None in values:
            continue
        numbers = [value for value in values if value is not None]
        cpu = numbers[_CPU] if len(numbers) > _CPU else row
        for column, name in _COUNTERS.items():
            if column < len(numbers):
                narrow[f"softnet.{cpu}.{name}"] = numbers[column] & 0xFFFFFFFF
        if len(numbers) > _BACKLOG:
            gauges[f"softnet.{cpu}.backlog"] = numbers[_BACKLOG]
    return Counters({}, narrow, gauges)


class SoftnetReader(HeldFile):
    """Keeps the file open: a reading costs some 20 us with two CPUs. Usable in `with`."""

    def __init__(self, path: str = SOFTNET_STAT) -> None:
        """Raises nothing: where the file cannot be opened, what is read is empty."""
        try:
            super().__init__(path)
        except OSError:
            self.descriptor = -1

    def read(self) -> bytes:
        """The file as it is now, for `packets_by_cpu`."""
        try:
            return read_table(self.descriptor) if self.descriptor >= 0 else b""
        except OSError:
            return b""


def packets_by_cpu(before: bytes, after: bytes) -> dict[str, int] | None:
    """How many packets each CPU has taken up the stack between two readings, those CPUs that took any; None where it is
    unknown. A packet counts again on each device that stands on another.
    """
    first, last = parse_softnet_stat(before).narrow, parse_softnet_stat(after).narrow
    if not first or first.keys() != last.keys():
        return None
    found = {
        name.split(".")[1]: (value - first[name]) % NARROW
        for name, value in last.items()
        if name.endswith(".processed")
    }
    return {cpu: packets for cpu, packets in found.items() if packets}
