"""Each way of a transaction timed apart: what that goes with."""

from typing import TYPE_CHECKING

from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters


def timed_apart(kind: "TestKind", parameters: "Parameters") -> bool:
    """Whether the test's requests and responses are timed each by itself."""
    return parameters.one_way and "one_way" in kind.parameters


def check(kind: "TestKind", parameters: "Parameters") -> None:
    """UserError where several requests are in flight: whose way it was could not be told."""
    if not timed_apart(kind, parameters):
        return
    several = {"burst": parameters.burst > 0, "flows": parameters.flows > 1 and "flows" in kind.parameters}
    for option in (name for name, given in several.items() if given):
        raise UserError(
            f"each way is timed of one request at a time, and --{option} has several in flight",
            hint=f"leave out --{option}, or --one-way",
        )
