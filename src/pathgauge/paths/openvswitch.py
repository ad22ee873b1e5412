"""An Open vSwitch of a lab's own: its database and daemon, which know nothing of the machine's and end with the lab.

As a program, `python -P -m pathgauge.paths.openvswitch NAMESPACE READY PARENT`, it runs both in a network namespace (a
descriptor), with a folder /run of their own in memory. It tells READY `ok`, or why not, and ends with its parent.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pathgauge.child import Child
from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege
from pathgauge.paths.namespaces import (
    CLONE_NEWNET,
    die_with_parent,
    is_in_initial_user_namespace,
    own_folder,
    setns,
)

START_SECONDS = 20.0
DAEMON = "ovs-vswitchd"

_ANSWER_SECONDS = 10
_FOLDER = "/run"
_DATABASE = f"{_FOLDER}/db.sock"
_OK = b"ok"
_SYSTEM_FOLDERS = ":/usr/sbin:/sbin"  # an ordinary user's PATH may lack them


@dataclass(frozen=True, slots=True)
class Switch:
    """A bridge of an Open vSwitch in a namespace of the lab; `process` is what runs it."""

    bridge: str
    process: int

    @classmethod
    def start(cls, bridge: str, namespace: int) -> "Switch":
        """Start one with a bridge in a network namespace (a descriptor). Raises MissingFeature, MissingPrivilege and
        MachineError.
        """
        program(DAEMON)
        if not is_in_initial_user_namespace():
            raise MissingPrivilege("Open vSwitch does not come up in a user namespace", hint="run pathgauge as root")
        told, ready = os.pipe2(os.O_CLOEXEC)
        try:
            given = (namespace, ready)
            child = Child.start("the lab's Open vSwitch", __name__, (*given, os.getpid()), keep=given, session=True)
        finally:
            os.close(ready)
        with child.complaints, os.fdopen(told, "rb") as answer:
            waiting, _, _ = select.select([answer], [], [], START_SECONDS)
            said = answer.read() if waiting else b""
            if not said:
                child.process.kill()
                raise child.death(START_SECONDS)
        child.process.returncode = 0  # else Popen would complain, at its end, of a child that still runs
        if said != _OK:
            raise MachineError(f"Open vSwitch does not start: {said.decode(errors='replace')}", hint="run it again")
        switch = cls(bridge, child.process.pid)
        switch._order("add-br", bridge)
        if not switch._has(bridge):
            raise MissingFeature(
                "this kernel has no openvswitch",
                hint="sudo modprobe openvswitch (or a kernel with CONFIG_OPENVSWITCH)",
            )
        return switch

    def join(self, device: str) -> None:
        """Make a device of the namespace a port, whose queue stays as it is. Raises MachineError."""
        untouched = ("--id=@q", "create", "qos", "type=linux-noop")  # else it takes away what shapes the wire
        self._order(*untouched, "--", "add-port", self.bridge, device, "--", "set", "port", device, "qos=@q")
        if not self._has(device):
            raise MachineError(f"Open vSwitch does not take {device} as a port", hint="run it again")

    def _has(self, port: str) -> bool:
        """Whether the daemon gave a port a number."""
        return self._order("get", "Interface", port, "ofport").strip().isdigit()

    def _order(self, *words: str) -> str:
        """What ovs-vsctl answers, once the daemon has done it."""
        database = f"--db=unix:/proc/{self.process}/root{_DATABASE}"
        return _run("ovs-vsctl", database, f"--timeout={_ANSWER_SECONDS}", *words)


def program(name: str) -> str:
    """Where a program of Open vSwitch is. Raises MissingFeature where it is not installed."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + _SYSTEM_FOLDERS)
    if found is None:
        raise MissingFeature(f"this machine has no {name}", hint="sudo apt install openvswitch-switch")
    return found


def _run(name: str, *words: str) -> str:
    try:
        done = subprocess.run(
            [program(name), *words], capture_output=True, text=True, timeout=2 * _ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise MachineError(f"{name} does not end", hint="run it again") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise MachineError(f"{name} refuses: {said[-1] if said else 'it does not say why'}", hint="run it again")
    return done.stdout


def main(namespace: int, ready: int, parent: int) -> NoReturn:
    """Run the two daemons until the parent, or one of them, is gone."""
    watched = os.pidfd_open(parent)
    if os.getppid() != parent:
        os._exit(0)  # it was gone before, and its number may be another's
    daemons: list[subprocess.Popen[bytes]] = []
    complete = False
    try:
        setns(namespace, CLONE_NEWNET)
        own_folder(_FOLDER)
        os.environ |= dict.fromkeys(("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"), _FOLDER)
        _run("ovsdb-tool", "create", f"{_FOLDER}/conf.db")
        daemons.append(_daemon("ovsdb-server", f"{_FOLDER}/conf.db", f"--remote=punix:{_DATABASE}"))
        _wait_for(Path(_DATABASE))
        _run("ovs-vsctl", f"--db=unix:{_DATABASE}", f"--timeout={_ANSWER_SECONDS}", "--no-wait", "init")
        daemons.append(_daemon(DAEMON, f"unix:{_DATABASE}"))
        os.write(ready, _OK)
        complete = True
    except (MachineError, OSError) as error:
        os.write(ready, str(error).encode())
    os.close(ready)
    if complete:
        select.select([watched, *(os.pidfd_open(daemon.pid) for daemon in daemons)], [], [])
    for daemon in daemons:
        daemon.kill()
        daemon.wait()
    os._exit(0)


def _daemon(name: str, *words: str) -> subprocess.Popen[bytes]:
    ctypes.CDLL(None)  # what die_with_parent needs is there before the fork
    own = os.getpid()
    return subprocess.Popen(
        [program(name), "--no-chdir", "-vconsole:emer", "-vsyslog:off", "-vfile:off", *words],
        preexec_fn=lambda: die_with_parent(own),  # noqa: PLW1509 - this process has one thread
        stdin=subprocess.DEVNULL,
    )


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise MachineError("its database does not answer")
        time.sleep(0.002)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(*map(int, sys.argv[1:4]))
