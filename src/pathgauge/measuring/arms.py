"""The arms of a test: paths with their parameters completed, or one path with one parameter varied."""

import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from pathgauge.errors import UserError
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.assemble import AtOnce
from pathgauge.measuring.crowd import Crowd
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.limits import Own
from pathgauge.measuring.loaded import Loaded
from pathgauge.measuring.request import Request
from pathgauge.measuring.server_arm import ServerArm
from pathgauge.measuring.work import spins
from pathgauge.paths.types import BuiltPath, WireSpec
from pathgauge.traffic import flows as flows_of
from pathgauge.traffic import ways
from pathgauge.traffic.kind import End, TestKind
from pathgauge.traffic.methods import PLAIN, is_plain
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

QUIET_SECONDS = 0.005
QUIET_FRAMES = 10  # a shaped wire is quiet when none came in the time of so many full frames
FRAME_BITS = 12_000

Shown = dict[str, str | int | bool | None]


AnyArm = EngineArm | ServerArm | Crowd | Loaded


@dataclass(frozen=True, slots=True)
class Needs:
    """What stands at a time of a request's greediest test: loops at each end, the most flows that one of them serves,
    connections; and whether each way of a transaction is timed apart in any test.
    """

    loops: int
    flows: int
    connections: int
    ways: bool = False


def needs(request: Request) -> Needs:
    """What an engine and its ends must have room for."""
    copies = request.paths[0].copies if request.parallel else 1
    loops, flows, connections, apart = 0, 0, 0, False
    for number in range(len(request.tests)):
        kind = request.kind(number)
        arms = [
            (flows_of.shares(variant) if "flows" in kind.parameters else [1])
            + ([1] if variant.beside and "beside" in kind.parameters else [])
            for variant in request.variants
        ]
        times = copies * (2 if kind.duplex else 1)
        loops = max(loops, times * sum(map(len, arms)))
        flows = max(flows, *map(max, arms))
        connections = max(connections, times * sum(map(sum, arms)))
        apart = apart or any(ways.timed_apart(kind, variant) for variant in request.variants)
    return Needs(loops, flows, connections, apart)


def build(request: Request, engine: Engine, kind: TestKind) -> Sequence[AnyArm]:
    """One arm for each path, or for each value of `vary`; the first is the baseline. Raises UserError."""
    paths = engine.lab.paths
    mtu = min(path.mtu for path in paths.values())
    common = placed(request.parameters)  # before any arm's own changes, so that one end's CPU never moves the other's
    if request.against_netserver:
        return _against_server(request, engine, kind, mtu)
    arms: list[AnyArm] = []
    index = 0
    for name, path, changes in _variants(request, paths, kind):
        parameters = placed(msgspec.structs.replace(common, **changes))
        _check_family(name, path, ipv6=parameters.ipv6)
        copies, others = (path, *path.copies), _devices_of_others(path, paths.values())
        complete = kind.complete(parameters, mtu)
        made = [
            EngineArm(
                engine=engine,
                name=name,
                path=copy,
                kind=direction,
                parameters=_spread(complete, thread),
                index=number,
                others=others,
                quiet_seconds=_quiet(path.rate),
                copies=() if request.parallel else copies,
                flows=flows,
            )
            for number, (copy, direction, (thread, flows)) in enumerate(
                itertools.product(
                    copies if request.parallel else copies[:1],
                    (kind, kind.reversed()) if kind.duplex else (kind,),
                    enumerate(flows_of.shares(complete) if "flows" in kind.parameters else (1,)),
                ),
                start=index,
            )
        ]
        index += len(made)
        several = request.parallel or flows_of.several(kind, complete)
        arms.append(Crowd(made, others) if several else made[0])
        if parameters.beside is not None and "beside" in kind.parameters:
            arms[-1] = Loaded(made[0], _load(made[0], mtu, index))
            index += 1
    return arms


def _load(asking: EngineArm, mtu: int, index: int) -> EngineArm:
    """The stream beside, on CPUs of its own where the machine has enough."""
    given = _spread(asking.parameters, 1)
    kind = TESTS[given.beside or ""]
    parameters = Parameters(
        rate=given.beside_rate,
        local_cpu=given.local_cpu,
        remote_cpu=given.remote_cpu,
        congestion=given.congestion,
        ipv6=given.ipv6,
    )
    return EngineArm(
        engine=asking.engine,
        name=asking.name,
        path=asking.path,
        kind=kind,
        parameters=kind.complete(parameters, mtu),
        index=index,
        others=asking.others,
        quiet_seconds=asking.quiet_seconds,
    )


