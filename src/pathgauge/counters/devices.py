"""A device's counters out of what netlink and ethtool say of it, which comes here as plain mappings."""

from collections.abc import Iterable, Mapping

from pathgauge.counters.reading import NARROW, Counters, part

ROOT, INGRESS = 0xFFFFFFFF, 0xFFFFFFF1  # TC_H_ROOT, TC_H_INGRESS (clsact's, too)
_MOST_STATISTICS = 4096

_QUEUE_COUNTERS = ("drops", "requeues", "overlimits")
_QUEUE_LEVELS = ("backlog", "qlen")


def link_counters(statistics: Mapping[str, object], *, levels: Mapping[str, object], changes: object) -> Counters:
    """`rx_bytes`, `rx_missed_errors` and so on of the kernel's 64-bit statistics, `carrier_changes`; `promiscuity` and
    `allmulti` as levels.
    """
    return Counters(dict(_numbers({**statistics, "carrier_changes": changes})), {}, dict(_numbers(levels)))


def qdisc_counters(
    parent: int, basic: Mapping[str, object], queue: Mapping[str, object], more: Mapping[str, object]
) -> Counters:
    """One queueing discipline's: `qdisc.drops` of the device's root, `ingress.` of its way in, `qdisc.1:10.` of one
    below a class. `bytes` and `packets` count what was sent; packets here are segments. `more` is the discipline's own.
    """
    where = "qdisc" if parent == ROOT else "ingress" if parent == INGRESS else f"qdisc.{handle(parent)}"
    numbers, queued = dict(_numbers(basic)), dict(_numbers(queue))
    rising = {name: numbers[name] for name in ("bytes",) if name in numbers}
    narrow = {name: numbers[name] % NARROW for name in ("packets",) if name in numbers}
    narrow |= {name: queued[name] for name in _QUEUE_COUNTERS if name in queued}
    gauges = {name: queued[name] for name in _QUEUE_LEVELS if name in queued}
    rising |= {f"own.{part(name)}": value for name, value in _numbers(more)}
    return Counters(rising, narrow, gauges).under(where)


def class_counters(number: int, basic: Mapping[str, object], queue: Mapping[str, object]) -> Counters:
    """`class.1:10.drops` and so on, as of a queueing discipline."""
    return qdisc_counters(ROOT, basic, queue, {}).within("qdisc").under(f"class.{handle(number)}")


def ethtool_counters(statistics: Iterable[tuple[str, int]]) -> Counters:
    """The driver's own statistics by its own names: `ethtool.rx_queue_0_drops`. Which are levels no driver tells: what
    fell, a difference leaves out.
    """
    found: dict[str, int] = {}
    for name, value in statistics:
        if len(found) == _MOST_STATISTICS:
            break
        if name and not name.endswith("ifindex"):
            found[f"ethtool.{part(name.strip())}"] = value
    return Counters(found)


def handle(number: int) -> str:
    """A class or discipline as tc writes it: `1:10`, `1:`; both halves in hexadecimal."""
    return f"{number >> 16:x}:{number & 0xFFFF:x}" if number & 0xFFFF else f"{number >> 16:x}:"


def _numbers(values: Mapping[str, object]) -> Iterable[tuple[str, int]]:
    for name, value in values.items():
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            yield part(str(name)), value
