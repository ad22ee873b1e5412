"""How streams are sent and received, and how a reader waits: the names, and which go together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters

SEND_METHODS: Mapping[str, tuple[str, ...]] = {
    "tcp": ("copy", "sendfile", "splice", "zerocopy", "io-uring", "io-uring-zerocopy"),
    "udp": ("copy", "batch", "gso", "io-uring"),
}
RECEIVE_METHODS: Mapping[str, tuple[str, ...]] = {
    "tcp": ("copy", "discard", "splice", "io-uring", "mmap"),
    "udp": ("copy", "batch", "gro", "io-uring"),
}
BEST = "best"  # in place of a method's name: which it is, is tried out
ZEROCOPY = ("zerocopy", "io-uring-zerocopy")  # of which the kernel says what it copied after all
WAITS = ("block", "poll", "spin")
PLAIN: Mapping[str, str | int | None] = {
    "send_method": "copy",
    "receive_method": "copy",
    "wait": "block",
    "low_water": None,
    "busy_poll": None,
    "realtime": None,
    "mptcp": False,
    "beside": None,
    "beside_rate": None,
    "one_way": False,
    "tls": None,
    "rate": None,
    "flows": 1,
    "threads": 1,
}
LARGEST_PIPE = 1 << 20  # bytes; what a pipe may hold without privilege


def is_plain(kind: "TestKind", parameters: "Parameters") -> bool:
    """Whether the test's loops are those of one connection, and send, receive and wait in the plain way."""
    return all(getattr(parameters, field) == way for field, way in PLAIN.items() if field in kind.parameters)


def check(kind: "TestKind", parameters: "Parameters") -> None:
    """UserError where the test has no such method, or a method does not go with another parameter."""
    for field, by_transport in (("send_method", SEND_METHODS), ("receive_method", RECEIVE_METHODS)):
        method, methods = getattr(parameters, field), by_transport[kind.transport]
        if field in kind.parameters and method not in (*methods, BEST):
            option = field.replace("_", "-")
            others = "TCP_STREAM" if kind.transport == "udp" else "UDP_STREAM"
            raise UserError(
                f"{kind.name} has no {option} {method}; it has {', '.join((*methods, BEST))}",
                hint=f"one of these, or name only tests that have it: --test {others} --{option} {method}",
            )
    for option, method, lacking in (
        ("send-method", parameters.send_method, ("io-uring", "io-uring-zerocopy")),
        ("receive-method", parameters.receive_method, ("mmap",)),
    ):  # of zerocopy the end's own socket says so; sent through a ring, Multipath TCP stalls
        if kind.pattern == "stream" and parameters.mptcp and method in lacking:
            raise UserError(
                f"Multipath TCP has no {option} {method}", hint=f"leave out --mptcp, or --{option} {method}"
            )
    size = parameters.send_size
    if kind.pattern == "stream" and parameters.send_method == "splice" and size is not None and size > LARGEST_PIPE:
        raise UserError(
            f"a message of {size} bytes does not fit the pipe that splice sends it from", hint="--send-size 1M, or less"
        )
    if "low_water" in kind.parameters and parameters.low_water is not None and parameters.wait == "spin":
        raise UserError("a reader that spins sleeps for no mark of low water", hint="leave out --low-water or --wait")
