"""netperf's command lines, of client and server: what each option means, and what is refused."""

import operator
from ipaddress import ip_network
from shlex import split

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.errors import UserError
from pathgauge.peers.netperf import numbers, options, server_options
from pathgauge.peers.netperf.kinds import ABSENT, KINDS
from pathgauge.peers.netperf.option_table import CLASSIC_LETTERS, GLOBAL_OPTIONS, TEST_OPTIONS
from pathgauge.peers.netperf.options import help_text, parse
from pathgauge.peers.netperf.server_options import SERVER_OPTIONS, ServerSettings
from pathgauge.peers.netperf.settings import CLASSIC_TESTS, RECEIVE, SEND, TESTS, Settings

BOTH = SEND | RECEIVE


def held(settings: object, expected: dict[str, object]) -> dict[str, object]:
    return {path: operator.attrgetter(path)(settings) for path in expected}


def own(words: str, test: str = "TCP_STREAM") -> Settings:
    return parse(["-t", test, "--", *words.split()])


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("1400", 1400), ("128K", 131072), ("128k", 128000), ("2M", 2**21), ("2m", 2 * 10**6), ("1G", 2**30),
     ("2g", 2 * 10**9), ("1KK", 1024), ("1KM", 2**30), ("128KB", 131072), ("64KiB", 65536), ("007", 7)],
)  # fmt: skip
def test_sizes(text: str, value: int) -> None:
    assert numbers.size(text) == value


@pytest.mark.parametrize(
    "text", ["", "K", "4G", "2147483648", "1.5K", "0x10", "-1", "1 K", "K1", "1T", "1_000", "٣", "9" * 5000, "1K\n"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        numbers.size(text)
    assert caught.value.hint.startswith("type a whole number from 0 to 2147483647")
    assert len(str(caught.value)) < 100


@given(st.integers(0, 2**31 - 1), st.sampled_from(["", "K", "M", "G", "k", "m", "g"]))
def test_sizes_never_wrap(number: int, letter: str) -> None:
    factor = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "k": 10**3, "m": 10**6, "g": 10**9}[letter]
    if number * factor <= numbers.GREATEST:
        assert numbers.size(f"{number}{letter}") == number * factor
    else:
        with pytest.raises(UserError):
            numbers.size(f"{number}{letter}")


@given(st.none() | st.integers(0, 999), st.none() | st.integers(0, 999), st.booleans())
def test_pairs_say_what_was_given(first: int | None, second: int | None, both: bool) -> None:
    text = f"{'' if first is None else first},{'' if second is None else second}"
    if first is None and second is None:
        with pytest.raises(UserError):
            numbers.pair(text, numbers.size, both=both)
    else:
        assert numbers.pair(text, numbers.size, both=both) == (first, second)


@pytest.mark.parametrize(("both", "second"), [(True, 7), (False, None)])
def test_a_lone_value_goes_by_the_rule_of_the_option(both: bool, second: int | None) -> None:
    assert numbers.pair("7", numbers.size, both=both) == (7, second)


@pytest.mark.parametrize(("text", "seconds"), [("10", 0.01), ("10m", 0.01), ("10u", 1e-5), ("2s", 2), ("1.5m", 0.0015)])
def test_intervals(text: str, seconds: float) -> None:
    assert numbers.interval(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "2h", "-1m", "5000s", "m"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"interval|out of range"):
        numbers.interval(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x10", 16), ("16", 16), ("020", 16), ("0", 0), ("ef", 0xB8), ("EF", 0xB8), ("af41", 0x88), ("cs7", 0xE0),
     ("lowdelay", 0x10), ("Throughput", 8), ("reliability", 4)],
)  # fmt: skip
def test_types_of_service(text: str, value: int) -> None:
    assert numbers.tos(text) == value


