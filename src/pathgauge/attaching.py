"""From option values to how paths are attached to a device of this machine, where the server is elsewhere."""

import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_interface
from typing import Literal, cast

from pathgauge.errors import UserError
from pathgauge.paths.registry import kinds
from pathgauge.paths.types import Attachment, PathSpec
from pathgauge.quantities import nearest, quoted


def build(values: Mapping[str, object], specs: Sequence[PathSpec]) -> Attachment | None:
    """The attachment, None where there is no `server`; raises UserError. The server's name is resolved here."""
    server = cast("tuple[str, int] | None", values.get("server"))
    if server is None:
        for name in ("device", "address"):
            if name in values:
                raise UserError(f"--{name} says where paths to another machine start", hint="--server netperf://HOST")
        return None
    if "device" not in values:
        raise UserError("--server needs the device that leads to it", hint="--device eth0; see them with: ip link")
    if any(option in values for option in ("wire", "link-rate", "rps")):
        raise UserError(
            "the way to a server elsewhere is not ours to shape or steer",
            hint="leave out --wire, --link-rate and --rps",
        )
    _check_kinds(specs)
    addresses = _addresses(cast("Sequence[tuple[str, str]]", values.get("address", ())), specs)
    address, family = resolved(server[0], ipv6=bool(values.get("ipv6")))
    for name, text in addresses.items():
        if ip_address(address) not in ip_interface(text).network:
            raise UserError(
                f"the server {address} is not in the network of {text}, and nothing routes there",
                hint=f"--address {name}=ADDRESS/PREFIX in the server's network",
            )
    return Attachment(cast("str", values["device"]), address, family, addresses)


def _check_kinds(specs: Sequence[PathSpec]) -> None:
    for spec in specs:
        kind = kinds()[spec.kind]
        if not kind.attachable:
            able = ", ".join(name for name, other in kinds().items() if other.attachable)
            raise UserError(f"{spec.name}, of the kind {kind.name}, takes a lab of ours", hint=f"these do not: {able}")
        if kind.needs_own_wire(spec.options):
            raise UserError(f"{spec.name} takes the whole device for itself", hint="--device is not ours to give away")


def _addresses(pairs: Sequence[tuple[str, str]], specs: Sequence[PathSpec]) -> dict[str, str]:
    """By the path's name. One without a name is that of the one path that has none yet."""
    names = [spec.name for spec in specs]
    for name, _ in pairs:
        if name and name not in names:
            raise UserError(f"--address: there is no path {quoted(name)}; {nearest(name, names)}")
    addresses = dict(pairs)
    missing = [spec.name for spec in specs if spec.kind != "host" and spec.name not in addresses]
    if missing and ("" not in addresses or len(missing) > 1):
        raise UserError(
            f"the path {missing[0]} needs an address of its own",
            hint=f"--address {missing[0]}=198.18.0.3/15, one that nobody else has in the server's network",
        )
    if missing:
        addresses[missing[0]] = addresses.pop("")
    return addresses


def resolved(host: str, *, ipv6: bool) -> tuple[str, Literal["ipv4", "ipv6"]]:
    """The address of the server. Raises UserError where it has none of that family."""
    family = socket.AF_INET6 if ipv6 or ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        kind = "IPv6" if family == socket.AF_INET6 else "IPv4"
        raise UserError(f"the server {quoted(host)} has no {kind} address", hint="give its address") from None
    return str(found[0][4][0]), "ipv6" if family == socket.AF_INET6 else "ipv4"
