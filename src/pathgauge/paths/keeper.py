"""The process that builds a lab and holds it: `python -P -m pathgauge.paths.keeper CHANNEL PARENT`.

It enters a user namespace where it has to, builds what it is told, hands the descriptors over, and waits. The lab is
anonymous namespaces, so it ends with this process, and this process ends with its controller, unless it is released.
"""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from pathgauge.errors import InternalError, PathgaugeError
from pathgauge.paths.namespaces import die_with_parent, enter_user_namespace, is_root_capable, live_on

if TYPE_CHECKING:
    from pathgauge.paths import messages
    from pathgauge.paths.messages import Placed
    from pathgauge.paths.spaces import LabSpace
    from pathgauge.paths.turned import Trace
    from pathgauge.paths.turning import Turn

_RECORD_SECONDS = 1.0


def main(channel_number: int, parent: int) -> NoReturn:
    """Serve the controller; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the controller's to handle
    # The user namespace comes before anything that may start threads.
    refusal: PathgaugeError | None = None
    rootless = not is_root_capable()
    if rootless:
        try:
            enter_user_namespace()
        except PathgaugeError as error:
            refusal = error
    die_with_parent(parent)
    channel = socket.socket(fileno=channel_number)
    try:
        if refusal is not None:
            raise refusal
        workshop = _build(channel, rootless=rootless)
        record = _serve(channel, workshop)
    except Exception as error:  # noqa: BLE001 - the controller raises it
        with suppress(OSError):
            _report(channel, error)
        os._exit(1)
    if record is not None:
        _stand(record)
    os._exit(0)  # nothing to undo: the kernel takes the namespaces down


def _build(channel: socket.socket, *, rootless: bool) -> "Workshop":
    """Build what is ordered and hand it over."""
    from pathgauge.paths import messages
    from pathgauge.paths.topology import Topology

    order = messages.receive_order(channel)
    if order is None:
        os._exit(0)
    if not isinstance(order, messages.Build):
        raise InternalError("the keeper of a lab was told to release what it had not built")
    topology: Topology
    if any(spec.found is not None for spec in order.paths):
        from pathgauge.paths.existing import ExistingTopology

        topology = ExistingTopology()
        paths = topology.build(order.paths, order.wire)
    elif order.attachment is not None:
        from pathgauge.paths.attached import AttachedTopology

        topology = attached = AttachedTopology(order.attachment, rootless=rootless)
        paths = attached.build_attached(order.paths)
    else:
        topology = Topology()
        paths = topology.build(order.paths, order.wire)
    facts = topology.wire_facts()
    topology.close()
    spaces = list(topology.spaces.values())
    _hand_over(channel, spaces, paths, facts, rootless=rootless)
    ours = not any(spec.found is not None for spec in order.paths) and order.attachment is None
    return Workshop({space.name: space.namespace for space in spaces}, ours=ours)


def _hand_over(
    channel: socket.socket,
    spaces: "list[LabSpace]",
    paths: "tuple[Placed, ...]",
    wire: "messages.WireFacts",
    *,
    rootless: bool,
) -> None:
    """Tell of all that stands, and pass its descriptors on, in as many messages as that takes."""
    from pathgauge.paths import messages

    user_namespace = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC) if rootless else None
    whole = max(len(spaces), len(paths), 1)
    for start in range(0, whole, messages.PART):
        part = slice(start, start + messages.PART)
        more = start + messages.PART < whole
        descriptors = [number for space in spaces[part] for number in (space.namespace, space.counters)]
        if user_namespace is not None and not more:
            descriptors.append(user_namespace)
        told = tuple(
            messages.Space(name=space.name, descriptor=space.namespace, devices=space.devices) for space in spaces[part]
        )
        built = messages.Built(spaces=told, paths=paths[part], wire=wire, user_namespace=user_namespace, more=more)
        messages.send(channel, built, tuple(descriptors))


def _serve(channel: socket.socket, workshop: "Workshop") -> str | None:
    """The journal's file that the lab now belongs to; None when the controller is gone, and all is turned back.

    Reads and turns what is asked.
    """
    from pathgauge.paths import messages

    try:
        while isinstance(order := messages.receive_order(channel), messages.TurnAll | messages.Examine):
            if isinstance(order, messages.TurnAll):
                messages.send(channel, workshop.turn(order.turns))
            else:
                from pathgauge.paths.inspection import answer

                answer(channel, order, workshop.spaces)
    except OSError:  # the controller went while it was answered
        order = None
    finally:
        workshop.restore()
    if order is None:
        return None
    if not isinstance(order, messages.Release):
        raise InternalError("the keeper of a lab was told to build a second one")
    live_on()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.chdir("/")
    messages.send(channel, messages.Released())
    channel.close()
    return order.record


@dataclass(slots=True)
class Workshop:
    """The namespaces (descriptors) of a lab, or of paths that exist, in which things are turned, and how each is turned
    back. In a lab of `ours` that is left to the kernel.
    """

    spaces: dict[str, int]
    ours: bool
    undo: list["Turn"] = field(default_factory=list)
    trace: "Trace | None" = None

    def turn(self, turns: "Sequence[Turn]") -> "messages.Turned | messages.Failed":
        """All or none. What is not ours is looked at and written down before it is touched."""
        from pathgauge.paths import messages
        from pathgauge.paths.turning import turn

        done: list[Turn] = []
        try:
            if not self.ours:
                self._write_down(turns)
            for wanted in turns:
                done.insert(0, turn(self._space(wanted), wanted))
        except PathgaugeError as error:
            for each in done:
                turn(self._space(each), each)
            return messages.Failed(error=type(error).__name__, message=str(error), hint=error.hint)
        return messages.Turned(undo=tuple(done))

    def _space(self, wanted: "Turn") -> int:
        if wanted.space not in self.spaces:
            raise InternalError(f"there is no namespace {wanted.space}")
        return self.spaces[wanted.space]

    def _write_down(self, turns: "Sequence[Turn]") -> None:
        from pathgauge.paths.turned import Trace
        from pathgauge.paths.turning import turn

        live_on()  # what is turned has to be turned back even if the controller is killed
        # What is turned twice is turned back to what it was at first.
        known = {(each.space, each.what, each.target) for each in self.undo}
        new = [each for each in turns if (each.space, each.what, each.target) not in known]
        if not new:
            return
        self.trace = self.trace or Trace(self.spaces)
        self.undo[:0] = [turn(self._space(each), each, only_look=True) for each in reversed(new)]
        self.trace.write(self.undo)

    def restore(self) -> None:
        """Turn everything back that outlives this process."""
        from pathgauge.paths.turning import turn

        for each in [] if self.ours else self.undo:
            with suppress(PathgaugeError):
                turn(self.spaces[each.space], each)
        self.undo.clear()
        if self.trace is not None:
            self.trace.write(())


def _stand(record: str) -> None:
    """Hold the lab until a signal ends this process, or its record is gone and nobody could find it any more."""
    while os.path.lexists(record):
        time.sleep(_RECORD_SECONDS)


def _report(channel: socket.socket, error: Exception) -> None:
    from pathgauge.paths import messages

    if isinstance(error, PathgaugeError):
        failed = messages.Failed(error=type(error).__name__, message=str(error), hint=error.hint)
    else:
        traceback.print_exc()
        failed = messages.Failed(
            error="InternalError", message=f"the lab could not be built: {error!r}", hint="please report it"
        )
    messages.send(channel, failed)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
