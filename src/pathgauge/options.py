"""The one table of options: it drives argparse, completion, TOML files, the Python API and the reference page.

An option's value travels as text (a list of texts where it is repeatable) until `parse_values` types it, so that the
command line, a file and Python go one way and get the same messages.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pathgauge import quantities
from pathgauge.errors import UserError
from pathgauge.option_values import (
    LAB_KEYS,
    WIRE_KEYS,
    metric_names,
    parse_address,
    parse_beside,
    parse_blocks,
    parse_burst,
    parse_busy_poll,
    parse_copies,
    parse_cpu,
    parse_device,
    parse_fail_on,
    parse_file,
    parse_flows,
    parse_labs,
    parse_margin,
    parse_metric,
    parse_path,
    parse_pause,
    parse_plot,
    parse_quota,
    parse_realtime,
    parse_rps,
    parse_seed,
    parse_server,
    parse_test,
    parse_threads,
    parse_tls,
    parse_wire,
    test_names,
    word_parser,
)
from pathgauge.quantities import nearest, quoted
from pathgauge.traffic.beside import LOADS, NONE
from pathgauge.traffic.methods import BEST, RECEIVE_METHODS, SEND_METHODS, WAITS
from pathgauge.traffic.tls import CIPHERS, OFF

if TYPE_CHECKING:
    from pathgauge.measuring.request import Request

Texts = dict[str, list[str]]

WHAT = "What is measured"
TRAFFIC = "Test parameters (also the keys of --vary and --set)"
LAB = "Paths and wire"
JUDGING = "Judging and stopping"
OUTPUT = "Output"

DEFAULT_PATHS = ("host", "macvlan")


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `help` names the unit; `default` is as typed, or words where the default is no single value.

    `parameter` marks the fields of traffic.parameters.Parameters, `output` what Python has no use for;
    a `flag` is given without a value. `choices` are for completion only: `parse` does the checking.
    """

    name: str
    metavar: str
    help: str
    parse: Callable[[str], object]
    default: str
    group: str
    repeatable: bool = False
    parameter: bool = False
    output: bool = False
    flag: bool = False
    file: bool = False
    choices: Callable[[], Sequence[str]] | None = None

    @property
    def field(self) -> str:
        """The name in Python."""
        return self.name.replace("-", "_")


def parameter_named(key: str, others: Iterable[str] = ()) -> Option:
    """The test parameter of that name (`-` and `_` alike); UserError with the nearest right one, of `others`, too."""
    option = OPTIONS.get(key.strip().replace("_", "-"))
    if option is None or not option.parameter:
        names = [*(other.name for other in OPTIONS.values() if other.parameter), *others]
        raise UserError(
            f"there is no test parameter {quoted(key)}; {nearest(key, names)}", hint="for example send-size=64K"
        )
    return option


def _parse_setting(text: str) -> tuple[str, str, object]:
    target, separator, value = text.partition("=")
    path, dot, key = target.rpartition(".")
    if not (separator and dot and path):
        raise UserError(f"{quoted(text)} sets nothing", hint="type NAME.KEY=VALUE, such as macvlan.nodelay=on")
    if (lab_key := key.strip()) in LAB_KEYS:
        return path.strip(), lab_key, LAB_KEYS[lab_key](value)
    option = parameter_named(key, LAB_KEYS)
    return path.strip(), option.field, option.parse(value)


def lab_keys_varied() -> tuple[str, ...]:
    """The keys of LAB_KEYS that --vary takes: those that mean no test parameter there."""
    return tuple(key for key in LAB_KEYS if key not in OPTIONS or not OPTIONS[key].parameter)


def _parse_vary(text: str) -> tuple[str, tuple[tuple[object, str], ...]]:
    key, separator, rest = text.partition("=")
    if (field := key.strip().replace("_", "-")) in (keys := lab_keys_varied()):
        parse = LAB_KEYS[field]
    else:
        option = parameter_named(key, keys)
        field, parse = option.field, option.parse
    values = [value.strip() for value in rest.split(",")]
    if not separator or len(values) == 1:
        raise UserError(
            f"{quoted(text)} varies nothing: two values or more are needed", hint="--vary send-size=1400,64K"
        )
    if len(set(values)) < len(values):
        raise UserError(
            f"{quoted(text)} has the same value twice",
            hint="to compare a path with itself: pathgauge compare host host",
        )
    return field, tuple((parse(value), value) for value in values)


