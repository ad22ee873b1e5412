"""Evidence: slices of their own in which the full set of counters is read, and the configuration before all that."""

from collections.abc import Sequence
from dataclasses import replace

from pathgauge.counters.configuration import Configuration
from pathgauge.counters.configuration import differences as settings_of_both
from pathgauge.counters.process import process_counters
from pathgauge.counters.reading import Counters, difference, merged
from pathgauge.explain.case import Facts
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.measured import Measured
from pathgauge.paths.lab import Lab

SECONDS = 1.0
RAMP_SECONDS = 0.1
WARM_SECONDS = 0.2
ROUNDS = 2
MOST = 20  # differences that are told


def evidence(lab: Lab, arms: Sequence[EngineArm], facts: Sequence[Facts]) -> list[Facts]:
    """The facts with what some slices showed, each arm's in turn and back again. Raises what reading raises."""
    found: dict[str, list[tuple[Measured, Counters]]] = {arm.name: [] for arm in arms}
    for number in range(ROUNDS):
        for arm in arms if number % 2 == 0 else arms[::-1]:
            arm.open()
            arm.warm(WARM_SECONDS)
            before = read(lab, arm)
            measured = arm.measure(RAMP_SECONDS, SECONDS)
            after = read(lab, arm)
            arm.close()
            found[arm.name].append((measured, difference(before, after)))
    return [_with(each, found[each.name]) for each in facts]


def _with(facts: Facts, found: Sequence[tuple[Measured, Counters]]) -> Facts:
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    for _, grown in found:
        for name, value in (*grown.rising.items(), *grown.narrow.items()):
            counters[name] = counters.get(name, 0.0) + value
        gauges |= grown.gauges
    return replace(
        facts,
        rows=[measured.row for measured, _ in found],
        tcp=[measured.tcp for measured, _ in found if measured.tcp is not None],
        counters=counters,
        gauges=gauges,
    )


def read(lab: Lab, arm: EngineArm) -> Counters:
    """Every counter by its dotted name: of the path, of the machine, of the two ends (`local.`, `remote.`)."""
    ends = [process_counters(end.child.process.pid).under(name) for name, end in arm.engine.ends.items()]
    return merged([lab.full_counters(arm.path.spec.name), *ends])


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
