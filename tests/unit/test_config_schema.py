"""The schema of a comparison's file says what the reader says."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from pathgauge.config import NOT_IN_A_FILE, read_config, written
from pathgauge.config_schema import schema, schema_text
from pathgauge.errors import UserError
from pathgauge.options import OPTIONS, texts_of

ROOT = Path(__file__).parents[2]
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_committed_schema_is_that_of_the_options() -> None:
    assert (ROOT / "docs/reference/config.schema.json").read_text() == schema_text(), (
        "write it again: pathgauge schema --config > docs/reference/config.schema.json"
    )


def test_it_is_a_schema_with_every_option_of_a_file() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))
    assert set(SCHEMA["properties"]) == {"paths", *OPTIONS} - set(NOT_IN_A_FILE)
    assert all(each["description"] for each in SCHEMA["properties"].values())


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_fits_and_names_the_schema_for_editors(example: Path) -> None:
    hint, _, text = example.read_text(encoding="utf-8").partition("\n")
    assert hint.startswith("#:schema ")
    assert (example.parent / hint.removeprefix("#:schema ")).resolve() == ROOT / "docs/reference/config.schema.json"
    VALIDATOR.validate(tomllib.loads(text))


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - set(NOT_IN_A_FILE)))
def test_what_print_config_writes_fits(name: str) -> None:
    option = OPTIONS[name]
    value = "on" if option.flag else option.choices()[0] if option.choices else "x"
    VALIDATOR.validate(tomllib.loads(written(["host"], {name: [value]})))


def made_by(part: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a part of the schema; only what occurs in it is known here."""
    if "anyOf" in part:
        return st.one_of([made_by(each) for each in part["anyOf"]])
    if "enum" in part:
        return st.sampled_from(part["enum"])
    if part["type"] == "string":
        return st.text()
    if part["type"] == "array":
        least = max(1, part.get("minItems", 1))
        return st.lists(made_by(part["items"]), min_size=least, max_size=3)
    if part["type"] == "object":
        if "properties" not in part:
            return st.dictionaries(st.text(min_size=1), made_by(part["additionalProperties"]), min_size=1, max_size=2)
        keys = st.lists(st.sampled_from(sorted(part["properties"])), min_size=1, max_size=part.get("maxProperties", 3))
        return keys.flatmap(
            lambda names: st.fixed_dictionaries({key: made_by(part["properties"][key]) for key in names})
        )
    return st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.data())
def test_the_reader_takes_the_form_of_all_that_fits(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(set(SCHEMA["properties"]) - {"paths"})))
    table = {name: data.draw(made_by(SCHEMA["properties"][name]))}
    VALIDATOR.validate(table)
    assert list(texts_of(table, output=True)) == [name]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("send-sise = 1", "there is no option 'send-sise'; did you mean send-size?"),
        ("[wire]\nrat = '1gbit'", "a wire has no 'rat'; did you mean rate?"),
        ("[set.macvlan]\nnodelai = true", "there is no test parameter 'nodelai'; did you mean nodelay?"),
        ("[set.macvlan]\nmtuu = 1400", "there is no test parameter 'mtuu'; did you mean mtu?"),
        ("[margin]\ngoodputt = 2", "there is no metric 'goodputt'; did you mean goodput?"),
        ("[vary]\nsend-siz = [1, 2]", "there is no test parameter 'send-siz'; did you mean send-size?"),
        ("test = ['TCP_STREM']", "there is no test 'TCP_STREM'; did you mean TCP_STREAM?"),
        ("paths = 'host'", "paths is not a list of texts"),
        ("print-config = true", "print-config is for the command line"),
        ("config = 'x.toml'", "config is for the command line"),
        ("seed = 1979-05-27", "a value cannot be"),
    ],
)
def test_both_refuse_the_same(tmp_path: Path, text: str, says: str) -> None:
    from pathgauge.options import parse_values

    if "1979" not in text:  # JSON has no dates to refuse
        assert not VALIDATOR.is_valid(tomllib.loads(text))
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        parse_values(read_config(str(file))[1])
    assert says in str(caught.value)


def test_tables_are_the_same_as_texts(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[path]\na = 'local,netns:a'\nb = 'local,pid:7'\n[wire]\nrate = '1gbit'\nmtu = 1400\n")
    texts = read_config(str(file))[1]
    assert texts == {"path": ["a=local,netns:a", "b=local,pid:7"], "wire": ["rate=1gbit,mtu=1400"]}
