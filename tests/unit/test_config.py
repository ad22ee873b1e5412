from pathlib import Path

import pytest

from pathgauge.config import read_config
from pathgauge.errors import UserError


def write(folder: Path, text: str) -> str:
    path = folder / "gauge.toml"
    path.write_text(text)
    return str(path)


def test_options_of_every_type(tmp_path: Path) -> None:
    paths, texts = read_config(
        write(
            tmp_path,
            'paths = ["host", "macvlan"]\nsend-size = 1400\nnodelay = true\nmax-time = 2.5\ntest = ["TCP_RR"]\n'
            "[margin]\ncpu_local = 5\n[set.macvlan]\nnodelay = false\n",
        )
    )
    assert paths == ["host", "macvlan"]
    assert texts == {
        "send-size": ["1400"],
        "nodelay": ["on"],
        "max-time": ["2.5"],
        "test": ["TCP_RR"],
        "margin": ["cpu_local=5"],
        "set": ["macvlan.nodelay=off"],
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("send-sise = 1", "did you mean send-size"),
        ("send-size = ", "is not TOML"),
        ("send-size = [1, 2]", "takes one value, not 2"),
        ("seed = 1979-05-27", "a value cannot be"),
        ("paths = 5", "paths is not a list"),
        ('config = "x"', "names another file"),
        ("a = " + "[" * 5000, "is not TOML"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        read_config(write(tmp_path, text))
    assert says in str(caught.value)
    assert "gauge.toml" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_config(str(tmp_path / "none"))
    with pytest.raises(UserError, match="directory"):
        read_config(str(tmp_path))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        read_config("/dev/zero")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not TOML"):
        read_config(str(tmp_path / "binary"))
