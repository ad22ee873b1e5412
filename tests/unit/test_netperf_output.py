"""Output of the netperf client. What stands in literals and is not ours alone was printed by netperf 2.7.0."""

import json
from pathlib import Path

import numpy as np
import pytest

from pathgauge.errors import UserError
from pathgauge.peers.netperf import interim, units
from pathgauge.peers.netperf.interim import Interim
from pathgauge.peers.netperf.output import banner, lines, unit_for
from pathgauge.peers.netperf.record import Confidence, CpuUse, EndRecord, Record
from pathgauge.peers.netperf.selection import blocks, listing, shows_latency
from pathgauge.peers.netperf.selectors import BLOCKS, SELECTORS, find, percentile_name
from pathgauge.peers.netperf.settings import RECEIVE, SEND, EndOptions, Settings
from pathgauge.results.latency import Histogram

BOTH = SEND | RECEIVE


def record_of(settings: Settings) -> Record:
    return Record(
        settings,
        source_name="0.0.0.0",  # noqa: S104  # a word in a banner
        source_address="0.0.0.0",  # noqa: S104  # the same
        source_port=0,
        target_name="localhost",
        target_address="127.0.0.1",
        target_port=0,
        family="AF_INET",
        local=EndRecord(settings.local, send_buffer=16384, receive_buffer=131072, send_size=16384),
        remote=EndRecord(settings.remote, send_buffer=16384, receive_buffer=131072, send_size=16384),
    )


def stream(**changes: object) -> Record:
    record = record_of(Settings(**changes))  # type: ignore[arg-type]  # names of its fields
    record.throughput, record.elapsed = 28339.48, 2.0
    return record


def round_trips(**changes: object) -> Record:
    settings = Settings(test="TCP_RR", direction=BOTH, request_size=1, response_size=1, **changes)  # type: ignore[arg-type]  # the same
    record = record_of(settings)
    record.throughput, record.elapsed = 41619.845, 0.07
    return record


def printed(record: Record) -> str:
    return "\n".join(lines(record))


def test_stream() -> None:
    assert printed(stream()).splitlines() == [
        "Recv   Send    Send                          ",
        "Socket Socket  Message  Elapsed              ",
        "Size   Size    Size     Time     Throughput  ",
        "bytes  bytes   bytes    secs.    10^6bits/sec  ",
        "",
        "131072  16384  16384    2.00     28339.48   ",
    ]


def test_brand_stands_only_without_headings() -> None:
    assert printed(stream(brand="a brand", banner=False)) == "131072  16384  16384    2.00     28339.48   a brand"
    assert "brand" not in printed(stream(brand="a brand"))


def test_stream_with_cpu_of_one_end() -> None:
    record = stream(local_cpu_wanted=True, units="G")
    record.throughput = 2.08
    record.local.cpu = CpuUse(99.5, method="S", demand=0.708)
    assert printed(record).splitlines() == [
        "Recv   Send    Send                          Utilization       Service Demand",
        "Socket Socket  Message  Elapsed              Send     Recv     Send    Recv",
        "Size   Size    Size     Time     Throughput  local    remote   local   remote",
        "bytes  bytes   bytes    secs.    GBytes  /s  % S      % U      us/KB   us/KB",
        "",
        "131072  16384  16384    2.00          2.08   99.50    -1.00    0.708   -1.000 ",
    ]


def test_maerts_takes_the_right_ends() -> None:
    record = stream(test="TCP_MAERTS", direction=RECEIVE, banner=False, verbosity=2)
    record.remote = EndRecord(
        EndOptions(send_align=64, send_offset=3), bytes_sent=1015808, send_calls=31, send_buffer=32768, send_size=32768
    )
    record.local = EndRecord(
        EndOptions(receive_align=32, receive_offset=2), bytes_received=1015808, receive_calls=31, receive_buffer=131072
    )
    record.mss = 24576
    assert printed(record).splitlines() == [
        "131072  32768  32768    2.00     28339.48   ",
        "",
        "Alignment      Offset         Bytes    Bytes       Recvs   Bytes    Sends",
        "Local  Remote  Local  Remote  Xfered   Per                 Per",
        "Recv   Send    Recv   Send             Recv (avg)          Send (avg)",
        "   32      64      2       3 1015808  32768.00        31   32768.00     31",
        "",
        "Maximum",
        "Segment",
        "Size (bytes)",
        " 24576",
    ]