def _parameter(name: str, metavar: str, words: str, parse: Callable[[str], object], default: str) -> Option:
    return Option(name, metavar, words, parse, default, TRAFFIC, parameter=True, flag=not metavar)


def _method(name: str, words: str, methods: Sequence[str], what: str) -> Option:
    """A test parameter that is one of these; the first is the default."""
    parse = word_parser(methods, what, f"--{name} {methods[1]}")
    return replace(_parameter(name, "NAME", words, parse, methods[0]), choices=lambda: methods)


_METHODS = [
    tuple(dict.fromkeys([*(method for methods in table.values() for method in methods), BEST]))
    for table in (SEND_METHODS, RECEIVE_METHODS)
]
_PILOT = "a pilot chooses"
_KERNEL = "the kernel's"

OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("test", "NAME", "a test, by netperf's name", parse_test, "all five", WHAT, True, choices=test_names),
        Option(
            "metric", "NAME", "judge this metric too", parse_metric, "each test's primary metric", WHAT, True,
            choices=metric_names,
        ),
        Option("vary", "KEY=V1,V2,...", "compare settings of one path and one test: of a test parameter, or of a lab's "
               "key of --set", _parse_vary, "nothing", WHAT),
        _parameter("send-size", "SIZE", "bytes of each send", quantities.parse_size, "64K; UDP: largest unfragmented"),
        _parameter("receive-size", "SIZE", "bytes of each receive", quantities.parse_size, "128K; UDP: 65535"),
        _parameter("request-size", "SIZE", "bytes of each request", quantities.parse_size, "1"),
        _parameter("response-size", "SIZE", "bytes of each response", quantities.parse_size, "1"),
        _parameter("burst", "N", "requests in flight beyond the one awaited (netperf's -b)", parse_burst, "0"),
        _parameter("rate", "RATE", "start so many transactions, or bits of a stream, in a second; latency counts "
                   "from when each should have started", quantities.parse_load, "as many as go"),
        _parameter("flows", "N", "TCP connections at once, a fresh lot in each block", parse_flows, "1"),
        _parameter("threads", "N", "loops at each end that share the flows, each on CPUs of its own",
                   parse_threads, "1"),
        _parameter("local-buffer", "SIZE", "bytes of the client's socket buffers", quantities.parse_size, _KERNEL),
        _parameter("remote-buffer", "SIZE", "bytes of the server's socket buffers", quantities.parse_size, _KERNEL),
        _parameter("nodelay", "", "switch Nagle's algorithm off (TCP_NODELAY)", quantities.parse_switch, "off"),
        _parameter("congestion", "NAME", "congestion control", quantities.parse_congestion, _KERNEL),
        _parameter("dscp", "NAME", "DSCP, by name (EF, AF41, CS1) or from 0 to 63", quantities.parse_dscp, _KERNEL),
        _parameter("local-cpu", "CPU", "number of the CPU the client runs on", parse_cpu, "chosen, and stated"),
        _parameter("remote-cpu", "CPU", "number of the CPU the server runs on", parse_cpu, "chosen, and stated"),
        _parameter("local-quota", "CPUS", "CPU quota of the client, by a cgroup", parse_quota, "none"),
        _parameter("remote-quota", "CPUS", "CPU quota of the server, by a cgroup", parse_quota, "none"),
        _parameter("ipv6", "", "use IPv6", quantities.parse_switch, "off"),
        _method("send-method", "how a stream is sent: copy, io-uring; TCP sendfile, splice, zerocopy, "
                "io-uring-zerocopy; UDP batch, gso; or best", _METHODS[0], "send method"),
        _method("receive-method", "how a stream is received: copy, io-uring; TCP discard, splice, mmap; UDP batch, "
                "gro; or best",
                _METHODS[1], "receive method"),
        _method("wait", "how a reader waits: block (sleeps in its call), poll (in poll), spin (asks again and again)",
                WAITS, "way to wait"),
        _parameter("low-water", "SIZE", "bytes that wake a sleeping receiver of a TCP stream (SO_RCVLOWAT)",
                   quantities.parse_size, "1"),
        _parameter("busy-poll", "US", "us that a reader polls the device's queue before it sleeps (SO_BUSY_POLL)",
                   parse_busy_poll, _KERNEL),
        _parameter("realtime", "PRIORITY", "run both ends in real time (SCHED_FIFO), 1 to 99", parse_realtime, "off"),
        _parameter("mptcp", "", "use Multipath TCP", quantities.parse_switch, "off"),
        replace(
            _parameter("tls", "CIPHER", f"encrypt by the kernel's TLS: {', '.join(CIPHERS)}", parse_tls, OFF),
            choices=lambda: (OFF, *CIPHERS),
        ),
        replace(
            _parameter("beside", "TEST", "a stream that loads the path beside the transactions (latency under load)",
                       parse_beside, NONE),
            choices=lambda: (NONE, *LOADS),
        ),
        _parameter("beside-rate", "RATE", "of that stream, at most", quantities.parse_rate, "as fast as it goes"),
        _parameter("one-way", "", "time requests and responses apart, each on its way", quantities.parse_switch, "off"),
        Option("path", "NAME=FROM,TO[,ADDRESS]",
               "a path that exists, between local, netns:NAME, pid:N, container:NAME, or to netperf://HOST",
               parse_path, "none", LAB, True),
        Option("set", "NAME.KEY=VALUE",
               f"a test parameter of one path alone; or, of its lab, {', '.join(LAB_KEYS)}", _parse_setting,
               "nothing", LAB, True),
        Option("wire", "KEY=VALUE[,KEY=VALUE...]",
               f"how the wire is made, rate=1gbit,loss=0.1% for example; its keys are {', '.join(WIRE_KEYS)}",
               parse_wire, "unshaped", LAB),
        Option("link-rate", "RATE", "short for --wire rate=RATE", quantities.parse_rate, "unshaped", LAB),
        Option("rps", "CPUS[/CPUS]", "CPUs that receive for all devices of the lab (RPS): off, 1, 0-3, 0+2; for the "
               "client's side of the wire and the server's, 0/1; short for --wire rps=CPUS", parse_rps,
               "each end's CPU on its side (from Linux 6.3 on)", LAB),
        Option("copies", "N", "build each path so many times on its wire, as a host of many containers has them",
               parse_copies, "1", LAB),
        Option("parallel", "", "measure all copies of a path at once, not one at a time",
               quantities.parse_switch, "off", LAB, flag=True),
        Option("awake", "", "keep the ends' CPUs from going to sleep, by a process of the lowest class on each",
               quantities.parse_switch, "off", LAB, flag=True),
        Option("server", "netperf://HOST[:PORT]", "measure against a netserver elsewhere, from this machine's --device",
               parse_server, "one of our own, in the lab", LAB),
        Option("device", "NAME", "with --server: the device that leads there", parse_device, "none", LAB),
        Option("address", "[NAME=]ADDRESS/PREFIX", "with --server: the address of a path that takes one of its own",
               parse_address, "none", LAB, True),
        Option("confidence", "PERCENT", "of the intervals, in %", quantities.parse_confidence, "95%", JUDGING),
        Option(
            "margin", "[METRIC=]PERCENT", "smallest difference that matters, in %; without METRIC: of the rates",
            parse_margin, "rates 2%, CPU and median latency 5%, p99 10%", JUDGING, True,
        ),
        Option("max-time", "TIME", "longest time for a test, in seconds", quantities.parse_time, "10s", JUDGING),
        Option("blocks", "N", "measure so many blocks and look once, at the end",
               parse_blocks, "until settled", JUDGING),
        Option("labs", "N", "build the lab so many times, 5 or more, and judge over the builds",
               parse_labs, "1", JUDGING),
        Option("slice", "TIME", "length of a slice, in seconds", quantities.parse_time, _PILOT, JUDGING),
        Option("warmup", "TIME", "uncounted start of a connection, in seconds", parse_pause, _PILOT, JUDGING),
        Option("seed", "N", "number that fixes the random order of the paths",
               parse_seed, "random, and stated", JUDGING),
        Option("json", "FILE", "write the results document; - for standard output", parse_file, "none", OUTPUT,
               output=True, file=True),
        Option("plot", "FILE.svg", "draw the differences with their intervals as an SVG", parse_plot, "none", OUTPUT,
               output=True, file=True),
        Option("fail-on", "slower", "exit 1 if a candidate is slower", parse_fail_on, "never", OUTPUT,
               output=True, choices=lambda: ("slower",)),
        Option("quiet", "", "no progress and no table, only errors", quantities.parse_switch, "off", OUTPUT,
               output=True, flag=True),
        Option("explain", "", "go on to explain each slower row, as pathgauge explain does",
               quantities.parse_switch, "off", OUTPUT, output=True, flag=True),
        Option("print-config", "", "measure nothing; print a file for --config that asks for the same",
               quantities.parse_switch, "off", OUTPUT, output=True, flag=True),
        Option("config", "FILE", "read options from a TOML file; keys are option names", parse_file, "none", OUTPUT,
               output=True, file=True),
    )
}  # fmt: skip


