"""/proc/net/softnet_stat: what each CPU did with received packets before any protocol saw them.

Every namespace shows the same numbers: they are the machine's. All are 32 bits wide and in hexadecimal.
"""

from pathgauge.counters.reading import Counters
from pathgauge.counters.text import number, whole_lines

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
