"""Which CPUs take what a device brings in (RPS): the one place that writes `rps_cpus`.

The file of a device's queue is root's alone, also in a user namespace. What new devices of a namespace begin with
(net.core.rps_default_mask, Linux 6.3) is not: so a lab tells its namespaces before it makes devices in them, and then
sees to it that each device is as was asked, which older kernels leave to the file.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathgauge.errors import InternalError, MachineError, MissingPrivilege, UserError
from pathgauge.paths.namespaces import show_own_devices

DEFAULT_MASK = "net/core/rps_default_mask"
OFF = "off"
_ONLINE = Path("/sys/devices/system/cpu/online")
_QUEUES = "/sys/class/net/{}/queues"
_MASK = re.compile(r"[0-9a-f,]{1,4096}\Z")
_WORD = 32  # bits of a mask between commas


@dataclass(frozen=True, slots=True)
class Masks:
    """Of the CPUs that receive for the devices at the client's side of a wire, and at the server's."""

    client: str
    server: str


def masks_of(text: str) -> Masks:
    """The masks of `1` or `0/1` (see mask_of), one for both sides or one each. Raises UserError."""
    client, _, server = text.partition("/")
    return Masks(mask_of(client), mask_of(server or client))


def cpus_of(text: str) -> frozenset[int]:
    """The CPUs of `off`, `1`, `0-3` or `0+2-3`, which is in that form."""
    found: set[int] = set()
    for item in () if text == OFF else text.split("+"):
        first, _, last = item.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def mask_of(text: str) -> str:
    """The kernel's mask of such CPUs. Raises UserError where one is not online: the kernel would leave it out."""
    cpus = cpus_of(text)
    online = cpus_of(_ONLINE.read_text(encoding="ascii").strip().replace(",", "+"))
    missing = sorted(cpus - online)
    if missing:
        raise UserError(
            f"CPU {missing[0]} is not online, so that nothing could be received there",
            hint=f"rps takes CPUs of: {' '.join(map(str, sorted(online)))}",
        )
    return written(sum(1 << cpu for cpu in cpus))


def written(bits: int) -> str:
    """A mask as the kernel reads it: 32 bits at a time, the highest first."""
    words = [bits & 0xFFFFFFFF]
    while bits := bits >> _WORD:
        words.insert(0, bits & 0xFFFFFFFF)
    return ",".join(f"{word:x}" if number == 0 else f"{word:08x}" for number, word in enumerate(words))


def show() -> None:
    """Have /sys show the devices of the namespace that this thread is in. Raises MissingPrivilege."""
    try:
        show_own_devices()
    except OSError as error:
        raise MissingPrivilege(
            f"/sys of the path's namespace cannot be mounted ({error.strerror}), and with it rps_cpus is out of reach",
            hint="run pathgauge as root, outside of a container; or leave out rps",
        ) from None


def steer_all(devices: Iterable[tuple[str, str]]) -> None:
    """All receive queues of devices of the namespace that this thread is in, each with its mask. Raises as `steer`."""
    show()
    for device, mask in devices:
        for queue in receive_queues(device):
            steer(device, mask, queue)


def receive_queues(device: str) -> Sequence[str]:
    """Where /sys shows its namespace."""
    try:
        return sorted(name for name in os.listdir(_QUEUES.format(device)) if name.startswith("rx-"))
    except OSError:
        raise UserError(f"{device} has no receive queues here", hint="leave out rps") from None


def steer(device: str, mask: str | None, queue: str = "rx-0") -> str:
    """Have the CPUs of a mask receive for a queue, if it is not None; the mask that was there. Where /sys shows its
    namespace.
    """
    if (mask is not None and not _MASK.match(mask)) or "/" in device:
        raise InternalError(f"{mask} is no mask of CPUs")
    file, name = Path(_QUEUES.format(device), queue, "rps_cpus"), f"rps_cpus of {device}"
    try:
        before = file.read_text(encoding="ascii").strip()
        if mask is not None and not same(mask, before):
            file.write_text(mask, encoding="ascii")
    except FileNotFoundError:
        raise UserError(f"there is no {name} here", hint="this kernel has no RPS (CONFIG_RPS)") from None
    except PermissionError:
        raise MissingPrivilege(
            f"{name} may not be written here",
            hint="run pathgauge as root; ordinary users can have it of a lab's devices but lo, from Linux 6.3 on",
        ) from None
    except (OSError, ValueError) as error:
        raise MachineError(f"{name} cannot be set to {mask}: {error}") from None
    return before


def same(one: str, other: str) -> bool:
    """Whether two masks, as the kernel writes them or as we do, name the same CPUs."""
    return _number(one) == _number(other)


def one_cpu(mask: str) -> bool:
    """Whether a mask names one CPU alone."""
    return _number(mask).bit_count() == 1


def _number(mask: str) -> int:
    return int(mask.replace(",", ""), 16)
