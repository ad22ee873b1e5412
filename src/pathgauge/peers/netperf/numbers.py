"""Values as netperf's command line writes them: sizes, pairs, times, hosts, types of service.

Everything is bounded: what does not fit raises a UserError that says what to type, nothing wraps around.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from pathgauge.errors import UserError
from pathgauge.peers.netperf.settings import Family
from pathgauge.quantities import DSCP_NAMES, quoted

T = TypeVar("T")

GREATEST = 2**31 - 1  # what the control protocol's words hold
GREATEST_PORT = 65535
GREATEST_SECONDS = float(GREATEST)
GREATEST_INTERVAL = 3600.0  # travels in us, in 32 bits
GREATEST_NAME = 255  # characters of a host
GREATEST_PERCENTILES = 20
PREFIX_BITS = 128

_FACTORS = {"K": 2**10, "M": 2**20, "G": 2**30, "k": 10**3, "m": 10**6, "g": 10**9}
_SIZE = re.compile(r"(-?[0-9]{1,20})([KMGkmg]*)(?:i?[Bb])?")  # netperf passes over the B of 128KB too
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DECIMAL = re.compile(r"-?(?:[0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})")
_INTERVAL = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)([mus]?)")
_INTERVALS_IN_SECOND = {"": 1e3, "m": 1e3, "u": 1e6, "s": 1.0}
_TOS = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,8}")
_TOS_NAMES = {"LOWDELAY": 0x10, "THROUGHPUT": 0x08, "RELIABILITY": 0x04}
_FAMILIES: dict[str, Family] = {"4": 4, "inet": 4, "6": 6, "inet6": 6, "0": 0, "unspec": 0}
_HIGHEST_TOS = 255


def _within(number: float, text: str, least: float, greatest: float, hint: str) -> None:
    if not least <= number <= greatest:
        raise UserError(f"{quoted(text)} is out of range", hint=hint)


def size(text: str, least: int = 0, greatest: int = GREATEST) -> int:
    """A whole number with suffixes: `128K` is 131072, `128k` 128000. Each letter multiplies once, as in netperf."""
    hint = f"type a whole number from {least} to {greatest}; 64K is 65536, 64k is 64000"
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UserError(f"{quoted(text)} is no size", hint=hint)
    number = int(match[1])
    for letter in set(match[2]):
        number *= _FACTORS[letter]
    _within(number, text, least, greatest, hint)
    return number


def sized(least: int = 0, greatest: int = GREATEST) -> Callable[[str], int]:
    """The converter of sizes within bounds."""
    return lambda text: size(text, least, greatest)


def whole(text: str, least: int = 0, greatest: int = GREATEST) -> int:
    """A whole number without suffix."""
    hint = f"type a whole number from {least} to {greatest}"
    if not _WHOLE.fullmatch(text):
        raise UserError(f"{quoted(text)} is no whole number", hint=hint)
    _within(int(text), text, least, greatest, hint)
    return int(text)


def counted(least: int = 0, greatest: int = GREATEST) -> Callable[[str], int]:
    """The converter of whole numbers within bounds."""
    return lambda text: whole(text, least, greatest)


def decimal(text: str, least: float = 0.0, greatest: float = GREATEST_SECONDS) -> float:
    """A number with or without a fraction."""
    hint = f"type a number from {least:.10g} to {greatest:.10g}"
    if not _DECIMAL.fullmatch(text):
        raise UserError(f"{quoted(text)} is no number", hint=hint)
    number = float(text)
    _within(number, text, least, greatest, hint)
    return number


def switch(text: str) -> bool:
    """`0` is off, any other whole number is on."""
    if not _WHOLE.fullmatch(text):
        raise UserError(f"{quoted(text)} is neither 0 nor 1", hint="type 0 for off, 1 for on")
    return int(text) != 0


def pair(text: str, convert: Callable[[str], T], *, both: bool) -> tuple[T | None, T | None]:
    """`x,y`, `x,` or `,y`; a lone `x` is for both or for the first only. What was not given is None."""
    first, comma, second = text.partition(",")
    if not (first or second) or "," in second:
        raise UserError(f"{quoted(text)} is no pair", hint="type one value, or two with a comma between: 1,2")
    left = convert(first) if first else None
    if not comma:
        return left, left if both else None
    return left, convert(second) if second else None


def length(text: str) -> tuple[float, int]:
    """What -l says, as (seconds, limit): `10`, `0.5`, or a limit in bytes or transactions: `-1M`. Either is 0."""
    hint = "type seconds (10, 0.5), -N for a limit of N bytes or transactions (-1M), or 0 to run until interrupted"
    if _SIZE.fullmatch(text):
        number = size(text, -GREATEST)
        return (float(number), 0) if number >= 0 else (0.0, -number)
    if not _DECIMAL.fullmatch(text):
        raise UserError(f"{quoted(text)} is no length of a test", hint=hint)
    seconds = float(text)
    _within(seconds, text, 0.0, GREATEST_SECONDS, hint)
    return seconds, 0


def interval(text: str) -> float:
    """An interval as -w writes it, in seconds: `10` and `10m` are 10 ms, `10u` 10 us, `1s` a second."""
    hint = "type a time such as 10m (ms, also without the letter), 500u (us) or 1s; at most an hour"
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise UserError(f"{quoted(text)} is no interval", hint=hint)
    seconds = float(match[1]) / _INTERVALS_IN_SECOND[match[2]]
    _within(seconds, text, 1e-6, GREATEST_INTERVAL, hint)
    return seconds


def percentiles(text: str) -> tuple[float, ...]:
    """`50,99.9`: percentiles from 0 to 100, in the order given, each once."""
    found = tuple(dict.fromkeys(decimal(word.strip(), 0.0, 100.0) for word in text.split(",")))
    if len(found) > GREATEST_PERCENTILES:
        raise UserError(f"{len(found)} percentiles are too many", hint=f"name at most {GREATEST_PERCENTILES}")
    return found


def port(text: str) -> int:
    """A port that can be connected to."""
    return whole(text, 1, GREATEST_PORT)


def family(text: str) -> Family:
    """A family of addresses by number or name."""
    try:
        return _FAMILIES[text.lower()]
    except KeyError:
        raise UserError(
            f"{quoted(text)} is no address family", hint="type 4, inet, 6, inet6, or 0 for either"
        ) from None


def _name(text: str) -> str:
    if len(text) > GREATEST_NAME or not text.isprintable() or " " in text:
        raise UserError(f"{quoted(text)} cannot be a host", hint="type a name or an address")
    return text


def host(text: str) -> tuple[str | None, Family | None]:
    """`host[,family]`, `host,` or `,family`; what was not given is None."""
    name, _, kind = text.partition(",")
    if not (name or kind):
        raise UserError(f"{quoted(text)} names no host", hint="type a name or an address, such as 192.0.2.1 or ::1,6")
    return _name(name) if name else None, family(kind) if kind else None


def masked_host(text: str) -> tuple[str | None, int | None, Family | None]:
    """`host[/prefix length][,family]` or `,family`; what was not given is None."""
    target, kind = host(text)
    if target is None:
        return None, None, kind
    name, slash, bits = target.partition("/")
    if not name:
        raise UserError(f"{quoted(text)} has a mask and no host", hint="type it as 192.0.2.1/24")
    return name, whole(bits, 0, PREFIX_BITS) if slash else None, kind


def tos(text: str) -> int:
    """A type of service or traffic class: a byte (`0x10`, 16, `020`), `EF`, `AF41`, `CS1`, `lowdelay`, ..."""
    hint = "type a number up to 0xff, EF, AF41, CS1, lowdelay, throughput or reliability"
    name = text.upper()
    if name in DSCP_NAMES:
        return DSCP_NAMES[name] << 2
    if name in _TOS_NAMES:
        return _TOS_NAMES[name]
    octal = len(text) > 1 and text[0] == "0" and text.isdigit()  # as in C
    if not _TOS.fullmatch(text) or (octal and set(text) & set("89")):
        raise UserError(f"{quoted(text)} is no type of service", hint=hint)
    number = int(text, 8 if octal else 0)
    _within(number, text, 0, _HIGHEST_TOS, hint)
    return number


def alignment(text: str) -> int:
    """A power of two."""
    number = size(text, 1, 2**30)
    if number & (number - 1):
        raise UserError(f"{quoted(text)} is no power of two", hint="type 8, 64, 4096 or the like")
    return number
