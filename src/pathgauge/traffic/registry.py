"""The tests by name. A new one is a new file and a line here."""

from pathgauge.traffic import tcp_bidir, tcp_cc, tcp_crr, tcp_maerts, tcp_rr, tcp_stream, udp_rr, udp_stream
from pathgauge.traffic.kind import TestKind

TESTS: dict[str, TestKind] = {
    module.KIND.name: module.KIND
    for module in (tcp_stream, tcp_maerts, tcp_rr, udp_stream, udp_rr, tcp_crr, tcp_cc, tcp_bidir)
}
DEFAULT_TESTS = ("TCP_STREAM", "TCP_MAERTS", "TCP_RR", "UDP_STREAM", "UDP_RR")  # run where none is named
