"""What ethtool says of a device of the namespace this thread is in: its statistics and settings."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyroute2.ethtool.ioctl import IoctlEthtool  # type: ignore[import-untyped]  # it has no types

_UNKNOWN_SPEED = (0, 0xFFFF, 0xFFFFFFFF)
_DUPLEX = {0: "half", 1: "full"}
_INNER = frozenset({"cmd", "stats_block_coalesce_usecs"})  # no settings of the device


def statistics(device: str) -> list[tuple[str, int]]:
    """The driver's own, as `ethtool -S` lists them; empty where it has none."""
    found = _asked(device, lambda ethtool: ethtool.get_statistics())
    return [(str(name), int(value)) for name, value in found or ()]


def settings(device: str) -> dict[str, str]:
    """`feature.tx-tcp-segmentation` (on or off, and whether it is [fixed]), `ring.rx`, `channel.rx_count`,
    `coalesce.rx_coalesce_usecs`, `speed` (Mbit/s), `duplex`: those that the driver tells.
    """
    features = _asked(device, lambda ethtool: _features(ethtool.get_features()))
    found: dict[str, str] = {f"feature.{name}": text for name, text in (features or {}).items()}
    asked: Mapping[str, Callable[[Any], Any]] = {
        "ring": lambda ethtool: ethtool.get_rings(),
        "channel": lambda ethtool: ethtool.get_channels(),
        "coalesce": lambda ethtool: ethtool.get_coalesce(),
    }
    for what, ask in asked.items():
        answer = _asked(device, ask)
        for name, value in answer.items() if answer is not None else ():
            if name not in _INNER and isinstance(value, int):
                found[f"{what}.{name}"] = str(value)
    link = _asked(device, lambda ethtool: ethtool.get_cmd())
    if link is not None:
        speed = link["speed"] | link["speed_hi"] << 16
        if speed not in _UNKNOWN_SPEED:
            found["speed"] = str(speed)
        if link["duplex"] in _DUPLEX:
            found["duplex"] = _DUPLEX[link["duplex"]]
    return found


def _features(listed: Any) -> dict[str, str]:
    names: Iterable[str] = [name for name in listed.keys() if name]  # noqa: SIM118 - it is no mapping
    return {
        name: ("on" if listed.is_active(name) else "off")
        + ("" if listed.is_available(name) and not listed.is_never_changed(name) else " [fixed]")
        for name in names
    }


def _asked(device: str, ask: Callable[[Any], Any]) -> Any:
    """What `ask` returns; None where the driver does not say."""
    ethtool: Any = IoctlEthtool(device)
    try:
        return ask(ethtool)
    except Exception:  # noqa: BLE001 - pyroute2 raises its own bare classes; what is not told is not known
        return None
    finally:
        ethtool.close()
