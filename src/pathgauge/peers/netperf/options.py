"""The client's command line: netperf's words in, `Settings` out; and its help."""

from collections.abc import Callable, Sequence
from typing import NoReturn

from pathgauge.errors import UserError
from pathgauge.peers.netperf.kinds import KINDS, check_test
from pathgauge.peers.netperf.option_table import CLASSIC_LETTERS, GLOBAL_OPTIONS, LEAST_ITERATIONS, TEST_OPTIONS
from pathgauge.peers.netperf.settings import CLASSIC_TESTS, RECEIVE, SEND, Settings
from pathgauge.peers.netperf.words import Option, Scan, help_lines, ignored, table
from pathgauge.quantities import quoted

PROGRAM = "netperf"  # the first word of the result COMMAND_LINE
MOST_ITERATIONS_OF_LEVEL = 10  # where -I is given and -i is not
DEFAULT_INTERVAL = 1e-3  # s, where -b is given and -w is not
GREATEST_UDP = {0: 65507, 4: 65507, 6: 65527}  # payload by address family


def parse(arguments: Sequence[str]) -> Settings:
    """What a command line asks for, without the program's name. Raises UserError.

    Where `show` is set, no more was read and nothing checked. Data families of 0 are as the control connection's.
    """
    settings = Settings(command_line=" ".join((PROGRAM, *arguments)))
    scan = Scan(arguments, GLOBAL_OPTIONS, _refuse_global)
    if not _read(scan, settings):
        return settings
    check_test(settings.test)
    kind = KINDS[settings.test]
    settings.transport, settings.connection = kind.transport, kind.connection
    own = Scan(scan.rest, _own_options(settings.test), _refuse_own(settings.test))
    if not _read(own, settings):
        return settings
    settings.ignored = (*scan.operands, *own.operands, *own.rest)
    _settle_direction(settings)
    _settle_rest(settings)
    if settings.passphrase:  # results are kept and shown around
        secret = settings.passphrase
        shown = {secret: "...", f"-Z{secret}": "-Z..."}
        settings.command_line = " ".join((PROGRAM, *(shown.get(word, word) for word in arguments)))
    return settings


def _read(scan: Scan[Settings], settings: Settings) -> bool:
    """Stores every option; False where one of them asks for something to be printed instead."""
    for option, value in scan:
        option.apply(settings, value)
        if settings.show:
            return False
    return True


def _own_options(test: str) -> dict[str, Option[Settings]]:
    if test not in CLASSIC_TESTS:
        return {letter: option for letter, option in TEST_OPTIONS.items() if letter != "z"}
    old = {letter: option for letter, option in TEST_OPTIONS.items() if letter in CLASSIC_LETTERS}
    return old | table(Option("T", "TEXT", "taken and without effect", ignored()))


def _refuse_global(option: str) -> NoReturn:
    name = option.removeprefix("-")
    if name in TEST_OPTIONS:
        raise UserError(f"{option} is no global option, but one of the tests", hint=f"type it behind --: -- {option}")
    raise UserError(f"there is no option {quoted(option)}", hint="see --help; a test's own options are behind --")


def _refuse_own(test: str) -> Callable[[str], NoReturn]:
    def refuse(option: str) -> NoReturn:
        name = option.lstrip("-")
        if name in TEST_OPTIONS and test in CLASSIC_TESTS:
            raise UserError(f"{test} has no option {option}, as in netperf", hint="see -- -h; OMNI has all of them")
        if name in GLOBAL_OPTIONS:
            raise UserError(f"{option} is a global option, not one of the tests", hint=f"type {option} before --")
        raise UserError(f"no test has an option {quoted(option)}", hint="see -- -h for the tests' own options")

    return refuse


def _implied(settings: Settings) -> int:
    """The direction of OMNI as its sizes have it."""
    direction = 0
    if settings.local.send_size >= 0 or settings.remote.receive_size >= 0:
        direction |= SEND
    if settings.local.receive_size >= 0 or settings.remote.send_size >= 0:
        direction |= RECEIVE
    if settings.request_size >= 0 or settings.response_size >= 0:
        direction |= SEND | RECEIVE
    return direction


