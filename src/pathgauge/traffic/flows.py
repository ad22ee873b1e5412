"""Many connections at once: how many, in how many threads, and what they do not go with."""

from typing import TYPE_CHECKING

from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters

MOST_FLOWS = 20_000  # between two addresses; there are 28,000 ports for them
MOST_THREADS = 64


def several(kind: "TestKind", parameters: "Parameters") -> bool:
    """Whether the test has more than one connection at a time."""
    return kind.duplex or ("flows" in kind.parameters and parameters.flows > 1)


def check(kind: "TestKind", parameters: "Parameters") -> None:
    """UserError where so many flows, or threads, do not go with the other parameters."""
    if "flows" not in kind.parameters:
        return
    if parameters.threads > parameters.flows:
        raise UserError(
            f"{parameters.threads} threads have more than {parameters.flows} flows to serve",
            hint=f"--flows {parameters.threads}, or more",
        )
    if parameters.threads > 1 and (parameters.local_quota is not None or parameters.remote_quota is not None):
        raise UserError("a CPU quota is for an end of one thread", hint="leave out --threads, or the quotas")
    if parameters.flows == 1:
        return
    for option, plain, given in (
        ("send-method", "copy", parameters.send_method),
        ("receive-method", "copy", parameters.receive_method),
        ("burst", 0, parameters.burst),
        ("rate", None, parameters.rate),
    ):
        if option.replace("-", "_") in kind.parameters and given != plain:
            raise UserError(
                f"--{option} is for one connection, and there are {parameters.flows} flows", hint="leave one out"
            )


def shares(parameters: "Parameters") -> list[int]:
    """How many flows each thread serves."""
    each, rest = divmod(parameters.flows, parameters.threads)
    return [each + (thread < rest) for thread in range(parameters.threads)]
