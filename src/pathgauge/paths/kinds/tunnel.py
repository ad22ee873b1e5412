"""What the tunnels share: a device of the container whose packets travel in others between the wire's two ends."""

from pathgauge.paths.addresses import Address
from pathgauge.paths.registry import Placement, Settings, Site

_SERVER, _CONTAINER = 1, 2  # in the tunnel's network
_FIRST_ID = 100


def tunnel(
    site: Site,
    kind: str,
    prefix: str,
    near: Settings,
    far: Settings,
    *,
    on_wire: bool = False,
    moved: bool = False,
    ipv6: bool = True,
) -> Placement:
    """A device of a kind at each end, the near one in the path's own namespace. `near` and `far` are their settings,
    `on_wire` says whether it is made on the wire's ends as lower devices, `moved` whether its packets would travel in
    the namespace that it is made in, so that it is made where they do and moved; `ipv6` whether it carries that.
    """
    space, subnet = site.new_space(), site.new_subnet()
    device, peer = site.new_name(prefix), site.new_name(f"{prefix}s")
    site.host.configure(site.lower, site.host_addresses())
    site.host.add(
        kind, device, into=site.host if moved else space, lower=site.lower if on_wire else None, settings=near
    )
    if moved:
        site.host.move(device, into=space)
    site.server.add(kind, peer, into=site.server, lower=site.far if on_wire else None, settings=far)
    addresses, server = (
        tuple(each for each in subnet.addresses(end) if ipv6 or each.family == "ipv4") for end in (_CONTAINER, _SERVER)
    )
    space.configure(device, addresses)
    site.server.configure(peer, server)
    lower = ((site.host, site.lower),)
    return Placement(space, device, addresses, through=lower, beyond=((site.server, peer),), server=server)


def outer(site: Site) -> tuple[str, str]:
    """The IPv4 addresses that the outer packets run between: the host's and the server's."""
    near, far = (_ipv4(addresses) for addresses in (site.host_addresses(), site.far_addresses()))
    return near, far


def new_id(site: Site) -> int:
    """A tunnel's number that no other of the lab has."""
    return _FIRST_ID + int(site.new_name("id").removeprefix("id"))


def _ipv4(addresses: tuple[Address, ...]) -> str:
    return next(each.text for each in addresses if each.family == "ipv4")
