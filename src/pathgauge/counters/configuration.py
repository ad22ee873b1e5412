"""How a path is set up, as names and texts, and in what two paths differ.

`client.sysctl.net.ipv4.tcp_wmem` is of a namespace, by its role on the path (`client`, `server`, `between`);
`path.<namespace>.<device>.mtu` is of a device. Two paths are compared by their devices' roles (`path.own.mtu`,
`path.lower.qdisc`), and no value holds an address or a name: what necessarily differs is no difference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Configuration(Mapping[str, str]):
    """A mapping from names to texts; what could not be read has no name here. `roles` has, for the beginning of each
    device's names, the one that stands for it in a comparison.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.settings)

    def __len__(self) -> int:
        return len(self.settings)

    def by_role(self) -> dict[str, str]:
        """The same, devices named by their roles: `path.own.mtu`."""
        return {self._role_name(name): text for name, text in self.settings.items()}

    def _role_name(self, name: str) -> str:
        start = ".".join(name.split(".", 3)[:3])
        return self.roles[start] + name[len(start) :] if start in self.roles else name


@dataclass(frozen=True, slots=True)
class Difference:
    """One name that two configurations give different texts; None where one has it not."""

    name: str
    one: str | None
    other: str | None


def differences(one: Configuration, other: Configuration) -> tuple[Difference, ...]:
    """By the names of roles.

    Of a device that only one of the two paths has there is only its `kind`, of a namespace nothing. What only one has
    is left out where another kind of device or queueing discipline explains it, and among sysctls always: the first
    namespace shows global ones that no other does. Whether a feature is fixed is no difference, but whether it is on.
    """
    left, right = one.by_role(), other.by_role()
    shared = {_owner(name) for name in left} & {_owner(name) for name in right}
    unlike = {
        owner
        for owner in shared
        if any(left.get(f"{owner}.{what}") != right.get(f"{owner}.{what}") for what in ("kind", "qdisc"))
    }

    def tells(name: str) -> bool:
        owner = _owner(name)
        if owner not in shared:
            return name == f"{owner}.kind"
        return (name in left and name in right) or (".sysctl." not in name and owner not in unlike)

    def state(settings: Mapping[str, str], name: str) -> str | None:
        text = settings.get(name)
        return text.removesuffix(" [fixed]") if text is not None else None

    return tuple(
        Difference(name, left.get(name), right.get(name))
        for name in sorted({*left, *right})
        if state(left, name) != state(right, name) and tells(name)
    )


def _owner(name: str) -> str:
    """The device or namespace that a name is about: `path.lower`, `between`, `client`."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "path" else first
