"""The same labs without root: as an ordinary user, in a user namespace."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Nobody

pytestmark = pytest.mark.rootless

SCRIPT = """
import json, os, socket, sys
from pathlib import Path

def outside():
    return (
        [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "user")],
        Path("/proc/net/fib_trie").read_text(),
        [line.split(":")[0] for line in Path("/proc/net/dev").read_text().splitlines()],
        sorted(os.listdir("/proc/self/fd")),
    )

from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec

before = outside()
with Lab.build(parse_paths(["host", "macvlan", "macvlan:mode=passthru"]), WireSpec(10**9)) as lab:
    found = {
        "rootless": lab.rootless,
        "user_namespace": os.readlink(f"/proc/self/fd/{lab.user_namespace}").split(":")[0],
        "paths": list(lab.paths),
        "queue": sorted({device.queue_discipline for path in lab.paths.values() for device in path.devices}),
        "metrics": lab.wire_facts["tcp_no_metrics_save"],
        "counters": len(lab.link_counters()),
    }
found["untouched"] = outside() == before
print(json.dumps(found))
"""


def test_a_lab_in_a_user_namespace(as_nobody: "Nobody", nobody_python: Path) -> None:
    done = as_nobody([nobody_python, "-c", SCRIPT])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "rootless": True,
        "user_namespace": "user",
        "paths": ["host", "macvlan", "macvlan.2"],
        "queue": ["noqueue", "tbf"],
        "metrics": 1,
        "counters": 10,
        "untouched": True,
    }


def test_a_standing_lab_of_an_ordinary_user(as_nobody: "Nobody", nobody_python: Path) -> None:
    pathgauge: list[str | Path] = [nobody_python, "-m", "pathgauge", "lab"]
    done = as_nobody([*pathgauge, "up", "host", "macvlan"])
    assert done.returncode == 0, done.stderr
    name = done.stdout.split()[1]
    try:
        inside = as_nobody(
            [*pathgauge, "exec", f"{name}:macvlan", "--", nobody_python, "-c", "import os; print(os.geteuid())"]
        )
        assert (inside.returncode, inside.stdout) == (0, "0\n"), inside.stderr
        devices = as_nobody([*pathgauge, "exec", f"{name}:macvlan", "cat", "/proc/net/dev"])
        assert "mv0:" in devices.stdout
        folder = as_nobody.home / f"pathgauge-{65534 if os.geteuid() == 0 else os.geteuid()}"
        assert folder.joinpath(f"{name}.json").exists()
    finally:
        down = as_nobody([*pathgauge, "down", name])
    assert down.returncode == 0, down.stderr
    assert as_nobody([*pathgauge, "list"]).stdout == ""


def test_the_probe_says_whether_labs_can_be_built(as_nobody: "Nobody", nobody_python: Path) -> None:
    probe: list[str | Path] = [nobody_python, "-P", "-m", "pathgauge.paths.namespaces", "probe"]
    assert as_nobody(probe).returncode == 0


def test_without_user_namespaces_the_command_that_mends_it_is_told(as_nobody: "Nobody", nobody_python: Path) -> None:
    # A namespace of user namespaces whose own limit is 0: what a machine without them looks like.
    closing = (
        "import ctypes, os, sys; from pathlib import Path; from pathgauge.paths import namespaces as n;"
        "n.enter_user_namespace(); Path('/proc/sys/user/max_user_namespaces').write_text('0');"
        "os.execv(sys.executable, [sys.executable, '-m', 'pathgauge', 'lab', 'up', 'host'])"
    )
    done = as_nobody([nobody_python, "-c", closing], env={"PATHGAUGE_RUNTIME_DIR": str(as_nobody.home / "journal")})
    assert done.returncode == 3
    assert "user.max_user_namespaces=0" in done.stderr
    assert "sudo sysctl -w user.max_user_namespaces=" in done.stderr
    assert os.listdir(as_nobody.home / "journal") == []
