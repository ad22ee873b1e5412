"""A reading of counters: numbers by dotted names, and what two readings say together.

A name is made of parts joined by dots (`tcpext.TCPTimeouts`, `cpu.1.softirq`). A word that comes from elsewhere, such
as a device's name, is one part: dots in it become slashes, as sysctl(8) writes them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

NARROW = 1 << 32
_LONGEST_PART = 64


@dataclass(frozen=True, slots=True)
class Counters(Mapping[str, int]):
    """A mapping from names to numbers. What could not be read has no name here: absent is unknown, not zero.

    `rising` only ever count up; `narrow` do, too, but the kernel keeps 32 bits of them; `gauges` are levels.
    """

    rising: Mapping[str, int] = field(default_factory=dict)
    narrow: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        for part in (self.rising, self.narrow, self.gauges):
            if name in part:
                return part[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return chain(self.rising, self.narrow, self.gauges)

    def __len__(self) -> int:
        return len(self.rising) + len(self.narrow) + len(self.gauges)

    def under(self, prefix: str) -> "Counters":
        """The same, every name with `prefix` and a dot before it."""
        return Counters(*({f"{prefix}.{name}": value for name, value in part.items()} for part in self._parts()))

    def within(self, prefix: str) -> "Counters":
        """Those whose name begins with `prefix` and a dot, named by what follows."""
        start = f"{prefix}."
        length = len(start)
        return Counters(
            *(
                {name[length:]: value for name, value in part.items() if name.startswith(start)}
                for part in self._parts()
            )
        )

    def _parts(self) -> tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int]]:
        return self.rising, self.narrow, self.gauges


def merged(readings: Iterable[Counters]) -> Counters:
    """All of them in one; of two with the same name the later holds."""
    rising: dict[str, int] = {}
    narrow: dict[str, int] = {}
    gauges: dict[str, int] = {}
    for each in readings:
        rising.update(each.rising)
        narrow.update(each.narrow)
        gauges.update(each.gauges)
    return Counters(rising, narrow, gauges)


def difference(before: Counters, after: Counters) -> Counters:
    """How far each counter rose; gauges as they are in `after`.

    A counter that only one of the two has is left out, and so is one that fell: what it counts was made anew meanwhile.
    A narrow one that seems to have fallen has wrapped, unless it rose by half its range or more: that is not believed.
    """
    rising = {name: value - before.rising[name] for name, value in after.rising.items() if name in before.rising}
    narrow = {
        name: (value - before.narrow[name]) % NARROW for name, value in after.narrow.items() if name in before.narrow
    }
    return Counters(
        {name: value for name, value in rising.items() if value >= 0},
        {name: value for name, value in narrow.items() if value < NARROW // 2},
        dict(after.gauges),
    )


def part(word: str) -> str:
    """A foreign word as one part of a name: bounded, printable, without blanks and dots."""
    cut = word[:_LONGEST_PART]
    return "".join(letter if letter.isprintable() and letter != " " else "_" for letter in cut).replace(".", "/")
