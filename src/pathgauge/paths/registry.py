"""The kinds of path. Each is one file that registers itself here; a new one needs that file and a line in `kinds()`."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pathgauge.paths.addresses import Address
from pathgauge.paths.types import PathSpec, WireSpec


@dataclass(frozen=True, slots=True)
class KindOption:
    """An option of a kind: the values it may have, and the one it has when nothing is said."""

    name: str
    values: tuple[str, ...]
    default: str
    summary: str


class Space(Protocol):
    """A network namespace of the lab that is being built."""

    @property
    def name(self) -> str: ...
    def add_macvlan(self, name: str, *, lower: str, mode: str, into: "Space") -> None:
        """Make a macvlan device on this namespace's `lower`, to appear in the namespace `into`."""

    def configure(self, device: str, addresses: Sequence[Address]) -> None:
        """Bring a device up and give it addresses, usable at once."""


class Site(Protocol):
    """Where one path is to be built: its wire's lower end is the device `lower` in the namespace `host`."""

    @property
    def host(self) -> Space: ...
    @property
    def lower(self) -> str: ...
    def new_space(self) -> Space:
        """A namespace for this path alone."""

    def host_addresses(self) -> tuple[Address, ...]:
        """The addresses of the wire's lower end itself."""

    def new_addresses(self) -> tuple[Address, ...]:
        """The next free addresses on the wire, one of each family in use."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a path's client end came to lie."""

    space: Space
    device: str
    addresses: tuple[Address, ...]


Build = Callable[[Site, PathSpec], Placement]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of path: what may be said of it, what it needs, and how it is built."""

    name: str
    summary: str
    options: tuple[KindOption, ...]
    link_kind: str | None
    needs_own_wire: Callable[[Mapping[str, str]], bool]
    build: Build


_MODULES = ("host", "macvlan")
_registered: dict[str, Kind] = {}


def register(
    name: str,
    *,
    summary: str,
    options: Sequence[KindOption] = (),
    link_kind: str | None = None,
    needs_own_wire: Callable[[Mapping[str, str]], bool] = lambda _options: False,
) -> Callable[[Build], Build]:
    """Register the decorated builder as a kind.

    `link_kind` is the kernel's name of the device kind it needs beyond veth; `needs_own_wire` says, from the options,
    whether it claims its wire's lower device for itself.
    """

    def decorate(build: Build) -> Build:
        if name in _registered:
            raise ValueError(f"the kind {name} is registered twice")
        _registered[name] = Kind(name, summary, tuple(options), link_kind, needs_own_wire, build)
        return build

    return decorate


def kinds() -> Mapping[str, Kind]:
    """Every kind by name, in the order of their modules."""
    for module in _MODULES:
        importlib.import_module(f"pathgauge.paths.{module}")
    return _registered


def probe_kinds() -> dict[str, str | None]:
    """Build each kind in a throw-away lab: None where it works, else the reason in one sentence."""
    return {name: _probe(PathSpec(name, name, _defaults(kind))) for name, kind in kinds().items()}


def _probe(spec: PathSpec) -> str | None:
    from pathgauge.errors import MachineError
    from pathgauge.paths.lab import Lab

    try:
        Lab.build([spec], WireSpec()).close()
    except MachineError as error:
        return str(error)
    return None


def _defaults(kind: Kind) -> dict[str, str]:
    return {option.name: option.default for option in kind.options}
