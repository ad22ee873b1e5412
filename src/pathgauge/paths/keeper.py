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
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from pathgauge.errors import InternalError, PathgaugeError
from pathgauge.paths.namespaces import die_with_parent, enter_user_namespace, is_root_capable, live_on

if TYPE_CHECKING:
    from pathgauge.paths.messages import Placed
    from pathgauge.paths.spaces import LabSpace

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
        namespaces = _build(channel, rootless=rootless)
        record = _wait_for_release(channel, namespaces)
    except Exception as error:  # noqa: BLE001 - the controller raises it
        with suppress(OSError):
            _report(channel, error)
        os._exit(1)
    if record is not None:
        _stand(record)
    os._exit(0)  # nothing to undo: the kernel takes the namespaces down


def _build(channel: socket.socket, *, rootless: bool) -> dict[str, int]:
    """Build what is ordered and hand it over; the namespaces by name."""
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
    _hand_over(channel, list(topology.spaces.values()), paths, facts, rootless=rootless)
    return {space.name: space.namespace for space in topology.spaces.values()}


def _hand_over(
    channel: socket.socket,
    spaces: "list[LabSpace]",
    paths: "tuple[Placed, ...]",
    wire: dict[str, str | int | None],
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


def _wait_for_release(channel: socket.socket, namespaces: dict[str, int]) -> str | None:
    """The journal's file that the lab now belongs to; None when the controller is gone. Reads what is asked."""
    from pathgauge.paths import messages

    while isinstance(order := messages.receive_order(channel), messages.Examine):
        from pathgauge.paths.inspection import answer

        answer(channel, order, namespaces)
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