@pytest.mark.parametrize("text", ["", "0x", "089", "256", "0x100", "-1", "af45", "nonsense"])
def test_what_is_no_type_of_service_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        numbers.tos(text)
    assert "lowdelay" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "found"),
    [("h", ("h", None, None)), ("h,6", ("h", None, 6)), (",inet", (None, None, 4)),
     ("10.0.0.1/24", ("10.0.0.1", 24, None)), ("::1/64,inet6", ("::1", 64, 6)),
     ("h,", ("h", None, None)), ("h,0", ("h", None, 0))],
)  # fmt: skip
def test_hosts(text: str, found: tuple[str | None, int | None, int | None]) -> None:
    assert numbers.masked_host(text) == found


@pytest.mark.parametrize("text", ["", ",", "h,9", "h,4,6", "/24", "h/129", "h/x", "a b", "h" * 256, "a\0"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        numbers.masked_host(text)
    assert caught.value.hint.startswith("type ")


@pytest.mark.parametrize(
    ("text", "found"), [("10", (10, 0)), ("0.5", (0.5, 0)), ("0", (0, 0)), ("-1K", (0, 1024)), ("2k", (2000, 0))]
)
def test_lengths(text: str, found: tuple[float, int]) -> None:
    assert numbers.length(text) == found


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_users_mistake(text: str) -> None:
    for convert in (
        numbers.size, numbers.whole, numbers.decimal, numbers.switch, numbers.length, numbers.interval, numbers.family,
        numbers.percentiles, numbers.host, numbers.masked_host, numbers.tos, numbers.alignment, numbers.port,
    ):  # fmt: skip
        try:
            convert(text)
        except UserError as error:
            assert error.hint  # noqa: PT017 - most texts are mistakes, some are not


# --- every option -----------------------------------------------------------------------------------------------------

GLOBAL_CASES: list[tuple[str, dict[str, object]]] = [
    ("-4", {"host_family": 4, "control_local_family": 4, "remote.family": 0}),
    ("-6", {"host_family": 6, "control_local_family": 6}),
    ("-a 16", {"local.send_align": 16, "local.receive_align": 16, "remote.send_align": 8}),
    ("-A ,64", {"remote.send_align": 8, "remote.receive_align": 64}),
    ("-b 5", {"local.burst": 5, "local.interval": 0.001, "remote.burst": 0, "remote.interval": 0}),
    ("-b ,5 -w ,10u", {"local.burst": 0, "remote.burst": 5, "remote.interval": 1e-5}),
    ("-w 2s -b 1", {"local.interval": 2.0, "local.burst": 1}),
    ("-B tag", {"brand": "tag"}),
    ("-c", {"local_cpu_wanted": True, "local_cpu_rate": 0.0, "remote_cpu_wanted": False}),
    ("-c 50 -C", {"local_cpu_rate": 50.0, "remote_cpu_wanted": True}),
    ("-C 12.5", {"remote_cpu_rate": 12.5, "local_cpu_wanted": False}),
    ("-cC", {"local_cpu_wanted": True, "remote_cpu_wanted": True}),
    ("-d -dd", {"debug": 3}),
    ("-D 0.5", {"interim": 0.5}),
    ("-D -1,100", {"interim": -1.0}),
    ("-D ,100", {"interim": 1.0}),
    ("-f G", {"units": "G"}),
    ("-F data.bin", {"local.fill_file": "data.bin", "remote.fill_file": ""}),
    ("-h", {"show": "help"}),
    ("-H example", {"host": "example", "host_family": 0}),
    ("-H ,6", {"host": "", "host_family": 6}),
    ("-i 30,3", {"iterations_max": 30, "iterations_min": 3, "confidence": 99, "width": 0.05, "confidence_given": True}),
    ("-i 99,1", {"iterations_max": 30, "iterations_min": 3}),
    ("-i 4", {"iterations_max": 4, "iterations_min": 4}),
    ("-i ,4", {"iterations_max": 4, "iterations_min": 4}),
    ("-i 1,", {"iterations_max": 3, "iterations_min": 1}),
    ("-I 95", {"confidence": 95, "width": 0.05, "iterations_max": 10, "iterations_min": 3, "confidence_given": True}),
    ("-I 99,2.5", {"confidence": 99, "width": 0.025}),
    ("-I ,10", {"confidence": 99, "width": 0.1}),
    ("-I 95,10 -i 20,5", {"iterations_max": 20, "iterations_min": 5, "confidence": 95, "width": 0.1}),
    ("-j", {"latency": True}),
    ("-l 0.5", {"length": 0.5, "limit": 0}),
    ("-l -1M", {"length": 0.0, "limit": 2**20}),
    ("-L 192.0.2.1,inet", {"control_local": "192.0.2.1", "control_local_family": 4, "host_family": 0}),
    ("-n 8", {"ignored": ()}),
    ("-N", {"control": False}),
    ("-o 4", {"local.send_offset": 4, "local.receive_offset": 4}),
    ("-O 1,2", {"remote.send_offset": 1, "remote.receive_offset": 2}),
    ("-p 15865", {"port": 15865, "local_port": 0}),
    ("-p ,15866", {"port": 12865, "local_port": 15866}),
    ("-P0", {"banner": False}),
    ("-P 1", {"banner": True}),
    ("-r", {"result_only": True}),
    ("-s 8.5", {"wait": 8.5}),
    ("-S", {"keepalive": True}),
    ("-t udp_rr -t tcp_rr", {"test": "TCP_RR", "direction": BOTH}),
    ("-T 1", {"local.cpu": 1, "remote.cpu": 1}),
    ("-T ,3", {"local.cpu": -1, "remote.cpu": 3}),
    ("-v 0", {"verbosity": 0}),
    ("-v 3", {"verbosity": 2}),
    ("-V", {"show": "version"}),
    ("-W 5,6", {"local.send_width": 5, "local.receive_width": 6}),
    ("-y 3,4", {"local.priority": 3, "remote.priority": 4}),
    ("-Y ef,0x10", {"local.tos": 0xB8, "remote.tos": 0x10}),
    ("-Z secret", {"passphrase": "secret"}),
    ("--json", {"output": "json"}),
    ("--percentiles 50,99.9", {"percentiles": (50.0, 99.9), "latency": True}),
    ("--percentiles=50", {"percentiles": (50.0,)}),
    ("--help", {"show": "help"}),
    ("--version", {"show": "version"}),
]
GLOBAL_REFUSED = {"k", "K"}

TEST_CASES: list[tuple[str, str, dict[str, object]]] = [
    ("OMNI", "-4", {"local.family": 4, "remote.family": 4}),
    ("OMNI", "-6", {"local.family": 6, "remote.family": 6}),
    ("TCP_RR", "-a", {"defer_accept": True}),
    ("TCP_RR", "-b 3", {"first_burst": 3}),
    ("TCP_RR", "-b -3", {"first_burst": 0}),
    ("UDP_RR", "-B", {"packet_info": True}),
    ("TCP_RR", "-c", {"connection": True, "direction": BOTH, "request_size": 1}),
    ("OMNI", "-c", {"connection": True, "direction": 0, "request_size": 1}),
    ("TCP_STREAM", "-C", {"local.cork": True, "remote.cork": False}),
    ("OMNI", "-d recv", {"direction": RECEIVE}),
    ("OMNI", "-d XMIT|4", {"direction": BOTH}),
    ("TCP_RR", "-D", {"local.nodelay": True, "remote.nodelay": True}),
    ("UDP_RR", "-e 2", {"receive_timeout": 2.0}),
    ("TCP_STREAM", "-f", {"dont_fragment": True}),
    ("TCP_CRR", "-F", {"fast_open": True}),
    ("TCP_RR", "-g", {"socket_debug": True}),
    ("TCP_RR", "-G 1400", {"max_segment": 1400}),
    ("TCP_RR", "-h", {"show": "test-help"}),
    ("TCP_RR", "-H 192.0.2.2/24,4", {"remote.address": "192.0.2.2", "remote.mask": 24, "remote.family": 4}),
    ("TCP_RR", "-I", {"ignored": ()}),
    ("TCP_RR", "-j -k -o", {"output": "csv", "selection": "", "ignored": ()}),
    ("TCP_RR", "-k THROUGHPUT,UUID", {"output": "keyval", "selection": "THROUGHPUT,UUID", "latency": False}),
    ("TCP_RR", "-k -D", {"output": "keyval", "selection": "", "local.nodelay": True}),
    ("TCP_RR", "-o p99_latency", {"output": "csv", "selection": "p99_latency", "latency": True}),
    ("TCP_RR", "-O RT_LATENCY;UUID", {"output": "human", "latency": False}),
    ("TCP_RR", "-K cubic", {"local.congestion": "cubic", "remote.congestion": "cubic"}),
    ("TCP_RR", "-K ,reno", {"local.congestion": "", "remote.congestion": "reno"}),
    ("UDP_STREAM", "-l 4", {"multicast_ttl": 4}),
    ("TCP_RR", "-L 192.0.2.3", {"local.address": "192.0.2.3", "local.mask": -1}),
    ("TCP_STREAM", "-m 1400", {"local.send_size": 1400, "remote.send_size": -1}),
    ("TCP_MAERTS", "-m ,1400", {"local.send_size": -1, "remote.send_size": 1400, "direction": RECEIVE}),
    ("TCP_STREAM", "-m 0", {"local.send_size": -1}),
    ("TCP_STREAM", "-M 100", {"remote.receive_size": 100, "local.receive_size": -1, "direction": SEND}),
    ("UDP_RR", "-n", {"local.connected": True, "remote.connected": False}),
    ("UDP_RR", "-N", {"remote.connected": True}),
    ("TCP_CRR", "-p 6000,7000", {"port_low": 6000, "port_high": 7000}),
    ("TCP_CRR", "-p 6000", {"port_low": 6000, "port_high": 6000}),
    ("TCP_RR", "-P ,20002", {"local.port": 0, "remote.port": 20002}),
    ("TCP_STREAM", "-q 1m", {"pacing_rate": 10**6}),
    ("TCP_RR", "-r 100,1K", {"request_size": 100, "response_size": 1024}),
    ("TCP_RR", "-r 100,", {"request_size": 100, "response_size": 1}),
    ("UDP_STREAM", "-R 1", {"routing": True}),
    ("TCP_STREAM", "-s 128K", {"local.send_buffer": 131072, "local.receive_buffer": 131072, "remote.send_buffer": -1}),
    ("TCP_STREAM", "-S 1K, -S ,2K", {"remote.send_buffer": 1024, "remote.receive_buffer": 2048}),
    ("OMNI", "-t dgram", {"transport": "udp"}),
    ("TCP_RR", "-T udp", {"transport": "udp"}),
    ("TCP_RR", "-u run-1", {"uuid": "run-1"}),
    ("TCP_CRR", "-U", {"retry_connect": True}),
    ("TCP_STREAM", "-V", {"discard": True, "send_avoid": True}),
    ("TCP_STREAM", "-w x", {"ignored": ()}),
    ("TCP_STREAM", "-W 7", {"local.send_width": 7}),
    ("TCP_CC", "-z -T x -w y", {"ignored": (), "transport": "tcp"}),
]
TEST_REFUSED = {"i"}


@pytest.mark.parametrize(("words", "expected"), GLOBAL_CASES)
def test_global_options(words: str, expected: dict[str, object]) -> None:
    assert held(parse(words.split()), expected) == expected


@pytest.mark.parametrize(("test", "words", "expected"), TEST_CASES)
def test_options_of_the_tests(test: str, words: str, expected: dict[str, object]) -> None:
    assert held(own(words, test), expected) == expected


def test_no_option_is_left_out_here() -> None:
    seen = {word.lstrip("-").partition("=")[0] for words, _ in GLOBAL_CASES for word in words.split() if word[0] == "-"}
    assert GLOBAL_OPTIONS.keys() - GLOBAL_REFUSED <= seen | {"P"}
    seen = {word[1:] for _, words, _ in TEST_CASES for word in words.split() if word[0] == "-"}
    assert TEST_OPTIONS.keys() - TEST_REFUSED <= seen


@pytest.mark.parametrize("name", sorted(GLOBAL_REFUSED))
def test_dirty_buffers_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="dirty buffers") as caught:
        parse([f"-{name}", "5"])
    assert caught.value.hint == f"leave -{name} out"


def test_nothing_said() -> None:
    assert parse([]) == Settings(command_line="netperf")


# --- getopt -----------------------------------------------------------------------------------------------------------


def test_the_seeds_command_as_it_was_meant() -> None:
    settings = parse(split("-H HOST -i 30,3 -l 20 -t TCP_STREAM -- -m 1400 -s 128K -S 128K"))
    expected: dict[str, object] = {
        "host": "HOST", "iterations_max": 30, "iterations_min": 3, "length": 20.0, "test": "TCP_STREAM",
        "local.send_size": 1400, "local.send_buffer": 131072, "local.receive_buffer": 131072,
        "remote.send_buffer": 131072, "remote.receive_buffer": 131072, "ignored": (),
    }  # fmt: skip
    assert held(settings, expected) == expected


def test_the_seeds_command_as_it_was_typed() -> None:
    """-H takes the word behind it, whatever it is, and 30,3 belongs to nothing: stock netperf looks for the host -i."""
    settings = parse(split("-H -i 30,3 -l 20 -t TCP_STREAM -- -m 1400 -S 128K -S 128K"))
    expected: dict[str, object] = {
        "host": "-i", "iterations_max": 1, "length": 20.0, "local.send_size": 1400, "local.send_buffer": -1,
        "remote.send_buffer": 131072, "remote.receive_buffer": 131072, "ignored": ("30,3",),
    }  # fmt: skip
    assert held(settings, expected) == expected


def test_words_between_options_are_passed_over() -> None:
    settings = parse(["one", "-l", "1", "-", "--", "two", "-m", "5", "--", "-q"])
    assert settings.ignored == ("one", "-", "two", "-q")
    assert (settings.length, settings.local.send_size) == (1.0, 5)


def test_an_optional_argument_must_stand_behind_the_last_letter_of_its_bundle() -> None:
    assert parse(["-cC", "50"]).local_cpu_rate == 0.0
    assert parse(["-cC", "50"]).remote_cpu_rate == 50.0
    assert parse(["-c", "x"]).ignored == ("x",)
    assert own("-Dk UUID").selection == "UUID"


def test_a_value_may_begin_with_a_dash() -> None:
    assert parse(["-H", "--", "-l1"]).host == "--"


@given(st.permutations(["-m 100", "-d send|recv", "-D", "-s 1K,2K", "-r 5,6"]))
def test_the_order_of_options_does_not_matter(words: list[str]) -> None:
    def plain(settings: Settings) -> Settings:
        settings.command_line = ""
        return settings

    assert plain(own(" ".join(words), "OMNI")) == plain(own("-D -m 100 -s 1K,2K -r 5,6 -d rr", "OMNI"))


def test_what_follows_a_wish_for_help_is_not_read() -> None:
    assert parse(["-h", "-q"]).show == "help"
    assert parse(["--", "-h", "-Q"]).show == "test-help"


def test_the_command_line_is_kept() -> None:
    assert parse(["-B", "a b", "-P", "0"]).command_line == "netperf -B a b -P 0"


@given(st.lists(st.text(alphabet="-aAbBcCdDfFhHiIjklLmMnNoOpPrRsStTuUvVwWyYzZ46,.01Kx", max_size=5), max_size=6))
def test_any_words_are_settings_or_a_users_mistake(words: list[str]) -> None:
    for line in (words, ["--", *words]):
        try:
            assert isinstance(parse(line), Settings)
        except UserError as error:
            assert error.hint  # noqa: PT017 - most lines are mistakes, some are not


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "direction", "transport", "connection", "sizes"),
    [
        ("TCP_STREAM", SEND, "tcp", False, -1),
        ("TCP_MAERTS", RECEIVE, "tcp", False, -1),
        ("TCP_SENDFILE", SEND, "tcp", False, -1),
        ("TCP_RR", BOTH, "tcp", False, 1),
        ("TCP_CRR", BOTH, "tcp", True, 1),
        ("TCP_CC", 0, "tcp", True, 1),
        ("TCP_MSS", SEND, "tcp", False, -1),
        ("UDP_STREAM", SEND, "udp", False, -1),
        ("UDP_RR", BOTH, "udp", False, 1),
        ("OMNI", SEND, "tcp", False, -1),
    ],
)
def test_what_a_tests_name_says(test: str, direction: int, transport: str, connection: bool, sizes: int) -> None:
    settings = parse(["-t", test.lower()])
    found = (settings.test, settings.direction, settings.transport, settings.connection)
    assert found == (test, direction, transport, connection)
    assert (settings.request_size, settings.response_size) == (sizes, sizes)


