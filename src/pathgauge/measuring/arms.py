"""The arms of a test: paths with their parameters completed, or one path with one parameter varied."""

import os
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from pathgauge.errors import UserError
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.crowd import Crowd
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.request import Request
from pathgauge.measuring.server_arm import ServerArm
from pathgauge.paths.types import BuiltPath
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.methods import is_plain
from pathgauge.traffic.parameters import Parameters

QUIET_SECONDS = 0.005
QUIET_FRAMES = 10  # a shaped wire is quiet when none came in the time of so many full frames
FRAME_BITS = 12_000

Shown = dict[str, str | int | bool | None]


AnyArm = EngineArm | ServerArm | Crowd


def places(request: Request) -> int:
    """How many connections of one test stand at a time."""
    arms = len(request.vary[1]) if request.vary else len(request.paths)
    return arms * (request.paths[0].copies if request.parallel else 1)


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
        made = [
            EngineArm(
                engine=engine,
                name=name,
                path=copy,
                kind=kind,
                parameters=kind.complete(parameters, mtu),
                index=number,
                others=others,
                quiet_seconds=_quiet(path.rate),
                copies=() if request.parallel else copies,
            )
            for number, copy in enumerate(copies if request.parallel else copies[:1], start=index)
        ]
        index += len(made)
        arms.append(Crowd(made, others) if request.parallel else made[0])
    return arms


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
                "methods, ways to wait and rates are for pathgauge's own ends, not for a netserver",
                hint="leave out send-method, receive-method, wait, low-water and rate",
            )
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


def placed(parameters: Parameters) -> Parameters:
    """The CPUs of both ends, where they are not given: the first two this process may use, or the one.

    Raises UserError for a CPU it may not use.
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
    return msgspec.structs.replace(parameters, local_cpu=local, remote_cpu=remote)


def shown(kind: TestKind, parameters: Parameters) -> Shown:
    """The parameters that the test heeds, under their option names, for the document."""
    return {name.replace("_", "-"): getattr(parameters, name) for name in sorted(kind.parameters)}


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
