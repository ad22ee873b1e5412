"""Quantities as people type and read them: tc's rates, netperf's sizes, percents, times, on and off.

Parsers take text and return SI numbers, or raise UserError that says what to type; formatters never leave the unit out.
"""

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches

from pathgauge.errors import UserError

_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z%]*)")

_RATE_UNITS = {
    prefix + suffix: factor * bits
    for prefix, factor in (
        ("", 1),
        ("k", 10**3),
        ("m", 10**6),
        ("g", 10**9),
        ("t", 10**12),
        ("ki", 2**10),
        ("mi", 2**20),
        ("gi", 2**30),
        ("ti", 2**40),
    )
    for suffix, bits in (("bit", 1), ("bps", 8))
} | {"": 1}
_SIZE_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
_TIME_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "secs": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6}
_BOOLEANS = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}

_LONGEST_QUOTE = 60
_LONGEST_FILE = 4096
_COUNTS = {"k": 10**3, "m": 10**6, "g": 10**9}
LEAST_LOAD, GREATEST_LOAD = 0.1, 1e12
LEAST_RATE = 8_000  # what a wire can be shaped to: see paths/shaping.py
GREATEST_RATE = 34 * 10**9
GREATEST_SIZE = 2**30
GREATEST_TIME = 86_400.0
LEAST_CONFIDENCE = 0.5
LEAST_QUOTA, GREATEST_QUOTA = 0.01, 1000  # CPUs; the kernel grants no less than 1 ms in 100
LEAST_SHARE = 1e-6

KILO = 1000
UNKNOWN = "unknown"


