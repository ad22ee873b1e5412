"""Namespaces that exist and are known here: those of the paths' ends, and those that packets run through."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pathgauge.errors import MachineError
from pathgauge.paths.sight import seen_from
from pathgauge.paths.spaces import LabSpace

NAMED = Path("/run/netns")
AT_ONCE = 64
PATIENCE_SECONDS = 5.0  # less than a keeper's controller waits for it
MOST_SEARCHED = 4096  # namespaces of the machine that are tried for one that a device leads to

Identity = tuple[int, int]


@dataclass(slots=True)
class KnownSpaces:
    """By identity. `spaces`, a dictionary of the caller's, has those under names; descriptors stay open with it.

    `patience` is how long, in s, looking at all paths may still wait for neighbours to learn of each other.
    """

    spaces: dict[str, LabSpace]
    patience: float = PATIENCE_SECONDS
    identities: dict[Identity, LabSpace] = field(default_factory=dict)

    def add(self, name: str, file: str) -> LabSpace:
        """The namespace behind a file; the same one is the same space, under the name it had first."""
        try:
            namespace = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise MachineError(f"the namespace of {name} cannot be opened: {error.strerror}") from None
        try:
            identity = _identity(os.fstat(namespace))
            if identity in self.identities:
                os.close(namespace)
                return self.identities[identity]
            space = LabSpace.existing(name, namespace)
        except OSError as error:
            os.close(namespace)
            raise MachineError(f"the namespace of {name} cannot be entered: {error.strerror}") from None
        self.identities[identity] = self.spaces[name] = space
        return space

    def behind(self, space: LabSpace, number: int) -> LabSpace | None:
        """The namespace that has an id in another one, looked for on the whole machine; None where it is not found."""
        known = [each for each in self.spaces.values() if each is not space]
        found = seen_from(space.namespace, lambda sight: sight.ids([each.namespace for each in known]))
        if number in found:
            return known[found.index(number)]
        others = _elsewhere(self.identities)
        while batch := list(islice(others, AT_ONCE)):
            file = _with_id(space, number, batch)
            if file is not None:
                return self.add(*file)
        return None


def _with_id(space: LabSpace, number: int, batch: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Of names and files of namespaces, the one that has that id in a namespace."""
    with ExitStack() as stack:
        opened: list[tuple[int, tuple[str, str]]] = []
        for each in batch:
            with suppress(OSError):  # it is gone meanwhile
                descriptor = os.open(each[1], os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                opened.append((descriptor, each))
        ids = seen_from(space.namespace, lambda sight: sight.ids([descriptor for descriptor, _ in opened]))
    return next((each for (_, each), theirs in zip(opened, ids, strict=True) if theirs == number), None)


def _elsewhere(known: Mapping[Identity, LabSpace]) -> Iterator[tuple[str, str]]:
    """The machine's other namespaces, each once: a name and the file; those with a name of `ip netns` first."""
    seen = set(known)
    for name, file in (*_named(), *_of_processes()):
        with suppress(OSError):
            identity = _identity(os.stat(file))
            if identity not in seen:
                seen.add(identity)
                yield name, file
        if len(seen) > MOST_SEARCHED:
            return


def _named() -> Iterator[tuple[str, str]]:
    with suppress(OSError):
        for each in sorted(NAMED.iterdir()):
            yield f"netns:{each.name}", str(each)


def _of_processes() -> Iterator[tuple[str, str]]:
    for each in sorted(Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        yield f"pid:{each.name}", f"{each}/ns/net"


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