def test_sendfile_prints_bytes_short() -> None:
    record = stream(test="TCP_SENDFILE", banner=False, verbosity=2)
    record.local.bytes_sent, record.local.send_calls = 3014656, 184
    record.remote.bytes_received, record.remote.receive_calls = 3014656, 25
    assert "    8       8      0       0 3.015e+06  16384.00       184   120586.24     25" in printed(record)


def test_round_trips() -> None:
    record = round_trips(verbosity=2)
    record.local.bytes_sent = record.local.bytes_received = 2914
    assert printed(record).splitlines() == [
        "Local /Remote",
        "Socket Size   Request  Resp.   Elapsed  Trans.",
        "Send   Recv   Size     Size    Time     Rate         ",
        "bytes  Bytes  bytes    bytes   secs.    per sec   ",
        "",
        "16384  131072 1        1       0.07     41619.85   ",
        "16384  131072",
        "Alignment      Offset         RoundTrip  Trans    Throughput",
        "Local  Remote  Local  Remote  Latency    Rate     10^6bits/s",
        "Send   Recv    Send   Recv    usec/Tran  per sec  Outbound   Inbound",
        "    8      8       0      0   24.027   41619.845 0.333     0.333 ",
    ]


def test_round_trips_in_bytes_with_cpu() -> None:
    record = round_trips(units="B", local_cpu_wanted=True, remote_cpu_wanted=True)
    record.throughput, record.elapsed = 37400.42, 0.16
    record.local.cpu = record.remote.cpu = CpuUse(32.05, method="S", demand=17550.879)
    assert printed(record).splitlines()[2:] == [
        "Send   Recv   Size    Size   Time    Bytes    local  remote local   remote",
        "bytes  bytes  bytes   bytes  secs.   per sec  % S    % S    us/KB   us/KB",
        "",
        "16384  131072 1       1      0.16    37400.42  32.05  32.05  17550.879  17550.879 ",
        "16384  131072",
    ]


@pytest.mark.parametrize("test", ["TCP_CRR", "TCP_CC"])
def test_connections_show_no_method_and_no_brand(test: str) -> None:
    settings = Settings(
        test=test, direction=BOTH, connection=True, local_cpu_wanted=True, brand="brand", verbosity=2
    )  # fmt: skip
    record = record_of(settings)
    record.throughput, record.elapsed = 10878.24, 0.03
    record.local.cpu = CpuUse(83.33, method="S", demand=153.211)
    assert printed(record).splitlines()[3:] == [
        "bytes  bytes  bytes   bytes  secs.   per sec  %      %      us/Tr   us/Tr",
        "",
        "16384  131072 1       1      0.03    10878.24   83.33  -1.00  153.211  -1.000",
        "16384  131072",
        "",
        "Alignment      Offset",
        "Local  Remote  Local  Remote",
        "Send   Recv    Send   Recv",
        "    8      8       0      0",
    ]


def datagrams(**changes: object) -> Record:
    record = record_of(Settings(test="UDP_STREAM", transport="udp", **changes))  # type: ignore[arg-type]  # the same
    record.local.send_buffer = record.remote.receive_buffer = 212992
    record.local.send_size, record.local.send_calls, record.remote.receive_calls = 65507, 69014, 29087
    record.elapsed, record.throughput, record.receive_throughput = 1.0, 36162.93, 15241.42
    return record


def test_datagrams() -> None:
    assert list(lines(datagrams())) == [
        "Socket  Message  Elapsed      Messages                ",
        "Size    Size     Time         Okay Errors   Throughput",
        "bytes   bytes    secs            #      #   10^6bits/sec",
        "",
        "212992   65507   1.00        69014      0    36162.93",
        "212992           1.00        29087           15241.42",
        "",
    ]


def test_datagrams_with_cpu() -> None:
    record = datagrams(remote_cpu_wanted=True)
    record.remote.cpu = CpuUse(85.43, method="S", demand=0.388)
    assert list(lines(record))[1:] == [
        "Size    Size     Time         Okay Errors   Throughput   Util     Demand",
        "bytes   bytes    secs            #      #   10^6bits/sec % US     us/KB",
        "",
        "212992   65507   1.00        69014      0    36162.9     -1.00    -1.000",
        "212992           1.00        29087           15241.4     85.43    0.388 ",
        "",
    ]


