"""What every test shares: the rule on skips, the guard against leftovers, and an ordinary user to run as.

Under CI=true a skipped test fails, unless its reason is `kernel lacks FEATURE`.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pathgauge.paths.registry import kinds

ROOT = Path(__file__).parents[1]
NOBODY = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3")
EXCUSE = "kernel lacks "
SESSION_VARIABLE = "PATHGAUGE_TEST_SESSION"
ENOUGH_LOOKS = 2
SECONDS_IN_DAY = 86400


# --- skips ------------------------------------------------------------------------------------------------------------


def pytest_configure() -> None:
    """What a shell in the background, or nohup, made this process ignore, the processes under test must not ignore."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def unexcused(longrepr: object) -> str | None:
    """Why a skip is a failure here, None where it is allowed; `longrepr` as pytest's reports have it."""
    reason = str(longrepr[2] if isinstance(longrepr, tuple) else longrepr).removeprefix("Skipped: ")
    if os.environ.get("CI") != "true" or (reason.startswith(EXCUSE) and reason.removeprefix(EXCUSE).strip()):
        return None
    return f"skipped under CI=true, where only '{EXCUSE}FEATURE' is a reason: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip of a test into a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and (complaint := unexcused(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = complaint
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skip of a whole file into a failure."""
    report = yield
    if report.skipped and (complaint := unexcused(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = complaint
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in netns/ and interop/ by their folder."""
    for item in items:
        for folder in {"netns", "interop"} & set(item.path.relative_to(item.config.rootpath).parts):
            item.add_marker(folder)


@pytest.fixture
def require_root() -> None:
    """Skip (under CI: fail) where the tests do not run as root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


# --- leftovers --------------------------------------------------------------------------------------------------------


def named_namespaces() -> set[str]:
    """The namespaces that `ip netns` would list."""
    return {str(path) for path in Path("/run/netns").glob("*")}


def journal_entries() -> set[str]:
    """The files of every journal that this user's commands may write."""
    folders = [Path("/run/pathgauge"), Path(tempfile.gettempdir()) / f"pathgauge-{os.getuid()}"]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        folders.append(Path(runtime) / "pathgauge")
    entries: set[str] = set()
    for folder in folders:
        with contextlib.suppress(PermissionError):
            entries |= {str(path) for path in folder.glob("*.json")}
    return entries


def session_processes(session: str) -> set[str]:
    """Living children of this process, and living processes that inherited the session's variable, as `pid command`."""
    found: set[str] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            state, parent = folder.joinpath("stat").read_text().rpartition(")")[2].split()[:2]
            child = int(parent) == os.getpid()
            if state != "Z" and (
                child or f"{SESSION_VARIABLE}={session}\0".encode() in (folder / "environ").read_bytes()
            ):
                command = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.add(f"{folder.name} {command.strip()}")
    return found