# As seen in stock netperf by -t omni -- -k DIRECTION ...
@pytest.mark.parametrize(
    ("words", "direction"),
    [("", SEND), ("-m 100", SEND), ("-m ,100", RECEIVE), ("-m 100,200", BOTH), ("-M 100", SEND), ("-M ,100", RECEIVE),
     ("-M 100,200", BOTH), ("-r 5", BOTH), ("-r ,5", BOTH), ("-d recv -m 100", RECEIVE), ("-m 100 -d recv", RECEIVE),
     ("-d rr -m 100", BOTH), ("-d 0x4", RECEIVE), ("-d 6", BOTH), ("-d stream -d maerts", RECEIVE), ("-c", 0),
     ("-c -d 0", 0), ("-c -r 3", BOTH)],
)  # fmt: skip
def test_the_direction_of_omni(words: str, direction: int) -> None:
    assert own(words, "OMNI").direction == direction


def test_sizes_of_requests_default_to_one() -> None:
    settings = own("-r ,5", "OMNI")
    assert (settings.request_size, settings.response_size) == (1, 5)


def test_an_echo_answers_as_much_as_it_was_sent() -> None:
    settings = parse(split("-N -t TCP_RR -- -r 9,"))
    assert (settings.request_size, settings.response_size) == (9, 9)