def test_result_of_datagrams_is_what_arrived() -> None:
    assert printed(datagrams(output="keyval", selection="throughput")).splitlines() == ["THROUGHPUT=15241.42"]


def test_segment_size() -> None:
    record = record_of(Settings(test="TCP_MSS"))
    record.mss = 32741
    assert list(lines(record)) == ["Maximum", "Segment", "Size (bytes)", "", "32741 "]
    record.settings.verbosity = 0
    assert list(lines(record)) == ["32741 "]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "28339.48 "),
        ({"banner": False, "brand": "brand"}, "28339.48 brand"),
        ({"local_cpu_wanted": True, "remote_cpu_wanted": True}, " 1.518 S "),
        ({"remote_cpu_wanted": True}, " 0.700 U "),
        ({"test": "TCP_CC", "direction": 0, "connection": True}, "28339.48"),
        ({"test": "TCP_CC", "direction": 0, "connection": True, "local_cpu_wanted": True}, " 1.518"),
        ({"test": "UDP_STREAM", "transport": "udp", "local_cpu_wanted": True}, "  1.52 S"),
    ],
)
def test_single_number(changes: dict[str, object], expected: str) -> None:
    record = stream(verbosity=0, **changes)
    record.local.cpu, record.remote.cpu = CpuUse(method="S", demand=1.518), CpuUse(demand=0.7)
    assert list(lines(record)) == [expected]


def test_more_than_verbosity_2_is_as_2() -> None:
    assert printed(stream(verbosity=3)) == printed(stream(verbosity=2))


def test_warning_of_confidence() -> None:
    record = stream(verbosity=0, banner=False)
    record.confidence = Confidence(4, 0.08226, 0.02254, 0.02254, reached=False)
    warning = list(lines(record))
    assert warning[0] == "!!! WARNING"
    assert all(line.startswith("!!! ") for line in warning[:7])
    assert warning[4:] == [
        "!!! Confidence intervals: Throughput      : 8.226%",
        "!!!                       Local CPU util  : 2.254%",
        "!!!                       Remote CPU util : 2.254%",
        "",
        "28339.48 ",
    ]


ENDS = " from 0.0.0.0 (0.0.0.0) port 0 AF_INET to localhost (127.0.0.1) port 0 AF_INET"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), f"MIGRATED TCP STREAM TEST{ENDS} : demo"),
        (Settings(test="TCP_CC", connection=True), f"TCP Connect/Close TEST{ENDS} : demo"),
        (
            Settings(test="UDP_RR", direction=BOTH, iterations_max=3, confidence=95, result_only=True),
            f"MIGRATED UDP REQUEST/RESPONSE TEST{ENDS} : +/-2.500% @ 95% conf.  on result only : demo : first burst 0",
        ),
        (Settings(test="OMNI", direction=RECEIVE, discard=True), f"OMNI Receive TEST{ENDS} : copy avoidance : demo"),
        (Settings(test="OMNI", direction=BOTH, connection=True), f"OMNI Connect|Send|Recv TEST{ENDS} : demo"),
        (Settings(test="OMNI", direction=0, connection=True), f"OMNI Connection TEST{ENDS} : demo"),
        (
            Settings(test="TCP_RR", first_burst=4, local=EndOptions(nodelay=True, cpu=0, burst=3)),
            f"MIGRATED TCP REQUEST/RESPONSE TEST{ENDS} : nodelay : interval : demo : first burst 4 : cpu bind",
        ),
        (Settings(control=False), f"MIGRATED TCP STREAM TEST{ENDS} : no control : demo"),
        (Settings(banner=False), ""),
    ],
)  # fmt: skip
def test_banner(settings: Settings, expected: str) -> None:
    assert banner(record_of(settings)) == expected


# Units


def test_units_by_test() -> None:
    assert unit_for(Settings()) == "m"
    assert unit_for(Settings(units="x")) == "m"
    assert unit_for(Settings(units="u")) == "m"
    assert unit_for(Settings(test="TCP_RR", direction=BOTH)) == "x"
    assert unit_for(Settings(test="TCP_RR", direction=BOTH, units="K")) == "K"
    assert unit_for(Settings(test="TCP_CC", direction=0, connection=True, units="K")) == "x"


