"""A lab as the controller sees it: paths that stand, descriptors of their namespaces, and their devices' counters.

The controller enters no namespace and opens no netlink socket: all that is the keeper's.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from pathgauge.counters.configuration import Configuration
from pathgauge.counters.link import LinkCounters, parse_net_dev
from pathgauge.counters.machine import MachineReader, machine_settings
from pathgauge.counters.reading import Counters, merged
from pathgauge.counters.text import read_table
from pathgauge.errors import InternalError
from pathgauge.paths import messages, roles
from pathgauge.paths.endpoint import located
from pathgauge.paths.process import KeeperProcess
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import Attachment, BuiltPath, PathSpec, WireSpec
from pathgauge.paths.validity import check


@dataclass(slots=True)
class Lab:
    """A context manager; the lab goes with it, and with this process at the latest.

    `paths` is by name, in the order asked; `user_namespace` is a descriptor or None. `wire_facts` says how each wire
    was made (rate in bit/s; burst, limit in bytes; queue_discipline; tcp_no_metrics_save).
    """

    paths: dict[str, BuiltPath]
    user_namespace: int | None
    rootless: bool
    build_seconds: float
    wire_facts: messages.WireFacts
    _keeper: KeeperProcess
    _descriptors: list[int] = field(default_factory=list)
    _counters: dict[str, int] = field(default_factory=dict)
    _machine: MachineReader | None = None

    @classmethod
    def build(cls, specs: Sequence[PathSpec], wire: WireSpec, attachment: Attachment | None = None) -> "Lab":
        """Build a lab; with an attachment, paths that start on a device of the caller's namespace instead.

        Raises UserError and MachineError; nothing is left then.

        Call it from a thread that lives as long as the lab is needed: the lab dies with it.
        """
        began = time.monotonic()
        specs = [located(spec) for spec in specs]
        check(specs, wire)  # before a process is started
        keeper = KeeperProcess.start()
        try:
            built, numbers = keeper.build(messages.Build(paths=tuple(specs), wire=wire, attachment=attachment))
            return cls._assemble(keeper, built, numbers, began)
        except BaseException:
            keeper.close()
            raise

    @classmethod
    def _assemble(cls, keeper: KeeperProcess, built: messages.Built, numbers: list[int], began: float) -> "Lab":
        names = [space.name for space in built.spaces]
        namespaces = dict(zip(names, numbers[0::2], strict=False))
        copies: dict[str, list[BuiltPath]] = {}
        for placed in built.paths:
            copies.setdefault(placed.spec.name, []).append(_path(placed, namespaces))
        return cls(
            paths={name: replace(first, copies=tuple(others)) for name, (first, *others) in copies.items()},
            user_namespace=numbers[-1] if built.user_namespace is not None else None,
            rootless=built.user_namespace is not None,
            build_seconds=time.monotonic() - began,
            wire_facts=built.wire,
            _keeper=keeper,
            _descriptors=numbers,
            _counters=dict(zip(names, numbers[1::2], strict=False)),
        )

    @property
    def keeper_pid(self) -> int:
        """The process that holds the lab."""
        return self._keeper.process.pid

    def link_counters(self) -> dict[tuple[str, str], LinkCounters]:
        """The counters of every device of the lab by (namespace, device), one short read for each namespace."""
        return {
            (space, device): counters
            for space, descriptor in self._counters.items()
            for device, counters in parse_net_dev(read_table(descriptor)).items()
        }

    def turn(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """Turn things of the paths' namespaces; the turns that undo it, in their order. What is not of this lab is
        turned back at its end at the latest, however that comes. Raises UserError and MachineError, all or none done.
        """
        return self._keeper.turn(turns)

    def full_counters(self, path: str) -> Counters:
        """All that the kernel counts of a path's namespaces and devices, and of the machine, by the names of
        docs/reference/counters.md. It takes some 30 ms. Raises what the keeper raises.
        """
        built = self.paths[path]
        found = self._examine(messages.Examine(devices=roles.devices(built)))
        spaces = {space: Counters(each.rising, each.narrow, each.gauges) for space, each in found.items()}
        if self._machine is None:
            self._machine = MachineReader()
        return merged([roles.counters_of(built, spaces), self._machine.read()])

    def configuration(self, path: str) -> Configuration:
        """How a path's namespaces and devices, and the machine, are set up. Raises what the keeper raises."""
        built = self.paths[path]
        order = messages.Examine(devices=roles.devices(built), settings=True, addresses=roles.addresses(built))
        found = roles.configuration_of(built, {space: each.settings for space, each in self._examine(order).items()})
        return Configuration({**found.settings, **machine_settings()}, found.roles)

    def queues(self, path: str) -> dict[tuple[str, str], dict[str, str]]:
        """By (namespace, device) of a path, which CPUs serve its queues (see counters/queues.py); some ms. Raises what
        the keeper raises.
        """
        built = self.paths[path]
        found = self._examine(messages.Examine(devices=roles.devices(built), queues=True))
        return {
            (device.namespace, device.name): roles.of_device(device.name, found[device.namespace].settings)
            for device in built.devices
            if device.namespace in found
        }

    def _examine(self, order: messages.Examine) -> dict[str, messages.Reading]:
        received = self._keeper.order(order)
        try:
            if not isinstance(received.reply, messages.Examined) or len(received.descriptors) != 1:
                raise InternalError("the lab's keeper answered with something else than a reading")
            return messages.decode_readings(received.descriptors[0])
        finally:
            for descriptor in received.descriptors:
                os.close(descriptor)

    def close(self) -> None:
        """Take the lab down. A second call does nothing."""
        if self._machine is not None:
            self._machine.close()
        descriptors, self._descriptors, self._counters = self._descriptors, [], {}
        for descriptor in descriptors:
            os.close(descriptor)
        if self._keeper.process.returncode is None:
            self._keeper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _path(placed: messages.Placed, namespaces: dict[str, int]) -> BuiltPath:
    return BuiltPath(
        spec=placed.spec,
        wire=placed.wire,
        rate=placed.rate,
        client_namespace=namespaces[placed.client],
        server_namespace=namespaces.get(placed.server),
        client_namespace_name=placed.client,
        server_namespace_name=placed.server,
        client_addresses=placed.client_addresses,
        server_addresses=placed.server_addresses,
        reached_addresses=placed.reached_addresses,
        seen_addresses=placed.seen_addresses,
        devices=placed.devices,
        mtu=placed.mtu,
        gap=placed.gap,
    )
