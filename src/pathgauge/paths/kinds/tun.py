"""The kind `tun`: a container behind a relay in user space, as behind a VPN or slirp, with the host as its router.

    [ NAME: eth0 ]
          │ tun, a relay in user space, tun, a network of its own
    [ host: tu0, ip_forward, h0 ] ──wire── [ server: s0 ]

The relay reads each packet from one tun device and writes it to the other, both ways in one thread, as it is: what a
VPN does beside that, above all encryption, is not in it. It is a loop of ours in C++, so what it costs are two system
calls and two copies for each packet, and being woken. Its CPU time shows in that of the machine, not in that of either
end. What comes faster than it reads is dropped at the tun device, where 500 packets can wait.

With `offload=on` it takes TCP segments whole, up to 64 KiB at a time, as newer VPNs do; else each packet alone.
"""

from functools import partial

from pathgauge.paths.kinds.behind import behind_router
from pathgauge.paths.registry import KindOption, Placement, Site, Space, register
from pathgauge.paths.types import PathSpec


@register(
    "tun",
    summary="a container behind a relay in user space",
    options=(KindOption("offload", ("off", "on"), "off", "whether the relay takes TCP segments whole"),),
    link_kind="tun",
    descriptors=2,
    needs="/dev/net/tun",
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the container and tell the server how to reach it."""
    join = partial(_by_relay, offload=spec.options["offload"] == "on")
    placed = behind_router(site, site.new_subnet(), join, prefix="tu")
    site.server.route(placed.addresses, site.host_addresses())
    return placed


def _by_relay(host: Space, port: str, device: str, space: Space, *, offload: bool) -> None:
    host.relay(port, device, into=space, offload=offload)