@pytest.mark.parametrize(
    ("letter", "expected"),
    [("G", 1.0), ("M", 1024.0), ("B", 2.0**30), ("b", 2.0**33), ("m", 8589.934592), ("x", 50000.0), ("u", 20.0)],
)
def test_figures(letter: str, expected: float) -> None:
    assert units.figure(letter, 2.0**30, 50000.0) == pytest.approx(expected)


def test_time_of_no_transaction_is_zero() -> None:
    assert units.figure("u", 0.0) == 0.0


def test_service_demand_is_as_netperf_prints_it() -> None:
    assert units.demand(99.5, 2, 2.0, 23037.5e6 * 2.0 / 8 / units.KIB) == pytest.approx(0.708, abs=0.0005)
    assert units.demand(-1.0, 2, 2.0, 1.0) == -1.0
    assert units.demand(50.0, 2, 2.0, 0.0) == -1.0


# Selectors


def test_all_names_are_netperfs_in_four_blocks() -> None:
    assert [len(block) for block in BLOCKS] == [24, 29, 58, 62]
    assert listing("csv")[0].startswith("OUTPUT_NONE,SOCKET_TYPE,PROTOCOL,")
    assert listing("human")[-2:] == ["OUTPUT_END", "P999_LATENCY"]


def test_every_selector_has_a_text_and_a_heading() -> None:
    record = round_trips(brand="brand")
    for selector in SELECTORS.values():
        assert selector.text(record) is not None, selector.name
        assert 1 <= len(selector.heading) <= 4


def test_human_output() -> None:
    record = round_trips(output="human", selection="throughput,foo,P99_LATENCY;Elapsed Time (sec)")
    record.throughput = 17749.85
    record.latency = Histogram(np.array([117], dtype=np.int64), np.array([1], dtype=np.int64))
    assert list(lines(record)) == [
        "Throughput  99th         ",
        "            Percentile   ",
        "            Latency      ",
        "            Microseconds ",
        "17749.85    0            ",
        "",
        "Elapsed ",
        "Time    ",
        "(sec)   ",
        "        ",
        "0.07    ",
    ]


def test_csv_keeps_columns_of_what_is_not_known() -> None:
    record = round_trips(output="csv", selection="THROUGHPUT,FOO,RESULT_BRAND,LOCAL_SOCKET_TOS,COMMAND_LINE")
    record.settings.command_line = "netperf -t TCP_RR"
    assert list(lines(record)) == [
        "Throughput,,Result Tag,Local Socket TOS,Command Line",
        '41619.85,,,0xffffffff,"netperf -t TCP_RR"',
    ]


def test_keyval_leaves_out_what_was_never_given() -> None:
    record = round_trips(output="keyval", selection="RESULT_BRAND,LOCAL_SYSNAME,BURST_SIZE,OUTPUT_END,UUID")
    assert list(lines(record)) == ["LOCAL_SYSNAME=Deprecated", "BURST_SIZE=0"]


@pytest.mark.parametrize(
    ("settings", "first", "count"),
    [
        (Settings(output="keyval"), "LSS_SIZE_END", 6),
        (Settings(output="keyval", test="TCP_MAERTS", direction=RECEIVE), "RSS_SIZE_END", 6),
        (Settings(output="keyval", test="TCP_RR", direction=BOTH), "LSS_SIZE_END", 9),
        (Settings(output="keyval", remote_cpu_wanted=True), "LSS_SIZE_END", 6 + 17),
        (Settings(output="keyval", percentiles=(99.9, 99.99)), "LSS_SIZE_END", 8),
    ],
)
def test_default_selections(settings: Settings, first: str, count: int) -> None:
    (chosen,) = blocks(settings)
    assert (chosen[0].name, len(chosen)) == (first, count)


def test_omni_without_style_is_human() -> None:
    assert next(lines(record_of(Settings(test="OMNI")))).startswith("Local       Remote      Local  Elapsed ")


def test_selector_file(tmp_path: Path) -> None:
    file = tmp_path / "selectors"
    file.write_text("throughput, Throughput Units\nUUID\nMSS\nUUID\nELAPSED_TIME\n")
    names = [[selector.name for selector in block] for block in blocks(Settings(output="human", selection=str(file)))]
    assert names == [["THROUGHPUT", "THROUGHPUT_UNITS"], ["UUID"], [""], ["UUID"]]


