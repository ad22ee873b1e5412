"""Two tun devices and a relay between them, a native loop in a thread: devices and thread end with this process."""

import errno
import fcntl
import os
import struct
import threading
from functools import partial

from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege
from pathgauge.paths.namespaces import inside

_FILE = "/dev/net/tun"
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_TUN, _NO_PACKET_INFORMATION, _VIRTIO_HEADER = 0x0001, 0x1000, 0x4000  # IFF_TUN, IFF_NO_PI, IFF_VNET_HDR
_CHECKSUMS, _TCP4, _TCP6 = 1, 2, 4  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6


def connect(one: tuple[int, str], other: tuple[int, str], *, offload: bool) -> None:
    """Make a tun device in each of two network namespaces, given as descriptor and device's name, and pass packets on
    between them. Raises MissingFeature or MissingPrivilege.
    """
    from pathgauge import _native

    ends = [inside(namespace, partial(device, name, offload=offload)) for namespace, name in (one, other)]
    threading.Thread(target=_native.relay, args=ends, daemon=True).start()


def device(name: str, *, offload: bool) -> int:
    """A tun device of the namespace that this thread is in, which is gone when the descriptor returned is closed."""
    flags = _TUN | _NO_PACKET_INFORMATION | (_VIRTIO_HEADER if offload else 0)
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
