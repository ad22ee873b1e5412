"""The kinds of path. Each is one file that registers itself here; a new one needs that file and its name below."""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pathgauge.paths.addresses import Address, Subnet
from pathgauge.paths.types import PathSpec, WireSpec

Settings = Mapping[str, object]
NONE: Settings = {}


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
    def add(self, kind: str, name: str, *, into: "Space", lower: str | None = None, settings: Settings = NONE) -> None:
        """Make a device of a kernel's kind here, on this namespace's `lower`, to appear in the namespace `into`. Of the
        kind `openvswitch` that is a bridge, with a daemon of its own.

        `settings` are the kind's own, by pyroute2's names.
        """

    def add_pair(self, kind: str, name: str, peer: str, *, into: "Space") -> None:
        """Make a pair of devices, `name` here and `peer` in the namespace `into`."""

    def relay(self, name: str, peer: str, *, into: "Space", offload: bool) -> None:
        """Make a tun device `name` here and `peer` in the namespace `into`, with a relay in user space between them.

        With `offload` segments of TCP cross it whole, up to 64 KiB at a time.
        """

    def move(self, device: str, *, into: "Space") -> None:
        """Give a device away. It arrives down, without addresses and without its shaping."""

    def join(self, device: str, bridge: str) -> None:
        """Make a device a port of a bridge."""

    def configure(self, device: str, addresses: Sequence[Address] = ()) -> None:
        """Bring a device up and give it addresses, usable at once."""

    def hardware_address(self, device: str) -> str:
        """A device's MAC address, as `02:00:00:00:00:01`."""
        ...

    def change(self, device: str, changes: Mapping[str, int]) -> None:
        """Set a device's `mtu` in bytes, or offloads by ethtool's short names (1 or 0)."""

    def route(self, networks: Sequence[Address], gateways: Sequence[Address]) -> None:
        """Reach the networks of these addresses by way of the gateway of the same family."""

    def forward(self) -> None:
        """Let packets through from device to device."""

    def give_key(self, device: str, port: int) -> str:
        """Give a WireGuard device a new key, and a UDP port to listen at; its public key."""
        ...

    def add_peer(self, device: str, key: str, endpoint: tuple[str, int], networks: Sequence[str]) -> None:
        """Let a WireGuard device exchange packets of these networks (in CIDR) with the one that has that public key, at
        its address and port.
        """

    def translate(self, rules: str) -> None:
        """Load nftables rules, as text that `nft -f` takes."""


class Site(Protocol):
    """Where one path is to be built: its wire's near end is the device `lower` in the namespace `near`, which is the
    namespace `host` unless the kind is `direct`; its far end is the device `far` in the namespace `server`.
    """

    @property
    def host(self) -> Space: ...
    @property
    def near(self) -> Space: ...
    @property
    def server(self) -> Space: ...
    @property
    def lower(self) -> str: ...
    @property
    def far(self) -> str: ...
    @property
    def first(self) -> bool:
        """Whether this is the first copy of its path, which makes what all copies share."""
        ...

    def new_name(self, prefix: str) -> str:
        """A device's name that no other device of the lab has."""

    def new_space(self) -> Space:
        """A namespace for this path alone."""

    def new_subnet(self) -> Subnet:
        """Addresses of a network of its own."""

    def host_addresses(self) -> tuple[Address, ...]:
        """The addresses of the wire's near end itself."""

    def far_addresses(self) -> tuple[Address, ...]:
        """The addresses of the wire's far end."""

    def new_addresses(self) -> tuple[Address, ...]:
        """The next free addresses on the wire, one of each family in use."""

    def shape(self, space: Space, device: str) -> None:
        """Shape a device as the wire is, if it is."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a path's end came to lie: its namespace, device and addresses.

    `through` are the devices that its packets run through between there and the wire's far end, the near one first;
    None: the wire's near end, unless the path's device is that itself. `beyond` are those after the wire's far end.
    `server` are the addresses of the other end, where it does not have the wire's; `known` those by which the other
    end knows this one, where they are translated. A path without a wire has both ends in `space`, and its `device` is
    all it has.
    """

    space: Space
    device: str
    addresses: tuple[Address, ...]
    through: tuple[tuple[Space, str], ...] | None = None
    beyond: tuple[tuple[Space, str], ...] = ()
    server: tuple[Address, ...] = ()
    known: tuple[Address, ...] = ()


