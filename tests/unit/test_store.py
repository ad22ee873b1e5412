import errno
import os
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import result
from pathgauge.errors import MachineError, UserError
from pathgauge.results import store


def test_a_document_comes_back_as_it_was_and_each_slice_has_its_line(tmp_path: Path) -> None:
    target = str(tmp_path / "result.json")
    store.write_atomic(target, store.encode(result()))
    assert store.read(target) == result()
    assert sum('"position"' in line for line in Path(target).read_text().splitlines()) == len(result().slices)
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_document_without_slices(tmp_path: Path) -> None:
    target = str(tmp_path / "result.json")
    store.write_atomic(target, store.encode(result(slices=[])))
    assert store.read(target).slices == []


def test_what_is_not_a_number_is_written_as_unknown() -> None:
    document = result(wire={"rate": None}, labs=1)
    odd = msgspec.structs.replace(document.slices[0], rtt_seconds=float("nan"))
    again = store.decode(store.encode(msgspec.structs.replace(document, slices=[odd])), "x")
    assert again.slices[0].rtt_seconds is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is broken"),
        (b"{", "is broken"),
        (b"\xff\xfe", "is broken"),
        (b'{"a": ' + b"[" * 100_000, "is broken"),
        (b"[]", "is no pathgauge.result/1 document"),
        (b"{}", "names no schema"),
        (b'{"schema": 5}', "is no pathgauge.result/1 document"),
        (b'{"schema": "other/1"}', "is not a pathgauge result"),
        (b'{"schema": "pathgauge.result/2"}', "reads up to version 1"),
        (b'{"schema": "pathgauge.result/\\u001b"}', "is not a pathgauge result"),
        (b'{"schema": "pathgauge.result/1"}', "missing required field"),
    ],
)
def test_what_is_no_document(raw: bytes, says: str) -> None:
    with pytest.raises(UserError) as caught:
        store.decode(raw, "x.json")
    assert says in str(caught.value)
    assert "x.json" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_wrong_value_is_named_with_its_place() -> None:
    raw = store.encode(result()).replace(b'"slower"', b'"dearer"', 1)
    with pytest.raises(UserError, match=r"\$\.comparisons\[0\]\.verdict"):
        store.decode(raw, "x.json")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_user_error(raw: bytes) -> None:
    with pytest.raises(UserError):
        store.decode(raw, "x")


@given(st.data())
def test_a_cut_or_spoilt_document_is_never_a_crash(data: st.DataObject) -> None:
    raw = bytearray(store.encode(result()))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    del raw[data.draw(st.integers(0, len(raw))) :]
    try:
        said: str = store.decode(bytes(raw), "x").schema
    except UserError as error:
        said = str(error)
    assert said.isprintable()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(UserError, match="larger than 1 GiB"):
        store.read(str(huge))
    for name in (str(tmp_path), str(tmp_path / "none"), "a\0b"):
        with pytest.raises(UserError, match="cannot be read"):
            store.read(name)


def test_the_target_keeps_its_permissions_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("before")
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        store.write_atomic(str(old), store.encode(result()))
        store.write_atomic(str(new), store.encode(result()))
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("before")
    link.symlink_to(real)
    store.write_atomic(str(link), store.encode(result()))
    assert link.is_symlink()
    assert store.read(str(real)) == result()


def test_a_device_is_written_to_and_not_replaced() -> None:
    store.check_writable("/dev/null")
    store.write_atomic("/dev/null", store.encode(result()))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_the_check_leaves_nothing_and_names_what_is_wrong(tmp_path: Path) -> None:
    store.check_writable(str(tmp_path / "new.json"))
    assert os.listdir(tmp_path) == []
    for target in (str(tmp_path), str(tmp_path / "none" / "x.json"), str(tmp_path / ("x" * 300))):
        with pytest.raises(UserError, match="cannot be written"):
            store.check_writable(target)


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_old_target_and_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, elsewhere = tmp_path / "full", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    target = folder / "result.json"
    target.write_text("before")
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="No space left") as caught:
        store.write_atomic(str(target), store.encode(result()))
    assert target.read_text() == "before"
    assert os.listdir(folder) == ["result.json"]
    (kept,) = elsewhere.iterdir()
    assert str(kept) in caught.value.hint
    assert store.read(str(kept)) == result()


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/full/none")
    with pytest.raises(MachineError, match="No space left") as caught:
        store.write_atomic("/dev/full", store.encode(result()))
    assert "nor could it be kept" in caught.value.hint
