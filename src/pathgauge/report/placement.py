"""Where the work was done, in words: the CPUs of the ends and of the receive softirqs, and what devices ask for."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from pathgauge.quantities import clean
from pathgauge.results.document import Result, TestRun

ALIKE = 0.1  # of the packets: CPUs' shares that differ by less are said as one
LEAST = 0.05  # CPUs with less are not named

Shares = Mapping[str, float]


def lines(result: Result) -> Iterator[str]:
    """What was chosen, then what was seen."""
    moved = any(name in path.settings for path in result.paths for name in ("local-cpu", "remote-cpu"))
    elsewhere = ", where no path has its own" if moved else ", on all paths"
    places = dict.fromkeys((test.local_cpu, test.remote_cpu) for test in result.tests)
    for local, remote in places:
        if local is not None and remote is not None:
            yield f"Client on CPU {local}, server on CPU {remote}{elsewhere}."
    for cpus in {tuple(test.awake) for test in result.tests if test.awake}:
        yield f"CPU {' and '.join(map(str, cpus))} kept awake; what that took is in no figure."
    yield from _softirqs(result.tests)
    yield from _queues(result)


def _softirqs(tests: Sequence[TestRun]) -> Iterator[str]:
    """Where packets were received, tests and paths in one line where that was much the same."""
    groups: list[list[TestRun]] = []
    for test in tests:
        if not test.receiving or not all(seen.shares for seen in test.receiving):
            continue
        like = next((group for group in groups if _same(group[0], test)), None)
        if like is None:
            groups.append([test])
        else:
            like.append(test)
    for group in groups:
        of = f", {', '.join(test.test for test in group)}" if len(groups) > 1 else ""
        yield clean(f"Receive softirqs{of}: {_by_path(group)}.")


def _same(one: TestRun, other: TestRun) -> bool:
    pairs = zip(one.receiving, other.receiving, strict=False)
    return len(one.receiving) == len(other.receiving) and all(_alike(a.shares, b.shares) for a, b in pairs)


def _alike(one: Shares, other: Shares) -> bool:
    return all(abs(one.get(cpu, 0.0) - other.get(cpu, 0.0)) < ALIKE for cpu in {*one, *other})


def _by_path(tests: Sequence[TestRun]) -> str:
    paths = {
        seen.path: _mean([test.receiving[place].shares for test in tests])
        for place, seen in enumerate(tests[0].receiving)
    }
    first, *others = paths.values()
    if all(_alike(first, other) for other in others):
        return f"{_said(_mean(list(paths.values())))} of the packets, on all paths"
    return "; ".join(f"{path} {_said(shares)}" for path, shares in paths.items())


def _mean(every: Sequence[Shares]) -> Shares:
    cpus = sorted({cpu for shares in every for cpu in shares}, key=int)
    return {cpu: fmean(shares.get(cpu, 0.0) for shares in every) for cpu in cpus}


def _said(shares: Shares) -> str:
    named = {cpu: share for cpu, share in shares.items() if share >= LEAST}
    words = [f"CPU {cpu} {100 * share:.0f} %" for cpu, share in named.items()]
    rest = 1.0 - sum(named.values())
    return ", ".join([*words, f"others {100 * rest:.0f} %"] if len(named) < len(shares) and rest >= 0.005 else words)  # noqa: PLR2004 - what is said as 0 %


def _queues(result: Result) -> Iterator[str]:
    """Which CPUs the devices that are none of a lab's name for what comes in."""
    told = set()
    for device in (device for path in result.paths for device in path.devices):
        if not device.queues or (device.namespace, device.name) in told:
            continue
        told.add((device.namespace, device.name))
        masks = [text for name, text in device.queues.items() if name.endswith(".rps_cpus")]
        asked = [text for text in dict.fromkeys(masks) if text.strip("0,")]
        words = [f"{len(masks)} receive {'queue' if len(masks) == 1 else 'queues'}"]
        words.append(f"RPS to the CPUs of the mask {' and '.join(asked)}" if asked else "no RPS")
        interrupts = dict.fromkeys(text for name, text in device.queues.items() if name.startswith("irq."))
        words += [f"interrupts on CPU {' and '.join(interrupts)}"] if interrupts else []
        words += ["threaded NAPI"] if device.queues.get("napi.threaded", "0") != "0" else []
        yield clean(f"{device.name} in {device.namespace}: {', '.join(words)}.")
