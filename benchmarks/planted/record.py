"""Records what the signatures of causes are shown, of planted scenarios: `python -m benchmarks.planted.record NAME...`.

The facts of both paths are appended to --file, a JSON object a line, compressed; tests read them. Needs root, as the
campaign does.
"""

import argparse
import dataclasses
import json
import lzma
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from benchmarks.planted.scenarios import Scenario, every
from benchmarks.planted.topology import two_paths
from pathgauge import options
from pathgauge.counters.configuration import Configuration
from pathgauge.counters.tcp_info import TcpInfo, decode
from pathgauge.explain import gather
from pathgauge.explain.case import Facts
from pathgauge.explain.run import explain_request
from pathgauge.paths.types import BuiltPath, DeviceRef, PathSpec
from pathgauge.results.document import Slice
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

SECONDS = 6.0
SLICE = 0.5  # of evidence, which is then read whether or not a gap is told


class EvidenceRead(Exception):
    """All that is wanted is there."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """Facts as a file has them; what no signature asks is left out."""

    name: str
    test: str
    client: str
    server: str
    devices: list[DeviceRef]
    parameters: Parameters
    rows: list[Slice]
    tcp: list[tuple[dict[str, Any], dict[str, Any]]]
    counters: dict[str, float]
    gauges: dict[str, float]
    configuration: dict[str, str]
    roles: dict[str, str]
    fixed: list[str]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario: what was planted, the good path's facts, the bad one's."""

    scenario: str
    planted: list[list[str]]
    good: Recorded
    bad: Recorded


def recorded(facts: Facts) -> Recorded:
    """As a file has them."""
    settings = facts.configuration
    return Recorded(
        name=facts.name,
        test=facts.kind.name,
        client=facts.path.client_namespace_name,
        server=facts.path.server_namespace_name,
        devices=list(facts.path.devices),
        parameters=facts.parameters,
        rows=list(facts.rows),
        tcp=[(_known(start), _known(stop)) for start, stop in facts.tcp],
        counters={name: value for name, value in facts.counters.items() if value},
        gauges=dict(facts.gauges),
        configuration=dict(settings),
        roles=dict(settings.roles) if isinstance(settings, Configuration) else {},
        fixed=sorted(facts.fixed),
    )


def _known(info: TcpInfo) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(info).items() if value is not None}


def as_facts(found: Recorded) -> Facts:
    """As a signature is shown them."""
    nothing = decode(b"")
    path = BuiltPath(
        spec=PathSpec(found.name, "host"),
        wire="",
        rate=None,
        client_namespace=-1,
        server_namespace=-1,
        client_namespace_name=found.client,
        server_namespace_name=found.server,
        client_addresses={},
        server_addresses={},
        reached_addresses={},
        seen_addresses={},
        devices=tuple(found.devices),
        mtu=min(device.mtu for device in found.devices),
    )
    return Facts(
        name=found.name,
        path=path,
        kind=TESTS[found.test],
        parameters=found.parameters,
        rows=found.rows,
        tcp=[(dataclasses.replace(nothing, **a), dataclasses.replace(nothing, **b)) for a, b in found.tcp],
        counters=found.counters,
        gauges=found.gauges,
        configuration=Configuration(found.configuration, found.roles),
        fixed=frozenset(found.fixed),
    )


def read(file: Path) -> list[Line]:
    """All that was recorded. Raises msgspec.ValidationError."""
    with lzma.open(file) as lines:
        return [msgspec.json.decode(line, type=Line) for line in lines]


def record(scenario: Scenario) -> Line:
    """Plant, read the evidence, and stop."""
    found: list[Facts] = []
    original: Callable[..., Any] = gather.evidence

    def kept(*arguments: Any) -> Any:
        facts, _ = original(*arguments)
        found.extend(facts)
        raise EvidenceRead

    with two_paths(*scenario.plans()) as (good, bad):
        request = _request(scenario, good, bad)
        with mock.patch.object(gather, "evidence", kept), suppress(EvidenceRead):
            explain_request(request, lambda _text: None, every=SLICE)
    sides = {facts.name: recorded(facts) for facts in found}
    planted = [sorted(names) for names in scenario.causes]
    return Line(scenario=scenario.name, planted=planted, good=sides["good"], bad=sides["bad"])


def _request(scenario: Scenario, good: str, bad: str) -> Any:
    words = ["--path", f"good={good}", "--path", f"bad={bad}", "--test", scenario.test, "--max-time", str(SECONDS)]
    parser = argparse.ArgumentParser()
    options.add_arguments(parser, [name for name in options.OPTIONS if name not in options.NOT_EXPLAINED])
    texts = options.given(parser.parse_args([*words, *scenario.options]))
    return options.build_request((), options.parse_values(texts), explaining=True)


def main() -> None:
    """Record the scenarios named, or whose names begin so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=Path("tests/unit/data/planted-facts.json.xz"))
    parser.add_argument("names", nargs="*", help="their beginnings [all]")
    chosen = parser.parse_args()
    wanted: Sequence[Scenario] = [
        each for each in every() if not chosen.names or each.name.startswith(tuple(chosen.names))
    ]
    with lzma.open(chosen.file, "ab") as lines:
        for scenario in wanted:
            lines.write(msgspec.json.encode(record(scenario)) + b"\n")
            print(json.dumps(scenario.name), flush=True)


if __name__ == "__main__":
    main()
