"""The kind `ipvlan`: a container with an ipvlan device on the wire's lower device, sharing its MAC address.

    [ NAME: ipv0 ]
          │ ipvlan
    [ host: h1 ] ──wire── [ server: s1 ]

In mode l2 it sends frames itself, in l3 the host's namespace routes for it, in l3s that namespace's netfilter sees it,
too. In both of these nobody answers for it on the wire (no ARP): it has a network of its own, which the server reaches
through the host's address. It cannot share its lower device with macvlan, so it gets a wire of its own.
"""

from pathgauge.paths.registry import KindOption, Placement, Site, register
from pathgauge.paths.types import PathSpec

_DEVICE = "ipv0"
_MODES = {"l2": 0, "l3": 1, "l3s": 2}  # IPVLAN_MODE_*
_NOBODY, _CONTAINER = 1, 2  # in a network of its own


@register(
    "ipvlan",
    summary="a container with an ipvlan device on the lower device",
    options=(KindOption("mode", tuple(_MODES), "l2", "who handles its packets"),),
    link_kind="ipvlan",
    needs_own_wire=lambda _options: True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the device on the lower one, straight into the path's own namespace."""
    space = site.new_space()
    mode = {"ipvlan_mode": _MODES[spec.options["mode"]]}
    site.host.add("ipvlan", _DEVICE, into=space, lower=site.lower, settings=mode)
    if spec.options["mode"] == "l2":
        addresses = site.new_addresses()
        space.configure(_DEVICE, addresses)
        return Placement(space, _DEVICE, addresses)
    subnet = site.new_subnet()
    addresses = subnet.addresses(_CONTAINER)
    site.host.configure(site.lower, site.host_addresses())
    space.configure(_DEVICE, addresses)
    space.route(site.far_addresses(), subnet.addresses(_NOBODY))  # the device asks nobody who that is
    site.server.route(addresses, site.host_addresses())
    return Placement(space, _DEVICE, addresses)
