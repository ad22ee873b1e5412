"""The kind `macvlan`: a container with a macvlan device on the wire's lower device.

    [ NAME: mv0 ]
          │ macvlan
    [ host: h0 ] ──wire── [ server: s0 ]

In the mode `bridge` macvlans on one device reach each other directly, in `private` not at all, in `vepa` only by way of
the switch outside. The server is behind the wire, never on a sibling macvlan, so these modes differ in how a packet is
looked at, not in where it goes. In the mode `passthru` one macvlan has the lower device for itself, so it gets a wire
of its own.
"""

from pathgauge.paths.registry import KindOption, Placement, Site, register
from pathgauge.paths.types import PathSpec

_DEVICE = "mv0"


@register(
    "macvlan",
    summary="a container with a macvlan device on the lower device",
    options=(
        KindOption(
            "mode", ("bridge", "private", "vepa", "passthru"), "bridge", "how macvlans on one device see each other"
        ),
    ),
    link_kind="macvlan",
    needs_own_wire=lambda options: options.get("mode") == "passthru",
    alone=lambda options: options.get("mode") == "passthru",
    attachable=True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the device on the lower one, straight into the path's own namespace."""
    space = site.new_space()
    site.host.add("macvlan", _DEVICE, into=space, lower=site.lower, settings={"macvlan_mode": spec.options["mode"]})
    addresses = site.new_addresses()
    space.configure(_DEVICE, addresses)
    return Placement(space, _DEVICE, addresses)
