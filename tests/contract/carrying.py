"""Labs of every kind of path, and payload over each. As a program it does so as whoever runs it, and says what came of
it; it needs nothing but pathgauge, so that an ordinary user can be given its text.
"""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence

from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import CLONE_NEWUSER, inside, setns
from pathgauge.paths.registry import kinds, probe
from pathgauge.paths.types import BuiltPath, PathSpec, WireSpec

PAYLOAD = 1 << 20
SECONDS = 10  # that a transfer may stand still


def full(spec: PathSpec) -> PathSpec:
    """The spec with the defaults of the options it does not name."""
    defaults = {option.name: option.default for option in kinds()[spec.kind].options}
    return PathSpec(spec.name, spec.kind, defaults | spec.options, copies=spec.copies)


def cases() -> list[PathSpec]:
    """Every kind with every value of its options."""
    return [
        PathSpec(
            f"{kind.name}-{option.name}-{value}" if option else kind.name,
            kind.name,
            {option.name: value} if option else {},
        )
        for kind in kinds().values()
        for option in kind.options or (None,)
        for value in (option.values if option else ("",))
    ]


def groups(chosen: Sequence[PathSpec]) -> list[list[PathSpec]]:
    """What can be built here, by labs: one holds all that a client may start from, each way in has its own."""
    reasons = {case.name: probe(full(case)) for case in chosen}
    sys.stderr.writelines(f"{name}: {reason}\n" for name, reason in reasons.items() if reason is not None)
    there = [full(case) for case in chosen if reasons[case.name] is None]
    out = [case for case in there if not kinds()[case.kind].serves]
    return [out, *([case] for case in there if case not in out)]


def build(group: Sequence[PathSpec]) -> Lab:
    """The lab of a group, with a base beside it."""
    return Lab.build([PathSpec("base", "host"), *group], WireSpec())


def transfer(path: BuiltPath, family: str, size: int = PAYLOAD) -> None:
    """Send `size` bytes from the client to the server; the server sees the client's address."""
    version = socket.AF_INET if family == "ipv4" else socket.AF_INET6
    listening = inside(path.server_space, lambda: socket.socket(version))
    sending = inside(path.client_namespace, lambda: socket.socket(version))
    with listening, sending:
        for each in (listening, sending):
            each.settimeout(SECONDS)
        listening.bind((path.server_addresses[family], 0))  # type: ignore[index]  # one of the two, by the test's parameter
        listening.listen()
        sending.bind((path.client_addresses[family], 0))  # type: ignore[index]  # the same
        sending.connect((path.reached_addresses[family], listening.getsockname()[1]))  # type: ignore[index]  # the same
        receiving, peer = listening.accept()
        assert peer[0] == path.seen_addresses[family]  # type: ignore[index]  # the same

        def write() -> None:
            sending.sendall(bytes(size))
            sending.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        with receiving:
            receiving.settimeout(SECONDS)
            received = 0
            while chunk := receiving.recv(1 << 16):
                received += len(chunk)
        writer.join()
        assert received == size


def carried(lab: Lab, path: BuiltPath, family: str) -> None:
    """The payload goes through the devices that the path claims, and through no others."""
    _transfer(lab, path, family, 1000)  # neighbours are resolved
    before = lab.link_counters()
    _transfer(lab, path, family, PAYLOAD)
    after = lab.link_counters()
    own = {(device.namespace, device.name) for device in path.devices}
    for key, counters in after.items():
        moved = counters.tx_bytes + counters.rx_bytes - before[key].tx_bytes - before[key].rx_bytes
        assert (moved >= PAYLOAD) == (key in own), (key, moved)
        assert moved >= PAYLOAD or moved < PAYLOAD / 100, (key, moved)


def _transfer(lab: Lab, path: BuiltPath, family: str, size: int) -> None:
    """A lab in a user namespace is entered by a process of its own: who has several threads cannot."""
    if lab.user_namespace is None:
        transfer(path, family, size)
        return
    child = os.fork()
    if child == 0:
        try:
            setns(lab.user_namespace, CLONE_NEWUSER)
            transfer(path, family, size)
        except BaseException as error:  # noqa: BLE001 - a copy of this process must not go on, whatever happens
            sys.stderr.write(f"{path.spec.name}, {family}: {error!r}\n")
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0


def _each(names: Sequence[str]) -> Iterator[str]:
    chosen = [case for case in cases() if not names or case.kind in names]
    for group in groups(chosen):
        with build(group) as lab:
            assert lab.rootless == (os.geteuid() != 0)
            for case in group:
                path = lab.paths[case.name]
                for family in path.client_addresses:
                    carried(lab, path, family)
                    yield f"{case.name} {family}"


if __name__ == "__main__":
    json.dump(list(_each(sys.argv[1:])), sys.stdout)