def quoted(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Outside text made fit for a message: quoted, short, without control characters."""
    return ascii(text if len(text) <= longest else text[:longest] + "...")


def quoted_file(path: str) -> str:
    """A file's name made fit for a message, whole as long as the kernel would take it."""
    return quoted(path, _LONGEST_FILE)


def clean(text: str) -> str:
    """Text that came from anywhere, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def nearest(text: str, names: Iterable[str]) -> str:
    """The hint `did you mean X?`, or the list of all names where none is near."""
    known = list(names)
    folded = {name.lower(): name for name in known}
    near = get_close_matches(text.lower(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[near[0]]}?" if near else f"one of: {', '.join(known)}"


def _number(text: str, what: str, hint: str) -> tuple[float, str]:
    """A finite number that is not negative, and the unit behind it."""
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST_QUOTE else None
    if match is None:
        raise UserError(f"{quoted(text)} is no {what}", hint=hint)
    number = float(match[1])
    if number < 0 or match[1].startswith("-"):
        raise UserError(f"{quoted(text)} is negative, and a {what} cannot be", hint=hint)
    return number, match[2]


def _scale(text: str, unit: str, units: dict[str, int], what: str, hint: str) -> int:
    if unit not in units:
        raise UserError(f"{quoted(text)} is no {what}: unknown unit {quoted(unit)}", hint=hint)
    return units[unit]


def parse_rate(text: str) -> int:
    """A rate as tc writes it, in bit/s: `1gbit`, `1gibit`, `10Mbps` (bytes a second, as in tc), bare is bit/s."""
    hint = "type a rate as tc does: 100mbit, 1gbit, 2.5gbit, or 125Mbps for bytes a second"
    number, unit = _number(text, "rate", hint)
    rate = number * _scale(text, unit.lower(), _RATE_UNITS, "rate", hint)
    if not LEAST_RATE <= rate <= GREATEST_RATE:
        raise UserError(f"rate {quoted(text)} is out of range: it must be from 8kbit to 34gbit", hint=hint)
    return round(rate)


def parse_load(text: str) -> float:
    """So many in a second, of bits or transactions as the test counts: `10k`, `500`, `100mbit`."""
    hint = "type transactions a second, as 10k, or for a stream a rate, as 100mbit"
    number, unit = _number(text, "rate", hint)
    load = number * _scale(text, unit.lower(), _RATE_UNITS | _COUNTS, "rate", hint)
    if not LEAST_LOAD <= load <= GREATEST_LOAD:
        raise UserError(f"rate {quoted(text)} is out of range: it must be from 0.1 to 1000G", hint=hint)
    return load


def parse_size(text: str) -> int:
    """A size in bytes as netperf writes it: `128K` is 131072, `128k` is 128000; from 1 byte to 1 GiB."""
    hint = "type bytes, or 64K (65536), 64k (64000), 1M"
    number, unit = _number(text, "size", hint)
    size = number * _scale(text, unit, _SIZE_UNITS, "size", hint)
    if not 1 <= size <= GREATEST_SIZE:
        raise UserError(f"size {quoted(text)} is out of range: it must be from 1 byte to 1G", hint=hint)
    if size != round(size):
        raise UserError(f"size {quoted(text)} is not a whole number of bytes", hint=hint)
    return round(size)


def parse_percent(text: str) -> float:
    """A percentage, with or without the sign, as a fraction: `2%` and `2` are 0.02."""
    hint = "type a percentage such as 2% or 0.5%"
    number, unit = _number(text, "percentage", hint)
    if unit not in ("", "%"):
        raise UserError(f"{quoted(text)} is no percentage: unknown unit {quoted(unit)}", hint=hint)
    return number / 100


def parse_margin(text: str) -> float:
    """A margin as a fraction: more than 0 %, less than 100 %."""
    fraction = parse_percent(text)
    if not 0 < fraction < 1:
        raise UserError(
            f"margin {quoted(text)} is out of range: it must be more than 0 % and less than 100 %",
            hint="type the smallest difference that matters to you, such as 2%",
        )
    return fraction


def parse_share(text: str, what: str) -> float:
    """A percentage as a fraction, from 0.0001 % to less than 100 %; `what` names it in the message."""
    fraction = parse_percent(text)
    if not LEAST_SHARE <= fraction < 1:
        raise UserError(
            f"{what} {quoted(text)} is out of range: it must be from 0.0001 % and less than 100 %",
            hint="type a percentage such as 1% or 0.1%",
        )
    return fraction


def parse_quota(text: str) -> float:
    """A CPU quota in CPUs: `0.5` and `50%` are half of one; from 0.01."""
    hint = "type the time of how many CPUs it may take, such as 0.5 or 50%"
    number, unit = _number(text, "quota", hint)
    if unit not in ("", "%"):
        raise UserError(f"{quoted(text)} is no quota: unknown unit {quoted(unit)}", hint=hint)
    cpus = number / 100 if unit else number
    if not LEAST_QUOTA <= cpus <= GREATEST_QUOTA:
        raise UserError(f"quota {quoted(text)} is out of range: {LEAST_QUOTA} to {GREATEST_QUOTA}", hint=hint)
    return cpus


def parse_confidence(text: str) -> float:
    """A confidence as a fraction: `95`, `95%` and `0.95` are 0.95; at least 50 %, below 100 %."""
    hint = "type 95, 95% or 0.95; the least is 50 %, and 100 % is never reached"
    number, unit = _number(text, "confidence", hint)
    if unit not in ("", "%"):
        raise UserError(f"{quoted(text)} is no confidence: unknown unit {quoted(unit)}", hint=hint)
    fraction = number if number < 1 and not unit else number / 100
    if not LEAST_CONFIDENCE <= fraction < 1:
        raise UserError(f"confidence {quoted(text)} is out of range", hint=hint)
    return fraction


def parse_time(text: str, *, zero: bool = False, longest: float = GREATEST_TIME) -> float:
    """A time in seconds: `8`, `8s`, `200ms`, `50us`; more than nothing unless `zero`, at most `longest`."""
    hint = "type a time such as 8s, 200ms or 50us"
    number, unit = _number(text, "time", hint)
    if unit not in _TIME_UNITS:
        raise UserError(f"{quoted(text)} is no time: unknown unit {quoted(unit)}", hint=hint)
    seconds = number * _TIME_UNITS[unit]
    if seconds > longest or (seconds == 0 and not zero):
        least = "from 0" if zero else "more than 0"
        raise UserError(f"time {quoted(text)} is out of range: it must be {least} and at most {longest:g}s", hint=hint)
    return seconds


def parse_switch(text: str) -> bool:
    """`on` or `off` (also yes, no, true, false, 1, 0)."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise UserError(f"{quoted(text)} is neither on nor off", hint="type on or off") from None


def parse_whole(text: str, least: int, greatest: int, what: str) -> int:
    """A whole number within bounds; `what` names it in the message."""
    hint = f"type a whole number from {least} to {greatest}"
    stripped = text.strip()
    if not re.fullmatch(r"[0-9]{1,20}", stripped):
        raise UserError(f"{quoted(text)} is no {what}", hint=hint)
    if not least <= int(stripped) <= greatest:
        raise UserError(f"{what} {quoted(text)} is out of range", hint=hint)
    return int(stripped)


def parse_sides(text: str, greatest: int) -> str:
    """CPUs as `parse_cpus` has them, for both sides alike or as `CLIENT/SERVER`, as they are typed."""
    sides = text.split("/")
    if len(sides) > 2:  # noqa: PLR2004 - a wire has two
        raise UserError(f"{quoted(text)} names more than two sides", hint="type CLIENT/SERVER, as in 0/1")
    return "/".join(parse_cpus(side, greatest) for side in sides)


def parse_cpus(text: str, greatest: int) -> str:
    """`off`, a CPU, or several as `0-3`, `0+2` or `0+2-3`, as they are typed."""
    hint = f"type off, a CPU such as 1, or several: 0-3, 0+2; the greatest is {greatest}"
    stripped = text.strip().lower()
    if stripped == "off":
        return stripped
    for item in stripped.split("+"):
        if not re.fullmatch(r"[0-9]{1,6}(-[0-9]{1,6})?", item):
            raise UserError(f"{quoted(text)} names no CPUs", hint=hint)
        first, _, last = item.partition("-")
        if not int(first) <= int(last or first) <= greatest:
            raise UserError(f"{quoted(text)} is out of range", hint=hint)
    return stripped


DSCP_NAMES = (
    {"BE": 0, "DF": 0, "LE": 1, "VA": 44, "EF": 46}
    | {f"CS{number}": 8 * number for number in range(8)}
    | {f"AF{group}{drop}": 8 * group + 2 * drop for group in range(1, 5) for drop in range(1, 4)}
)


def parse_dscp(text: str) -> int:
    """A DSCP by name (`EF`, `AF41`, `CS1`) or as a number from 0 to 63."""
    stripped = text.strip()
    if stripped.upper() in DSCP_NAMES:
        return DSCP_NAMES[stripped.upper()]
    if not stripped.isdigit():
        raise UserError(
            f"{quoted(text)} is no DSCP; {nearest(stripped, DSCP_NAMES)}", hint="type EF, AF41, CS1, or 0 to 63"
        )
    return parse_whole(text, 0, 63, "DSCP")


def parse_congestion(text: str) -> str:
    """The name of a congestion control, as the kernel would take it (at most 15 characters)."""
    stripped = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,15}", stripped):
        raise UserError(
            f"{quoted(text)} cannot be the name of a congestion control",
            hint="see /proc/sys/net/ipv4/tcp_available_congestion_control for those of this machine",
        )
    return stripped