def _spread(parameters: Parameters, thread: int) -> Parameters:
    """The parameters with the CPUs of one of several threads: each two further on, for there are two ends."""
    allowed = sorted(os.sched_getaffinity(0))
    further = {
        name: allowed[(allowed.index(cpu) + 2 * thread) % len(allowed)]
        for name in ("local_cpu", "remote_cpu")
        if (cpu := getattr(parameters, name)) is not None
    }
    return msgspec.structs.replace(parameters, **further) if thread else parameters


def _check_family(name: str, path: BuiltPath, *, ipv6: bool) -> None:
    family: Literal["ipv4", "ipv6"] = "ipv6" if ipv6 else "ipv4"
    if family not in path.client_addresses:
        other = "leave out --ipv6" if ipv6 else "--ipv6"
        raise UserError(f"the path {name} has no {family} addresses", hint=f"{other}, or leave the path out")


def _quiet(rate: int | None) -> float:
    """For how long nothing must come on a wire, in s, until it is empty."""
    return max(QUIET_SECONDS, QUIET_FRAMES * FRAME_BITS / rate) if rate else QUIET_SECONDS


def _against_server(request: Request, engine: Engine, kind: TestKind, mtu: int) -> list[ServerArm]:
    """The server's CPU is left to it where the user names none: it is no CPU of this machine."""
    arms = []
    for name, path, changes in _variants(request, engine.lab.paths, kind):
        asked = msgspec.structs.replace(request.parameters, **changes)
        if asked.local_quota is not None or asked.remote_quota is not None:
            raise UserError(
                "a CPU quota is for pathgauge's own ends, not for tests against a netserver",
                hint="leave out local-quota and remote-quota",
            )
        if not is_plain(kind, asked):
            raise UserError(
                "methods, ways to wait, rates and several flows are for pathgauge's own ends, not for a netserver",
                hint=f"leave out {', '.join(field.replace('_', '-') for field in PLAIN)}",
            )
        if kind.duplex:
            raise UserError(f"{kind.name} is for pathgauge's own ends, not for a netserver",
                            hint="--test TCP_STREAM --test TCP_MAERTS")  # fmt: skip
        local = placed(msgspec.structs.replace(asked, remote_cpu=None)).local_cpu
        parameters = msgspec.structs.replace(asked, local_cpu=local)
        arms.append(
            ServerArm(
                engine=engine,
                name=name,
                path=path,
                kind=kind,
                parameters=kind.complete(parameters, mtu),
                port=request.server_port if path.spec.found is None else path.spec.found.port,
                remote_cpu=asked.remote_cpu,
                others=_devices_of_others(path, engine.lab.paths.values()),
            )
        )
    return arms


def wire(request: Request) -> WireSpec:
    """The wire of the request's lab, where each end's packets are received by that end's CPU if nothing else was asked.

    So it is between two machines. Where a path has several connections, which a card would spread over CPUs, or its
    ends are on others than another path's, or the wire is not a lab's, it is left to the kernel.
    """
    places = {(each.local_cpu, each.remote_cpu) for each in request.variants}
    several = request.parallel or len(places) > 1 or any(each.flows > 1 or each.beside for each in request.variants)
    if several or request.attachment is not None or any(spec.found is not None for spec in request.paths):
        return request.wire
    ends = placed(request.variants[0])
    return replace(request.wire, ends=f"{ends.local_cpu}/{ends.remote_cpu}")


def cpus(request: Request) -> list[int]:
    """The CPUs of this machine that the request's ends run on."""
    found = set()
    for asked in request.variants:
        given = placed(msgspec.structs.replace(asked, remote_cpu=None) if request.against_netserver else asked)
        for thread in range(asked.threads + (asked.beside is not None)):  # a stream beside is placed like a thread
            each = _spread(given, thread)
            found |= {each.local_cpu} if request.against_netserver else {each.local_cpu, each.remote_cpu}
    return sorted(cpu for cpu in found if cpu is not None)


