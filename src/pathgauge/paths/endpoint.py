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
from pathgauge.paths.types import NETSERVER, Found, PathSpec
from pathgauge.quantities import clean, parse_whole, quoted

NAMED = Path("/run/netns")
EXISTING = "existing"
FORMS = "local, netns:NAME, pid:N or container:NAME"
GREATEST_PORT = 65535
NETSERVER_PORT = 12865
_MOST_LISTED = 20
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
    if parts[1].startswith(NETSERVER):
        parse_server(parts[1])
        if len(parts) > 2:  # noqa: PLR2004 - FROM,TO,ADDRESS
            raise UserError(f"{quoted(parts[1])} is an address already", hint=f"--path {name}={parts[0]},{parts[1]}")
    for end in parts[:1] if parts[1].startswith(NETSERVER) else parts[:2]:
        if not any(form.fullmatch(end) for form in _FORMS):
            raise UserError(
                f"{quoted(end)} is no endpoint",
                hint=f"an endpoint is {FORMS}; the second may be {NETSERVER}HOST[:PORT]",
            )
    options = dict(zip(("from", "to"), parts, strict=False))
    if len(parts) > len(options):
        options["address"] = _address(parts[-1])
    return PathSpec(name, EXISTING, options)


def parse_server(text: str) -> tuple[str, int]:
    """`netperf://HOST[:PORT]` as host and port. Raises UserError where it is not written so."""
    hint = "netperf://198.18.0.1, or netperf://[2001:db8::1]:12865"
    rest = text.removeprefix(NETSERVER)
    if rest == text:
        raise UserError(f"{quoted(text)} is no server that can be measured against", hint=hint)
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, str(NETSERVER_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or "/" in host or ("[" in rest) != (":" in host):
        raise UserError(f"{quoted(text)} names no host", hint=hint)
    return host, parse_whole(port, 1, GREATEST_PORT, "port")


def located(spec: PathSpec) -> PathSpec:
    """A path that exists, with the files of its ends' namespaces. Raises UserError and MachineError."""
    if spec.kind != EXISTING:
        return spec
    if not is_root_capable():
        raise MissingPrivilege("an ordinary user cannot enter namespaces of others", hint="run pathgauge as root")
    client, address = _file(spec.options["from"]), spec.options.get("address", "")
    if spec.to_netserver:
        return replace(spec, found=Found(client, "", address, parse_server(spec.options["to"])[1]))
    return replace(spec, found=Found(client, _file(spec.options["to"]), address))


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
        listed = ", ".join(map(clean, known[:_MOST_LISTED])) + (", ..." if len(known) > _MOST_LISTED else "")
        raise UserError(
            f"there is no network namespace called {quoted(name)}",
            hint=f"there are: {listed}" if known else f"none has a name; ip netns add {name} makes one",
        )
    if not os.path.ismount(file):
        raise UserError(f"{name} is a namespace's name, and no namespace is behind it any more",
                        hint=f"ip netns del {name}")  # fmt: skip
    return str(file)


def _of_process(pid: int, lack: str) -> str:
    file = f"/proc/{pid}/ns/net"
    if pid < 1 or not os.path.lexists(f"/proc/{pid}"):
        raise UserError(lack, hint="see: ps -e")
    try:
        os.stat(file)
    except FileNotFoundError:
        raise UserError(f"process {pid} has ended, and nobody has waited for it yet", hint="see: ps -e") from None
    except OSError:
        raise UserError(f"the namespace of process {pid} may not be looked at", hint="run pathgauge as root") from None
    return file


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise UserError(f"{quoted(text)} is no address", hint="--path web=local,netns:web,172.17.0.2") from None
