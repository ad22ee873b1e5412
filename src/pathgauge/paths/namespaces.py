"""Namespaces by system call: standard library and ctypes only, for processes that enter one before they import more.

`python -P -m pathgauge.paths.namespaces probe` ends with 0 where a lab can be built, as root or in a user namespace,
else with 1.
"""

import ctypes
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000

_PR_SET_PDEATHSIG = 1
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_SLAVE = 2, 4, 8, 0x4000, 0x80000
_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21
_INITIAL_USER_NAMESPACE = 0xEFFFFFFD  # the inode the kernel fixes for it (PROC_USER_INIT_INO)

_AS_ROOT = "run pathgauge as root"
# What keeps an ordinary user from having user namespaces: the file, the value that does it, the setting that mends it.
_BARS = (
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
)

T = TypeVar("T")


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_library(), name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(kind: int) -> None:
    """Give the calling thread a namespace of its own. Raises OSError."""
    _call("unshare", kind)


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace behind a descriptor, which must be of `kind`. Raises OSError."""
    _call("setns", fd, kind)


def show_own_devices() -> None:
    """Mount a /sys of the network namespace this process is in, for itself and its children alone.

    Without it /sys/class/net goes on showing the devices of the namespace it came from. Raises OSError.
    """
    _mount_over(b"/sys", b"sysfs")


def own_folder(path: str) -> None:
    """Mount an empty folder in memory over a folder, for this process and its children alone. Raises OSError."""
    _mount_over(path.encode(), b"tmpfs")


def _mount_over(target: bytes, kind: bytes) -> None:
    unshare(CLONE_NEWNS)
    library = ctypes.CDLL(None, use_errno=True)

    def mount(source: bytes, target: bytes, kind: bytes | None, flags: int) -> None:
        if library.mount(source, target, kind, ctypes.c_ulong(flags), None) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    mount(b"none", b"/", None, _MS_REC | _MS_SLAVE)  # what is mounted here stays here
    mount(kind, target, kind, _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def is_in_initial_user_namespace() -> bool:
    """Whether the root of here is the machine's."""
    return os.stat("/proc/self/ns/user").st_ino == _INITIAL_USER_NAMESPACE


def is_root_capable() -> bool:
    """Whether labs can be built without a user namespace: CAP_NET_ADMIN and CAP_SYS_ADMIN in the initial one."""
    if not is_in_initial_user_namespace():
        return False
    needed = 1 << _CAP_NET_ADMIN | 1 << _CAP_SYS_ADMIN
    for line in Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16) & needed == needed
    return False


def enter_user_namespace() -> None:
    """Become root in a user namespace of one's own, before any thread exists.

    Raises MissingPrivilege or MissingFeature with the command that mends it where the machine forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    except OSError as error:
        raise refusal(error) from error


def refusal(error: OSError, sysctls: Path = Path("/proc/sys")) -> MachineError:
    """The error that says why no user namespace is to be had here, after the kernel answered with `error`."""
    if error.errno in (errno.EINVAL, errno.ENOSYS):
        return MissingFeature("this kernel makes no user namespaces (CONFIG_USER_NS)", hint=_AS_ROOT)
    for name, forbidding, mend in _BARS:
        try:
            forbidden = Path(sysctls, name).read_text(encoding="ascii").strip() == forbidding
        except (OSError, ValueError):
            continue
        if forbidden:
            return MissingPrivilege(
                f"this machine lets ordinary users have no user namespaces ({name.replace('/', '.')}={forbidding})",
                hint=f"{_AS_ROOT}, or allow them: sudo sysctl -w {mend}",
            )
    if error.errno == errno.ENOSPC:
        return MissingPrivilege(
            "the limit of namespaces is reached",
            hint=f"{_AS_ROOT}, or: sudo sysctl -w user.max_user_namespaces=15000 user.max_net_namespaces=15000",
        )
    return MissingPrivilege(
        f"neither root's privileges nor a user namespace is to be had here ({error.strerror})",
        hint=f"{_AS_ROOT}; in a container, start it with --cap-add SYS_ADMIN --cap-add NET_ADMIN",
    )


def in_thread(work: Callable[[], T]) -> T:
    """Run something in a thread of its own, so that this one enters no namespace; pass on what it raises."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def inside(namespace: int, work: Callable[[], T]) -> T:
    """Run something in a thread that has entered a network namespace; the caller's own does not change."""

    def entered() -> T:
        setns(namespace, CLONE_NEWNET)
        return work()

    return in_thread(entered)


def new_network_namespace() -> int:
    """A network namespace that nothing but the descriptor returned holds. Raises MissingPrivilege or MissingFeature."""
    return in_thread(enter_new_network_namespace)


def enter_new_network_namespace() -> int:
    """Move this thread into a new network namespace, and return a descriptor of it. Raises as new_network_namespace."""
    try:
        unshare(CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise MissingFeature(
                "this kernel makes no network namespaces", hint="a kernel with CONFIG_NET_NS=y is needed"
            ) from error
        raise refusal(error) from error


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    To be called after the last change of credentials, which would cancel it. `parent` is the pid of who started this
    process, where it is known: a parent that is gone already ends this one at once.
    """
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def live_on() -> None:
    """Undo die_with_parent: this process is to outlive whoever started it."""
    _call("prctl", _PR_SET_PDEATHSIG, 0)


def _probe() -> int:
    try:
        if not is_root_capable():
            enter_user_namespace()
        os.close(new_network_namespace())
    except MachineError as error:
        sys.stderr.write(f"{error}; {error.hint}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_probe() if sys.argv[1:] == ["probe"] else 2)
