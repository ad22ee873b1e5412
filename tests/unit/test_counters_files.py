"""The kernel's text files: every column in its place, other kernels' forms, and nothing raised by any text."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import counter_texts as recorded
from pathgauge.counters import text
from pathgauge.counters.cpu import parse_kinds
from pathgauge.counters.interrupts import parse_interrupts, parse_softirqs
from pathgauge.counters.process import parse_schedstat, parse_stat, parse_status
from pathgauge.counters.reading import NARROW, Counters
from pathgauge.counters.snmp import parse_pairs, parse_snmp6, parse_sockstat
from pathgauge.counters.softnet import SoftnetReader, packets_by_cpu, parse_softnet_stat
from pathgauge.counters.stat_table import parse_stat_table

Parser = Callable[[bytes], Counters]
PARSERS: dict[str, tuple[Parser, bytes]] = {
    "snmp": (parse_pairs, recorded.SNMP),
    "netstat": (parse_pairs, recorded.NETSTAT),
    "snmp6": (parse_snmp6, recorded.SNMP6),
    "sockstat": (parse_sockstat, recorded.SOCKSTAT),
    "softnet": (parse_softnet_stat, recorded.SOFTNET),
    "conntrack": (parse_stat_table, recorded.CONNTRACK),
    "arp_cache": (parse_stat_table, recorded.ARP_CACHE),
    "softirqs": (parse_softirqs, recorded.SOFTIRQS),
    "interrupts": (parse_interrupts, recorded.INTERRUPTS),
    "stat": (lambda given: parse_kinds(given, 100), recorded.STAT),
    "process stat": (
        lambda given: parse_stat(given, 100),
        recorded.PROCESS_STAT,
    ),
    "status": (parse_status, b"Name:\tx\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"),
    "schedstat": (parse_schedstat, b"5210923 134620 11\n"),
}


def test_the_protocols_of_a_namespace() -> None:
    found = parse_pairs(recorded.SNMP)
    assert found.rising["tcp.RetransSegs"] == 3922
    assert found.rising["udp.RcvbufErrors"] == 5390958
    assert found.rising["ip.OutTransmits"] == 171523596
    assert found.rising["icmpmsg.InType3"] == 1546747
    assert found.gauges["tcp.MaxConn"] == -1
    assert found.gauges["tcp.CurrEstab"] == 0
    assert found.gauges["ip.Forwarding"] == 2
    assert len(found) == 20 + 29 + 2 + 15 + 9 + 9


def test_the_protocols_of_an_old_kernel_lack_what_it_does_not_count() -> None:
    found = parse_pairs(recorded.OLD_SNMP)
    assert found["tcp.RetransSegs"] == 4
    assert "udp.MemErrors" not in found
    assert len(found) == 19 + 14 + 6


def test_the_extensions() -> None:
    found = parse_pairs(recorded.NETSTAT)
    assert found.rising["tcpext.TCPTimeouts"] == 518
    assert found.rising["ipext.InOctets"] == 3525807134542
    assert found.gauges == {"mptcpext.MPCurrEstab": 3}


def test_lines_that_do_not_fit_together_are_left_out() -> None:
    broken = b"Tcp: A B\nTcp: 1\nUdp: A B\nUdp: 1 x\nIp: A\nIcmp: 4\n: A\n: 1\n"
    assert dict(parse_pairs(broken)) == {"udp.A": 1}


def test_ipv6() -> None:
    assert parse_snmp6(recorded.SNMP6) == Counters(
        {
            "ip6.InReceives": 1482243,
            "ip6.InTooBigErrors": 0,
            "ip6.InNoECTPkts": 1482259,
            "icmp6.InMsgs": 36,
            "icmp6.OutType133": 55,
            "udp6.RcvbufErrors": 8986,
            "udplite6.InDatagrams": 0,
        }
    )


def test_sockets_are_levels() -> None:
    found = parse_sockstat(recorded.SOCKSTAT)
    assert not found.rising
    assert found.gauges["sockstat.TCP.mem"] == 1169
    assert found.gauges["sockstat.sockets.used"] == 20
    assert found.gauges["sockstat.FRAG.memory"] == 0
    assert parse_sockstat(recorded.SOCKSTAT6).gauges["sockstat.UDP6.inuse"] == 2


def test_the_backlogs_of_the_cpus() -> None:
    found = parse_softnet_stat(recorded.SOFTNET)
    assert found.narrow["softnet.0.processed"] == 0x23347543
    assert found.narrow["softnet.0.dropped"] == 7
    assert found.narrow["softnet.1.time_squeeze"] == 0x27
    assert found.narrow["softnet.1.received_rps"] == 0x11
    assert found.narrow["softnet.1.flow_limit"] == 2
    assert found.gauges["softnet.1.backlog"] == 5


def test_a_row_of_the_backlogs_is_the_cpu_that_it_says() -> None:
    assert set(parse_softnet_stat(recorded.SOFTNET_ONE_OFFLINE).gauges) == {"softnet.1.backlog"}


@pytest.mark.parametrize(("given_text", "columns"), [(recorded.SOFTNET_3_10, 4), (recorded.SOFTNET_2_6, 3)])
def test_the_backlogs_of_old_kernels(given_text: bytes, columns: int) -> None:
    found = parse_softnet_stat(given_text)
    assert found["softnet.0.processed"] == 0x15CB76
    assert len(found) == columns


def test_packets_are_by_the_cpu_that_took_them() -> None:
    later = recorded.SOFTNET.replace(b"13a4800b", b"13a48010")
    assert packets_by_cpu(recorded.SOFTNET, later) == {"1": 5}
    wrapped = recorded.SOFTNET.replace(b"23347543", b"00000002").replace(b"13a4800b", b"13a4800c")
    assert packets_by_cpu(recorded.SOFTNET.replace(b"23347543", b"fffffffe"), wrapped) == {"0": 4, "1": 1}
    assert packets_by_cpu(recorded.SOFTNET, recorded.SOFTNET_ONE_OFFLINE) is None
    assert packets_by_cpu(b"", recorded.SOFTNET) is None


def test_a_reader_of_what_is_not_there_reads_nothing(tmp_path: Path) -> None:
    table = tmp_path / "softnet_stat"
    with SoftnetReader(str(table)) as reader:
        assert reader.read() == b""
    table.write_bytes(recorded.SOFTNET * 40)  # more than is read at once
    with SoftnetReader(str(table)) as reader:
        assert reader.read() == recorded.SOFTNET * 40
    assert reader.read() == b""


def test_a_table_of_cpus_is_summed_but_for_its_level() -> None:
    found = parse_stat_table(recorded.CONNTRACK)
    assert found.gauges == {"entries": 31}
    assert found.narrow["invalid"] == 3
    assert found.narrow["insert"] == 3, "the sum of 32-bit counters wraps as they do"
    assert found.narrow["insert_failed"] == 1
    assert found.narrow["drop"] == 3
    assert parse_stat_table(recorded.ARP_CACHE).narrow["table_fulls"] == 2


def test_softirqs_are_by_cpu() -> None:
    found = parse_softirqs(recorded.SOFTIRQS)
    assert found.narrow["softirq.NET_RX.1"] == 269473962
    assert len(found) == 8


def test_interrupts_are_called_after_their_device() -> None:
    assert parse_interrupts(recorded.INTERRUPTS).narrow == {
        "interrupt.irq24-ACPI:Ged": 1,
        "interrupt.irq41-virtio3-rx": 9249,
        "interrupt.irq42-virtio3-tx": 37464,
        "interrupt.LOC": 80446520 + 26219059,
        "interrupt.CAL": 57754622 + 112484470,
    }


def test_cpu_time_is_by_kind_and_cpu_in_microseconds() -> None:
    found = parse_kinds(recorded.STAT, 100)
    assert found.rising["cpu.all.user"] == 8558710000
    assert found.rising["cpu.1.softirq"] == 1294090000
    assert found.rising["cpu.0.steal"] == 113770000
    assert found.rising["cpu.context_switches"] == 501437519
    assert found.rising["cpu.interrupts"] == 297821825
    assert found.rising["cpu.forks"] == 302554
    assert found.gauges == {"cpu.running": 3}
    assert len(found.rising) == 3 * 8 + 3


def test_a_process() -> None:
    parser, given_text = PARSERS["process stat"]
    found = parser(given_text)
    assert found.rising == {"minor_faults": 101, "major_faults": 7, "user_us": 120000, "system_us": 340000}
    assert found.gauges == {"threads": 3, "last_cpu": 1}
    assert dict(parse_status(PARSERS["status"][1])) == {"voluntary_switches": 150, "involuntary_switches": 545}
    assert dict(parse_schedstat(PARSERS["schedstat"][1])) == {"run_ns": 5210923, "wait_ns": 134620, "timeslices": 11}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_a_text_cut_short_holds_no_other_number(name: str, data: st.DataObject) -> None:
    parser, given_text = PARSERS[name]
    whole = parser(given_text)
    cut = parser(given_text[: data.draw(st.integers(0, len(given_text) - 1))])
    if name in {"conntrack", "arp_cache"}:
        return  # a table without its last rows is a smaller sum: the kernel writes whole rows, and it is read whole
    assert {key: value for key, value in cut.items() if whole.get(key) != value} == {}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_no_text_raises_and_no_number_leaves_its_range(name: str, data: st.DataObject) -> None:
    parser, given_text = PARSERS[name]
    words = sorted(set(given_text.split()) | {b"-", b"99999999999999999999999", b"\xff", b"\xc2\xb2", b":"})
    soup = st.lists(st.sampled_from([*words, b" ", b"\n", b"\n"]), max_size=40).map(b" ".join)
    found = parser(
        data.draw(st.one_of(st.binary(max_size=300), soup, soup.map(lambda made: given_text + made + b"\n")))
    )
    assert all(0 <= value < 1 << 96 for value in found.rising.values())
    assert all(0 <= value < NARROW for value in found.narrow.values())
    assert all(len(key) < 200 and key.isprintable() for key in found)


def test_what_cannot_be_read_is_empty(tmp_path: object) -> None:
    assert text.read_whole(f"{tmp_path}/absent") == b""
    assert text.read_whole(f"{tmp_path}") == b""
    assert text.read_whole(2**20) == b""
    assert text.read_whole("a\0b") == b""
    assert text.read_line(f"{tmp_path}/absent") is None


def test_a_file_is_read_from_its_beginning_by_path_or_descriptor(tmp_path: object) -> None:
    file = f"{tmp_path}/file"
    with open(file, "wb+", buffering=0) as opened:
        opened.write(b"4096\t16384   4194304\n" * 10000)
        assert text.read_whole(opened.fileno()) == text.read_whole(file) == b"4096\t16384   4194304\n" * 10000
    assert (text.read_line(file) or "").startswith("4096 16384 4194304 4096")
