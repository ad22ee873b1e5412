"""The tables of /proc/net/stat: names in the first line, then a row of hexadecimal numbers for each CPU.

nf_conntrack is each namespace's own; arp_cache and ndisc_cache (the tables of neighbours) are the machine's, and only
the first namespace has them; rt_cache is the machine's, too.
"""

from pathgauge.counters.reading import NARROW, Counters
from pathgauge.counters.text import name, number, whole_lines


def parse_stat_table(text: bytes) -> Counters:
    """The sums over the CPUs, of which 32 bits are kept; the first column is a level that every row repeats.

    Raises nothing.
    """
    heads, *rows = whole_lines(text) or [b""]
    names = [name(word) for word in heads.split()]
    sums: dict[str, int] = {}
    gauges: dict[str, int] = {}
    for row in rows:
        values = [number(word, 16) for word in row.split()]
        if len(values) != len(names):
            continue
        for index, (key, value) in enumerate(zip(names, values, strict=True)):
            if key is None or value is None:
                continue
            if index == 0:
                gauges[key] = value
            else:
                sums[key] = (sums.get(key, 0) + value) % NARROW
    return Counters({}, sums, gauges)
