"""What a path is, before it is built and after."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class PathSpec:
    """A path as asked for: `[NAME=]KIND[:key=value,...]`, parsed and checked against its kind."""

    name: str
    kind: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WireSpec:
    """How each wire of a lab is made; rate in bit/s, None for unshaped."""

    rate: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """A device of a lab. Role: `own` (the path's end device), `lower` (below it), `wire` (the server's end)."""

    namespace: str
    name: str
    role: Literal["own", "lower", "wire"]
    kind: str
    mtu: int
    queue_discipline: str
    offloads: dict[str, bool]


@dataclass(frozen=True, slots=True)
class BuiltPath:
    """A path that stands. The namespaces are open descriptors that belong to the lab."""

    spec: PathSpec
    wire: str
    client_namespace: int
    server_namespace: int
    client_namespace_name: str
    server_namespace_name: str
    client_addresses: dict[Literal["ipv4", "ipv6"], str]
    server_addresses: dict[Literal["ipv4", "ipv6"], str]
    devices: tuple[DeviceRef, ...]
    mtu: int