def test_missing_selector_file() -> None:
    with pytest.raises(UserError, match="no selector"):
        blocks(Settings(output="csv", selection="/nowhere/at/all"))


def test_percentiles() -> None:
    record = round_trips(output="keyval", percentiles=(99.99,))
    record.settings.selection = "P50_LATENCY,P90_LATENCY,P999_LATENCY,P9999_LATENCY,MAX_LATENCY"
    assert set(printed(record).split()) == {
        "P50_LATENCY=-1", "P90_LATENCY=-1", "P999_LATENCY=-1", "P9999_LATENCY=-1", "MAX_LATENCY=-1"
    }  # fmt: skip
    # 1000 ns and 2000 ns lie in places of 1 ns each
    record.latency = Histogram(np.array([1000, 2000], dtype=np.int64), np.array([998, 2], dtype=np.int64))
    record.latency_max = 2e-6
    assert list(lines(record)) == [
        "P50_LATENCY=1", "P90_LATENCY=1", "P999_LATENCY=2", "P9999_LATENCY=2", "MAX_LATENCY=2"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("percent", "name"), [(50.0, "P50"), (5.0, "P05"), (99.9, "P999"), (99.99, "P9999"), (0.1, "P001"), (100.0, "P100")]
)
def test_names_of_percentiles(percent: float, name: str) -> None:
    assert percentile_name(percent) == f"{name}_LATENCY"
    selector = find(f"{name.lower()}_latency")
    assert selector is not None
    assert selector.heading[0] == f"{percent:g}th"


def test_percentiles_that_were_asked_for_stand_behind_the_layout() -> None:
    record = round_trips(percentiles=(50.0, 99.9))
    plain = printed(round_trips()).splitlines()
    assert printed(record).splitlines() == plain, "none were kept"
    record.latency = Histogram(np.array([1000, 10000], dtype=np.int64), np.array([998, 2], dtype=np.int64))
    record.latency_max = 2e-3
    assert printed(record).splitlines()[:-1] == plain
    assert printed(record).splitlines()[-1] == "Latency in us: p50 1, p99.9 463, max 2000"


def test_latency_is_kept_for_whoever_shows_it() -> None:
    assert not shows_latency(Settings())
    assert not shows_latency(Settings(selection="P99_LATENCY"))
    assert shows_latency(Settings(output="csv", selection="P99_LATENCY,THROUGHPUT"))
    assert not shows_latency(Settings(output="csv", selection="RT_LATENCY"))
    assert shows_latency(Settings(output="json", selection="all"))
    assert not shows_latency(Settings(output="json"))
    assert shows_latency(Settings(percentiles=(95.0,)))


def test_json_has_types_and_null_for_what_is_not_known() -> None:
    record = round_trips(output="json", selection="all", percentiles=(95.0,))
    record.local.nodelay = True
    (line,) = lines(record)
    values = json.loads(line)
    assert values["schema"] == "pathgauge.netperf/1"
    assert values["THROUGHPUT"] == 41619.845
    assert values["PROTOCOL"] == "TCP"
    assert values["LOCAL_NODELAY"] is True
    assert values["LOCAL_CPU_UTIL"] is values["P95_LATENCY"] is values["RESULT_BRAND"] is None
    assert "LOCAL_SYSNAME" not in values


def test_json_without_a_selection_has_everything() -> None:
    (line,) = lines(round_trips(output="json"))
    assert {"THROUGHPUT", "LOCAL_CORK", "P999_LATENCY", "UUID"} <= set(json.loads(line))


# Interim results


def test_interim_results() -> None:
    result = Interim(2, 12082.066, 0.3249, 1795390640.1834)
    assert interim.lines(result, "x", "classic") == [
        "Interim result: 12082.07 Trans/s over 0.325 seconds ending at 1795390640.183"
    ]
    assert interim.lines(result, "x", "csv") == ["12082.07,Trans/s,0.325,1795390640.183"]
    assert interim.lines(result, "m", "keyval") == [
        "NETPERF_INTERIM_RESULT[2]=12082.07",
        "NETPERF_UNITS[2]=10^6bits/s",
        "NETPERF_INTERVAL[2]=0.325",
        "NETPERF_ENDING[2]=1795390640.183",
    ]
    (line,) = interim.lines(result, "m", "json")
    assert json.loads(line)["throughput"] == 12082.066
