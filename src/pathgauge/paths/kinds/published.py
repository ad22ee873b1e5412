"""The kind `published`: a container's ports published at the host's address, as container runtimes do.

    [ NAME: eth0 ]   the server
          │ veth, a network of its own
    [ host: vr0, ip_forward, DNAT, h1 ] ──wire── [ server: s1 ]   the client

It is a way in: the server is in the container and the client behind the wire, on all paths that it is compared with. It
takes every port of the host's address, so it gets a wire of its own.
"""

from dataclasses import replace

from pathgauge.paths.kinds.behind import behind_router, table
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "published",
    summary="a container's ports at the host's address (DNAT)",
    needs_own_wire=lambda _options: True,
    alone=lambda _options: True,
    serves=True,
    needs="nft",
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the container, and let nftables send it what comes to the host's address by the wire."""
    del spec  # it has no options
    placed = behind_router(site, site.new_subnet())
    known = site.host_addresses()
    targets = []
    for outer, inner in zip(known, placed.addresses, strict=True):
        word, text = ("ip", inner.text) if inner.family == "ipv4" else ("ip6", inner.text)
        match = f"iifname {site.lower} {word} daddr {outer.text} meta l4proto {{ tcp, udp }}"
        targets.append(f"{match} dnat {word} to {text}")
    site.host.translate(table(site.new_name("pathgauge-dnat"), "prerouting", "dstnat", targets))
    return replace(placed, known=known)
