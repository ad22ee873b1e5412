"""The command line of the server, as netserver has it, and what keeps its clients within bounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Literal, NoReturn

from pathgauge.errors import UserError
from pathgauge.peers.netperf import numbers
from pathgauge.peers.netperf.numbers import counted, sized
from pathgauge.peers.netperf.settings import Family
from pathgauge.peers.netperf.words import Option, Scan, flag, help_lines, ignored, one, table
from pathgauge.quantities import nearest, quoted

Network = IPv4Network | IPv6Network

MIB = 2**20
GREATEST_TESTS = 4096
GREATEST_NETWORKS = 1024
GREATEST_PASSPHRASE = 647  # bytes that fit into the message


@dataclass(slots=True)
class ServerSettings:
    """One command line of netserver. Sizes in bytes, times in seconds."""

    host: str = ""  # to listen on; "" is every address
    family: Family = 0
    port: int = 12865
    foreground: bool = False  # -D
    serial: bool = False  # -f: one client after the other
    debug: int = 0
    debug_log: bool = True  # -N: False
    verbosity: int = 1
    passphrase: str = ""
    allow: tuple[Network, ...] = ()  # where clients may come from; () is everywhere
    data_ports: tuple[int, int] | None = None  # lowest and highest; None is any that is free
    max_length: float = 7200.0
    max_buffer: int = 64 * MIB
    max_size: int = 16 * MIB  # of one message
    max_tests: int = 64  # at once
    show: Literal["", "help", "version"] = ""  # what to print instead of serving


def _listen(settings: ServerSettings, text: str) -> None:
    name, family = numbers.host(text)
    settings.host = settings.host if name is None else name
    settings.family = settings.family if family is None else family


def _raised(settings: ServerSettings, text: str) -> None:
    del text
    settings.debug += 1


def _allow(settings: ServerSettings, text: str) -> None:
    if len(settings.allow) == GREATEST_NETWORKS:
        raise UserError(f"more than {GREATEST_NETWORKS} networks are too many", hint="name wider ones")
    settings.allow = (*settings.allow, _network(text))


def _network(text: str) -> Network:
    hint = "type a network or an address: 192.0.2.0/24, 2001:db8::/32, 192.0.2.7"
    if "%" in text:  # a scope has no meaning in a network
        raise UserError(f"{quoted(text)} is no network", hint=hint)
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        inside = ip_interface(text)
    except ValueError:
        raise UserError(f"{quoted(text)} is no network", hint=hint) from None
    raise UserError(f"{quoted(text)} is an address inside a network", hint=f"type {inside.network} or {inside.ip}")


def _ports(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    ports = numbers.port(low), numbers.port(high if dash else low)
    if ports[0] > ports[1]:
        raise UserError(f"{quoted(text)} runs backwards", hint=f"type {high}-{low}")
    return ports


def _passphrase(text: str) -> str:
    if not 0 < len(text.encode(errors="surrogateescape")) <= GREATEST_PASSPHRASE:
        raise UserError("the passphrase is empty or too long", hint=f"type at most {GREATEST_PASSPHRASE} bytes")
    return text


def _seconds(text: str) -> float:
    return numbers.decimal(text, 0.1)


def _shown(what: str) -> Callable[[object, str], None]:
    return flag("show", value=what)


SERVER_OPTIONS: dict[str, Option[ServerSettings]] = table(
    Option("4", "", "listen on IPv4 alone [both]", flag("family", value=4)),
    Option("6", "", "listen on IPv6 alone [both]", flag("family", value=6)),
    Option("d", "", "say more of what happens; may be repeated", _raised),
    Option("D", "", "stay in the foreground [go into the background]", flag("foreground")),
    Option("f", "", "serve one client after the other [several at once]", flag("serial")),
    Option("h", "", "this text", _shown("help")),
    Option("L", "NAME[,FAMILY]", "listen on this address; family 4, 6, inet, inet6 or 0 [all]", _listen),
    Option("n", "CPUS", "taken and without effect: Linux tells the number of CPUs", ignored(counted(1))),
    Option("N", "", "write no log of a client's debugging [write one]", flag("debug_log", value=False)),
    Option("p", "PORT", "listen on this port [12865]", one("port", numbers.port)),
    Option("v", "LEVEL", "0 says less, 2 more [1]", one("verbosity", lambda text: min(sized()(text), 2))),
    Option("V", "", "the version", _shown("version")),
    Option("Z", "TEXT", "serve only who sends this passphrase; it travels as it is [everyone]",
           one("passphrase", _passphrase)),
    Option("allow", "NETWORK", "serve only clients of this network; may be repeated [everyone]", _allow),
    Option("data-ports", "LOW-HIGH", "take ports for data from this range [any]", one("data_ports", _ports)),
    Option("max-length", "SECS", "longest test [7200]", one("max_length", _seconds)),
    Option("max-buffer", "SIZE", "largest socket buffer [64M]", one("max_buffer", sized(1))),
    Option("max-size", "SIZE", "largest message [16M]", one("max_size", sized(1))),
    Option("max-tests", "N", "most tests at once [64]", one("max_tests", counted(1, GREATEST_TESTS))),
    Option("help", "", "this text", _shown("help")),
    Option("version", "", "the version", _shown("version")),
)  # fmt: skip


def parse(arguments: Sequence[str]) -> ServerSettings:
    """What a command line asks for, without the program's name. Raises UserError.

    Where `show` is set, no more was read.
    """
    settings = ServerSettings()
    scan = Scan(arguments, SERVER_OPTIONS, _refuse)
    for option, value in scan:
        option.apply(settings, value)
        if settings.show:
            return settings
    if left := (*scan.operands, *scan.rest):
        raise UserError(f"{quoted(left[0])} belongs to no option", hint="see --help")
    return settings


def _refuse(option: str) -> NoReturn:
    names = [known.shown for known in SERVER_OPTIONS.values() if len(known.name) > 1]
    hint = f"{nearest(option, names)}; see --help" if option.startswith("--") else "see --help"
    raise UserError(f"there is no option {quoted(option)}", hint=hint)


def help_text() -> str:
    """Usage, every option, examples."""
    return f"""usage: netserver [options]

Serves netperf, pathgauge's or its own, until it is told to end.

{help_lines(SERVER_OPTIONS.values())}

Sizes take letters: 64M is 67108864, 64m is 64000000.

examples:
  netserver -D -L 192.0.2.1
  netserver -D --allow 192.0.2.0/24 --allow 2001:db8::/32 --data-ports 20000-20099
  netserver -D -Z secret --max-length 60 --max-tests 4"""
