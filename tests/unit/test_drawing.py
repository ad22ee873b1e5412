"""A path on one line."""

import pytest

from pathgauge.report.drawing import drawing
from pathgauge.results.document import Device, Gap, PathDescription

A, R0, R1 = (
    Device(namespace=space, name=name, role="lower") for space, name in (("a", "eth0"), ("r", "r0"), ("r", "r1"))
)
BRIDGE = Device(namespace="r", name="br0", role="passed")
B = Device(namespace="b", name="eth0", role="wire")


def path(*devices: Device, gap: Gap | None = None, wire: str = "") -> PathDescription:
    return PathDescription(name="p", kind="existing", wire=wire, server_namespace="b", devices=list(devices), gap=gap)


@pytest.mark.parametrize(
    ("described", "drawn"),
    [
        (path(A, R0, R1, B), "[ a: eth0 ] ── [ r: r0 r1 ] ── [ b: eth0 ]"),
        (path(A, R0, BRIDGE, R1, B), "[ a: eth0 ] ── [ r: r0 (br0) r1 ] ── [ b: eth0 ]"),
        (path(A, R0, wire="eth0-r0"), "[ a: eth0 ] ──wire── [ r: r0 ]"),
        (path(A, R0, R1, gap=Gap(before=2, reason="why")), "[ a: eth0 ] ── [ r: r0 ] ── ? ── [ r: r1 ]; why"),
        (path(A, B, gap=Gap(before=1, reason="why")), "[ a: eth0 ] ── ? ── [ b: eth0 ]; why"),
        (path(A, R0, gap=Gap(before=2, reason="why")), "[ a: eth0 ] ── [ r: r0 ] ── ? ── [ b ]; why"),
    ],
)
def test_what_is_drawn(described: PathDescription, drawn: str) -> None:
    assert drawing(described) == drawn
