"""Endpoints of paths that exist, as they are written: `local`, `netns:NAME`, `pid:N`, `container:NAME`."""

import os
import re
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from pathgauge.errors import MissingPrivilege, UserError
from pathgauge.paths.containers import container_pid
from pathgauge.paths.namespaces import is_root_capable
from pathgauge.paths.spec import NAME
from pathgauge.paths.types import Found, PathSpec
from pathgauge.quantities import quoted

NAMED = Path("/run/netns")
EXISTING = "existing"
FORMS = "local, netns:NAME, pid:N or container:NAME"
_FORMS = tuple(
    re.compile(form)
    for form in (
        "local",
        r"netns:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
        r"pid:[0-9]{1,10}",
        r"container:[A-Za-z0-9][A-Za-z0-9_./-]{0,127}",
    )
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
    if not is_root_capable():
        raise MissingPrivilege("an ordinary user cannot enter namespaces of others", hint="run pathgauge as root")
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
