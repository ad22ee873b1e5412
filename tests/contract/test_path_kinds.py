"""What holds for every registered kind of path with every value of its options: a new one is tested by being there."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pathgauge.errors import UserError
from pathgauge.paths.lab import Lab
from pathgauge.paths.registry import Kind, kinds, probe, probe_kinds
from pathgauge.paths.types import BuiltPath, PathSpec, WireSpec
from tests.conftest import closed_to_others
from tests.contract import carrying
from tests.contract.carrying import PAYLOAD, build, carried, cases, full, groups, transfer

if TYPE_CHECKING:
    from tests.conftest import Nobody

OF_ROOT = {"openvswitch"}  # its daemons do not come up in a user namespace
QUEUED = ("macvtap", "tun")  # kinds of device that have a queue of their own
CASES = cases()
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
pytestmark = [pytest.mark.netns, NEEDS_ROOT]


@pytest.fixture(scope="module")
def labs(request: pytest.FixtureRequest) -> Iterator[dict[str, Lab]]:
    """The labs by the name of a case."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = {each["lab"].name for each in parameters if "lab" in each}  # no more: each takes a while in a guest
    with ExitStack() as stack:
        found: dict[str, Lab] = {}
        for group in groups([case for case in CASES if case.name in asked]):
            lab = stack.enter_context(build(group))
            found |= {case.name: lab for case in group}
        yield found


@pytest.fixture(params=CASES, ids=lambda spec: spec.name)
def lab(request: pytest.FixtureRequest, labs: dict[str, Lab]) -> Lab:
    if request.param.name not in labs:
        pytest.skip(f"kernel lacks what {request.param.name} needs")
    return labs[request.param.name]


@pytest.fixture
def path(request: pytest.FixtureRequest, lab: Lab) -> BuiltPath:
    return lab.paths[request.node.callspec.params["lab"].name]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_payload_goes_through_the_paths_own_devices_and_no_others(lab: Lab, path: BuiltPath, family: str) -> None:
    if family not in path.client_addresses:
        assert path.spec.kind == "ipip"
        return
    carried(lab, path, family)


def test_an_ordinary_users_labs_carry_the_payload_too(as_nobody: "Nobody", nobody_python: Path) -> None:
    names = sorted({case.kind for case in CASES} - OF_ROOT - closed_to_others())
    text = Path(carrying.__file__).read_text(encoding="utf-8")
    done = as_nobody([nobody_python, "-c", text, *names], timeout=600)
    assert done.returncode == 0, done.stderr
    there = {case.name for case in CASES if case.kind in names and probe_kinds([case.kind])[case.kind] is None}
    assert {line.split()[0] for line in json.loads(done.stdout)} == there, done.stderr


def test_devices_run_from_the_container_to_beyond_the_wire(path: BuiltPath) -> None:
    kind = kinds()[path.spec.kind]
    roles = " ".join(device.role for device in path.devices)
    assert re.fullmatch("own( lower)* wire( beyond)*" if kind.wired else "own", roles)
    ends = [path.client_namespace_name, path.server_namespace_name]
    assert [path.devices[0].namespace, path.devices[-1].namespace] == (ends[::-1] if kind.serves else ends)
    assert path.mtu == min(device.mtu for device in path.devices)
    assert 1300 <= path.mtu <= 1500 or not kind.wired
    if kind.wired:
        near, far = path.wire.split("-")
        names = [device.name for device in path.devices]
        assert names[names.index(far) - 1] == near
    for device in path.devices:
        assert device.kind in ("veth", kind.link_kind) or not kind.wired
        assert device.queue_discipline == "noqueue" or device.kind in QUEUED
        assert {"tx", "sg", "tso", "gso", "gro"} <= set(device.offloads)


@pytest.mark.parametrize("kind", list(kinds()))
def test_copies_are_many_of_the_same(kind: str) -> None:
    spec = full(PathSpec("many", kind, copies=3))
    if probe(full(PathSpec("one", kind))) is not None:
        pytest.skip(f"kernel lacks {kind}")
    wires = 3 if kinds()[kind].alone(spec.options) else 1
    with Lab.build([spec], WireSpec()) as lab:
        first = lab.paths["many"]
        every = [first, *first.copies]
        assert len(every) == 3
        assert len({path.wire for path in every}) == wires
        for path in every:
            assert [device.kind for device in path.devices] == [device.kind for device in first.devices]
            assert path.mtu == first.mtu
            transfer(path, "ipv4")
            before = lab.link_counters()
            transfer(path, next(iter(reversed(path.client_addresses))))
            after = lab.link_counters()
            busy = {key for key in after if after[key].tx_bytes - before[key].tx_bytes >= PAYLOAD / 2}
            assert busy <= {(device.namespace, device.name) for device in path.devices}
        own = {(path.client_namespace_name, path.server_namespace_name) for path in every}
        assert len(own) == (1 if kind == "host" else 3)


def test_a_wire_is_shared_unless_the_kind_claims_it(lab: Lab, path: BuiltPath) -> None:
    kind: Kind = kinds()[path.spec.kind]
    if not kind.wired:
        assert (path.wire, path.rate) == ("", None)
        return
    sharing = [other.spec.name for other in lab.paths.values() if other.wire == path.wire]
    assert (sharing == [path.spec.name]) == (kind.direct or kind.needs_own_wire(path.spec.options))


@pytest.mark.parametrize("rate", [50_000_000])
def test_every_wire_is_shaped_at_both_ends(lab: Lab, path: BuiltPath, rate: int) -> None:
    if not kinds()[path.spec.kind].wired:
        with pytest.raises(UserError, match="has no wire that could be shaped"):
            Lab.build([PathSpec("base", "host"), path.spec], WireSpec(rate=rate))
        return
    with Lab.build([PathSpec("base", "host"), path.spec], WireSpec(rate=rate)) as shaped:
        (built,) = [other for other in shaped.paths.values() if other.spec == path.spec]
        near, far = built.wire.split("-")
        ends = {device.name: device.queue_discipline for device in built.devices if device.name in (near, far)}
        assert ends == {near: "tbf", far: "tbf"}
        assert built.rate == rate


def test_clients_differ_unless_they_are_the_same_device(lab: Lab) -> None:
    wired = [path for path in lab.paths.values() if kinds()[path.spec.kind].wired]
    ends = {(path.client_namespace_name, path.devices[0].name): path.client_addresses["ipv4"] for path in wired}
    assert len(set(ends.values())) == len(ends)


def test_every_kind_is_probed_by_building_it() -> None:
    reasons = probe_kinds()
    assert list(reasons) == list(kinds())
    for name, reason in reasons.items():
        kind = kinds()[name]
        lacks = {f"this kernel has no {kind.link_kind or 'veth'}", f"this machine has no {kind.needs}"}
        assert reason is None or reason in lacks


def test_a_kind_is_one_short_file_of_its_own() -> None:
    for name, kind in kinds().items():
        module = kind.build.__module__
        assert module == f"pathgauge.paths.kinds.{name}"
        lines = len(Path(kind.build.__code__.co_filename).read_text(encoding="utf-8").splitlines())
        assert 15 <= lines <= 150
