"""The journal: whole or not at all, never another's, never a wrong process."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathgauge.errors import MachineError
from pathgauge.paths import journal as module
from pathgauge.paths.journal import Journal, Process, Record, boot_id, end, folder, identify, is_alive

NEVER = Process(pid=1 << 22, start=1)


def record(name: str = "bedafi", **changes: object) -> Record:
    owner = identify(os.getpid())
    assert owner is not None
    made = Record(
        name=name, boot=boot_id(), state="starting", owner=owner, created="now", command=["x"], paths=["a=host"]
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal") as opened:
        yield opened


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    command = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        yield process
        process.kill()


def test_a_record_is_made_once_replaced_and_removed(journal: Journal) -> None:
    assert journal.create(record())
    assert not journal.create(record(state="standing"))
    entry = journal.entry("bedafi")
    assert entry is not None
    assert entry.record == record()
    journal.write(record(state="standing"))
    assert [each.record for each in journal.entries()] == [record(state="standing")]
    assert os.listdir(journal.path) == ["bedafi.json"]
    assert journal.file("bedafi").stat().st_mode & 0o777 == 0o600
    journal.remove("bedafi")
    journal.remove("bedafi")
    assert journal.entries() == []
    assert journal.entry("bedafi") is None


def test_an_unwritable_journal_keeps_the_old_record(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.create(record())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="No space left") as caught:
        journal.write(record(state="standing"))
    assert module.FOLDER_VARIABLE in caught.value.hint
    assert os.listdir(journal.path) == ["bedafi.json"]
    assert journal.entries()[0].record == record()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'{"schema":"pathgauge.lab/9"}', b"\xff" * 100, b" " * (module.LONGEST_FILE + 1)],
)
def test_a_damaged_file_is_told_of(journal: Journal, content: bytes) -> None:
    journal.file("damaged").write_bytes(content)
    (entry,) = journal.entries()
    assert entry.name == "damaged"
    assert entry.record is None
    assert "not readable" in entry.problem


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_byte_never_crashes(journal: Journal, data: st.DataObject) -> None:
    content = bytearray(msgspec.json.encode(record()))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    journal.file("bedafi").write_bytes(content)
    (entry,) = journal.entries()
    assert (entry.record is None) == bool(entry.problem)


def test_files_that_are_no_records_of_ours(journal: Journal) -> None:
    journal.file("other").write_bytes(msgspec.json.encode(record()))
    journal.file("link").symlink_to("other.json")
    journal.file("folder").mkdir()
    os.mkfifo(journal.file("pipe"))
    journal.path.joinpath("README").touch()
    assert {entry.name for entry in journal.entries() if entry.record is None} == {"other", "link", "folder", "pipe"}
    assert len(journal.entries()) == 4


def test_unfinished_files_go_only_with_their_writers(journal: Journal) -> None:
    mine = identify(os.getpid())
    assert mine is not None
    for name in (
        f".a.{mine.pid}-{mine.start}.tmp",
        f".b.{mine.pid}-{mine.start + 1}.tmp",
        f".c.{NEVER.pid}-1.tmp",
        "d.tmp",
    ):
        journal.path.joinpath(name).touch()
    assert sorted(journal.remove_temporaries()) == [f".b.{mine.pid}-{mine.start + 1}.tmp", f".c.{NEVER.pid}-1.tmp"]
    assert len(os.listdir(journal.path)) == 2


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_folder_open_to_others_is_not_trusted(tmp_path: Path, mode: int) -> None:
    tmp_path.joinpath("journal").mkdir()
    tmp_path.joinpath("journal").chmod(mode)
    with pytest.raises(MachineError, match="not this user's alone"):
        Journal(tmp_path / "journal")


def test_a_folder_behind_a_link_or_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    tmp_path.joinpath("real").mkdir(mode=0o700)
    tmp_path.joinpath("link").symlink_to("real")
    with pytest.raises(MachineError, match="cannot be opened"):
        Journal(tmp_path / "link")
    if os.geteuid() == 0:
        os.chown(tmp_path / "real", 65534, 65534)
        with pytest.raises(MachineError, match="not this user's alone"):
            Journal(tmp_path / "real")
    with pytest.raises(MachineError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal")


def test_where_the_journal_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/somewhere")
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert folder() == Path("/run/pathgauge")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert folder() == Path("/somewhere/pathgauge-4711")
    os_stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path: type("S", (), {"st_uid": 4711 if os_stat(path).st_uid == mine else 0}))
    assert folder() == tmp_path / "pathgauge"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert folder() == Path("/somewhere/pathgauge-4711")
    monkeypatch.setenv(module.FOLDER_VARIABLE, "/chosen")
    assert folder() == Path("/chosen")


def test_a_process_is_known_by_more_than_its_pid(sleeper: subprocess.Popen[bytes]) -> None:
    living = identify(sleeper.pid)
    assert living is not None
    reused = Process(pid=living.pid, start=living.start - 1)
    assert is_alive(living, boot_id())
    assert not is_alive(reused, boot_id())
    assert not is_alive(living, "another boot")
    assert not is_alive(None, boot_id())
    assert not end(reused, boot_id())
    assert not end(living, "another boot")
    assert not end(NEVER, boot_id())
    assert not end(None, boot_id())
    assert sleeper.poll() is None
    assert end(living, boot_id())
    assert identify(sleeper.pid) is None  # a zombie, until it is waited for
    assert sleeper.wait() == -signal.SIGTERM
    assert not end(living, boot_id())


def test_a_process_of_another_pid_namespace_is_none_of_ours() -> None:
    mine = identify(os.getpid())
    assert mine is not None
    assert not module.is_foreign(mine)
    assert not module.is_foreign(None)
    assert not module.is_foreign(NEVER), "a record of before says nothing of it"
    assert module.is_foreign(msgspec.structs.replace(mine, space=mine.space + 1))


def test_a_deaf_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GOODBYE_SECONDS", 0.1)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        assert end(identify(process.pid), boot_id())
        assert process.wait() == -signal.SIGKILL


def test_a_record_is_plain_json(journal: Journal) -> None:
    journal.create(record(keeper=NEVER))
    content = json.loads(journal.file("bedafi").read_text())
    assert content["schema"] == "pathgauge.lab/1"
    assert content["keeper"] == {"pid": NEVER.pid, "start": 1, "space": 0}