def significant(value: float, digits: int = 3) -> str:
    """The number with so many significant digits, never in exponent form: 9.41, 0.0234, 12300."""
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded == 0 or not math.isfinite(rounded):
        return "0" if rounded == 0 else str(rounded)
    exponent = int(f"{rounded:e}".partition("e")[2])
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def _prefixed(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    """The value in the largest unit in which it is at least 1 once rounded, the smallest unit at worst."""
    for factor, unit in steps:
        if abs(float(f"{value / factor:.2e}")) >= 1:
            return f"{significant(value / factor)} {unit}"
    factor, unit = steps[-1]
    return f"{significant(value / factor)} {unit}"


def format_rate(bits_per_second: float) -> str:
    """`9.41 Gbit/s`."""
    return _prefixed(
        bits_per_second, ((1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1, "bit/s"))
    )


def format_time(seconds: float) -> str:
    """`23.4 us`, `1.50 s`."""
    if seconds == 0:
        return "0 s"
    return _prefixed(seconds, ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")))


def format_count(count: float) -> str:
    """A whole number with its thousands apart: `43,210`."""
    return f"{count:,.0f}"


def format_value(value: float | None, unit: str) -> str:
    """A metric's value in its document unit, for people; None is `unknown`, never 0."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if unit == "bit/s":
        return format_rate(value)
    if unit == "s":
        return format_time(value)
    if unit == "1":
        return f"{significant(100 * value)} %"
    if unit == "1/s":
        return f"{significant(value) if value < KILO else format_count(value)} /s"
    if unit == "segments/s" and value >= KILO:
        return f"{format_count(value)} {unit}"
    return f"{significant(value)} {unit}"
