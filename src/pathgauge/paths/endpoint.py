"""Endpoints of paths that exist, as they are written: `local`, `netns:NAME`, `pid:N`, `container:NAME`."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from pathgauge.errors import MachineError, MissingFeature, UserError
from pathgauge.paths.spec import NAME
from pathgauge.paths.types import Found, PathSpec
from pathgauge.quantities import quoted

NAMED = Path("/run/netns")
EXISTING = "existing"
FORMS = "local, netns:NAME, pid:N or container:NAME"
_RUNTIME_SECONDS = 10.0
_FORMS = tuple(
    re.compile(form)
    for form in (
        "local",
        r"netns:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
        r"pid:[0-9]{1,10}",
        r"container:[A-Za-z0-9][A-Za-z0-9_./-]{0,127}",
    )
)
# What tells the process of a container, by runtime: the command before its name, and the way to the pid in its answer.
_RUNTIMES: tuple[tuple[tuple[str, ...], tuple[str | int, ...]], ...] = (
    (("docker", "inspect", "--type", "container"), (0, "State", "Pid")),
    (("podman", "container", "inspect"), (0, "State", "Pid")),
    (("nerdctl", "container", "inspect"), (0, "State", "Pid")),
    (("crictl", "inspect"), ("info", "pid")),
)


def parse_path(text: str) -> PathSpec:
    """`NAME=FROM,TO[,ADDRESS]` as a path. Raises UserError where it is not written so; nothing is looked for yet."""
    name, equals, rest = text.partition("=")
    parts = [part.strip() for part in rest.split(",")]
    if not equals or not NAME.fullmatch(name) or len(parts) not in (2, 3) or not all(parts):
        hint = f"--path web=local,netns:web, each end one of: {FORMS}"
        raise UserError(f"{quoted(text)} is no path that exists", hint=hint)
    for end in parts[:2]:
        if not any(form.fullmatch(end) for form in _FORMS):
            raise UserError(f"{quoted(end)} is no endpoint", hint=f"an endpoint is {FORMS}")
    options = dict(zip(("from", "to"), parts, strict=False))
    if len(parts) > len(options):
        options["address"] = _address(parts[-1])
    return PathSpec(name, EXISTING, options)


def located(spec: PathSpec) -> PathSpec:
    """A path that exists, with the files of its ends' namespaces. Raises UserError and MachineError."""
    if spec.kind != EXISTING:
        return spec
    client, server = _file(spec.options["from"]), _file(spec.options["to"])
    return replace(spec, found=Found(client, server, spec.options.get("address", "")))


def _file(text: str) -> str:
    """The file of an endpoint's network namespace."""
    kind, _, name = text.partition(":")
    if kind == "netns":
        return _named(name)
    if kind == "pid":
        return _of_process(int(name), f"there is no process {name}")
    if kind == "container":
        return _of_process(container_pid(name), f"the container {name} does not run")
    return "/proc/self/ns/net"


def container_pid(name: str) -> int:
    """The pid of a container's first process, from the runtime that has it. Raises UserError, MissingFeature."""
    asked = []
    for command, way in _RUNTIMES:
        program = shutil.which(command[0])
        if program is None:
            continue
        asked.append(command[0])
        pid = _pid_in(_answer([program, *command[1:], name]), way)
        if pid is not None:
            return pid
    if not asked:
        runtimes = ", ".join(command[0] for command, _ in _RUNTIMES)
        raise MissingFeature("no container runtime is to be found", hint=f"pid:N, or install one of: {runtimes}")
    raise UserError(f"{' nor '.join(asked)} knows no container {quoted(name)}", hint=f"see: {asked[0]} ps")


def _answer(command: list[str]) -> object:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_RUNTIME_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        return json.loads(done.stdout) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        raise MachineError(f"{command[0]} does not answer", hint=f"does it work? {' '.join(command)}") from None
    except (OSError, ValueError):
        return None


def _pid_in(answer: object, way: tuple[str | int, ...]) -> int | None:
    for step in way:
        if isinstance(step, str) and isinstance(answer, dict):
            answer = answer.get(step)
        elif isinstance(step, int) and isinstance(answer, list) and answer:
            answer = answer[step]
        else:
            return None
    return answer if isinstance(answer, int) else None


def _named(name: str) -> str:
    file = NAMED / name
    if not file.exists():
        known = sorted(each.name for each in NAMED.iterdir()) if NAMED.is_dir() else []
        raise UserError(
            f"there is no network namespace called {quoted(name)}",
            hint=f"there are: {', '.join(known)}" if known else f"none has a name; ip netns add {name} makes one",
        )
    return str(file)


def _of_process(pid: int, lack: str) -> str:
    file = f"/proc/{pid}/ns/net"
    if pid < 1 or not os.path.lexists(f"/proc/{pid}"):
        raise UserError(lack, hint="see: ps -e")
    try:
        os.stat(file)
    except OSError:
        raise UserError(f"the namespace of process {pid} may not be looked at", hint="run pathgauge as root") from None
    return file


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise UserError(f"{quoted(text)} is no address", hint="--path web=local,netns:web,172.17.0.2") from None