Build = Callable[[Site, PathSpec], Placement]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of path: what may be said of it, what it needs, and how it is built."""

    name: str
    summary: str
    options: tuple[KindOption, ...]
    link_kind: str | None
    needs_own_wire: Callable[[Mapping[str, str]], bool]
    alone: Callable[[Mapping[str, str]], bool]
    direct: bool
    attachable: bool
    serves: bool
    wired: bool
    descriptors: int
    needs: str
    build: Build

    @property
    def page(self) -> str:
        """What it is, with its drawing: the text at the head of its file."""
        return inspect.cleandoc(sys.modules[self.build.__module__].__doc__ or "")

    @property
    def requirement(self) -> str:
        """What it needs beyond what every lab does."""
        link = [f"the kernel's {self.link_kind}"] if self.link_kind else []
        return " and ".join([*link, *([self.needs] if self.needs else [])]) or "nothing more"


_MODULES = (
    "host",
    "moved",
    "veth",
    "macvlan",
    "macvtap",
    "ipvlan",
    "bridge",
    "openvswitch",
    "routed",
    "nat",
    "published",
    "vlan",
    "vxlan",
    "geneve",
    "gre",
    "ipip",
    "wireguard",
    "netkit",
    "tun",
    "loopback",
)
_registered: dict[str, Kind] = {}


def register(
    name: str,
    *,
    summary: str,
    options: Sequence[KindOption] = (),
    link_kind: str | None = None,
    needs_own_wire: Callable[[Mapping[str, str]], bool] = lambda _options: False,
    alone: Callable[[Mapping[str, str]], bool] = lambda _options: False,
    direct: bool = False,
    attachable: bool = False,
    serves: bool = False,
    wired: bool = True,
    descriptors: int = 0,
    needs: str = "",
) -> Callable[[Build], Build]:
    """Register the decorated builder as a kind.

    `link_kind` is the kernel's name of the device kind it needs beyond veth; `needs_own_wire` says, from the options,
    whether it claims its wire's near end for itself, and `alone` whether not even a copy of it can stand there beside
    it; `direct` that this end is to be in the path's own namespace from the start; `attachable` that it can be built on
    a device of the caller's; `serves` that it is a way in, so that the server is in the container and the client behind
    the wire; `wired` that it runs over a wire at all; `descriptors` how many open files hold it as long as it stands;
    `needs` what it needs beyond the kernel's link kind.
    """

    def decorate(build: Build) -> Build:
        if name in _registered:
            raise ValueError(f"the kind {name} is registered twice")
        _registered[name] = Kind(
            name,
            summary,
            tuple(options),
            link_kind,
            needs_own_wire,
            alone,
            direct,
            attachable,
            serves,
            wired,
            descriptors,
            needs,
            build,
        )
        return build

    return decorate


def kinds() -> Mapping[str, Kind]:
    """Every kind by name, in the order of their modules."""
    for module in _MODULES:
        importlib.import_module(f"pathgauge.paths.kinds.{module}")
    return _registered


def probe_kinds(names: Sequence[str] = ()) -> dict[str, str | None]:
    """Build each kind (or those named) in a throw-away lab: None where it works, else the reason in one sentence."""
    chosen = {name: kind for name, kind in kinds().items() if not names or name in names}
    return {name: probe(PathSpec(name, name, _defaults(kind))) for name, kind in chosen.items()}


def probe(spec: PathSpec) -> str | None:
    """Build one path in a throw-away lab: None where that works, else the reason in one sentence."""
    from pathgauge.errors import MachineError
    from pathgauge.paths.lab import Lab

    try:
        Lab.build([spec], WireSpec()).close()
    except MachineError as error:
        return str(error)
    return None


def _defaults(kind: Kind) -> dict[str, str]:
    return {option.name: option.default for option in kind.options}
