"""What can be asked of a wire and of a path together. Each value has been looked at by itself when it was parsed."""

from collections.abc import Sequence

from pathgauge.errors import UserError
from pathgauge.paths.shaping import shaping
from pathgauge.paths.types import PathSpec, WireSpec


def check(specs: Sequence[PathSpec], wire: WireSpec) -> None:
    """Raises UserError for what contradicts itself in the wire that all share, in one path's own, or in its changes."""
    check_wire(wire)
    for spec in specs:
        check_wire(spec.wire(wire), spec.name)
        _check_queue(spec)


def check_wire(wire: WireSpec, path: str = "") -> None:
    """As `check`, of one wire; `path` names the one whose own it is."""
    if wire.rate is None:
        given = [key for key in ("burst", "limit", "shaper") if getattr(wire, key) is not None]
        if given:
            raise UserError(
                "a wire that is not shaped has neither burst nor limit nor shaper",
                hint=f"--wire rate=1gbit,{given[0]}={getattr(wire, given[0])}",
            )
    else:
        shaping(wire.rate)
    typed = f"--set {path}.delay=5ms" if path else "--wire delay=5ms"
    if wire.delay is None:
        for key in ("jitter", "reorder"):
            if getattr(wire, key) is not None:
                raise UserError(f"a wire without delay has no {key}", hint=f"add {typed}")
    elif wire.jitter is not None and wire.jitter > wire.delay:
        raise UserError(f"a jitter of {wire.jitter:g} s is more than the delay", hint=f"a longer delay: {typed}")


def _check_queue(spec: PathSpec) -> None:
    if "qdisc-limit" not in spec.changes:
        return
    kind = spec.changes.get("qdisc")
    if kind is None:
        raise UserError(
            f"{spec.name} has a limit of a queue, and none is named", hint=f"add --set {spec.name}.qdisc=pfifo"
        )
    if kind == "noqueue":
        raise UserError("noqueue has no limit", hint=f"--set {spec.name}.qdisc=pfifo, or without qdisc-limit")
