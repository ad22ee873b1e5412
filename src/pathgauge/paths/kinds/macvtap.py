"""The kind `macvtap`: a container with a macvtap device on the wire's lower device.

    [ NAME: mt0 ]
          │ macvtap
    [ host: h0 ] ──wire── [ server: s0 ]

A macvtap is a macvlan that a virtual machine can be fed from, through the file /dev/tapN. What is measured here is the
other use of it, as a network device of the namespace: nobody opens that file, and as long as nobody does, packets go to
the namespace's own protocols as a macvlan's do. But with each packet that comes it looks for a reader, and what it
sends passes a queue discipline, which a macvlan does without. Its modes are those of `macvlan`.
"""

from pathgauge.paths.kinds.upper import MODE, claims_wire, on_lower
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "macvtap",
    summary="a container with a macvtap device on the lower device",
    options=(MODE,),
    link_kind="macvtap",
    needs_own_wire=claims_wire,
    alone=claims_wire,
    attachable=True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the device on the lower one, straight into the path's own namespace."""
    return on_lower(site, spec, "mt0")
