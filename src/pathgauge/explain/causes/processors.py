"""Where the CPU time goes: which CPUs the ends and the softirqs run on, what takes them away, how they are counted.

On one machine both ends and all that lies between share its CPUs. Two ends on one CPU take turns; a quota stops a
process for the rest of each period; a neighbour takes slices; a single CPU that does all receiving is a path's limit.
"""

from collections.abc import Callable, Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import Cause, Knob, Sign, no_knobs
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import DeviceRef

FULL = 0.9  # of a CPU
WAITED = 0.1  # of the time: ready, and not on a CPU
STOLEN = 0.02
SWITCHES = 0.8  # a transaction
SECOND_NS = 1e9


def placement(case: Case) -> Sequence[Sign]:
    """Both ends on one CPU, or on others than the other path's."""
    facts, fast = case.slow, case.fast
    own = facts.parameters.local_cpu, facts.parameters.remote_cpu
    signs = []
    if own[0] is not None and own[0] == own[1]:
        signs.append(Sign(0.45, f"both ends run on CPU {own[0]}"))
    if fast is not None:
        other = fast.parameters.local_cpu, fast.parameters.remote_cpu
        if other != own:
            signs.append(
                Sign(0.5, f"the ends run on CPUs {own[0]} and {own[1]}, on {fast.name} on {other[0]} and {other[1]}")
            )
        elif signs:
            signs.append(Sign(-0.5, f"so they do on {fast.name}"))
    return signs


def _apart(case: Case) -> Sequence[Knob]:
    facts, fast = case.slow, case.fast
    if fast is not None and fast.parameters.remote_cpu != facts.parameters.remote_cpu:
        return (knobs.parameter("remote-cpu", fast.parameters.remote_cpu, plant=facts.parameters.remote_cpu),)
    if fast is not None and fast.parameters.local_cpu != facts.parameters.local_cpu:
        return (knobs.parameter("local-cpu", fast.parameters.local_cpu, plant=facts.parameters.local_cpu),)
    import os

    others = [cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != facts.parameters.local_cpu]
    return (knobs.parameter("remote-cpu", others[0], plant=facts.parameters.local_cpu),) if others else ()


def softirq_saturated(case: Case) -> Sequence[Sign]:
    """One CPU does all the receiving."""
    facts = case.slow
    loads = {cpu: spent for cpu, spent in _softirq(facts).items() if spent > 0.5}  # noqa: PLR2004 - half of a CPU
    if not loads:
        return ()
    cpu, most = max(loads.items(), key=lambda pair: pair[1])
    signs = [Sign(0.3 if most > FULL else 0.15, f"softirqs take {100 * most:.0f} % of CPU {cpu}")]
    squeezed = sum(facts.matching("softnet.*.time_squeeze").values())
    if squeezed > facts.seconds:
        signs.append(Sign(0.2, f"they ran out of their budget {squeezed:.0f} times (time_squeeze)"))
    if case.fast is not None:
        other = max(_softirq(case.fast).values(), default=0.0)
        signs.append(Sign(-0.3, f"as much as on {case.fast.name}") if other > 0.8 * most else
                     Sign(0.2, f"on {case.fast.name} {100 * other:.0f} % at most"))  # fmt: skip
    return signs


def _softirq(facts: Facts) -> dict[str, float]:
    """The share of the time of each CPU that went into softirqs."""
    found = {}
    for name, spent in facts.matching("cpu.*.softirq").items():
        cpu = name.split(".")[1]
        if cpu != "all" and facts.seconds:
            found[cpu] = spent / 1e6 / facts.seconds
    return found


def _spread(case: Case) -> Sequence[Knob]:
    del case

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        if facts.set_on(device, "queue.rx-0.rps_cpus") is None or device.namespace != facts.receiver:
            return None
        return Turn(device.namespace, "steering", device.name, "3")

    return (knobs.devices("two CPUs receive (rps_cpus)", made),)


def quota(case: Case) -> Sequence[Sign]:
    """A cgroup stopped an end."""
    facts = case.slow
    signs = []
    for end in ("local", "remote"):
        throttled, periods = (facts.counters.get(f"{end}.quota.{name}") for name in ("throttled", "periods"))
        if throttled and periods:
            signs.append(
                Sign(0.6, f"the {end} end was stopped in {throttled:.0f} of {periods:.0f} periods by its quota")
            )
            other = case.fast.counters.get(f"{end}.quota.throttled", 0.0) if case.fast is not None else 0.0
            if case.fast is not None:
                signs.append(Sign(-0.5, f"so it was on {case.fast.name}") if other > throttled / 2 else
                             Sign(0.2, f"on {case.fast.name} it was not"))  # fmt: skip
    return signs


def _without_quota(case: Case) -> Sequence[Knob]:
    facts = case.slow
    return tuple(
        knobs.parameter(f"{end}-quota", None, plant=quota, words=f"no quota of the {end} end")
        for end, quota in (("local", facts.parameters.local_quota), ("remote", facts.parameters.remote_quota))
        if quota is not None
    )


def contention(case: Case) -> Sequence[Sign]:
    """Something else wanted the same CPUs."""
    facts, signs = case.slow, []
    if not facts.seconds:
        return ()
    for end in ("local", "remote"):
        waited = facts.counters.get(f"{end}.wait_ns")
        if waited is not None and waited / SECOND_NS / facts.seconds > WAITED:
            share = 100 * waited / SECOND_NS / facts.seconds
            signs.append(Sign(0.25, f"the {end} end was ready but had no CPU for {share:.0f} % of the time"))
    stolen = [(row.machine_steal_seconds or 0.0) for row in facts.rows]
    if sum(stolen) / facts.seconds > STOLEN:
        signs.append(Sign(0.2, f"the hypervisor took {100 * sum(stolen) / facts.seconds:.0f} % of a CPU"))
    if signs and facts.parameters.local_cpu == facts.parameters.remote_cpu:
        signs.append(Sign(-0.4, "but both ends share one CPU, and wait for each other"))
    if signs and case.fast is not None:
        other = sum(case.fast.counters.get(f"{end}.wait_ns", 0.0) for end in ("local", "remote"))
        own = sum(facts.counters.get(f"{end}.wait_ns", 0.0) for end in ("local", "remote"))
        if other > own / 2:
            signs.append(Sign(-0.4, f"so it was on {case.fast.name}"))
    return signs


