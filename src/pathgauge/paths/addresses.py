"""The plan of addresses: for each wire of a lab a /20 out of 198.18.0.0/15 (RFC 2544's range) and a ULA /64."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Literal

from pathgauge.errors import UserError

Family = Literal["ipv4", "ipv6"]

IPV4_PREFIX = 20
IPV6_PREFIX = 64
MAX_WIRES = 32
SERVER = 1
HOST = 2
FIRST_CANDIDATE = 10
LAST_CANDIDATE = 2 ** (32 - IPV4_PREFIX) - 2
PARTS = 1024  # of a network
_IPV4_PART_PREFIX, _IPV6_PART_PREFIX = 30, 80

_IPV4_BASE = IPv4Address("198.18.0.0")
_IPV6_BASE = IPv6Address("fd70:6761:7567::")  # an arbitrary global ID, fixed so that documents compare


@dataclass(frozen=True, slots=True)
class Address:
    """One end's address in one family, with the length of its subnet's prefix."""

    family: Family
    text: str
    prefix: int

    @property
    def network(self) -> str:
        """The network that it is in, in CIDR."""
        return str(ip_interface(f"{self.text}/{self.prefix}").network)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A network of the lab in each family in use; with a `part` that part of it, which has room for two ends."""

    number: int
    families: tuple[Family, ...]
    part: int | None = None

    @property
    def whole(self) -> dict[Family, str]:
        """The network that this is a part of, in CIDR."""
        return {family: address(self.number, SERVER, family).network for family in self.families}

    def addresses(self, number: int) -> tuple[Address, ...]:
        """Those of one of its ends. Raises UserError where the plan has no more."""
        if self.part is None:
            return tuple(address(self.number, number, family) for family in self.families)
        return tuple(_within(self.number, self.part, number, family) for family in self.families)


def address(wire: int, number: int, family: Family) -> Address:
    """The `number`-th address (1 - 4094) on a wire (0 - 31). Raises UserError where the plan has no more of either."""
    if not 0 <= wire < MAX_WIRES:
        raise UserError(
            f"a lab has room for {MAX_WIRES} wires and networks",
            hint="ask for fewer paths that need one of their own",
        )
    if not 1 <= number <= LAST_CANDIDATE:
        raise UserError(f"a wire has room for {LAST_CANDIDATE} addresses", hint="ask for fewer paths")
    if family == "ipv4":
        subnet = _IPV4_BASE + wire * 2 ** (32 - IPV4_PREFIX)
        return Address(family, str(subnet + number), IPV4_PREFIX)
    return Address(family, str(IPv6Address(int(_IPV6_BASE) + (wire << 64) + number)), IPV6_PREFIX)


def _within(wire: int, part: int, number: int, family: Family) -> Address:
    """The `number`-th address (1 - 2) of a part (0 - 1023) of a network."""
    if part >= PARTS:
        raise UserError(f"a network of a lab has room for {PARTS} copies", hint="ask for fewer: --copies 1000")
    first = ip_interface(address(wire, SERVER, family).network).ip
    if family == "ipv4":
        return Address(family, str(first + 4 * part + number), _IPV4_PART_PREFIX)
    return Address(family, str(first + (part << 48) + number), _IPV6_PART_PREFIX)
