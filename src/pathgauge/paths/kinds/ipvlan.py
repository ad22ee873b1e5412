"""The kind `ipvlan`: a container with an ipvlan device on the wire's lower device, sharing its MAC address.

    [ NAME: ipv0 ]
          │ ipvlan
    [ host: h1 ] ──wire── [ server: s1 ]

In mode l2 it sends frames itself, in l3 the host's namespace routes for it, in l3s that namespace's netfilter sees it,
too. It cannot share its lower device with macvlan, so it gets a wire of its own.
"""

from pathgauge.paths.registry import KindOption, Placement, Site, register
from pathgauge.paths.types import PathSpec

_DEVICE = "ipv0"
_MODES = {"l2": 0, "l3": 1, "l3s": 2}  # IPVLAN_MODE_*


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
    addresses = site.new_addresses()
    space.configure(_DEVICE, addresses)
    return Placement(space, _DEVICE, addresses)
