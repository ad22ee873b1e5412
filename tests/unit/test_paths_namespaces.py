"""Namespaces: threads that enter them, and the sentences for machines that have none."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pathgauge.errors import MissingFeature, MissingPrivilege
from pathgauge.paths import namespaces


def test_what_a_thread_returns_and_raises_is_passed_on() -> None:
    def fail() -> None:
        raise KeyError("x")

    assert namespaces.in_thread(lambda: 7) == 7
    with pytest.raises(KeyError, match="x"):
        namespaces.in_thread(fail)


@pytest.mark.parametrize(
    ("file", "value", "mend"),
    [
        ("user/max_user_namespaces", "0\n", "user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1\n", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ],
)
def test_a_refusal_names_the_setting_and_what_mends_it(tmp_path: Path, file: str, value: str, mend: str) -> None:
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(value)
    error = namespaces.refusal(OSError(errno.EPERM, "no"), tmp_path)
    assert isinstance(error, MissingPrivilege)
    assert file.replace("/", ".") in str(error)
    assert mend in error.hint


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (errno.EPERM, MissingPrivilege, "--cap-add"),
        (errno.ENOSPC, MissingPrivilege, "max_user_namespaces"),
        (errno.EINVAL, MissingFeature, "root"),
    ],
)
def test_a_refusal_without_a_setting_to_blame(tmp_path: Path, number: int, kind: type, hint: str) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user/max_user_namespaces").write_text("1000\n")
    error = namespaces.refusal(OSError(number, os.strerror(number)), tmp_path)
    assert type(error) is kind
    assert hint in error.hint


def test_only_root_with_its_capabilities_is_root_capable() -> None:
    if os.geteuid() != 0:
        assert not namespaces.is_root_capable()


def test_probe_refuses_other_words() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "pathgauge.paths.namespaces", "x"], check=False)
    assert done.returncode == 2


def test_a_process_whose_parent_is_gone_ends_at_once() -> None:
    code = "from pathgauge.paths.namespaces import die_with_parent; die_with_parent({}); print('alive')"
    for parent, output in ((os.getpid(), b"alive\n"), (1 << 22, b"")):
        done = subprocess.run([sys.executable, "-P", "-c", code.format(parent)], check=False, capture_output=True)
        assert done.stdout == output, done.stderr
