"""The kind `macvlan`: a container with a macvlan device on the wire's lower device.

    [ NAME: mv0 ]
          │ macvlan
    [ host: h0 ] ──wire── [ server: s0 ]

The server is behind the wire, never on a sibling macvlan, so every mode carries the traffic over the wire. In the mode
`passthru` a macvlan claims the lower device for itself, so it gets a wire of its own.
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
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the device on the lower one, straight into the path's own namespace."""
    space = site.new_space()
    site.host.add_macvlan(_DEVICE, lower=site.lower, mode=spec.options["mode"], into=space)
    addresses = site.new_addresses()
    space.configure(_DEVICE, addresses)
    return Placement(space, _DEVICE, addresses)