def waited_out(leftovers: Callable[[], set[str]], seconds: float = 2) -> set[str]:
    """What is left after the time that dying processes may need.

    Nothing is left when looks in a row find nothing: a process that just begins another program has no environment.
    """
    end = time.monotonic() + seconds
    empty_looks = 0
    while True:
        left = leftovers()
        empty_looks = 0 if left else empty_looks + 1
        if empty_looks == ENOUGH_LOOKS or (left and time.monotonic() > end):
            return left
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail the session if it leaves a named namespace, a journal entry or a process."""
    session = uuid.uuid4().hex
    before = named_namespaces() | journal_entries()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SESSION_VARIABLE, session)
        processes_before = session_processes(session)
        yield
    left = waited_out(
        lambda: (named_namespaces() | journal_entries()) - before | session_processes(session) - processes_before
    )
    if left:
        pytest.fail("the tests left behind:\n  " + "\n  ".join(sorted(left)), pytrace=False)


# --- an ordinary user -------------------------------------------------------------------------------------------------


def content_hash(*paths: Path) -> str:
    """One hash for what all files under the paths hold, caches and built files apart."""
    digest = hashlib.sha256()
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    for file in files:
        if file.suffix not in {".pyc", ".so"}:
            digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def world_readable_cache() -> Iterator[Path]:
    """Root's own folder of finished environments, locked against other sessions."""
    folder = Path(tempfile.gettempdir()) / f"pathgauge-tests-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        pytest.fail(f"{folder} belongs to somebody else: remove it")
    folder.chmod(0o755)
    with folder.joinpath("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def run_quietly(*command: str | Path) -> None:
    """Run a step of the set-up; its output is shown only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, umask=0o022, timeout=600, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}", pytrace=False)


def finished(folder: Path, build: Callable[[Path], None]) -> Path:
    """The folder, built where its building was never finished; the file `used` in it tells when it was last wanted."""
    used = folder / "used"
    if not used.exists():
        shutil.rmtree(folder, ignore_errors=True)
        build(folder)
    used.touch()
    return folder


def forget_old(folder: Path, keep: Iterable[Path]) -> None:
    """Remove environments that no session has wanted for a day."""
    for used in folder.glob("*/used"):
        if used.parent not in keep and time.time() - used.stat().st_mtime > SECONDS_IN_DAY:
            shutil.rmtree(used.parent, ignore_errors=True)


def build_dependencies(folder: Path) -> None:
    """A venv of the system's Python with what pathgauge needs to be built and to run."""
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    tools = [line for line in project["project"]["optional-dependencies"]["dev"] if line.startswith(("cmake", "ninja"))]
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"], *tools]
    run_quietly(SYSTEM_PYTHON, "-m", "venv", folder)
    run_quietly(folder / "bin/python", "-m", "pip", "install", "--quiet", *wanted)


def build_package(folder: Path, dependencies: Path) -> None:
    """A venv that holds pathgauge and looks up the rest in the venv of its dependencies."""
    run_quietly(SYSTEM_PYTHON, "-m", "venv", "--without-pip", folder)
    (packages,) = folder.glob("lib/python3*/site-packages")
    (lower,) = dependencies.glob("lib/python3*/site-packages")
    packages.joinpath("dependencies.pth").write_text(f"{lower}\n")
    pip: list[str | Path] = [dependencies / "bin/python", "-m", "pip", "--python", folder / "bin/python"]
    options = ["--quiet", "--no-deps", "--no-build-isolation", f"--config-settings=build-dir={dependencies / 'build'}"]
    run_quietly(*pip, "install", *options, ROOT)


@pytest.fixture(scope="session")
def nobody_python() -> Path:
    """A Python with pathgauge installed that uid 65534 can run: outside root's folders, of the system's own Python.

    Where the tests do not run as root it is the Python that runs them.
    """
    if os.geteuid() != 0:
        return Path(sys.executable)
    check = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    if not SYSTEM_PYTHON.exists() or subprocess.run([SYSTEM_PYTHON, "-c", check], check=False).returncode != 0:
        pytest.skip(f"needs {SYSTEM_PYTHON} 3.11 or newer, with venv")
    version = subprocess.run([SYSTEM_PYTHON, "-VV"], capture_output=True, check=True).stdout
    base = hashlib.sha256(version + ROOT.joinpath("pyproject.toml").read_bytes()).hexdigest()[:16]
    parts = [ROOT / name for name in ("pyproject.toml", "CMakeLists.txt", "src", "native")]
    with world_readable_cache() as cache:
        dependencies = finished(cache / f"dependencies-{base}", build_dependencies)
        package = finished(
            cache / f"package-{base}-{content_hash(*parts)}", lambda folder: build_package(folder, dependencies)
        )
        forget_old(cache, keep=[dependencies, package])
    return package / "bin/python"


@dataclass(frozen=True, slots=True)
class Nobody:
    """Runs commands as uid and gid 65534 without further groups, in a folder of its own; as oneself where not root."""

    home: Path
    environment: dict[str, str]

    def popen(self, command: Iterable[str | Path], **options: Any) -> subprocess.Popen[str]:
        """Start a command; `env` adds to the environment, other options go to subprocess.Popen."""
        if os.geteuid() == 0:
            options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        environment = self.environment | options.pop("env", {})
        return subprocess.Popen(list(command), cwd=self.home, env=environment, text=True, **options)

    def __call__(
        self, command: Iterable[str | Path], *, timeout: float = 60, stdin: str | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end with its output captured; killed and TimeoutExpired after `timeout` seconds."""
        pipe = subprocess.PIPE
        source = subprocess.DEVNULL if stdin is None else pipe
        with self.popen(command, stdin=source, stdout=pipe, stderr=pipe, **options) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def closed_to_others() -> set[str]:
    """The kinds of path whose device file only root may open on this machine; without a udev they often are."""
    files = {name: Path(kind.needs) for name, kind in kinds().items() if kind.needs.startswith("/dev/")}
    return {name for name, file in files.items() if file.exists() and file.stat().st_mode & 0o006 != 0o006}


@pytest.fixture
def as_nobody(nobody_python: Path) -> Iterator[Nobody]:
    """Runs commands as an ordinary user: `as_nobody([nobody_python, "-m", "pathgauge", ...])`."""
    home = Path(tempfile.mkdtemp(prefix="pathgauge-nobody-"))
    try:
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
        environment = {
            "PATH": f"{nobody_python.parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
        }
        environment |= {name: os.environ[name] for name in ("CI", SESSION_VARIABLE) if name in os.environ}
        yield Nobody(home, environment)
    finally:
        shutil.rmtree(home)
