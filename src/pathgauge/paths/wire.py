"""A wire of a lab, and what shapes and impairs it: a shaper, netem; where the kernel lacks that, nftables, which loses
packets, and a relay in user space, which delays them.
"""

import errno
from dataclasses import dataclass

from pathgauge.errors import MissingFeature
from pathgauge.paths import addresses, disciplines
from pathgauge.paths.addresses import Subnet
from pathgauge.paths.refusals import Refused, explained
from pathgauge.paths.rtnetlink import new_discipline
from pathgauge.paths.shaping import Shaping, shaping
from pathgauge.paths.spaces import LabSpace
from pathgauge.paths.types import WireSpec

_LEAST_NETEM_PACKETS = 10_000
_SMALLEST_PACKET = 500  # bytes: what is on the way during a delay are rarely smaller ones
_FASTEST = 5 * 10**9  # bytes/s: what a wire that is not shaped is taken to reach
_MOST_NETEM_PACKETS = 10_000_000
_MILLION = 1_000_000

NETEM, NFTABLES, RELAY = "netem", "nftables", "relay"


@dataclass(slots=True)
class Wire:
    """A veth pair, its near end in the namespace `near`, and what was asked of it; or two taps with a relay between
    them, where that is what delays.
    """

    number: int
    spec: WireSpec
    near: LabSpace
    subnet: Subnet
    next_candidate: int = addresses.FIRST_CANDIDATE
    impaired_by: str | None = None
    relayed: bool = False

    @property
    def lower(self) -> str:
        return f"h{self.number}"

    @property
    def far(self) -> str:
        return f"s{self.number}"

    @property
    def name(self) -> str:
        return f"{self.lower}-{self.far}"

    @property
    def rate(self) -> int | None:
        """In bit/s, where it is shaped."""
        return self.spec.rate

    def lay(self, near: LabSpace, far: LabSpace) -> None:
        """Make its two ends. Raises MachineError."""
        spec = self.spec
        self.relayed = spec.delay is not None and spec.reorder is None and not _has_netem(near)
        if self.relayed:
            near.delay(self.lower, self.far, into=far, seconds=spec.delay or 0.0, jitter=spec.jitter or 0.0)
        else:
            near.add_pair("veth", self.lower, self.far, into=far)

    def shape(self, space: LabSpace, device: str) -> None:
        """Make an end of it, wherever that lies now, as slow and as lossy as was asked. Raises MachineError."""
        netem = self._netem(space, device)
        if netem:
            self.impaired_by = NETEM
        elif self.spec.loss:
            space.translate(_dropping(device, self.spec.loss))
            self.impaired_by = NFTABLES
        form = shaped(self.spec)
        if form is not None:
            kind = self.spec.shaper or "tbf"
            with explained(kind):
                make = disciplines.htb if kind == "htb" else disciplines.tbf
                space.routes.ask(*make(space.routes.number(device), form, under_netem=netem))

    def facts(self) -> dict[str, str | int | float | None]:
        """How it was made: rate in bit/s, burst and limit in bytes, times in seconds, chances from 0 to 1, CPUs."""
        form, spec = shaped(self.spec), self.spec
        return {
            "rate": form.rate * 8 if form else None,
            "burst": form.burst if form else None,
            "limit": form.limit if form else None,
            "shaper": (spec.shaper or "tbf") if form else None,
            "loss": spec.loss,
            "loss_by": self.impaired_by if spec.loss else None,
            "delay": spec.delay,
            "delay_by": None if spec.delay is None else RELAY if self.relayed else NETEM,
            "jitter": spec.jitter,
            "reorder": spec.reorder,
            "rps": spec.rps,
        }

    def _netem(self, space: LabSpace, device: str) -> bool:
        """Whether a netem is at the device's root now. Raises MissingFeature where nothing else would do."""
        spec = self.spec
        if self.relayed or not (spec.delay or spec.loss):
            return False
        delay, jitter = spec.delay or 0.0, spec.jitter or 0.0
        octets = spec.rate / 8 if spec.rate else _FASTEST
        waiting = round(octets * (delay + jitter) / _SMALLEST_PACKET)
        limit = min(max(waiting, _LEAST_NETEM_PACKETS), _MOST_NETEM_PACKETS)
        request = disciplines.netem(
            space.routes.number(device),
            delay=delay,
            jitter=jitter,
            loss=spec.loss or 0.0,
            reorder=spec.reorder or 0.0,
            limit=limit,
        )
        try:
            with explained(NETEM):
                space.routes.ask(request)
        except MissingFeature:
            if spec.delay:
                raise
            return False
        return True


def _has_netem(space: LabSpace) -> bool:
    """Whether the kernel knows it: then it misses its options, and nothing is made."""
    try:
        space.routes.ask(new_discipline(space.routes.number("lo"), NETEM))
    except Refused as error:
        return error.errno == errno.EINVAL
    return True


def shaped(spec: WireSpec) -> Shaping | None:
    """What a wire is shaped to, if it is."""
    return None if spec.rate is None else shaping(spec.rate, spec.burst, spec.limit)


def _dropping(device: str, loss: float) -> str:
    """Rules that drop what comes in by a device, whoever takes it on from there, with this chance."""
    return (
        f"table netdev pathgauge-loss-{device} {{\n"
        f"chain ingress {{\n"
        f'type filter hook ingress device "{device}" priority filter\n'
        f"numgen random mod {_MILLION} < {round(loss * _MILLION)} counter drop\n"
        "}\n"
        "}\n"
    )
