"""Two tun or tap devices and a relay between them, a native loop in a thread: all end with this process."""

import errno
import fcntl
import os
import socket
import struct
import threading
from functools import partial

from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege
from pathgauge.paths.namespaces import inside

_FILE = "/dev/net/tun"
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_TUN, _TAP, _NO_PACKET_INFORMATION, _VIRTIO_HEADER = 0x0001, 0x0002, 0x1000, 0x4000  # IFF_TUN, IFF_TAP, ...
_SIOCSIFTXQLEN = 0x8943
_FRAMES = 10_000  # that a tap holds until they are read; of its own 500 a burst of datagrams would lose some
_CHECKSUMS, _TCP4, _TCP6 = 1, 2, 4  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6


End = tuple[int, str]  # a network namespace's descriptor, and a device's name


def connect(one: End, other: End, *, offload: bool) -> None:
    """Make a tun device in each of two network namespaces, and pass packets on between them. Raises MissingFeature or
    MissingPrivilege.
    """
    _pass_on([inside(space, partial(device, name, offload=offload)) for space, name in (one, other)], 0.0, 0.0)


def delay(one: End, other: End, seconds: float, jitter: float) -> None:
    """Make a tap device in each of two network namespaces, and pass frames on between them so much later, give or take
    the jitter. Raises MissingFeature or MissingPrivilege.
    """
    _pass_on([inside(space, partial(_tap, name)) for space, name in (one, other)], seconds, jitter)


def _pass_on(ends: list[int], seconds: float, jitter: float) -> None:
    from pathgauge import _native

    times = [round(each * 1e9) for each in (seconds, jitter)]
    threading.Thread(target=_native.relay, args=[*ends, *times], daemon=True).start()


def _tap(name: str) -> int:
    handle = device(name, offload=True, sort=_TAP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, _SIOCSIFTXQLEN, struct.pack("16si20x", name.encode(), _FRAMES))
    return handle


def device(name: str, *, offload: bool, sort: int = _TUN) -> int:
    """A tun device, or a tap, of the namespace that this thread is in; it is gone when the descriptor is closed."""
    flags = sort | _NO_PACKET_INFORMATION | (_VIRTIO_HEADER if offload else 0)
    try:
        handle = os.open(_FILE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refusal(error) from error
    try:
        fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        if offload:
            fcntl.ioctl(handle, _TUNSETOFFLOAD, _CHECKSUMS | _TCP4 | _TCP6)
    except OSError as error:
        os.close(handle)
        raise _refusal(error) from error
    return handle


def _refusal(error: OSError) -> MachineError:
    """The error that says what mends it."""
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return MissingFeature("this kernel has no tun", hint="sudo modprobe tun (or a kernel with CONFIG_TUN)")
    if error.errno == errno.ENOENT:
        return MissingFeature(
            f"this machine has no {_FILE}",
            hint="sudo modprobe tun; in a container, start it with --device /dev/net/tun",
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return MissingPrivilege(
            f"{_FILE} may not be used here ({error.strerror})",
            hint=f"run pathgauge as root, or: sudo chmod 0666 {_FILE}",
        )
    return MachineError(f"a tun device could not be made: {error.strerror}")