def _settle_direction(settings: Settings) -> None:
    usual = KINDS[settings.test].direction
    if settings.test == "OMNI":
        if not settings.direction_given:
            settings.direction = _implied(settings) or (0 if settings.connection else SEND)
        if not settings.direction and not settings.connection:
            raise UserError("-d 0 moves nothing", hint="-c makes connections alone; or -d send, -d recv, -d rr")
    elif settings.direction_given and settings.direction != usual:
        raise UserError(f"{settings.test} has its own direction, and -d is for OMNI", hint="-t OMNI, or leave -d out")
    else:
        settings.direction = usual
    if settings.connection and settings.direction in (SEND, RECEIVE):
        raise UserError("-c counts connections, and this test sends one way", hint="-t TCP_CRR, or -t OMNI -- -c")
    if settings.connection and settings.transport == "udp":
        raise UserError("UDP makes no connections", hint="leave -c out, or -T tcp")
    if settings.transactions:
        settings.request_size = 1 if settings.request_size < 0 else settings.request_size
        usual = 1 if settings.control else settings.request_size  # without netserver it is an echo that answers
        settings.response_size = usual if settings.response_size < 0 else settings.response_size
    elif settings.test in CLASSIC_TESTS:  # netperf takes -r there and passes over it
        settings.request_size = settings.response_size = -1
    elif settings.request_size >= 0 or settings.response_size >= 0:
        raise UserError(
            f"{settings.test} has no requests, and -r is about their sizes", hint="-m is the size of a send"
        )


def _settle_rest(settings: Settings) -> None:
    if settings.confidence_given and settings.iterations_max == 1:
        settings.iterations_min, settings.iterations_max = LEAST_ITERATIONS, MOST_ITERATIONS_OF_LEVEL
    for end in (settings.local, settings.remote):
        if end.interval and not end.burst:
            raise UserError("-w alone paces nothing", hint="-b says how many operations an interval has: -b 10 -w 10m")
        if end.burst and not end.interval:
            end.interval = DEFAULT_INTERVAL
    if settings.port_low > settings.port_high:
        raise UserError(f"there is no port from {settings.port_low} to {settings.port_high}", hint="-p 5000,65535")
    if settings.transport == "udp":
        _check_datagrams(settings)
    names = settings.selection.upper().replace(";", ",").split(",")
    measured = (name.strip() for name in names if name.strip() != "RT_LATENCY")
    settings.latency |= bool(settings.percentiles) or any(name.endswith("_LATENCY") for name in measured)


def _check_datagrams(settings: Settings) -> None:
    greatest = GREATEST_UDP[settings.remote.family or settings.host_family]
    sizes = (settings.local.send_size, settings.remote.send_size, settings.request_size, settings.response_size)
    if max(sizes) > greatest:
        raise UserError(f"{max(sizes)} bytes fit into no datagram", hint=f"type at most {greatest}")


# Help -----------------------------------------------------------------------------------------------------------------

_PAIRS = """A pair is x,y; `x,` sets the first alone, `,y` the second. One value sets both; the first where * stands.
Sizes take letters: 128K is 131072, 128k is 128000; so for M G and m g."""


def help_text() -> str:
    """Usage, every global option, examples."""
    return f"""usage: netperf [options] [-- options of the test]

Measures a network as netperf does, against a netserver of pathgauge or of netperf's own.

{help_lines(GLOBAL_OPTIONS.values())}

{_PAIRS}
What a test takes: -- -h

examples:
  netperf -H 192.0.2.1                                   TCP_STREAM for 10 s
  netperf -H 192.0.2.1 -t TCP_RR -l 5 -j --percentiles 50,99.9 --json
  netperf -H 192.0.2.1 -i 30,3 -l 20 -t TCP_STREAM -- -m 1400 -s 128K -S 128K
  netperf -H 192.0.2.1 -t OMNI -cC -- -d recv -k THROUGHPUT,LOCAL_CPU_UTIL,REMOTE_CPU_UTIL"""


def test_help_text() -> str:
    """Usage and every option of the tests."""
    old = "".join(sorted(CLASSIC_LETTERS, key=str.lower))
    return f"""usage: netperf [options] -- [options of the test]

{help_lines(TEST_OPTIONS.values())}

{_PAIRS}
{", ".join(sorted(CLASSIC_TESTS))} go by netperf's older protocol and know these letters alone: {old}

examples:
  netperf -H 192.0.2.1 -t UDP_STREAM -- -m 1472 -R 1
  netperf -H 192.0.2.1 -t TCP_RR -- -r 100,1K -b 8 -D -o MIN_LATENCY,P99_LATENCY,THROUGHPUT"""
