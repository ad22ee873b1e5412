"""Endpoints of paths that exist, as they are written: `local`, `netns:NAME`, `pid:N`, `container:NAME`."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from pathgauge.errors import MachineError, MissingFeature, UserError
from pathgauge.paths.spec import NAME
from pathgauge.paths.types import Found, PathSpec
from pathgauge.quantities import quoted

NAMED = Path("/run/netns")
FORMS = "local, netns:NAME, pid:N or container:NAME"
_RUNTIME_SECONDS = 10.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}")
# What tells the process of a container, by runtime: the command before its name, and the way to the pid in its answer.
_RUNTIMES: tuple[tuple[tuple[str, ...], tuple[str | int, ...]], ...] = (
    (("docker", "inspect", "--type", "container"), (0, "State", "Pid")),
    (("podman", "container", "inspect"), (0, "State", "Pid")),
    (("nerdctl", "container", "inspect"), (0, "State", "Pid")),
    (("crictl", "inspect"), ("info", "pid")),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end: as written, and the file of its network namespace."""

    text: str
    file: str


def parse_path(text: str) -> PathSpec:
    """`NAME=FROM,TO[,ADDRESS]` as a path. Raises UserError and MachineError."""
    name, equals, rest = text.partition("=")
    parts = rest.split(",")
    if not equals or not NAME.fullmatch(name) or len(parts) not in (2, 3) or not all(parts):
        raise UserError(
            f"{quoted(text)} is no path that exists", hint="--path web=local,netns:web, each end one of: " + FORMS
        )
    client, server = (resolve(part.strip()) for part in parts[:2])
    address = _address(parts[2].strip()) if len(parts) > 2 else ""  # noqa: PLR2004 - the third of three
    options = {"from": client.text, "to": server.text} | ({"address": address} if address else {})
    return PathSpec(name, "existing", options, found=Found(client.file, server.file, address))


def resolve(text: str) -> Endpoint:
    """The endpoint that is written so. Raises UserError where there is none, MachineError where that cannot be told."""
    kind, _, name = text.partition(":")
    if text == "local":
        return Endpoint(text, "/proc/self/ns/net")
    if kind == "netns" and _NAME.fullmatch(name):
        return Endpoint(text, _named(name))
    if kind == "pid" and name.isdecimal() and name.isascii():
        return Endpoint(text, _of_process(int(name), f"there is no process {name}"))
    if kind == "container" and _CONTAINER.fullmatch(name):
        return Endpoint(text, _of_process(container_pid(name), f"the container {name} does not run"))
    raise UserError(f"{quoted(text)} is no endpoint", hint=f"an endpoint is {FORMS}")


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
