"""What `macvlan` and `macvtap` share: a device with a MAC address of its own on the wire's lower device."""

from collections.abc import Mapping

from pathgauge.paths.registry import KindOption, Placement, Site
from pathgauge.paths.types import PathSpec

MODE = KindOption(
    "mode", ("bridge", "private", "vepa", "passthru", "source"), "bridge", "how those on one device see each other"
)


def claims_wire(options: Mapping[str, str]) -> bool:
    """Whether nothing else, not even a copy, should stand on the lower device: in the mode passthru nothing can, in the
    mode source it is given a copy of whatever comes from the server, for whomever that was.
    """
    return options.get("mode") in ("passthru", "source")


def on_lower(site: Site, spec: PathSpec, device: str) -> Placement:
    """Make the device on the lower one, straight into the path's own namespace."""
    space = site.new_space()
    settings = {f"{spec.kind}_mode": spec.options["mode"]}
    if spec.options["mode"] == "source":
        settings[f"{spec.kind}_macaddr_mode"] = "add"
        settings[f"{spec.kind}_macaddr"] = site.server.hardware_address(site.far)
    site.host.add(spec.kind, device, into=space, lower=site.lower, settings=settings)
    addresses = site.new_addresses()
    space.configure(device, addresses)
    return Placement(space, device, addresses)
