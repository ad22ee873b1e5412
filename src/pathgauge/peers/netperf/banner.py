"""The line that netperf prints before a run: the test's title, its two ends, and what is unusual about it."""

from pathgauge.peers.netperf.record import Record
from pathgauge.peers.netperf.settings import RECEIVE, SEND, Settings

TITLES = {
    "TCP_STREAM": "MIGRATED TCP STREAM TEST",
    "TCP_MAERTS": "MIGRATED TCP MAERTS TEST",
    "TCP_RR": "MIGRATED TCP REQUEST/RESPONSE TEST",
    "TCP_CRR": "MIGRATED TCP Connect/Request/Response TEST",
    "UDP_STREAM": "MIGRATED UDP STREAM TEST",
    "UDP_RR": "MIGRATED UDP REQUEST/RESPONSE TEST",
    "TCP_SENDFILE": "TCP SENDFILE TEST",
    "TCP_CC": "TCP Connect/Close TEST",
    "TCP_MSS": "TCP MSS TEST",
}


def direction(settings: Settings) -> str:
    """In which directions bytes go, and whether connections are made: `Send`, `Connect|Send|Recv`, `Connection`."""
    words = [word for bit, word in ((SEND, "Send"), (RECEIVE, "Recv")) if settings.direction & bit]
    if settings.connection:
        words.insert(0, "Connect" if words else "Connection")
    return "Receive" if words == ["Recv"] else "|".join(words)


def title(settings: Settings) -> str:
    """The test's title; that of OMNI says its direction."""
    return TITLES.get(settings.test) or f"OMNI {direction(settings)} TEST"


def banner(record: Record) -> str:
    """The line before the run; "" where there is none (-P 0). Of the record only settings and ends' names are read."""
    settings = record.settings
    if not settings.banner:
        return ""
    source = _end(record.source_name, record.source_address, record.source_port, record.source_family or record.family)
    target = _end(record.target_name, record.target_address, record.target_port, record.family)
    return f"{title(settings)} from {source} to {target}{_suffixes(settings)}"


def _end(name: str, address: str, port: int, family: str) -> str:
    return f"{name} ({address}) port {port} {family}"


def _suffixes(settings: Settings) -> str:
    confidence = ""
    if settings.iterations_max > 1:
        only = " on result only" if settings.result_only else ""
        confidence = f" : +/-{100 * settings.width / 2:.3f}% @ {settings.confidence:2d}% conf. {only}"
    local, remote = settings.local, settings.remote
    words = {
        "nodelay": local.nodelay or remote.nodelay,
        "copy avoidance": settings.discard or settings.send_avoid,
        "no control": not settings.control,
        "interval": local.burst > 0 or remote.burst > 0,
        "demo": True,  # what a netperf with interim results says, whether or not they are asked for; ours has them
        f"first burst {settings.first_burst}": "REQUEST/RESPONSE" in title(settings),
        "cpu bind": local.cpu >= 0 or remote.cpu >= 0,
    }
    return confidence + "".join(f" : {word}" for word, holds in words.items() if holds)
