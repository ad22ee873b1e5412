"""nftables rules of one path at its client's end: so many that each packet walks, and tracking of its connections.

They are in the client's namespace, on packets that go out or come in by the path's own device.
"""

import json

from pathgauge.errors import MachineError
from pathgauge.paths import rules
from pathgauge.paths.namespaces import inside

_WALKED, _TRACKED = "pathgauge-walked", "pathgauge-tracked"


def walk(namespace: int, device: str, count: int) -> None:
    """Have each packet of a device walk so many rules, each of which only counts it. Raises MissingFeature or
    MachineError, also where the kernel does not have them afterwards.
    """
    text = _table(
        _WALKED,
        _chain("walk", "counter\n" * count),
        _chain("output", f'type filter hook output priority filter\noifname "{device}" jump walk\n'),
        _chain("input", f'type filter hook input priority filter\niifname "{device}" jump walk\n'),
    )

    def load() -> int:
        rules.load(text)
        listed = json.loads(rules.ruleset())["nftables"]
        return sum(each.get("rule", {}).get("chain") == "walk" for each in listed)

    found = inside(namespace, load)
    if found != count:
        raise MachineError(f"the kernel has {found} rules where {count} were loaded", hint="run it again")


def track(namespace: int, device: str, *, on: bool) -> None:
    """Have the connections of a device's packets tracked, or expressly not. Raises MissingFeature or MachineError."""
    if on:
        chains = [
            _chain(name, f'type filter hook {name} priority filter\n{side} "{device}" ct state new counter\n')
            for name, side in (("output", "oifname"), ("input", "iifname"))
        ]
    else:
        chains = [
            _chain(name, f'type filter hook {name} priority raw\n{side} "{device}" counter notrack\n')
            for name, side in (("output", "oifname"), ("prerouting", "iifname"))
        ]
    text = _table(_TRACKED, *chains)
    inside(namespace, lambda: rules.load(text))


def _table(name: str, *chains: str) -> str:
    """A table, instead of one of that name that is there."""
    return f"table inet {name} {{ }}\ndelete table inet {name}\ntable inet {name} {{\n{''.join(chains)}}}\n"


def _chain(name: str, lines: str) -> str:
    return f"chain {name} {{\n{lines}}}\n"
