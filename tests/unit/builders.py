"""Small made-up documents for tests."""

from typing import Any

from pathgauge.results.document import (
    Better,
    Comparison,
    Connection,
    Environment,
    PathDescription,
    PathEstimate,
    Ratio,
    Result,
    Slice,
    TestRun,
    VerdictName,
)

UNITS: dict[str, tuple[str, Better]] = {
    "goodput": ("bit/s", "higher"),
    "transaction_rate": ("1/s", "higher"),
    "latency_p99": ("s", "lower"),
    "delay_request_p50": ("s", "lower"),
    "loss": ("1", "lower"),
    "cpu_local": ("CPU", "lower"),
    "cpu_remote": ("CPU", "lower"),
    "service_demand_local": ("us/KiB", "lower"),
    "service_demand_remote": ("us/KiB", "lower"),
}


def comparison(
    test: str = "TCP_STREAM",
    metric: str = "goodput",
    *,
    values: tuple[float | None, float | None] = (9.0e9, 8.577e9),
    ratio: tuple[float | None, float | None, float | None] = (0.953, 0.948, 0.959),
    verdict: VerdictName = "slower",
    primary: bool = True,
    paths: tuple[str, str] = ("host", "macvlan"),
    reason: str = "",
) -> Comparison:
    """One comparison; by default macvlan is 4.7 % slower."""
    unit, better = UNITS[metric]
    baseline, candidate = (
        PathEstimate(path=path, estimate=value, low=value, high=value)
        for path, value in zip(paths, values, strict=True)
    )
    return Comparison(
        test=test,
        parameters={"send-size": 65536, "nodelay": False, "congestion": None},
        metric=metric,
        unit=unit,
        better=better,
        primary=primary,
        baseline=baseline,
        candidate=candidate,
        ratio=Ratio(estimate=ratio[0], low=ratio[1], high=ratio[2], confidence=0.95),
        margin=0.02,
        verdict=verdict,
        reason=reason,
        blocks=12,
        measured_seconds=4.13,
    )


def costs(test: str = "TCP_STREAM", paths: tuple[str, str] = ("host", "macvlan")) -> list[Comparison]:
    """The secondary metrics that the table shows in a test's row."""
    names = ("cpu_local", "cpu_remote", "service_demand_local", "service_demand_remote")
    return [
        comparison(test, name, values=(0.5 + place, 0.6 + place), primary=False, verdict="undecided", paths=paths)
        for place, name in enumerate(names)
    ]


def row(block: int = 0) -> Slice:
    """One raw slice."""
    return Slice(
        test="TCP_STREAM",
        path="host",
        block=block,
        position=0,
        start=0.1 * block,
        local_seconds=0.1,
        remote_seconds=0.1,
        bytes_sent=10**8,
        bytes_received=10**8,
        messages_sent=1500,
        messages_received=1500,
        transactions=0,
        total_bytes_sent=10**8,
        total_bytes_received=10**8,
    )


def result(*comparisons: Comparison, **changes: Any) -> Result:
    """A document with these comparisons; without any, with the default one and its costs."""
    fields: dict[str, Any] = {
        "created": "2026-01-02T03:04:05Z",
        "command": ["pathgauge", "compare"],
        "ended": "complete",
        "environment": Environment(
            kernel="6.1.0",
            machine="x86_64",
            distribution="Debian GNU/Linux 12",
            cpu_model="made up",
            cpus=2,
            cpus_allowed=[0, 1],
            memory_bytes=None,
            virtualization=None,
            governor=None,
            clocksource="tsc",
            rootless=True,
            cycles=False,
            sysctls={},
            versions={"pathgauge": "0.1.0"},
        ),
        "paths": [PathDescription(name="host", kind="host"), PathDescription(name="macvlan", kind="macvlan")],
        "wire": {"rate": None},
        "tests": [
            TestRun(
                test="TCP_STREAM",
                parameters={},
                slice_seconds=0.1,
                warmup_seconds=0.05,
                ramp_seconds=0.01,
                local_cpu=0,
                remote_cpu=1,
                seed=1,
                blocks=12,
                void_blocks=0,
                looks=3,
                stopped="settled",
                connections=[Connection(path="host", mss=1448, congestion="cubic")],
            )
        ],
        "comparisons": list(comparisons) or [comparison(), *costs()],
        "slices": [row(0), row(1)],
    }
    return Result(**(fields | changes))
