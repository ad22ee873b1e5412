"""The rules of tests/conftest.py hold: skips fail under CI, leftovers are found, the ordinary user is one."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project of its own under the same conftest."""
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    return pytester


@pytest.mark.parametrize(
    ("ci", "reason", "outcome"),
    [
        ("true", "needs root", "failed"),
        ("true", "kernel lacks", "failed"),
        ("true", "kernel lacks ", "failed"),
        ("true", "kernel lacks macvlan", "skipped"),
        ("", "needs root", "skipped"),
    ],
)
def test_skip_under_ci(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, reason: str, outcome: str
) -> None:
    monkeypatch.setenv("CI", ci)
    inner.makepyfile(f"import pytest\ndef test_it():\n    pytest.skip({reason!r})")
    inner.runpytest_subprocess().assert_outcomes(**{outcome: 1})


def test_skip_says_why_it_failed(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    inner.makepyfile("import pytest\n@pytest.mark.skipif(True, reason='no netperf')\ndef test_it(): pass")
    result = inner.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*only 'kernel lacks FEATURE' is a reason: no netperf*"])


def test_skip_of_a_whole_file_fails_under_ci(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    inner.makepyfile("import pytest\npytest.importorskip('no_such_module_at_all')")
    result = inner.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    assert result.ret != 0


def test_expected_failure_is_no_skip(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    inner.makepyfile("import pytest\n@pytest.mark.xfail\ndef test_it(): assert False")
    inner.runpytest_subprocess().assert_outcomes(xfailed=1)


def test_clean_session_passes(inner: pytest.Pytester) -> None:
    inner.makepyfile("import subprocess\ndef test_it(): subprocess.run(['true'], check=True)")
    inner.runpytest_subprocess().assert_outcomes(passed=1)


def test_process_left_behind_is_an_error(inner: pytest.Pytester) -> None:
    # `setsid --fork` makes a grandchild that belongs to nobody here; it ends by itself.
    inner.makepyfile("import subprocess\ndef test_it(): subprocess.run(['setsid', '--fork', 'sleep', '5'], check=True)")
    result = inner.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the tests left behind:*", "*sleep 5*"])


def test_journal_entry_left_behind_is_an_error(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "pathgauge").mkdir()
    target = tmp_path / "pathgauge" / "lab-left.json"
    inner.makepyfile(f"import pathlib\ndef test_it(): pathlib.Path({str(target)!r}).touch()")
    result = inner.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*lab-left.json*"])


@pytest.mark.rootless
def test_nobody_is_an_ordinary_user_with_pathgauge(nobody_python: Path, as_nobody: Runner) -> None:
    code = "import os, pathgauge; print(os.getuid(), os.getgid(), os.getgroups(), os.access('.', os.W_OK))"
    done = as_nobody([nobody_python, "-c", code])
    assert done.returncode == 0, done.stderr
    expected = "65534 65534 []" if os.geteuid() == 0 else f"{os.getuid()} {os.getgid()} {os.getgroups()}"
    assert done.stdout == f"{expected} True\n"


@pytest.mark.rootless
def test_nobody_is_stopped_in_time(as_nobody: Runner) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        as_nobody(["sleep", "5"], timeout=0.1)


def test_folders_mark_their_tests(inner: pytest.Pytester) -> None:
    folder = inner.mkdir("netns")
    folder.joinpath("test_it.py").write_text("def test_it(request): assert request.node.get_closest_marker('netns')")
    inner.makeini("[pytest]\nmarkers =\n  netns: x\n  interop: x\naddopts = --strict-markers")
    inner.runpytest_subprocess().assert_outcomes(passed=1)
