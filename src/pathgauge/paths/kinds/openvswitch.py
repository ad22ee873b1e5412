"""The kind `openvswitch`: a container behind a veth pair, on one bridge of Open vSwitch with the wire's lower device.

    [ NAME: eth0 ]
          │ veth
    [ host: vb0 ── br-h1 ── h1 ] ──wire── [ server: s1 ]

The bridge learns addresses as any switch does (its action `NORMAL`). Packets are switched in the kernel, by what the
daemon ovs-vswitchd told it of their flow; the first of each flow goes up to the daemon. The lab runs a daemon of its
own, with a database in memory: that of the machine, if it runs, is neither needed nor touched. The bridge claims the
lower device, so the path gets a wire of its own. Copies are further ports of the same bridge.
"""

from pathgauge.paths.kinds.switched import switched
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "openvswitch",
    summary="a container behind veth and Open vSwitch",
    link_kind="openvswitch",
    needs_own_wire=lambda _options: True,
    needs="ovs-vswitchd",
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the pair and the bridge, and join the pair's host end and the lower device."""
    del spec  # it has no options
    return switched(site, "openvswitch")
