"""The protocols' counters of one namespace: /proc/net/snmp, snmp6, netstat, sockstat and sockstat6.

Names are the protocol in small letters and the kernel's name: `tcp.RetransSegs`, `udp.RcvbufErrors`,
`tcpext.TCPTimeouts`, `ip6.InReceives`, `sockstat.TCP.inuse`. nstat joins the two (TcpRetransSegs).
"""

import re

from pathgauge.counters.reading import Counters
from pathgauge.counters.text import name, number, signed, whole_lines

# What /proc/net/snmp and netstat hold beside counters: settings and levels.
_LEVELS = frozenset(
    {
        "ip.Forwarding",
        "ip.DefaultTTL",
        "tcp.RtoAlgorithm",
        "tcp.RtoMin",
        "tcp.RtoMax",
        "tcp.MaxConn",
        "tcp.CurrEstab",
        "mptcpext.MPCurrEstab",
    }
)
_SIX = re.compile(r"(Ip6|Icmp6|UdpLite6|Udp6)([A-Za-z0-9]+)")


def parse_pairs(text: bytes) -> Counters:
    """/proc/net/snmp or netstat: a line of names, and one of numbers, for each protocol. Raises nothing."""
    rising: dict[str, int] = {}
    gauges: dict[str, int] = {}
    lines = whole_lines(text)
    for heads, values in zip(lines[0::2], lines[1::2], strict=False):
        names, numbers = heads.split(), values.split()
        if len(names) != len(numbers) or not names or names[0] != numbers[0]:
            continue
        protocol = name(names[0].removesuffix(b":"))
        if protocol is None:
            continue
        for word, digits in zip(names[1:], numbers[1:], strict=True):
            key, value = name(word), signed(digits)
            if key is None or value is None:
                continue
            full = f"{protocol.lower()}.{key}"
            (gauges if full in _LEVELS or value < 0 else rising)[full] = value
    return Counters(rising, {}, gauges)


def parse_snmp6(text: bytes) -> Counters:
    """/proc/net/snmp6: a name and a number a line. Raises nothing."""
    rising: dict[str, int] = {}
    for line in whole_lines(text):
        words = line.split()
        if len(words) != 2:  # noqa: PLR2004 - a name and a number
            continue
        found, value = _SIX.fullmatch(words[0].decode("ascii", "replace")), number(words[1])
        if found is not None and value is not None and name(words[0]) is not None:
            rising[f"{found[1].lower()}.{found[2]}"] = value
    return Counters(rising)


def parse_sockstat(text: bytes) -> Counters:
    """/proc/net/sockstat or sockstat6: sockets and their memory (pages), all of them levels. Raises nothing."""
    gauges: dict[str, int] = {}
    for line in whole_lines(text):
        head, *words = line.split() or [b""]
        protocol = name(head.removesuffix(b":"))
        if protocol is None:
            continue
        for word, digits in zip(words[0::2], words[1::2], strict=False):
            key, value = name(word), signed(digits)
            if key is not None and value is not None:
                gauges[f"sockstat.{protocol}.{key}"] = value
    return Counters({}, {}, gauges)
