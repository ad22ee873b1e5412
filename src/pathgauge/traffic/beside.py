"""A stream beside the transactions: which there are, and what they go with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters

NONE = "none"
LOADS = ("TCP_STREAM", "TCP_MAERTS", "UDP_STREAM")


def check(kind: "TestKind", variants: "Sequence[Parameters]", *, parallel: bool) -> None:
    """UserError where a stream beside does not go with the other parameters of the paths, or values, compared."""
    if "beside" not in kind.parameters:
        return
    loaded = [parameters for parameters in variants if parameters.beside is not None]
    if not loaded and any(parameters.beside_rate is not None for parameters in variants):
        raise UserError("--beside-rate is the rate of what runs beside", hint="--beside TCP_STREAM")
    if loaded and parallel:
        raise UserError("a load beside goes with one path at a time", hint="leave out --parallel, or --beside")
    if "flows" in kind.parameters and any(parameters.flows > 1 for parameters in loaded):
        raise UserError("a load beside goes with one connection", hint="leave out --flows, or --beside")