NOT_EXPLAINED = (
    "server",
    "device",
    "address",
    "labs",
    "blocks",
    "plot",
    "fail-on",
    "explain",
    "print-config",
)


def add_arguments(parser: argparse.ArgumentParser, names: Sequence[str] | None = None) -> None:
    """Give a verb's parser the options of these names, all if None. Values stay text; see `given`."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in OPTIONS.values():
        if names is not None and option.name not in names:
            continue
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        words = f"{option.help} [{option.default}]".replace("%", "%%")
        if option.flag:
            groups[option.group].add_argument(f"--{option.name}", action=argparse.BooleanOptionalAction, help=words)
        else:
            groups[option.group].add_argument(f"--{option.name}", metavar=option.metavar, action="append", help=words)


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Add the choices and file names that a completion script offers; for these tests and metrics are imported."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to them
        option = next((OPTIONS[name[2:]] for name in action.option_strings if name[2:] in OPTIONS), None)
        if option is not None and option.choices is not None:
            action.choices = option.choices()
        if option is not None and option.file:
            action.complete = {"bash": "_shtab_compgen_files", "zsh": "_files"}  # type: ignore[attr-defined]


def given(arguments: argparse.Namespace) -> Texts:
    """What was given on the command line; an option that is not repeatable keeps its last value."""
    found: Texts = {}
    for option in OPTIONS.values():
        value = getattr(arguments, option.field, None)
        if value is not None:
            texts = as_texts(option, value)
            found[option.name] = texts if option.repeatable else texts[-1:]
    return found


TABLES = ("path", "set", "wire", "address", "margin", "vary")  # whose values may be a table in a file and in Python


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str | int | float):
        return str(value)
    raise UserError(f"a value cannot be {quoted(repr(value))}", hint="give text, a number, or true or false")


def _pairs(name: str, table: Mapping[object, object]) -> list[str]:
    """A table as texts: KEY=VALUE, of set NAME.KEY=VALUE, of vary KEY=V1,V2; a wire's keys are one text."""
    texts = []
    for key, value in table.items():
        if name == "set" and isinstance(value, Mapping):
            texts += [f"{key}.{inner}={_scalar(setting)}" for inner, setting in value.items()]
        elif name == "vary" and isinstance(value, list | tuple):
            texts.append(f"{key}={','.join(map(_scalar, value))}")
        else:
            texts.append(f"{key}={_scalar(value)}")
    return [",".join(texts)] if name == "wire" else texts


