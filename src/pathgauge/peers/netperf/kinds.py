"""The tests by name: what each is made of, and what comes nearest to those of netperf that we do not have."""

from dataclasses import dataclass
from typing import Literal

from pathgauge.errors import UserError
from pathgauge.peers.netperf.settings import RECEIVE, SEND, TESTS
from pathgauge.quantities import nearest, quoted


@dataclass(frozen=True, slots=True)
class Kind:
    """What a test's name says: which way bytes go, over what, and whether each transaction is a connection."""

    direction: int = SEND
    transport: Literal["tcp", "udp"] = "tcp"
    connection: bool = False


_NAMED = {
    "TCP_MAERTS": Kind(RECEIVE),
    "TCP_RR": Kind(SEND | RECEIVE),
    "TCP_CRR": Kind(SEND | RECEIVE, connection=True),
    "TCP_CC": Kind(0, connection=True),
    "UDP_STREAM": Kind(transport="udp"),
    "UDP_RR": Kind(SEND | RECEIVE, "udp"),
}
KINDS = {name: _NAMED.get(name, Kind()) for name in TESTS}

# Tests of netperf that pathgauge does not have: which family they are of, and the test of ours that comes nearest.
_UNIX, _DLPI, _XTI, _SDP = "goes over Unix sockets", "goes over DLPI", "goes by XTI", "speaks SDP"
ABSENT = {
    "SCTP_STREAM": ("speaks SCTP", "TCP_STREAM"),
    "SCTP_STREAM_MANY": ("speaks SCTP", "TCP_STREAM"),
    "SCTP_RR": ("speaks SCTP", "TCP_RR"),
    "SCTP_RR_MANY": ("speaks SCTP", "TCP_RR"),
    "STREAM_STREAM": (_UNIX, "TCP_STREAM"),
    "STREAM_RR": (_UNIX, "TCP_RR"),
    "DG_STREAM": (_UNIX, "UDP_STREAM"),
    "DG_RR": (_UNIX, "UDP_RR"),
    "DLCO_STREAM": (_DLPI, "TCP_STREAM"),
    "DLCO_RR": (_DLPI, "TCP_RR"),
    "DLCL_STREAM": (_DLPI, "UDP_STREAM"),
    "DLCL_RR": (_DLPI, "UDP_RR"),
    "XTI_TCP_STREAM": (_XTI, "TCP_STREAM"),
    "XTI_TCP_RR": (_XTI, "TCP_RR"),
    "XTI_TCP_CRR": (_XTI, "TCP_CRR"),
    "XTI_UDP_STREAM": (_XTI, "UDP_STREAM"),
    "XTI_UDP_RR": (_XTI, "UDP_RR"),
    "SDP_STREAM": (_SDP, "TCP_STREAM"),
    "SDP_MAERTS": (_SDP, "TCP_MAERTS"),
    "SDP_RR": (_SDP, "TCP_RR"),
    "SDP_CRR": (_SDP, "TCP_CRR"),
    "SDP_CC": (_SDP, "TCP_CC"),
    "DCCP_STREAM": ("speaks DCCP", "UDP_STREAM"),
    "DCCP_RR": ("speaks DCCP", "UDP_RR"),
    "DCCP_CRR": ("speaks DCCP", "TCP_CRR"),
    "EXS_TCP_STREAM": ("goes by extended sockets", "TCP_STREAM"),
    "TCP_TRR": ("speaks T/TCP", "TCP_CRR"),
    "TCP_NBRR": ("polls without blocking", "TCP_RR"),
}


def check_test(name: str) -> None:
    """Raises UserError where there is no such test (names in capitals)."""
    if name in ABSENT:
        why, near = ABSENT[name]
        raise UserError(f"pathgauge does not have {name}, which {why}; {near} comes nearest", hint=f"-t {near}")
    if name not in KINDS:
        raise UserError(f"there is no test {quoted(name)}; {nearest(name, TESTS)}", hint="see --help for the tests")
