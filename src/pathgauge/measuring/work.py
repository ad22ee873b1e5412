"""What each end of a test has to do: the loop, its sizes, its method, from the test's parameters."""

import time
from typing import Literal

from pathgauge.endpoints.messages import Work
from pathgauge.traffic.kind import End, TestKind
from pathgauge.traffic.parameters import Parameters

CONNECTION_SECONDS = 86400.0  # after which a forgotten loop ends by itself
WHOLE_DATAGRAM = 65535


def low_water(kind: TestKind, parameters: Parameters) -> int | None:
    """The mark that wakes the receiver; None where the test has none."""
    return parameters.low_water if "low_water" in kind.parameters else None


def spins(kind: TestKind, parameters: Parameters) -> bool:
    """Whether readers ask again and again instead of sleeping."""
    return parameters.wait == "spin" and "wait" in kind.parameters


def work(kind: TestKind, given: Parameters, end: End, at_once: int = 1) -> Work:
    """The work of one end, from now on; the parameters are complete. Of transactions that are connections, so many are
    under way `at_once`.
    """
    active = end == kind.active
    loop: Literal["send", "receive", "request", "respond", "connect", "accept"]
    method = "copy"
    if kind.pattern == "stream":
        loop = "send" if active else "receive"
        method = given.send_method if active else given.receive_method
        sizes = (given.send_size if active else given.receive_size) or WHOLE_DATAGRAM, 0
    else:
        loop = "request" if active else "respond"
        if kind.connects:
            loop = "connect" if active else "accept"
        sizes = given.request_size, given.response_size
    return Work(
        loop=loop,
        first_size=sizes[0],
        second_size=sizes[1],
        deadline_ns=time.monotonic_ns() + int(CONNECTION_SECONDS * 1e9),
        cpu=given.local_cpu if end == "local" else given.remote_cpu,
        quota=given.local_quota if end == "local" else given.remote_quota,
        realtime=given.realtime,
        method=method,
        wait=given.wait,
        low_water=None if active else low_water(kind, given),
        ahead=given.burst if "burst" in kind.parameters else 0,
        rate=given.rate if active else None,
        at_once=at_once,
    )
