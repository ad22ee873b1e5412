"""A real Podman container is measured as it is, from outside, and `ip` shows it unchanged.

Podman runs on a machine of its own: namespaces of network, mounts and processes, its storage in a tmpfs of theirs. So
it meets no other container, and all of it ends with one process.
"""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns.lab_processes import PATHGAUGE, wait_until
from tests.netns.runs import Document

pytestmark = pytest.mark.usefixtures("require_root")

STORAGE = """
[storage]
driver = "vfs"
graphroot = "/run/podman-storage"
runroot = "/run/podman-run"
"""
CONTAINERS = """
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
tmp_dir = "/run/podman-tmp"
[network]
network_backend = "netavark"
network_config_dir = "/run/podman-networks"
"""
# A cgroup2 alone, because crun does not start where there are both versions.
BEGIN = (
    "mount -t tmpfs none /run && mount -t tmpfs none /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup"
    " && ip link set lo up && touch /run/ready && exec sleep 600"
)
SHOWN = ("link",), ("addr",), ("route",), ("rule",), ("neigh", "show", "nud", "permanent"), ("-6", "route")


@dataclass(frozen=True)
class Machine:
    """Where Podman runs; `init` is the pid of its first process."""

    init: int
    environment: dict[str, str]

    def run(self, *command: str, code: int = 0) -> str:
        """A command's standard output, or, where it has to fail, its standard error."""
        inside = ["nsenter", "--target", str(self.init), "--net", "--mount", "--pid", f"--wd={os.getcwd()}"]
        done = subprocess.run(
            [*inside, *command], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    def podman(self, *words: str) -> str:
        return self.run("podman", *words).strip()

    def start(self, name: str) -> str:
        """A container's id."""
        return self.podman(
            "run", "--detach", "--name", name, "--network", "net", "image", "/bin/busybox", "sleep", "600"
        )

    def shown(self, *containers: str) -> list[str]:
        """What `ip` and nft show of the machine and of containers, but for what changes with time."""
        lines = self.run("nft", "list", "ruleset").splitlines()
        lines = [line.split("counter packets")[0] for line in lines]
        pids = [self.podman("container", "inspect", "--format", "{{.State.Pid}}", name) for name in containers]
        for into in ([], *(["nsenter", "--target", pid, "--net"] for pid in pids)):
            for words in SHOWN:
                lines += self.run(*into, "ip", *words).splitlines()
        return [line.replace(" tentative", "") for line in lines if "_lft" not in line]


def image(folder: Path) -> Path:
    """A root file system that holds one static program, as a tar."""
    program = shutil.which("busybox")
    assert program is not None, "sudo scripts/install-peers"
    with tarfile.open(folder / "image.tar", "w") as tar:
        tar.add(program, "bin/busybox")
    return folder / "image.tar"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the containers `web` and `db` on a network of Podman's, and `old`, which has ended."""
    assert shutil.which("podman"), "sudo scripts/install-peers"
    folder = tmp_path_factory.mktemp("podman")
    folder.joinpath("storage.conf").write_text(STORAGE)
    folder.joinpath("containers.conf").write_text(CONTAINERS)
    environment = os.environ | {
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
    }
    namespaces = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with subprocess.Popen(["unshare", *namespaces, "sh", "-c", BEGIN]) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            wait_until(lambda: bool(children.read_text().split()), 10)
            made = Machine(int(children.read_text().split()[0]), environment)
            wait_until(lambda: Path(f"/proc/{made.init}/root/run/ready").exists(), 10)
            made.podman("import", "--quiet", str(image(folder)), "image")
            made.podman("network", "create", "--disable-dns", "net")
            for name in ("web", "db", "old"):
                made.start(name)
            made.podman("stop", "--time", "0", "old")
            yield made
        finally:
            process.kill()  # and with it all of the machine's processes, which held its namespaces


def compare(machine: Machine, *paths: str) -> Document:
    words = [word for path in paths for word in ("--path", path)]
    tests = ("--test", "TCP_RR", "--test", "TCP_STREAM", "--test", "UDP_STREAM", "--max-time", "2")
    found: Document = json.loads(machine.run(*PATHGAUGE, "compare", *words, *tests, "--quiet", "--json", "-"))
    return found


def devices(path: Document) -> list[str]:
    return [f"{each['namespace']} {each['name']}" for each in path["devices"]]


def test_containers_are_measured_as_they_are(machine: Machine) -> None:
    before = machine.shown("web", "db")
    found = compare(machine, "web=local,container:web", "db=local,container:db", "side=container:web,container:db")
    assert machine.shown("web", "db") == before
    assert {row["test"] for row in found["slices"]} == {"TCP_RR", "TCP_STREAM", "UDP_STREAM"}
    assert [row["void"] for row in found["slices"]] == [None] * len(found["slices"])
    assert all(row["bytes_received"] > 0 for row in found["slices"])
    through = {
        path["name"]: [f"{each['namespace']} {each['name']}" for each in path["devices"]] for path in found["paths"]
    }
    ports = [through[name][1] for name in ("web", "db")]
    assert len(set(ports)) == 2
    bridge = through["web"][0]
    assert through["web"] == [bridge, ports[0], "container:web eth0"]
    assert through["db"] == [bridge, ports[1], "container:db eth0"]
    assert through["side"] == ["container:web eth0", ports[0], bridge, ports[1], "container:db eth0"]
    assert [path["gap"] for path in found["paths"]] == [None] * 3


def test_a_container_out_to_another_network_goes_through_podmans_masquerading(machine: Machine) -> None:
    machine.run("ip", "netns", "add", "outside")
    machine.run("ip", "link", "add", "name", "out0", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    machine.run("ip", "addr", "add", "192.0.2.1/24", "dev", "out0")
    machine.run("ip", "link", "set", "out0", "up")
    machine.run("ip", "-n", "outside", "addr", "add", "192.0.2.2/24", "dev", "eth0")
    machine.run("ip", "-n", "outside", "link", "set", "eth0", "up")
    found = compare(machine, "out=container:web,netns:outside", "again=container:web,netns:outside")
    assert [row["void"] for row in found["slices"]] == [None] * len(found["slices"])
    names = devices(found["paths"][0])
    assert names[0] == "container:web eth0"
    assert names[2].startswith("local podman")
    assert names[3:] == ["local out0", "netns:outside eth0"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("old", "the container 'old' does not run\n  podman start old"),
        ("wob", "there is no container 'wob' ("),
    ],
)
def test_a_container_that_cannot_be_measured(machine: Machine, name: str, says: str) -> None:
    said = machine.run(
        *PATHGAUGE, "compare", "--path", "a=local,container:web", "--path", f"b=local,container:{name}", code=2
    )
    assert said.startswith(f"pathgauge: {says}")
    assert len(said.splitlines()) == 2
