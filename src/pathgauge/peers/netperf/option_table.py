"""netperf's options: one table of the global ones, one of the tests' own, and what each argument becomes."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from pathgauge.errors import UserError
from pathgauge.peers.netperf import numbers
from pathgauge.peers.netperf.numbers import counted, pair, sized
from pathgauge.peers.netperf.settings import RECEIVE, SEND, TESTS, Output, Settings
from pathgauge.peers.netperf.units import UNITS
from pathgauge.peers.netperf.words import (
    Option,
    digit_first,
    flag,
    ignored,
    no_option,
    one,
    put,
    refused,
    table,
)
from pathgauge.quantities import parse_congestion, quoted

T = TypeVar("T")
Store = Callable[[Settings, str], None]

LEAST_ITERATIONS, MOST_ITERATIONS = 3, 30
LEVELS = (95, 99)
GREATEST_CPU = 8191
GREATEST_RING = 2**20  # buffers
GREATEST_TEXT = 255  # characters of a brand or a UUID
GREATEST_PASSPHRASE = 647  # bytes that fit into the message
GREATEST_WAIT = 3600.0

# The letters that the tests of the older protocol know.
CLASSIC_LETTERS = frozenset("46bCDhHLmMnNpPrRsSTVwWz")

_DIRECTIONS = {
    "xmit": SEND, "send": SEND, "stream": SEND, "transmit": SEND, "2": SEND, "0x2": SEND,
    "recv": RECEIVE, "receive": RECEIVE, "maerts": RECEIVE, "4": RECEIVE, "0x4": RECEIVE,
    "rr": SEND | RECEIVE, "6": SEND | RECEIVE, "0x6": SEND | RECEIVE, "0": 0,
}  # fmt: skip
_SOCKET_TYPES: dict[str, Literal["tcp", "udp"]] = {"stream": "tcp", "dgram": "udp"}
_TRANSPORTS: dict[str, Literal["tcp", "udp"]] = {"tcp": "tcp", "udp": "udp"}


# What an argument becomes ---------------------------------------------------------------------------------------------


def _both(first: str, second: str, convert: Callable[[str], object]) -> Callable[[object, str], None]:
    """Stores a pair; a lone value goes to both."""
    return _pair(first, second, convert, both=True)


def _first(first: str, second: str, convert: Callable[[str], object]) -> Callable[[object, str], None]:
    """Stores a pair; a lone value goes to the first."""
    return _pair(first, second, convert, both=False)


def _pair(first: str, second: str, convert: Callable[[str], object], *, both: bool) -> Callable[[object, str], None]:
    def store(target: object, text: str) -> None:
        for path, value in zip((first, second), pair(text, convert, both=both), strict=True):
            if value is not None:
                put(target, path, value)

    return store


def _text(most: int) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if len(text.encode(errors="surrogateescape")) > most or "\0" in text:
            raise UserError(f"{quoted(text)} is too long", hint=f"type at most {most} bytes")
        return text

    return convert


def _chosen(names: Mapping[str, T], what: str) -> Callable[[str], T]:
    """The converter of words that mean something."""

    def convert(text: str) -> T:
        if text.lower() not in names:
            raise UserError(f"{quoted(text)} is no {what} that pathgauge has", hint=f"type {' or '.join(names)}")
        return names[text.lower()]

    return convert


def _unit(text: str) -> str:
    if text not in UNITS:
        raise UserError(f"{quoted(text)} is no unit", hint=f"type one of {' '.join(UNITS)}")
    return text


def _rate(text: str) -> float:
    return numbers.decimal(text) if text else 0.0


def _local_cpu(settings: Settings, text: str) -> None:
    settings.local_cpu_wanted, settings.local_cpu_rate = True, _rate(text)


def _remote_cpu(settings: Settings, text: str) -> None:
    settings.remote_cpu_wanted, settings.remote_cpu_rate = True, _rate(text)


def _host(settings: Settings, text: str) -> None:
    name, family = numbers.host(text)
    settings.host = settings.host if name is None else name
    settings.host_family = settings.host_family if family is None else family


def _control_local(settings: Settings, text: str) -> None:
    name, family = numbers.host(text)
    settings.control_local = settings.control_local if name is None else name
    settings.control_local_family = settings.control_local_family if family is None else family


def _data_host(end: Literal["local", "remote"]) -> Store:
    def store(settings: Settings, text: str) -> None:
        name, mask, family = numbers.masked_host(text)
        options = settings.local if end == "local" else settings.remote
        if name is not None:
            options.address, options.mask = name, -1 if mask is None else mask
        options.family = options.family if family is None else family

    return store


def _iterations(settings: Settings, text: str) -> None:
    def clamped(word: str) -> int:
        return min(max(numbers.size(word), LEAST_ITERATIONS), MOST_ITERATIONS)

    most, least = pair(text, clamped, both=True)
    settings.iterations_min = least or settings.iterations_min
    settings.iterations_max = max(most or settings.iterations_max, settings.iterations_min)
    settings.confidence_given = True


def _level(settings: Settings, text: str) -> None:
    level, width = pair(text, numbers.decimal, both=False)
    if level is not None and level not in LEVELS:
        raise UserError(
            f"a confidence of {level:g} % is not to be had", hint="type 95 or 99, and a width in percent: -I 95,5"
        )
    if width is not None and not 0 < width <= 100:  # noqa: PLR2004 - percent
        raise UserError(f"a width of {width:g} % is out of range", hint="type the whole width in percent: -I 99,5")
    settings.confidence = settings.confidence if level is None else int(level)
    settings.width = settings.width if width is None else width / 100
    settings.confidence_given = True


def _interim(settings: Settings, text: str) -> None:
    seconds, units = text.partition(",")[::2]
    if units:
        numbers.size(units)  # netperf's first guess of units in a second; we read the clock instead
    settings.interim = numbers.decimal(seconds, -numbers.GREATEST_SECONDS) if seconds else 1.0
    if settings.interim == 0:
        raise UserError("an interval of nothing is no interval", hint="-D 1")


def _fill(settings: Settings, text: str) -> None:
    local, _, remote = text.partition(",")
    if remote:
        raise UserError(
            "pathgauge does not let a client name files of the server", hint=f"-F {local}" if local else "leave -F out"
        )
    settings.local.fill_file = local


def _length(settings: Settings, text: str) -> None:
    settings.length, settings.limit = numbers.length(text)


def _test(settings: Settings, text: str) -> None:
    settings.test = text.upper()  # looked at when all is read: the last one counts


def _direction(settings: Settings, text: str) -> None:
    settings.direction_given, settings.direction = True, 0
    for word in text.split("|"):
        settings.direction |= _chosen(_DIRECTIONS, "direction")(word.strip())


def _output(output: Output) -> Store:
    def store(settings: Settings, text: str) -> None:
        if settings.output == "json":
            raise UserError("--json is asked for too, and one output can be had", hint="leave one of the two out")
        settings.output, settings.selection = output, text

    return store


def _raised(settings: Settings, text: str) -> None:
    del text
    settings.debug += 1


# The two tables -------------------------------------------------------------------------------------------------------

_NAME = _text(GREATEST_TEXT)
_RING = sized(0, GREATEST_RING)
_CPU = counted(-1, GREATEST_CPU)
_DIRTY = "Debian's netperf has no dirty buffers, and pathgauge has none either"

GLOBAL_OPTIONS: dict[str, Option[Settings]] = table(
    Option("4", "", "IPv4 for the control connection, and for the data's [either]",
           flag("host_family", "control_local_family", value=4)),
    Option("6", "", "IPv6 likewise [either]", flag("host_family", "control_local_family", value=6)),
    Option("a", "SEND,RECV", "alignment of the local buffers in bytes, a power of two [8]",
           _both("local.send_align", "local.receive_align", numbers.alignment)),
    Option("A", "SEND,RECV", "alignment of the remote buffers [8]",
           _both("remote.send_align", "remote.receive_align", numbers.alignment)),
    Option("b", "LOCAL,REMOTE*", "operations in each interval of -w [no pacing]",
           _first("local.burst", "remote.burst", sized())),
    Option("B", "TEXT", "what to append to the result row where -P is 0 [nothing]", one("brand", _NAME)),
    Option("c", "[RATE]", "measure the local CPU [no]", _local_cpu, digit_first),
    Option("C", "[RATE]", "measure the remote CPU [no]", _remote_cpu, digit_first),
    Option("d", "", "say more of what happens; may be repeated", _raised),
    Option("D", "SECS[,UNITS]", "print interim results every so many seconds, a minus sign being passed over [none]",
           _interim),
    Option("f", "UNIT", "unit of the result: G M K B bytes (2^30, 2^20, 2^10, 1), g m k b bits (10^9, ...) a second, "
           "x transactions a second, u us a transaction [m; x where transactions are counted]", one("units", _unit)),
    Option("F", "FILE", "fill what is sent from a local file [the word netperf]", _fill),
    Option("h", "", "this text", flag("show", value="help")),
    Option("H", "HOST[,FAMILY]*", "the machine where netserver runs; family 4, 6, inet, inet6 or 0 [localhost]", _host),
    Option("i", "MAX,MIN", "iterations until the confidence of -I is reached, each from 3 to 30 [1]", _iterations),
    Option("I", "LEVEL[,WIDTH]*", "confidence, 95 or 99, and the whole width of its interval in percent [99,5 with "
           "-i; 3 to 10 iterations without]", _level),
    Option("j", "", "keep latencies [only where an output wants them]", flag("latency")),
    Option("k", "DIRTY,CLEAN", "not to be had: dirty buffers", refused(_DIRTY, "leave -k out")),
    Option("K", "DIRTY,CLEAN", "not to be had: dirty buffers", refused(_DIRTY, "leave -K out")),
    Option("l", "LENGTH", "seconds of the test, with or without a fraction; -N for N bytes or transactions; 0 until "
           "interrupted [10]", _length),
    Option("L", "HOST[,FAMILY]*", "where the control connection comes from, and the data [any]", _control_local),
    Option("n", "CPUS", "taken and without effect: Linux tells the number of CPUs", ignored(counted(1))),
    Option("N", "", "no control connection: the data goes to a port that discards or echoes [no]",
           flag("control", value=False)),
    Option("o", "SEND,RECV", "offset of the local buffers behind their alignment, in bytes [0]",
           _both("local.send_offset", "local.receive_offset", sized())),
    Option("O", "SEND,RECV", "offset of the remote buffers [0]",
           _both("remote.send_offset", "remote.receive_offset", sized())),
    Option("p", "PORT[,LOCAL]*", "netserver's port, and the local one of the control connection [12865,any]",
           _first("port", "local_port", numbers.port)),
    Option("P", "0|1", "banner and headings [1]", one("banner", numbers.switch)),
    Option("r", "", "confidence is about the result alone, not about CPU [no]", flag("result_only")),
    Option("s", "SECS", "wait so long between setting up and sending [0]",
           one("wait", lambda text: numbers.decimal(text, 0.0, GREATEST_WAIT))),
    Option("S", "", "SO_KEEPALIVE on the data's sockets [no]", flag("keepalive")),
    Option("t", "TEST", f"one of {', '.join(TESTS)} [TCP_STREAM]", _test),
    Option("T", "LOCAL,REMOTE", "CPUs to run on, -1 is any [any]", _both("local.cpu", "remote.cpu", _CPU)),
    Option("v", "LEVEL", "0 one number, 1 the result, 2 more [1]",
           one("verbosity", lambda text: min(sized()(text), 2))),
    Option("V", "", "the version", flag("show", value="version")),
    Option("w", "LOCAL,REMOTE*", "length of the intervals of -b: 10m (ms, as without a letter), 10u, 1s [1m]",
           _first("local.interval", "remote.interval", numbers.interval)),
    Option("W", "SEND,RECV", "local buffers used in turn [as many as fill the socket buffer, and one]",
           _both("local.send_width", "local.receive_width", _RING)),
    Option("y", "LOCAL,REMOTE", "SO_PRIORITY, -1 is the system's [-1]",
           _both("local.priority", "remote.priority", counted(-1))),
    Option("Y", "LOCAL,REMOTE", "type of service: a number (0x10), EF, AF41, CS1, lowdelay, throughput, reliability "
           "[the system's]", _both("local.tos", "remote.tos", numbers.tos)),
    Option("Z", "TEXT", "passphrase of the netserver, sent as it is [none]",
           one("passphrase", _text(GREATEST_PASSPHRASE))),
    Option("json", "", "one JSON document instead of netperf's outputs", flag("output", value="json")),
    Option("percentiles", "P,...", "further percentiles of latency: --percentiles 50,99.9",
           one("percentiles", numbers.percentiles)),
    Option("help", "", "this text", flag("show", value="help")),
    Option("version", "", "the version", flag("show", value="version")),
)  # fmt: skip

TEST_OPTIONS: dict[str, Option[Settings]] = table(
    Option("4", "", "IPv4 for the data [as the control connection]", flag("local.family", "remote.family", value=4)),
    Option("6", "", "IPv6 for the data", flag("local.family", "remote.family", value=6)),
    Option("a", "", "TCP_DEFER_ACCEPT at the server [no]", flag("defer_accept")),
    Option("b", "N", "so many requests more in flight [0]",
           one("first_burst", lambda text: max(0, numbers.whole(text, -numbers.GREATEST)))),
    Option("B", "", "answer UDP from the address that was asked [no]", flag("packet_info")),
    Option("c", "", "a connection for each transaction [only TCP_CRR and TCP_CC]", flag("connection")),
    Option("C", "", "TCP_CORK, local side only [no]", flag("local.cork")),
    Option("d", "DIRECTION", "of OMNI: send, recv, rr, or send|recv (also xmit, stream, 2; maerts, 4; 6) [send]",
           _direction),
    Option("D", "", "TCP_NODELAY on both sides [no]", flag("local.nodelay", "remote.nodelay")),
    Option("e", "SECS", "how long UDP waits for an answer before requests are sent anew [1]",
           one("receive_timeout", numbers.decimal)),
    Option("f", "", "forbid fragmentation, both sides [no]", flag("dont_fragment")),
    Option("F", "", "TCP fast open [no]", flag("fast_open")),
    Option("g", "", "SO_DEBUG [no]", flag("socket_debug")),
    Option("G", "BYTES", "TCP_MAXSEG of the local socket [the system's]", one("max_segment", counted(1, 65535))),
    Option("h", "", "this text", flag("show", value="test-help")),
    Option("H", "HOST[/MASK][,FAMILY]*", "where the data goes; the bits behind the mask are drawn anew for each "
           "iteration [as the control connection]", _data_host("remote")),
    Option("i", "TEXT", "not to be had: netperf took it out", refused("netperf took this option out", "leave it out")),
    Option("I", "", "taken and without effect", ignored()),
    Option("j", "N", "taken and without effect", ignored()),
    Option("k", "[SELECTION]", "NAME=VALUE lines. SELECTION: names with commas between, all, ? for the list of names, "
           "or a file of names", _output("keyval"), no_option),
    Option("K", "LOCAL[,REMOTE]", "congestion control [the system's]",
           _both("local.congestion", "remote.congestion", parse_congestion)),
    Option("l", "N", "time to live of multicast [the system's]", one("multicast_ttl", counted(0, 255))),
    Option("L", "HOST[/MASK][,FAMILY]*", "where the data comes from [any]", _data_host("local")),
    Option("m", "LOCAL,REMOTE*", "size of a send in bytes [the socket buffer's; UDP: at most 65507]",
           _first("local.send_size", "remote.send_size", lambda text: sized()(text) or -1)),
    Option("M", "REMOTE,LOCAL*", "size of a receive in bytes, netserver's first [the socket buffer's]",
           _first("remote.receive_size", "local.receive_size", lambda text: sized()(text) or -1)),
    Option("n", "", "connect the local UDP socket [no]", flag("local.connected")),
    Option("N", "", "connect the remote UDP socket [no]", flag("remote.connected")),
    Option("o", "[SELECTION]", "comma-separated values; SELECTION as for -k", _output("csv"), no_option),
    Option("O", "[SELECTION]", "columns for people, up to four blocks with ; between", _output("human"), no_option),
    Option("p", "MIN[,MAX]", "local ports of TCP_CRR [5000,65535]", _both("port_low", "port_high", numbers.port)),
    Option("P", "LOCAL[,REMOTE]", "ports of the data, 0 is any [any]",
           _both("local.port", "remote.port", counted(0, numbers.GREATEST_PORT))),
    Option("q", "BYTES", "SO_MAX_PACING_RATE of the local socket, bytes/s [none]", one("pacing_rate", sized())),
    Option("r", "REQUEST[,RESPONSE]", "sizes in bytes [1,1]", _both("request_size", "response_size", sized(1))),
    Option("R", "0|1", "let the data be routed [0 for UDP one way, else 1]", one("routing", numbers.switch)),
    Option("s", "SEND[,RECV]", "local socket buffers in bytes [the system's]",
           _both("local.send_buffer", "local.receive_buffer", sized())),
    Option("S", "SEND[,RECV]", "remote socket buffers [the system's]",
           _both("remote.send_buffer", "remote.receive_buffer", sized())),
    Option("t", "TYPE", "of the socket: stream, dgram [by the test]", one("transport", _chosen(_SOCKET_TYPES, "type"))),
    Option("T", "PROTOCOL", "tcp, udp [by the test]", one("transport", _chosen(_TRANSPORTS, "protocol"))),
    Option("u", "TEXT", "name this run so in the output UUID [drawn]", one("uuid", _NAME)),
    Option("U", "", "try again where a connection cannot be made (connection tests) [no]", flag("retry_connect")),
    Option("V", "", "move bytes without copying them [no]", flag("discard", "send_avoid")),
    Option("w", "TEXT", "taken and without effect", ignored()),
    Option("W", "N", "buffers that sends use in turn [as many as fill the socket buffer, and one]",
           one("local.send_width", _RING)),
    Option("z", "", "taken and without effect (TCP_SENDFILE, TCP_CC, TCP_MSS)", ignored()),
)  # fmt: skip
