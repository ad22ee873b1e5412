"""The kind `bridge`: a container behind a veth pair, on one bridge with the wire's lower device.

    [ NAME: eth0 ]
          │ veth
    [ host: vb0 ── br0 ── h1 ] ──wire── [ server: s1 ]

The bridge claims the lower device, so the path gets a wire of its own. Copies are further ports of the same bridge.
"""

from pathgauge.paths.kinds.switched import switched
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "bridge",
    summary="a container behind veth and a bridge",
    link_kind="bridge",
    needs_own_wire=lambda _options: True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the pair and the bridge, and join the pair's host end and the lower device."""
    del spec  # it has no options
    return switched(site, "bridge")
