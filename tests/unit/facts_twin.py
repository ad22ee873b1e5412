"""Made-up facts of a path, for signatures. For unit tests only."""

from typing import Any

import msgspec

from builders import row
from pathgauge.counters.tcp_info import decode
from pathgauge.explain.case import Case, Facts
from pathgauge.paths.types import BuiltPath, DeviceRef, PathSpec
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

OFFLOADS = {"tx": True, "sg": True, "tso": True, "gso": True, "gro": True}


def device(name: str, namespace: str = "c", **changes: Any) -> DeviceRef:
    given: dict[str, Any] = {
        "role": "own", "kind": "veth", "mtu": 1500, "queue_discipline": "noqueue", "offloads": dict(OFFLOADS),
    }  # fmt: skip
    given |= changes
    given["offloads"] = OFFLOADS | given["offloads"]
    return DeviceRef(namespace=namespace, name=name, **given)


def path(name: str, devices: tuple[DeviceRef, ...] | None = None, rate: int | None = None) -> BuiltPath:
    return BuiltPath(
        spec=PathSpec(name, "host"),
        wire="h0-s0",
        rate=rate,
        client_namespace=3,
        server_namespace=4,
        client_namespace_name="c",
        server_namespace_name="s",
        client_addresses={"ipv4": "198.18.0.1"},
        server_addresses={"ipv4": "198.18.0.2"},
        reached_addresses={"ipv4": "198.18.0.2"},
        seen_addresses={"ipv4": "198.18.0.1"},
        devices=devices or (device("eth0"), device("eth0", "s", role="wire")),
        mtu=1500,
    )


def facts(name: str = "slow", test: str = "TCP_STREAM", **given: Any) -> Facts:
    """A second of evidence. `tcp` names fields of TCP_INFO at the end (at the start they are 0 or the same), `rows`
    fields of the slice, `parameters` those of the test; the rest are fields of Facts.
    """
    kind = TESTS[test]
    parameters = kind.complete(Parameters(local_cpu=0, remote_cpu=1, **given.pop("parameters", {})), 1500)
    slice_ = {"test": test, "path": name, "local_seconds": 1.0, "remote_seconds": 1.0, "bytes_received": 10**9}
    slice_ |= {"total_bytes_sent": 10**9, "total_bytes_received": 10**9, "messages_sent": 20_000}
    slice_ |= given.pop("rows", {})
    pairs = []
    seen = given.pop("tcp", None)
    if seen is not None:
        nothing, stop = decode(b""), decode(b"")
        import dataclasses

        grown = {
            "busy_time",
            "rwnd_limited",
            "sndbuf_limited",
            "total_retrans",
            "reord_seen",
            "data_segs_out",
            "delivered_ce",
            "bytes_retrans",
        }
        start = dataclasses.replace(nothing, **{key: 0 if key in grown else value for key, value in seen.items()})
        pairs = [(start, dataclasses.replace(stop, **seen))]
    made = given.pop("path", None) or path(name, given.pop("devices", None), given.pop("rate", None))
    return Facts(
        name=name,
        path=made,
        kind=kind,
        parameters=parameters,
        rows=[msgspec.structs.replace(row(), **slice_)],
        tcp=pairs,
        **given,
    )


def case(slow: Facts, fast: Facts | None = None, gap: str = "goodput") -> Case:
    return Case(gap, slow, fast)
