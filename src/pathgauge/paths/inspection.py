"""Reading a namespace's counters and settings: what the keeper does on the order Examine, in a thread inside each.

The controller enters no namespace, and a netlink socket belongs to the one it was made in. So the keeper reads: the
protocols' files, netlink, ethtool and nft. The machine's own counters the controller reads itself.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pathgauge.counters.devices import ethtool_counters
from pathgauge.counters.neighbours import parse_arp, parse_packet
from pathgauge.counters.nft import parse_ruleset, ruleset_settings
from pathgauge.counters.queues import queue_settings
from pathgauge.counters.reading import Counters, merged, part
from pathgauge.counters.snmp import parse_pairs, parse_snmp6, parse_sockstat
from pathgauge.counters.stat_table import parse_stat_table
from pathgauge.counters.sysctl import device_sysctls, namespace_sysctls
from pathgauge.counters.text import read_line, read_whole
from pathgauge.errors import MachineError
from pathgauge.paths import ethtool, link_reading, messages, rules
from pathgauge.paths.namespaces import inside, show_own_devices

_NET = "/proc/thread-self/net"
_FILES: Mapping[str, Callable[[bytes], Counters]] = {
    "snmp": parse_pairs,
    "netstat": parse_pairs,
    "snmp6": parse_snmp6,
    "sockstat": parse_sockstat,
    "sockstat6": parse_sockstat,
    "arp": parse_arp,
    "packet": parse_packet,
    "stat/nf_conntrack": lambda text: parse_stat_table(text).under("conntrack"),
}
_SECONDS = 8.0  # of the ten that the controller waits
_RULES_SECONDS = 3.0


def answer(channel: socket.socket, order: messages.Examine, namespaces: Mapping[str, int]) -> None:
    """Read what is asked for and send it, in a file in memory: it may be longer than a message can be."""
    deadline = time.monotonic() + _SECONDS
    found: dict[str, messages.Reading] = {}
    for space, devices in order.devices.items():
        if space not in namespaces or time.monotonic() > deadline:
            continue  # what is not read is unknown
        if order.queues:
            queues = inside(namespaces[space], lambda: _queues(devices))  # noqa: B023 - it ends before the next turn
            found[space] = messages.Reading(settings=queues)
        elif order.settings:
            settings = inside(
                namespaces[space],
                lambda: _settings(devices, order.addresses.get(space, ()), deadline),  # noqa: B023 - it ends before the next turn
            )
            found[space] = messages.Reading(settings=settings)
        else:
            counters = inside(namespaces[space], lambda: _counters(devices, deadline))  # noqa: B023 - the same
            found[space] = messages.Reading(
                rising=dict(counters.rising), narrow=dict(counters.narrow), gauges=dict(counters.gauges)
            )
    memory = os.memfd_create("pathgauge")
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(messages.encode_readings(found))
        messages.send(channel, messages.Examined(), (memory,))
    finally:
        os.close(memory)


def _counters(devices: Sequence[str], deadline: float) -> Counters:
    """Of the namespace this thread is in."""
    names = link_reading.device_names()
    wanted = names if len(names) <= link_reading.MOST_DEVICES else devices
    parts = [parse(read_whole(f"{_NET}/{file}")) for file, parse in _FILES.items()]
    parts.append(link_reading.read_devices(wanted))
    parts.extend(ethtool_counters(ethtool.statistics(name)).under(f"device.{part(name)}") for name in wanted)
    parts.append(parse_ruleset(_rules(deadline)))
    return merged(parts)


def _settings(devices: Sequence[str], addresses: Sequence[str], deadline: float) -> dict[str, str]:
    """Of the namespace this thread is in: its own, `device.<name>.` of these devices, `route.<address>/`."""
    found = namespace_sysctls() | ruleset_settings(_rules(deadline))
    for file in ("ip_tables_names", "ip6_tables_names"):
        legacy = read_line(f"{_NET}/{file}")
        if legacy:
            found[f"iptables_legacy.{file}"] = legacy
    for address in addresses:
        found |= {f"route.{address}/{name}": text for name, text in link_reading.route_settings(address).items()}
    for device in devices:
        settings = link_reading.device_settings(device) | ethtool.settings(device) | device_sysctls(device)
        found |= {f"device.{part(device)}.{name}": text for name, text in settings.items()}
    return found | _queues(devices)


def _queues(devices: Sequence[str]) -> dict[str, str]:
    """What /sys says of the queues of these devices of the namespace this thread is in, as `_settings` has it."""
    with suppress(OSError):  # where nothing can be mounted, the queues' settings are unknown
        show_own_devices()
    if not set(os.listdir("/sys/class/net")) <= set(link_reading.device_names()):
        return {}
    return {
        f"device.{part(device)}.{name}": text for device in devices for name, text in queue_settings(device).items()
    }


def _rules(deadline: float) -> bytes:
    """As nft tells them; b"" where it does not."""
    if not link_reading.has_rules():
        return b'{"nftables": []}'
    with suppress(MachineError):
        return rules.ruleset(max(0.1, min(_RULES_SECONDS, deadline - time.monotonic())))
    return b""