def placed(parameters: Parameters) -> Parameters:
    """The CPUs of both ends, where they are not given: the first two this process may use, or the one.

    Raises UserError for a CPU it may not use, and for what would keep all of them.
    """
    allowed = sorted(os.sched_getaffinity(0))
    for name in ("local_cpu", "remote_cpu"):
        cpu = getattr(parameters, name)
        if cpu is not None and cpu not in allowed:
            raise UserError(
                f"CPU {cpu} is not one this process may run on",
                hint=f"--{name.replace('_', '-')} takes one of: {' '.join(map(str, allowed))}",
            )
    local = allowed[0] if parameters.local_cpu is None else parameters.local_cpu
    rest = [cpu for cpu in allowed if cpu != local] or allowed
    remote = rest[0] if parameters.remote_cpu is None else parameters.remote_cpu
    if parameters.realtime is not None and parameters.wait == "spin" and not set(allowed) - {local, remote}:
        raise UserError(
            "readers that spin in real time would leave no CPU to anything else",
            hint="leave out --wait spin, or --realtime",
        )
    return msgspec.structs.replace(parameters, local_cpu=local, remote_cpu=remote)


def shown(kind: TestKind, parameters: Parameters) -> Shown:
    """The parameters that the test heeds, under their option names, for the document."""
    return {name.replace("_", "-"): getattr(parameters, name) for name in sorted(kind.parameters)}


def loops(arm: AnyArm) -> Sequence[EngineArm]:
    """Those that do the arm's work; none where the far end is a netserver."""
    if isinstance(arm, Crowd):
        return arm.arms
    if isinstance(arm, Loaded):
        return (arm.asking,)
    return (arm,) if isinstance(arm, EngineArm) else ()


def limits(arm: AnyArm, rate: float | None) -> Own:
    """What of our own can limit the arm, given what its loops do at most.

    A full CPU says nothing where a wire is shaped: who sends datagrams fills it whatever the wire carries. Nor does it
    of an end that spins, or that has a CPU quota.
    """
    every = (*loops(arm), arm.load) if isinstance(arm, Loaded) else loops(arm)
    if arm.path.rate is not None:
        every = ()
    given = arm.parameters
    silent: set[End] = set()
    if spins(arm.kind, given):
        silent = {"local", "remote"} if arm.kind.pattern == "transactions" or arm.kind.duplex else {arm.kind.passive}
    cpus: dict[End, frozenset[int | None]] = {}
    if given.local_quota is None and "local" not in silent:
        cpus["local"] = frozenset(each.parameters.local_cpu for each in every)
    if given.remote_quota is None and "remote" not in silent:
        cpus["remote"] = frozenset(each.parameters.remote_cpu for each in every)
    return Own(arm.kind, rate, {end: bound for end, bound in cpus.items() if bound and None not in bound})


def at_once(arms: Sequence[AnyArm]) -> dict[str, AtOnce]:
    """What ran together in each arm in which several did."""
    crowds = [arm for arm in arms if isinstance(arm, Crowd)]
    return {crowd.name: _of_what(crowd) for crowd in crowds}


def _of_what(crowd: Crowd) -> AtOnce:
    if flows_of.several(crowd.kind, crowd.parameters) and not (crowd.kind.duplex and crowd.parameters.flows == 1):
        return "flows"
    return "directions" if crowd.kind.duplex else "copies"


def _variants(
    request: Request, paths: dict[str, BuiltPath], kind: TestKind
) -> list[tuple[str, BuiltPath, dict[str, object]]]:
    if request.vary is None:
        settings = request.settings
        return [
            (name, path, {key: value for key, value in settings.get(name, {}).items() if key in kind.parameters})
            for name, path in paths.items()
        ]
    field, values = request.vary
    option = field.replace("_", "-")
    if field not in kind.parameters:
        heeded = ", ".join(sorted(name.replace("_", "-") for name in kind.parameters))
        raise UserError(f"{kind.name} has no {option} to vary", hint=f"it heeds: {heeded}")
    (path,) = paths.values()
    fixed = request.settings.get(path.spec.name, {})
    return [(f"{option}={typed}", path, {**fixed, field: value}) for value, typed in values]


def _devices_of_others(path: BuiltPath, paths: Iterable[BuiltPath]) -> tuple[tuple[str, str], ...]:
    """Those that nothing should pass while this path is measured. Where others than us use a path, they may."""
    if path.spec.found is not None:
        return ()
    own = {(device.namespace, device.name) for copy in (path, *path.copies) for device in copy.devices}
    every = {
        (device.namespace, device.name)
        for other in paths
        for copy in (other, *other.copies)
        for device in copy.devices
        if device.role == "own"
    }
    return tuple(sorted(every - own))