def as_texts(option: Option, value: object) -> list[str]:
    """A typed value of a file or of Python as the texts that the command line would have had."""
    if isinstance(value, Mapping) and option.name in TABLES:
        texts = _pairs(option.name, value)
    elif isinstance(value, list | tuple):
        texts = [_scalar(item) for item in value]
    else:
        texts = [_scalar(value)]
    return texts


def option_named(key: str, *, output: bool) -> Option:
    """The option of that name; UserError with the nearest right one. `output` includes those for output."""
    names = [option.name for option in OPTIONS.values() if output or not option.output]
    name = key.replace("_", "-")
    if name not in names:
        raise UserError(
            f"there is no option {quoted(key)}; {nearest(name, names)}", hint="see pathgauge compare --help"
        )
    return OPTIONS[name]


def texts_of(values: Mapping[str, object], *, output: bool) -> Texts:
    """Options by name with typed values or texts, as texts. UserError for an unknown name or one value too many."""
    texts: Texts = {}
    for key, value in values.items():
        option = option_named(key, output=output)
        if value is None:
            continue
        texts[option.name] = as_texts(option, value)
        if not option.repeatable and len(texts[option.name]) != 1:
            raise UserError(
                f"{option.name} takes one value, not {len(texts[option.name])}", hint=f"{option.name}={option.metavar}"
            )
    return texts


