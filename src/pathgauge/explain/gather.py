"""Evidence: slices of their own in which the full set of counters is read, and the configuration before all that."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pathgauge.counters.configuration import Configuration
from pathgauge.counters.configuration import differences as settings_of_both
from pathgauge.counters.process import process_counters
from pathgauge.counters.reading import Counters, difference, merged
from pathgauge.explain.case import Facts
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.measured import Measured
from pathgauge.paths.lab import Lab
from pathgauge.results.document import Moment

SECONDS = 1.0
RAMP_SECONDS = 0.1
WARM_SECONDS = 0.2
ROUNDS = 2
MOST = 20  # differences that are told


@dataclass(frozen=True, slots=True)
class Part:
    """What a slice of evidence showed, `start` seconds after all of it began."""

    start: float
    measured: Measured
    grown: Counters


def evidence(
    lab: Lab, arms: Sequence[EngineArm], facts: Sequence[Facts], every: float = SECONDS, warmup: float | None = None
) -> tuple[list[Facts], list[Moment]]:
    """The facts with what some slices showed, each arm's in turn and back again; and the slices by themselves, in order
    of time, if there are several in a second (`every` so many seconds one). Raises what reading raises.
    """
    found: dict[str, list[Part]] = {arm.name: [] for arm in arms}
    began = time.monotonic()
    for number in range(ROUNDS):
        for arm in arms if number % 2 == 0 else arms[::-1]:
            arm.open()
            arm.warm(WARM_SECONDS if warmup is None else warmup)
            before = read(lab, arm)
            for _ in range(round(SECONDS / every)):
                start = time.monotonic() - began
                measured = arm.measure(RAMP_SECONDS * every / SECONDS, every)
                after = read(lab, arm)
                found[arm.name].append(Part(start, measured, difference(before, after)))
                before = after
            arm.close()
    moments = [_moment(name, part) for name, parts in found.items() for part in parts] if every < SECONDS else []
    return [_with(each, found[each.name]) for each in facts], sorted(moments, key=lambda moment: moment.start)


def _moment(path: str, part: Part) -> Moment:
    rising = {**part.grown.rising, **part.grown.narrow}
    return Moment(
        path=path,
        start=round(part.start, 6),
        seconds=part.measured.row.remote_seconds,
        bytes=part.measured.row.bytes_received,
        transactions=part.measured.row.transactions,
        counters={name: value for name, value in sorted(rising.items()) if value},
        gauges=dict(sorted(part.grown.gauges.items())),
    )


def _with(facts: Facts, found: Sequence[Part]) -> Facts:
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    for part in found:
        for name, value in (*part.grown.rising.items(), *part.grown.narrow.items()):
            counters[name] = counters.get(name, 0.0) + value
        gauges |= part.grown.gauges
    return replace(
        facts,
        rows=[part.measured.row for part in found],
        tcp=[part.measured.tcp for part in found if part.measured.tcp is not None],
        counters=counters,
        gauges=gauges,
    )


def read(lab: Lab, arm: EngineArm) -> Counters:
    """Every counter by its dotted name: of the path, of the machine, of the two ends (`local.`, `remote.`), and what
    other devices of the path's namespaces sent (`stray.`).
    """
    own = {(device.namespace, device.name) for device in arm.path.devices}
    stray = {
        f"stray.{space}.{name}.tx_bytes": counters.tx_bytes
        for (space, name), counters in lab.link_counters().items()
        if (space, name) not in own
    }
    ends = [process_counters(end.child.process.pid).under(name) for name, end in arm.engine.ends.items()]
    return merged([lab.full_counters(arm.path.spec.name), *ends, Counters(stray)])


def differences(facts: Sequence[Facts]) -> list[str]:
    """How two paths are set differently, a line each; parameters of the test first, of settings at most MOST."""
    if len(facts) < 2:  # noqa: PLR2004 - two paths
        return []
    one, other = facts
    lines = []
    for field in one.parameters.__struct_fields__:
        values = getattr(one.parameters, field), getattr(other.parameters, field)
        if values[0] != values[1]:
            lines.append(f"{field.replace('_', '-')}: {values[0]} on {one.name}, {values[1]} on {other.name}")
    if isinstance(one.configuration, Configuration) and isinstance(other.configuration, Configuration):
        lines += [
            f"{each.name}: {each.one or 'nothing'} on {one.name}, {each.other or 'nothing'} on {other.name}"
            for each in settings_of_both(one.configuration, other.configuration)[:MOST]
        ]
    return lines
