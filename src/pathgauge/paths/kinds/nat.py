"""The kind `nat`: a container behind a veth pair and a router that masquerades, as container runtimes do by default.

    [ NAME: eth0 ]
          │ veth, a network of its own
    [ host: vr0, ip_forward, masquerade, h0 ] ──wire── [ server: s0 ]

The server sees the host's address.
"""

from dataclasses import replace

from pathgauge.paths.kinds.behind import behind_router, table
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register("nat", summary="a container behind veth, a router and masquerading", needs="nft")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the container, and let nftables masquerade what leaves the host from it."""
    del spec  # it has no options
    subnet = site.new_subnet()
    placed = behind_router(site, subnet)
    if site.first:
        sources = [
            f"{'ip' if family == 'ipv4' else 'ip6'} saddr {network} oifname {site.lower} masquerade"
            for family, network in subnet.whole.items()
        ]
        site.host.translate(table(site.new_name("pathgauge-nat"), "postrouting", "srcnat", sources))
    return replace(placed, known=site.host_addresses())
