"""Whole comparisons as an ordinary user, in a user namespace: the same document as root's."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pathgauge.paths.registry import kinds, probe_kinds
from pathgauge.results.document import Result
from pathgauge.results.store import decode
from tests.conftest import closed_to_others
from tests.netns.runs import QUICK, Document, measure

if TYPE_CHECKING:
    from tests.conftest import Nobody

pytestmark = pytest.mark.rootless

Pathgauge = Callable[..., subprocess.CompletedProcess[str]]
EVERYTHING = ("compare", "host", "macvlan", "--max-time", "0.4", *QUICK, "--json", "-")


@pytest.fixture
def pathgauge(as_nobody: "Nobody", nobody_python: Path) -> Pathgauge:
    """Runs `pathgauge ARGUMENTS` as an ordinary user."""
    return lambda *arguments: as_nobody([nobody_python, "-m", "pathgauge", *arguments])


def paranoid() -> int:
    """How much of perf events the kernel keeps from ordinary users; 2 where it has none."""
    setting = Path("/proc/sys/kernel/perf_event_paranoid")
    return int(setting.read_text()) if setting.exists() else 2


def shape(value: object, where: str = "") -> set[str]:
    """The names of all fields of a document but for what hangs on chance (doubts, CPUs) or on the kernel (the rest)."""
    if isinstance(value, list) and not where.endswith(".doubts"):
        return {name for item in value for name in shape(item, where + "[]")}
    if isinstance(value, dict) and not where.endswith(
        (".sysctls", ".offloads", ".versions", ".packets_by_cpu", ".shares")
    ):
        return {name for key, item in value.items() for name in {f"{where}.{key}", *shape(item, f"{where}.{key}")}}
    return set()


def test_all_tests_give_the_same_document(pathgauge: Pathgauge) -> None:
    done = pathgauge(*EVERYTHING)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("lab ready in ")
    found: Document = json.loads(done.stdout)
    assert found["ended"] == "complete"
    assert found["environment"]["rootless"] is True
    if paranoid() > 0:  # else the kernel lets everybody count the machine's cycles
        assert found["environment"]["cycles"] is False
        assert all(row["cycles"] is None for row in found["slices"])
        unknown = [row for row in found["comparisons"] if row["metric"].startswith("cycles_per_")]
        assert {row["metric"] for row in unknown} == {"cycles_per_byte", "cycles_per_transaction"}
        assert all(row["baseline"]["estimate"] is None and "unknown" in row["reason"] for row in unknown)
    for test in found["tests"]:
        assert test["blocks"] >= 1, test
    assert {row["void"] for row in found["slices"]} <= {None, "nothing came through"}
    assert isinstance(decode(done.stdout.encode(), "it"), Result)
    if os.geteuid() == 0:
        ours = measure(*EVERYTHING[1:-2])
        assert ours["environment"]["rootless"] is False
        assert shape(found) == shape(ours)
        assert [path["devices"] for path in found["paths"]] == [path["devices"] for path in ours["paths"]]


def test_a_shaped_path_against_itself_is_equivalent(pathgauge: Pathgauge) -> None:
    asked = ("host", "host", "--test", "TCP_STREAM", "--link-rate", "1gbit", "--slice", "80ms")
    done = pathgauge("compare", *asked, "--quiet", "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (row,) = (row for row in found["comparisons"] if row["primary"])
    assert row["verdict"] == "equivalent"
    assert 0.93e9 < row["baseline"]["estimate"] < 0.98e9
    assert found["wire"]["queue_discipline"] == "tbf"


def test_doctor_is_content(pathgauge: Pathgauge) -> None:
    done = pathgauge("doctor")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_user_namespaces_nothing_is_started(as_nobody: "Nobody", nobody_python: Path) -> None:
    # A user namespace whose own limit of further ones is 0: what a machine without them looks like.
    closing = (
        "import os, sys; from pathlib import Path; from pathgauge.paths import namespaces as n;"
        "n.enter_user_namespace(); Path('/proc/sys/user/max_user_namespaces').write_text('0');"
        "os.execv(sys.executable, [sys.executable, '-m', 'pathgauge', *sys.argv[1:]])"
    )
    done = as_nobody([nobody_python, "-c", closing, "compare", "--json", "result.json"])
    assert done.returncode == 3
    first, hint = done.stderr.splitlines()
    assert first == ("pathgauge: this machine lets ordinary users have no user namespaces (user.max_user_namespaces=0)")
    assert hint == "  run pathgauge as root, or allow them: sudo sysctl -w user.max_user_namespaces=15000"
    assert done.stdout == ""
    assert list(as_nobody.home.iterdir()) == []


def test_every_kind_of_path_that_root_has_an_ordinary_user_has_too(pathgauge: Pathgauge) -> None:
    done = pathgauge("paths", "--json")
    assert done.returncode == 0, done.stderr
    available = {kind["kind"]: kind["available"] for kind in json.loads(done.stdout)["kinds"]}
    closed = closed_to_others()
    assert available == {name: reason is None and name not in closed for name, reason in probe_kinds().items()}
    there = [name for name in available if available[name] and not kinds()[name].serves]
    for ways in (there, ["host", "published"]):
        compared = pathgauge("compare", *ways, "--test", "UDP_RR", "--max-time", "1", *QUICK, "--json", "-", "--quiet")
        assert compared.returncode == 0, compared.stderr
        found: Document = json.loads(compared.stdout)
        assert [path["kind"] for path in found["paths"]] == ways
        assert found["tests"][0]["blocks"] >= 1
        assert all(row["void"] is None for row in found["slices"])


def test_paths_that_exist_take_root(pathgauge: Pathgauge) -> None:
    done = pathgauge("compare", "--path", "a=local,local", "--path", "b=local,local")
    assert done.returncode == 3
    assert "an ordinary user cannot enter namespaces of others" in done.stderr
