"""The results document, made from what a run has gathered so far."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Literal

import msgspec

from pathgauge.measuring import receiving
from pathgauge.measuring.judge import Question
from pathgauge.measuring.loop import Outcome
from pathgauge.measuring.measured import Block, Measured
from pathgauge.measuring.request import Request
from pathgauge.paths.spec import device_changes
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import (
    Comparison,
    Copies,
    Device,
    Environment,
    Gap,
    PathDescription,
    Picked,
    Receiving,
    Result,
    Slice,
    TestRun,
)
from pathgauge.statistics.fairness import jain
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.parameters import Parameters

Queues = Mapping[tuple[str, str], Mapping[str, str]]  # by (namespace, device)
AtOnce = Literal["copies", "flows", "directions"]


def describe_paths(request: Request, paths: dict[str, BuiltPath], queues: Queues) -> list[PathDescription]:
    """Each arm as it stands in the document: a path, or with `vary` the one path under each value's name."""
    if request.vary is None:
        return [_describe(name, path, _typed(request.settings.get(name, {})), queues) for name, path in paths.items()]
    field, values = request.vary
    option = field.replace("_", "-")
    return [
        _describe(f"{option}={typed}", path, _typed(request.settings.get(name, {})) | {option: typed}, queues)
        for name, path in paths.items()
        for _, typed in values
    ]


def _typed(settings: dict[str, object]) -> dict[str, str]:
    return {name.replace("_", "-"): str(value) for name, value in settings.items()}


def _describe(name: str, path: BuiltPath, settings: dict[str, str], queues: Queues) -> PathDescription:
    addresses = {f"client_{family}": address for family, address in path.client_addresses.items()}
    addresses |= {f"server_{family}": address for family, address in path.server_addresses.items()}
    devices = [
        Device(
            namespace=device.namespace,
            name=device.name,
            role=device.role,
            kind=device.kind,
            mtu=device.mtu,
            offloads=dict(device.offloads),
            queue_discipline=device.queue_discipline,
            queues=_receiving_queues(queues.get((device.namespace, device.name), {})),
        )
        for device in path.devices
    ]
    return PathDescription(
        name=name,
        kind=path.spec.kind,
        options=dict(path.spec.options),
        settings=settings | device_changes(path.spec),
        wire=path.wire,
        wire_rate=path.rate,
        client_namespace=path.client_namespace_name,
        server_namespace=path.server_namespace_name,
        addresses=addresses,
        devices=devices,
        copies=1 + len(path.copies),
        gap=None if path.gap is None else Gap(before=path.gap.before, reason=path.gap.reason),
    )


def _receiving_queues(settings: Mapping[str, str]) -> dict[str, str]:
    """Of what /sys says of a device, what decides which CPUs receive for it."""
    return {
        name.removeprefix("queue."): text
        for name, text in settings.items()
        if name.endswith(".rps_cpus") or name.startswith("irq.") or name == "napi.threaded"
    }


def describe_test(
    question: Question,
    outcomes: Sequence[Outcome],
    baseline: Parameters,
    seed: int,
    at_once: Mapping[str, AtOnce] = {},
    loop_rates: Mapping[str, float] = {},
    picked: Picked | None = None,
    awake: Sequence[int] = (),
) -> TestRun:
    """How a test was run, in all labs; `baseline` are the baseline's parameters, `at_once` says what ran together in
    each arm of several, `loop_rates` what each arm's loops do with no network between them, where that is known,
    `picked` what `best` came to, `awake` which CPUs were kept awake.
    """
    first, last = outcomes[0], outcomes[-1]
    valid = sum(outcome.valid for outcome in outcomes)
    return TestRun(
        test=question.kind.name,
        parameters=question.parameters,
        slice_seconds=first.plan.slice,
        warmup_seconds=first.plan.warmup,
        ramp_seconds=first.plan.ramp,
        local_cpu=baseline.local_cpu,
        remote_cpu=baseline.remote_cpu,
        seed=seed,
        blocks=valid,
        void_blocks=sum(len(outcome.blocks) for outcome in outcomes) - valid,
        looks=last.looks,
        expected_blocks=first.expected,
        stopped=last.stopped,
        seconds=sum(outcome.seconds for outcome in outcomes),
        connections=list(first.connections),
        loop_rates=dict(loop_rates),
        copies=_copies(question.kind, outcomes, at_once),
        receiving=_receiving(outcomes),
        awake=list(awake),
        picked=picked,
    )


def _receiving(outcomes: Sequence[Outcome]) -> list[Receiving]:
    """Where the packets of each path were received, in all valid blocks."""
    rows: dict[str, list[Slice]] = {}
    for block in (block for outcome in outcomes for block in outcome.blocks if block.void is None):
        for name, every in block.slices.items():
            rows.setdefault(name, []).extend(measured.row for measured in every)
    return [Receiving(path=name, shares=receiving.shares(found)) for name, found in rows.items()]


def _copies(kind: TestKind, outcomes: Sequence[Outcome], at_once: Mapping[str, AtOnce]) -> list[Copies]:
    """What each got over all valid blocks, where several ran at once."""
    slices: dict[str, list[tuple[float, ...]]] = {}
    for block in (block for outcome in outcomes for block in outcome.blocks if block.void is None):
        for name, every in block.slices.items():
            slices.setdefault(name, []).extend(measured.rates for measured in every if measured.rates)
    bits = 8.0 if kind.pattern == "stream" else 1.0
    unit = METRICS[kind.primary].unit_for(kind)
    found = []
    for name, slices_of_path in slices.items():
        rates = [bits * fmean(copy) for copy in zip(*slices_of_path, strict=True)]
        if rates:
            found.append(
                Copies(path=name, at_once=at_once.get(name, "copies"), unit=unit, rates=rates, fairness=jain(rates))
            )
    return found


def rows(blocks: Iterable[Block]) -> list[Slice]:
    """All slices of all blocks in the order they were run, void ones included."""
    return [
        _row(measured)
        for block in blocks
        for measured in sorted(
            (measured for slices in block.slices.values() for measured in slices), key=lambda m: m.row.position
        )
    ]


def _row(measured: Measured) -> Slice:
    fields = {"latency": measured.latency}
    if measured.ways is not None:
        fields |= {"request_delay": measured.ways.request, "response_delay": measured.ways.response}
    encoded = {name: histogram.encode() for name, histogram in fields.items() if histogram is not None}
    return msgspec.structs.replace(measured.row, **encoded)


def document(
    request: Request,
    *,
    ended: str,
    environment: Environment,
    paths: list[PathDescription],
    wire: dict[str, str | int | float | None],
    tests: list[TestRun],
    comparisons: Sequence[Comparison],
    warnings: Sequence[str],
    slices: list[Slice],
    labs: int,
) -> Result:
    """The document itself, stamped with the time."""
    now = dt.datetime.now(dt.UTC)
    return Result(
        created=now.isoformat(timespec="seconds"),
        command=list(request.command),
        ended=ended,
        environment=environment,
        paths=paths,
        wire=wire,
        tests=tests,
        comparisons=list(comparisons),
        warnings=list(warnings),
        slices=slices,
        labs=labs,
    )
