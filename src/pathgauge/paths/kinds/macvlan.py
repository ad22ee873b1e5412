"""The kind `macvlan`: a container with a macvlan device on the wire's lower device.

    [ NAME: mv0 ]
          │ macvlan
    [ host: h0 ] ──wire── [ server: s0 ]

In the mode `bridge` macvlans on one device reach each other directly, in `private` not at all, in `vepa` only by way of
the switch outside. The server is behind the wire, never on a sibling macvlan, so these modes differ in how a packet is
looked at, not in where it goes. In the mode `passthru` one macvlan has the lower device for itself. In the mode
`source` it takes only what comes from MAC addresses on a list, here the server's, and it is given a copy of that. In
these two modes the path gets a wire of its own.
"""

from pathgauge.paths.kinds.upper import MODE, claims_wire, on_lower
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "macvlan",
    summary="a container with a macvlan device on the lower device",
    options=(MODE,),
    link_kind="macvlan",
    needs_own_wire=claims_wire,
    alone=claims_wire,
    attachable=True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the device on the lower one, straight into the path's own namespace."""
    return on_lower(site, spec, "mv0")