def parse_values(texts: Texts) -> dict[str, object]:
    """The typed value of each option given: a tuple where it is repeatable. UserError names the option."""
    values: dict[str, object] = {}
    for name, items in texts.items():
        option = OPTIONS[name]
        try:
            parsed = tuple(option.parse(item) for item in items)
        except UserError as error:
            raise UserError(f"--{name}: {error}", hint=error.hint) from None
        values[name] = parsed if option.repeatable else parsed[-1]
    return values


def build_request(
    paths: Sequence[str], values: Mapping[str, object], command: Sequence[str] = (), *, explaining: bool = False
) -> "Request":
    """The request for these path arguments (none: the default ones) and values as `parse_values` returns them.

    Checks all that needs no machine; UserError says what to type.
    """
    from pathgauge.asking import build

    return build(paths, values, command, explaining=explaining)


def request_from_python(paths: Sequence[str], options: Mapping[str, object]) -> "Request":
    """The request of `pathgauge.compare(*paths, **options)`: options by name with `_` for `-`, typed or as text."""
    return build_request(paths, parse_values(texts_of(options, output=False)))


def reference_markdown() -> str:
    """The reference page of the command line, docs/reference/cli.md."""
    from pathgauge.cli.main import VERBS

    lines = [
        "# Command line",
        "",
        "<!-- Generated by `reference_markdown()` of src/pathgauge/options.py: change the table there. -->",
        "",
        "| verb | does |",
        "|---|---|",
        *(f"| `pathgauge {verb}` | {summary} |" for verb, summary in VERBS.items()),
        "",
        "## pathgauge compare [PATH ...]",
        "",
        f"The first path is the baseline. Default: `{' '.join(DEFAULT_PATHS)}`; with `--vary`: `{DEFAULT_PATHS[0]}`.",
        "Every option is also a key of a `--config` file (TOML), and, but for those under *Output*, an argument of",
        "`pathgauge.compare()` with `_` for `-`. What is given on the command line replaces what a file says.",
    ]
    for group in dict.fromkeys(option.group for option in OPTIONS.values()):
        lines += ["", f"### {group}", "", "| option | meaning | default |", "|---|---|---|"]
        for option in OPTIONS.values():
            if option.group == group:
                again = "; may be given again" if option.repeatable else ""
                usage = f"--{option.name}" if option.flag else f"--{option.name} {option.metavar}"
                lines.append(f"| `{usage}` | {option.help}{again} | {option.default} |")
    return "\n".join([*lines, "", *_NOTES]) + "\n"


_NOTES = (
    "A flag has a twin that takes it back: `--no-nodelay`.",
    "",
    "## Quantities",
    "",
    "| kind | examples |",
    "|---|---|",
    "| rate | as tc writes them: `1gbit`, `100mbit`, `1gibit`, `125Mbps` (bytes a second); a bare number is bit/s |",
    "| size | as netperf writes them: `128K` is 131072, `128k` is 128000; a bare number is bytes |",
    "| percent | `2%` or `2` |",
    "| time | `8`, `8s`, `200ms`, `50us`; a bare number is seconds |",
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---|---|",
    "| 0 | done, whatever the verdict |",
    "| 1 | `--fail-on` fired |",
    "| 2 | a mistake in the command or in a file it names |",
    "| 3 | the machine lacks something, no block was valid, or the document could not be written |",
    "| 70 | a defect of pathgauge: please report it |",
    "| 129, 130, 143 | ended by SIGHUP, SIGINT, SIGTERM; what was measured is in the document |",
)
