"""Path arguments: what they mean, and what is said of those that mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.errors import UserError
from pathgauge.paths.registry import KindOption, kinds, register
from pathgauge.paths.spec import MAX_PATHS, parse_paths, written
from pathgauge.paths.types import PathSpec

BRIDGE = {"mode": "bridge"}


def test_kinds_and_options_with_their_defaults() -> None:
    assert parse_paths(["host", "macvlan", "v=macvlan:mode=vepa"]) == (
        PathSpec("host", "host", {}),
        PathSpec("macvlan", "macvlan", BRIDGE),
        PathSpec("v", "macvlan", {"mode": "vepa"}),
    )


def test_every_kind_takes_what_set_changes_in_a_lab() -> None:
    for kind in kinds():
        (spec,) = parse_paths([f"{kind}:mtu=1450,gso=off,rate=1gbit"])
        assert (spec.changes, spec.rate) == ({"mtu": 1450, "gso": 0}, 10**9)
        assert set(spec.options) == {option.name for option in kinds()[kind].options}
    (vepa,) = parse_paths(["macvlan:mtu=1450,mode=vepa"])
    assert (vepa.options, vepa.changes) == ({"mode": "vepa"}, {"mtu": 1450})


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["host", "host", "host"], ["host", "host.2", "host.3"]),
        (["host", "macvlan", "host"], ["host", "macvlan", "host.2"]),
        (["host.2=macvlan", "host", "host"], ["host.2", "host", "host.3"]),
        (["host", "host=macvlan"], ["host.2", "host"]),
        (["macvlan:mode=vepa", "macvlan"], ["macvlan", "macvlan.2"]),
    ],
)
def test_names_are_unique(arguments: list[str], names: list[str]) -> None:
    assert [spec.name for spec in parse_paths(arguments)] == names


@pytest.mark.parametrize(
    ("argument", "sentence", "hint"),
    [
        ("hots", "no kind of path 'hots'", "did you mean host"),
        ("zzzzzz", "no kind of path 'zzzzzz'", "host, moved"),
        ("", "names no kind", "host, moved"),
        ("a=", "names no kind", "host, moved"),
        ("=host", "cannot name a path", "a=host"),
        ("-a=host", "cannot name a path", "a=host"),
        ("a/b=host", "cannot name a path", "a=host"),
        (f"{'a' * 33}=host", "cannot name a path", "a=host"),
        ("host:", "no option after the colon", "type host"),
        ("host:zzz=bridge", "host has no option 'zzz'", "host:mtu="),
        ("host:mut=1400", "host has no option 'mut'", "did you mean host:mtu="),
        ("host:mtu", "mtu of host needs a value", "type host:mtu="),
        ("host:mtu=12", "out of range", "1280 to 65535"),
        ("macvlan:gso=maybe", "neither on nor off", "on or off"),
        ("host:mtu=1400,mtu=1500", "given twice", "host:mtu=1500"),
        ("macvlan:mod=vepa", "no option 'mod'", "did you mean macvlan:mode="),
        ("macvlan:mode=brigde", "no value 'brigde'", "did you mean macvlan:mode=bridge"),
        ("macvlan:mode=", "no value ''", "macvlan:mode=vepa"),
        ("macvlan:mode", "needs a value", "macvlan:mode=private"),
        ("macvlan:", "no option after the colon", "macvlan:key=value"),
        ("macvlan:mode=vepa,mode=vepa", "given twice", "macvlan:mode=vepa"),
        ("macvlan:mode=vepa,", "no option ''", "mode"),
        ("\x1b[31mhost", "\\x1b", "host"),
    ],
)
def test_what_is_wrong_and_what_to_type(argument: str, sentence: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_paths([argument])
    assert sentence in str(caught.value)
    assert hint in caught.value.hint


def test_no_path_too_many_and_the_same_name_twice() -> None:
    for arguments, sentence in (
        ([], "no path"),
        (["host"] * (MAX_PATHS + 1), "more than"),
        (["a=host", "a=macvlan"], "two paths are named 'a'"),
    ):
        with pytest.raises(UserError, match=sentence):
            parse_paths(arguments)


WRITTEN = [
    "host",
    "macvlan",
    "macvlan:mode=vepa",
    "a=host",
    "host.2=macvlan",
    "host:mtu=1400",
    "b=host:rate=1gbit,gso=on",
]


@given(st.lists(st.sampled_from(WRITTEN), min_size=1))
def test_what_is_written_is_read_again(arguments: list[str]) -> None:
    try:
        specs = parse_paths(arguments)
    except UserError:
        return
    assert len({spec.name for spec in specs}) == len(specs)
    assert parse_paths([written(spec) for spec in specs]) == specs


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_the_users_mistake(text: str) -> None:
    try:
        (spec,) = parse_paths([text])
    except UserError as error:
        mistake = error
    else:
        assert spec.kind in kinds()
        return
    assert mistake.hint.isprintable()
    assert str(mistake).isprintable()


def test_every_kind_says_what_it_is() -> None:
    for name, kind in kinds().items():
        assert name == kind.name
        assert kind.summary
        assert all(option.summary and option.default in option.values for option in kind.options)


def test_a_kind_cannot_be_registered_twice() -> None:
    option = KindOption("x", ("1",), "1", "made up")
    with pytest.raises(ValueError, match="registered twice"):
        register("host", summary="another", options=[option])(kinds()["host"].build)
