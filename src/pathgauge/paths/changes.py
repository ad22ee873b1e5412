"""What is changed of a path once it stands: `--set NAME.KEY=VALUE`, but for what its wire is made of at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pathgauge.paths.registry import Placement, Space
from pathgauge.paths.types import OFFLOADS, Value

_TUNNEL_ROOM = 100  # bytes that a tunnel's headers take at most


@dataclass(frozen=True, slots=True)
class Standing:
    """A path of a lab that stands, between its own device and the wire's far end: `through` are the devices between
    the two, the near one first, and `far` is the other (none where there is no wire).
    """

    placement: Placement
    through: Sequence[tuple[Space, str]]
    far: Sequence[tuple[Space, str]]

    @property
    def own(self) -> tuple[Space, str]:
        """The path's own device."""
        return self.placement.space, self.placement.device

    def change(self, changes: Mapping[str, Value], wire_mtu: int | None) -> None:
        """Change what was asked; without an MTU of its own what stands on the wire gets the wire's. Raises UserError
        and MachineError.
        """
        if "mtu" in changes:
            self._set_mtu(int(changes["mtu"]))
        elif wire_mtu is not None and not self.placement.beyond:  # what stands on the wire's ends has their MTU already
            for space, device in (*reversed(self.through), self.own):
                space.change(device, {"mtu": wire_mtu})
        offloads = {key: int(value) for key, value in changes.items() if key in OFFLOADS}
        if offloads:
            space, device = self.own
            space.change(device, offloads)

    def _set_mtu(self, mtu: int) -> None:
        """The MTU of all devices, what they stand on first."""
        outer = mtu + _TUNNEL_ROOM if self.placement.beyond else mtu
        for space, device in (*self.far, *reversed(self.through)):
            space.change(device, {"mtu": outer})
        for space, device in (*self.placement.beyond, self.own):
            space.change(device, {"mtu": mtu})
