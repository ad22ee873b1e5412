"""What the namespaces and devices of a path are to it, and its counters and settings named by that.

`client`, `server` and `between`, `between2` for namespaces; where both ends are in one, that is `client`. Devices are
`path.<namespace>.<device>`; in comparisons `path.own`, `path.lower`, `path.lower2`, `path.wire`, `path.beyond`.
"""

from collections.abc import Mapping

from pathgauge.counters.configuration import Configuration
from pathgauge.counters.reading import Counters, merged, part
from pathgauge.paths.types import BuiltPath, DeviceRef


def spaces(path: BuiltPath) -> dict[str, str]:
    """The namespaces that the path runs through, by name, and their roles."""
    found = {path.client_namespace_name: "client"}
    if path.server_namespace is not None:
        found.setdefault(path.server_namespace_name, "server")
    for device in path.devices:
        if device.namespace not in found:
            number = sum(role.startswith("between") for role in found.values()) + 1
            found[device.namespace] = "between" if number == 1 else f"between{number}"
    return found


def devices(path: BuiltPath) -> dict[str, tuple[str, ...]]:
    """The path's devices by namespace."""
    return {
        space: tuple(dict.fromkeys(device.name for device in path.devices if device.namespace == space))
        for space in spaces(path)
    }


def addresses(path: BuiltPath) -> dict[str, tuple[str, ...]]:
    """By namespace, the addresses that the path's packets go to from there."""
    return {
        path.server_namespace_name: tuple(path.seen_addresses.values()),
        path.client_namespace_name: tuple(path.reached_addresses.values()),
    }


def name_of(device: DeviceRef) -> str:
    """How the names of a device's counters and settings begin."""
    return f"path.{part(device.namespace)}.{part(device.name)}"


def counters_of(path: BuiltPath, readings: Mapping[str, Counters]) -> Counters:
    """The readings of the path's namespaces as one: `client.tcpext.TCPTimeouts`, `path.host.h0.qdisc.drops`; of devices
    that are not the path's, `client.device.h1.rx_bytes`.
    """
    named: list[Counters] = []
    roles, own = spaces(path), devices(path)
    for space, reading in readings.items():
        named.append(_without(reading, [part(name) for name in own[space]]).under(roles[space]))
        named.extend(
            reading.within(f"device.{part(device)}").under(f"path.{part(space)}.{part(device)}")
            for device in own[space]
        )
    return merged(named)


def configuration_of(path: BuiltPath, readings: Mapping[str, Mapping[str, str]]) -> Configuration:
    """The settings of the path's namespaces and devices as one."""
    settings: dict[str, str] = {}
    roles, labels = spaces(path), _labels(path)
    families = {space: _families(path, space) for space in readings}
    for space, found in readings.items():
        for name, text in found.items():
            if name.startswith("device."):
                settings[f"path.{part(space)}.{name.removeprefix('device.')}"] = text
            elif name.startswith("route."):
                address, _, key = name.removeprefix("route.").partition("/")
                if address in families[space]:
                    label = labels.get(f"path.{part(space)}.{part(text)}", "other") if key == "device" else text
                    settings[f"{roles[space]}.route.{families[space][address]}.{key}"] = label.removeprefix("path.")
            else:
                settings[f"{roles[space]}.{name}"] = text
    return Configuration(settings, labels)


def of_device(name: str, settings: Mapping[str, str]) -> dict[str, str]:
    """What a namespace's settings say of one of its devices."""
    start = f"device.{part(name)}."
    return {key.removeprefix(start): text for key, text in settings.items() if key.startswith(start)}


def _labels(path: BuiltPath) -> dict[str, str]:
    """How the names of each device begin -> its role, numbered from its second bearer."""
    found: dict[str, str] = {}
    count: dict[str, int] = {}
    for device in path.devices:
        if name_of(device) not in found:
            number = count[device.role] = count.get(device.role, 0) + 1
            found[name_of(device)] = f"path.{device.role}" + ("" if number == 1 else str(number))
    return found


def _families(path: BuiltPath, space: str) -> dict[str, str]:
    """The addresses that packets go to from a namespace, and their families."""
    here = path.reached_addresses if space == path.client_namespace_name else path.seen_addresses
    return {address: family for family, address in here.items()}


def _without(reading: Counters, names: list[str]) -> Counters:
    """All but what is of these devices."""
    starts = tuple(f"device.{name}." for name in names)
    return Counters(
        *(
            {name: value for name, value in numbers.items() if not name.startswith(starts)}
            for numbers in (reading.rising, reading.narrow, reading.gauges)
        )
    )
