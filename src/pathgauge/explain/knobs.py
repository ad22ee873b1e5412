"""Knobs, ready made: parameters of the test, which cost nothing to turn, and things of the machine."""

from collections.abc import Callable, Sequence
from typing import Literal

from pathgauge.explain.case import Facts
from pathgauge.explain.cause import NOTHING, Knob, Setting
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import DeviceRef

Value = str | float | bool | None
Place = Literal["sender", "receiver"]


def parameter(name: str, value: Value, *, plant: Value = NotImplemented, words: str = "") -> Knob:
    """A parameter of the test, by its option's name; planted with the value `plant` where one is given."""
    field = name.replace("-", "_")

    def cure(facts: Facts) -> Setting:
        return _set(facts, field, value)

    def planted(facts: Facts) -> Setting | None:
        return _or_none(_set(facts, field, plant))

    return Knob(words or f"{name}={_typed(value)}", cure, None if plant is NotImplemented else planted)


def buffer_of(place: Place, value: int | None, *, plant: int | None = None) -> Knob:
    """The socket buffers of the sending or the receiving end."""

    def cure(facts: Facts) -> Setting:
        return _set(facts, buffer_field(facts, place), value)

    def planted(facts: Facts) -> Setting | None:
        return _or_none(_set(facts, buffer_field(facts, place), plant))

    size = "left to the kernel" if value is None else f"of {value} bytes"
    return Knob(f"the {place}'s buffers {size}", cure, None if plant is None else planted)


def buffer_field(facts: Facts, place: Place) -> str:
    """The parameter that holds an end's buffers."""
    sends_locally = facts.kind.active == "local"
    return "local_buffer" if (place == "sender") == sends_locally else "remote_buffer"


def sysctl(place: Place | Literal["ends", "between", "everywhere"], name: str, value: str, *, plant: str = "") -> Knob:
    """A sysctl of a namespace, by its file's name."""

    def made(facts: Facts, wanted: str) -> Setting:
        turns = []
        for space in spaces_of(facts, place):
            now = facts.sysctl(space, name)
            if now is not None and now.split() != wanted.split():
                turns.append(Turn(space, "sysctl", name, wanted))
        return Setting(turns=tuple(turns)) if turns else NOTHING

    def planted(facts: Facts) -> Setting | None:
        setting = made(facts, plant)
        return setting if setting.turns else None

    label = f"{name.replace('/', '.')}={value}"
    return Knob(label, lambda facts: made(facts, value), planted if plant else None)


def spaces_of(facts: Facts, place: str) -> Sequence[str]:
    """The namespaces of a place on the path."""
    if place == "ends":
        return tuple(dict.fromkeys((facts.sender, facts.receiver)))
    if place == "sender":
        return (facts.sender,)
    if place == "receiver":
        return (facts.receiver,)
    if place == "everywhere":
        return facts.spaces
    return [space for space in facts.spaces if space not in (facts.sender, facts.receiver)]


def devices(
    name: str,
    made: Callable[[Facts, DeviceRef], Turn | None],
    planted: Callable[[Facts, DeviceRef], Turn | None] | None = None,
) -> Knob:
    """Something of each device of the path that `made` has a turn for."""

    def every(facts: Facts, choose: Callable[[Facts, DeviceRef], Turn | None]) -> Setting:
        turns = [turn for device in facts.devices if (turn := choose(facts, device)) is not None]
        return Setting(turns=tuple(turns)) if turns else NOTHING

    def plant(facts: Facts) -> Setting | None:
        setting = every(facts, planted) if planted else NOTHING
        return setting if setting.turns else None

    return Knob(name, lambda facts: every(facts, made), plant if planted else None)


def offload(key: str, value: str, *, where: Callable[[Facts, DeviceRef], bool] = lambda _facts, _device: True) -> Knob:
    """One offload of the path's devices that have it otherwise; planted in the first of them."""
    other = "off" if value == "on" else "on"

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        if device.offloads.get(key) is not (value != "on") or not where(facts, device):
            return None
        return Turn(device.namespace, "offload", f"{device.name} {key}", value)

    def planted(facts: Facts, device: DeviceRef) -> Turn | None:
        if device.offloads.get(key) is not (value == "on") or not where(facts, device):
            return None
        return Turn(device.namespace, "offload", f"{device.name} {key}", other)

    return devices(f"{key} {value}", made, planted)


def without_tables(what: str) -> Knob:
    """The nftables tables that have rules of a sort (`rules`, `drops`, `limits`), put to sleep; not those that
    translate addresses, without which the path would end.
    """

    def cure(facts: Facts) -> Setting:
        turns = [
            Turn(space, "table", table, "dormant")
            for space, table, has in facts.tables()
            if has.get(what) and not has.get("nat")
        ]
        return Setting(turns=tuple(turns)) if turns else NOTHING

    return Knob(f"tables with {what} dormant", cure)


def _set(facts: Facts, field: str, value: Value) -> Setting:
    """Nothing, where it has that value already."""
    return NOTHING if getattr(facts.parameters, field) == value else Setting({field: value})


def _or_none(setting: Setting) -> Setting | None:
    return None if setting == NOTHING else setting


def _typed(value: Value) -> str:
    if value is None:
        return "(default)"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
