"""Interrupts and softirqs, from /proc/interrupts and /proc/softirqs. The kernel keeps 32 bits of each."""

from pathgauge.counters.reading import NARROW, Counters, part
from pathgauge.counters.text import number, whole_lines


def parse_softirqs(text: bytes) -> Counters:
    """`softirq.NET_RX.<cpu>` and so on. Raises nothing."""
    found = {
        f"softirq.{part(label)}.{cpu}": value % NARROW
        for label, values, _ in _rows(text)
        for cpu, value in values.items()
    }
    return Counters({}, found, {})


def parse_interrupts(text: bytes) -> Counters:
    """`interrupt.<label>`, over all CPUs. Raises nothing.

    A numbered interrupt is called `irq41-virtio3-rx`, after the last word of its line: the driver's own name for it.
    """
    found: dict[str, int] = {}
    for label, values, rest in _rows(text):
        named = f"irq{label}-{rest[-1]}" if label.isdigit() and rest else label
        found[f"interrupt.{part(named)}"] = sum(values.values()) % NARROW
    return Counters({}, found, {})


def _rows(text: bytes) -> list[tuple[str, dict[int, int], list[str]]]:
    """The label of each row, its counts by CPU, and the words after them."""
    heads, *lines = whole_lines(text) or [b""]
    cpus = [number(head.removeprefix(b"CPU")) for head in heads.split() if head.startswith(b"CPU")]
    rows = []
    for line in lines:
        label, colon, rest = line.partition(b":")
        words = rest.split()
        counts = [number(word) for word in words[: len(cpus)]]
        values = {cpu: count for cpu, count in zip(cpus, counts, strict=False) if cpu is not None and count is not None}
        if colon and label.strip() and values and len(values) == len(cpus):  # ERR and MIS have one count for all CPUs
            after = [word.decode("utf-8", "replace") for word in words[len(cpus) :]]
            rows.append((label.strip().decode("utf-8", "replace"), values, after))
    return rows
