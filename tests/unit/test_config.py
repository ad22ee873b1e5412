import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.cli.main import main
from pathgauge.config import read_config, written
from pathgauge.errors import UserError
from pathgauge.options import build_request, parse_values

EXAMPLES = Path(__file__).parents[2] / "examples"


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
        ("[set.macvlan]\nnodelai = true", "did you mean nodelay"),
        ("max-time = 'soon'", "--max-time"),
        ("paths = 5", "paths is not a list"),
        ('config = "x"', "config is for the command line"),
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


def test_what_is_printed_asks_for_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["host", "a=macvlan", "--test", "TCP_RR", "--test", "TCP_STREAM", "--set", "a.mtu=1400", "--nodelay",
             "--margin", "3", "--fail-on", "slower", "--json", "/nowhere/x.json"]  # fmt: skip
    assert main(["compare", *words, "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert "json" not in printed
    paths, texts = read_config(write(tmp_path, printed))
    assert paths == ["host", "a=macvlan"]
    assert texts == {
        "test": ["TCP_RR", "TCP_STREAM"],
        "nodelay": ["on"],
        "set": ["a.mtu=1400"],
        "margin": ["3"],
        "fail-on": ["slower"],
    }
    assert main(["compare", "--config", write(tmp_path, printed), "--print-config"]) == 0
    assert capsys.readouterr().out == printed


@given(st.lists(st.text(), max_size=3), st.text())
def test_any_text_survives(paths: list[str], value: str) -> None:
    table = tomllib.loads(written(paths, {"seed": [value]}))
    assert table.get("paths", []) == paths
    assert table["seed"] == value


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_can_be_asked_and_says_how(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert f"# pathgauge compare --config examples/{example.name}\n" in text
    paths, texts = read_config(str(example))
    assert build_request(paths, parse_values(texts)).paths
