"""TLS in the kernel: its ciphers, and what it goes with."""

from typing import TYPE_CHECKING

from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters

OFF = "off"
CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")


def is_encrypted(kind: "TestKind", parameters: "Parameters") -> bool:
    """Whether the test's connection is encrypted."""
    return parameters.tls is not None and "tls" in kind.parameters


def check(kind: "TestKind", parameters: "Parameters") -> None:
    """UserError where the kernel's TLS does not go with another parameter."""
    if not is_encrypted(kind, parameters):
        return
    streams = kind.pattern == "stream"
    for option, given in (
        ("send-method zerocopy", streams and parameters.send_method == "zerocopy"),
        ("receive-method discard", streams and parameters.receive_method == "discard"),
        ("receive-method mmap", streams and parameters.receive_method == "mmap"),
        *(
            (f"{option} {method}", streams and method.startswith("io-uring"))
            for option, method in (
                ("send-method", parameters.send_method),
                ("receive-method", parameters.receive_method),
            )
        ),
        ("mptcp", parameters.mptcp),
        ("flows", parameters.flows > 1),
    ):
        if given:
            raise UserError(f"the kernel's TLS does not go with --{option}", hint="leave it out, or --tls")
