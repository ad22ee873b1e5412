"""Namespaces that exist and are known here: those of the paths' ends, and those that packets run through."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pathgauge.errors import MachineError
from pathgauge.paths.sight import seen_from
from pathgauge.paths.spaces import LabSpace

NAMED = Path("/run/netns")
MOST_SEARCHED = 4096  # namespaces of the machine that are tried for one that a device leads to

Identity = tuple[int, int]


@dataclass(slots=True)
class KnownSpaces:
    """By identity. `spaces`, a dictionary of the caller's, has those under names; descriptors stay open with it."""

    spaces: dict[str, LabSpace]
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
        for name, file in _elsewhere(self.identities):
            try:
                descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                (theirs,) = seen_from(space.namespace, lambda sight, it=descriptor: sight.ids([it]))  # type: ignore[misc]
            finally:
                os.close(descriptor)
            if theirs == number:
                return self.add(name, file)
        return None


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