@pytest.mark.parametrize("test", sorted(ABSENT))
def test_each_test_that_we_lack_has_its_sentence(test: str) -> None:
    with pytest.raises(UserError, match=f"pathgauge does not have {test}, which .*; [A-Z_]+ comes nearest") as caught:
        parse(["-t", test.lower()])
    assert caught.value.hint.removeprefix("-t ") in KINDS


def test_an_unknown_test_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="there is no test 'TCP_STEAM'; did you mean TCP_STREAM"):
        parse(["-t", "tcp_steam"])


def test_only_the_last_test_counts() -> None:
    assert parse(["-t", "NOPE", "-t", "UDP_RR"]).test == "UDP_RR"


@pytest.mark.parametrize("test", sorted(CLASSIC_TESTS))
def test_the_older_protocol_knows_fewer_letters(test: str) -> None:
    for letter in sorted(TEST_OPTIONS.keys() - CLASSIC_LETTERS):
        with pytest.raises(UserError, match=f"{test} has no option -{letter}"):
            own(f"-{letter} 1", test)


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence", "hint"),
    [
        ("-Q", "there is no option '-Q'", "see --help"),
        ("-cQ", "there is no option '-Q'", "see --help"),
        ("-m 1400", "-m is no global option", "behind --: -- -m"),
        ("--jason", "there is no option '--jason'", "--help"),
        ("--json=1", "--json takes no value", "alone"),
        ("--percentiles 50,101", "--percentiles: '101' is out of range", "from 0 to 100"),
        ("-l", "-l lacks its value", "type -l LENGTH"),
        ("-I 90", "-I: a confidence of 90 %", "95 or 99"),
        ("-I 95,0", "-I: a width of 0 %", "-I 99,5"),
        ("-F a,b", "-F: pathgauge does not let a client name files of the server", "-F a"),
        ("-f Z", "-f: 'Z' is no unit", "G M K"),
        ("-a 3", "-a: '3' is no power of two", "8"),
        ("-l -4G", "-l: '-4G' is out of range", "from -2147483647"),
        ("-l soon", "-l: 'soon' is no length", "seconds"),
        ("-D 0", "-D: an interval of nothing", "-D 1"),
        ("-P off", "-P: 'off' is neither 0 nor 1", "type 0"),
        ("-p 70000", "-p: '70000' is out of range", "65535"),
        ("-H h,9", "-H: '9' is no address family", "inet6"),
        ("-c 5x", "-c: '5x' is no number", "number"),
        ("-w 10", "-w alone paces nothing", "-b"),
        ("-v -1", "-v: '-1' is out of range", "from 0"),
        (f"-Z {'x' * 648}", "-Z: ", "647"),
        ("-- -y 1", "-y is a global option", "before --"),
        ("-- --json", "--json is a global option", "before --"),
        ("-- -Q", "no test has an option '-Q'", "-- -h"),
        ("-- -z", "no test has an option '-z'", "-- -h"),
        ("-- -i 1", "-i: netperf took this option out", "leave"),
        ("-- -m 4G", "-m: '4G' is out of range", "2147483647"),
        ("-- -T sctp", "-T: 'sctp' is no protocol", "tcp or udp"),
        ("-- -t seqpacket", "-t: 'seqpacket' is no type", "stream or dgram"),
        ("-- -d recv", "TCP_STREAM has its own direction", "OMNI"),
        ("-- -d around", "-d: 'around' is no direction", "xmit"),
        ("-- -r 1", "TCP_STREAM has no requests", "-m"),
        ("-- -c", "-c counts connections", "TCP_CRR"),
        ("-- -p 7,6", "there is no port from 7 to 6", "-p 5000,65535"),
        ("--json -- -k UUID", "-k: --json is asked for too", "one of the two"),
        ("-t OMNI -- -d 0", "-d 0 moves nothing", "-d send"),
        ("-t TCP_CRR -- -T udp", "UDP makes no connections", "-T tcp"),
        ("-t UDP_STREAM -- -m 65508", "65508 bytes fit into no datagram", "65507"),
        ("-t UDP_RR -6 -- -r 65528", "65528 bytes fit into no datagram", "65527"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(words: str, sentence: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(words.split())
    assert sentence in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_help_names_every_option_and_every_test() -> None:
    for option in GLOBAL_OPTIONS.values():
        assert f"\n  {option.shown} " in help_text()
    for option in TEST_OPTIONS.values():
        assert f"\n  {option.shown} " in options.test_help_text()
    assert all(test in help_text() for test in TESTS)
    for text in (help_text(), options.test_help_text(), server_options.help_text()):
        assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("text", [help_text(), options.test_help_text()])
def test_the_examples_of_the_help_are_right(text: str) -> None:
    lines = [line.strip().partition("    ")[0] for line in text.partition("examples:")[2].splitlines() if line.strip()]
    for line in lines:
        program, *words = line.split()
        assert program == "netperf"
        assert parse(words).host == "192.0.2.1"


# --- the server -------------------------------------------------------------------------------------------------------

SERVER_CASES: list[tuple[str, dict[str, object]]] = [
    ("-4", {"family": 4}),
    ("-6", {"family": 6}),
    ("-dd", {"debug": 2}),
    ("-DNf", {"foreground": True, "debug_log": False, "serial": True}),
    ("-D", {"foreground": True}),
    ("-f", {"serial": True}),
    ("-d", {"debug": 1}),
    ("-N", {"debug_log": False}),
    ("-h", {"show": "help"}),
    ("-L 192.0.2.1,inet", {"host": "192.0.2.1", "family": 4}),
    ("-n 4", {"host": ""}),
    ("-p 15865", {"port": 15865}),
    ("-v 3", {"verbosity": 2}),
    ("-V", {"show": "version"}),
    ("-Z secret", {"passphrase": "secret"}),
    ("--allow 192.0.2.0/24 --allow=::1", {"allow": (ip_network("192.0.2.0/24"), ip_network("::1/128"))}),
    ("--data-ports 20000-20099", {"data_ports": (20000, 20099)}),
    ("--data-ports 20000", {"data_ports": (20000, 20000)}),
    ("--max-length 0.5", {"max_length": 0.5}),
    ("--max-buffer 1M", {"max_buffer": 2**20}),
    ("--max-size 64k", {"max_size": 64000}),
    ("--max-tests 2", {"max_tests": 2}),
    ("--help", {"show": "help"}),
    ("--version", {"show": "version"}),
]


@pytest.mark.parametrize(("words", "expected"), SERVER_CASES)
def test_options_of_the_server(words: str, expected: dict[str, object]) -> None:
    assert held(server_options.parse(words.split()), expected) == expected


def test_no_option_of_the_server_is_left_out_here() -> None:
    seen = {word.lstrip("-").partition("=")[0] for words, _ in SERVER_CASES for word in words.split() if word[0] == "-"}
    assert SERVER_OPTIONS.keys() <= seen
    assert all(f"\n  {option.shown} " in server_options.help_text() for option in SERVER_OPTIONS.values())


def test_a_server_that_was_told_nothing() -> None:
    assert server_options.parse([]) == ServerSettings()


@pytest.mark.parametrize(
    ("words", "sentence", "hint"),
    [
        ("-q", "there is no option '-q'", "--help"),
        ("--alow ::1", "there is no option '--alow'", "did you mean --allow"),
        ("extra", "'extra' belongs to no option", "--help"),
        ("--allow 192.0.2.7/24", "is an address inside a network", "type 192.0.2.0/24 or 192.0.2.7"),
        ("--allow example.org", "--allow: 'example.org' is no network", "192.0.2.0/24"),
        ("--allow fe80::%1/64", "is no network", "2001:db8::/32"),
        ("--data-ports 9-8", "runs backwards", "type 8-9"),
        ("--data-ports 0-8", "--data-ports: '0' is out of range", "from 1"),
        ("--max-tests 0", "--max-tests: '0' is out of range", "from 1"),
        ("--max-length 0", "--max-length: '0' is out of range", "from 0.1"),
        ("--max-buffer", "--max-buffer lacks its value", "SIZE"),
        ("-p 0", "-p: '0' is out of range", "65535"),
    ],
)
def test_mistakes_of_a_servers_line(words: str, sentence: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        server_options.parse(words.split())
    assert sentence in str(caught.value)
    assert hint in caught.value.hint


def test_an_empty_passphrase_is_none_to_ask_for() -> None:
    with pytest.raises(UserError, match="empty or too long"):
        server_options.parse(["-Z", ""])


@pytest.mark.parametrize("words", [["-Z", "sesame"], ["-Zsesame"]])
def test_a_passphrase_does_not_stand_in_the_results(words: list[str]) -> None:
    settings = parse([*words, "-t", "TCP_RR"])
    assert settings.passphrase == "sesame"
    assert "sesame" not in settings.command_line
    assert settings.command_line.endswith("-t TCP_RR")