def power(case: Case) -> Sequence[Sign]:
    """Frequencies and sleep states, where only the time of a transaction differs."""
    if case.kind.pattern != "transactions":
        return ()
    governor = case.slow.configuration.get("machine.cpu.governor")
    if governor in (None, "performance"):
        return ()
    return [Sign(0.12, f"the CPUs' frequency is governed by {governor}")]


def locks(case: Case) -> Sequence[Sign]:
    """Both CPUs in the kernel, and a shaper's lock between them."""
    facts = case.slow
    ends = facts.sender_cpu, facts.receiver_cpu
    if not case.streams or None in ends or min(end or 0.0 for end in ends) < FULL:
        return ()
    busy = [device for device in facts.devices if device.queue_discipline in ("tbf", "htb")]
    return [Sign(0.12, f"both ends are busy, and {busy[0].name} has a queue with a lock")] if busy else ()


def wakeups(case: Case) -> Sequence[Sign]:
    """Each transaction puts both ends to sleep."""
    facts = case.slow
    if case.kind.pattern != "transactions" or not facts.transactions:
        return ()
    slept = facts.counters.get("local.voluntary_switches")
    if slept is None or slept < SWITCHES * facts.transactions:
        return ()
    return [
        Sign(0.12, f"the client slept {slept / facts.transactions:.2g} times a transaction, as on any path that waits")
    ]


def accounting(case: Case) -> Sequence[Sign]:
    """CPU time that the ends' processes do not show."""
    facts = case.slow
    ends = (facts.sender_cpu or 0.0) + (facts.receiver_cpu or 0.0)
    busy = [row.machine_busy_seconds for row in facts.rows if row.machine_busy_seconds is not None]
    if not busy or not facts.seconds or len(busy) < len(facts.rows):
        return ()
    machine = sum(busy) / facts.seconds
    if machine < ends + 0.3:
        return ()
    return [
        Sign(0.12, f"the machine used {machine:.2f} CPUs, its two ends {ends:.2f}: the rest is softirqs and others")
    ]


def copying(case: Case) -> Sequence[Sign]:
    """A fast path whose time goes into copying."""
    facts = case.slow
    if not case.streams or facts.goodput is None or facts.frame is None or facts.frame < FULL * 32768:
        return ()
    cpus = facts.sender_cpu or 0.0, facts.receiver_cpu or 0.0
    if max(cpus) < FULL:
        return ()
    return [Sign(0.12, f"packets are whole ({facts.frame:.0f} bytes) and an end is busy: copying is what is left")]


def tracing(case: Case) -> Sequence[Sign]:
    """Probes and tracers that are on."""
    settings = case.slow.configuration
    tracer, events = settings.get("machine.tracing.tracer"), settings.get("machine.tracing.events")
    if tracer not in (None, "nop", ""):
        return [Sign(0.3, f"the kernel's tracer {tracer} is on")]
    return [Sign(0.2, "kernel events are being traced")] if events else ()


def _said(*lines: str) -> Callable[[Case], Sequence[str]]:
    return lambda _case: lines


CAUSES: tuple[Cause, ...] = (
    Cause("cpu-placement", "E1", 2, "the two ends run on other CPUs, or on one together", placement, _apart,
          _said("pin both paths' ends alike: --local-cpu, --remote-cpu, taskset")),
    Cause("softirq-core-saturated", "E2", 2, "one CPU does all the receiving", softirq_saturated, _spread,
          _said("spread it: rps_cpus, more queues"), references=("R33",)),
    Cause("cpu-quota", "E3", 2, "a CPU quota stops an end", quota, _without_quota,
          _said("raise the quota: cpu.max of the cgroup, --cpus of the container")),
    Cause("cpu-contention", "E4", 6, "something else wants the same CPUs", contention, no_knobs,
          _said("stop it, or keep CPUs apart: cpuset, isolcpus")),
    Cause("power-states", "E5", 5, "CPUs sleep deeply or run slowly between transactions", power, no_knobs,
          _said("cpupower frequency-set -g performance; tuned-adm profile network-latency"), reach="partly"),
    Cause("lock-contention", "E6", 4, "CPUs wait for each other's locks", locks, no_knobs,
          _said("perf lock, or perf record -g: look for spin locks"), reach="partly", references=("R14",)),
    Cause("wakeup-latency", "E7", 5, "each transaction sleeps and is woken", wakeups, no_knobs,
          _said("busy polling: SO_BUSY_POLL, net.core.busy_read"), reach="partly"),
    Cause("cpu-accounting", "E8", 6, "CPU time is charged to others than who causes it", accounting, no_knobs,
          _said("compare service_demand_machine, not one end's CPU"), references=("R9", "R47")),
    Cause("copy-cost", "E9", 4, "copying the payload is what takes the time", copying, no_knobs,
          _said("sendfile, MSG_ZEROCOPY, or a window that fits the cache")),
    Cause("tracing-on", "E10", 6, "the kernel is being traced", tracing, no_knobs,
          _said("stop the tracer: trace-cmd reset, bpftool prog")),
)  # fmt: skip
