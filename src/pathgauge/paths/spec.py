"""Path arguments, `[NAME=]KIND[:key=value,...]`: parsed, checked against the registered kinds, and named."""

import difflib
import re
from collections.abc import Iterable, Sequence

from pathgauge.errors import UserError
from pathgauge.paths.registry import Kind, kinds
from pathgauge.paths.types import OFFLOADS, PathSpec
from pathgauge.quantities import quoted

MAX_PATHS = 64
_SET = ("rate", "mtu", *OFFLOADS)  # what --set changes

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


def parse_paths(arguments: Sequence[str]) -> tuple[PathSpec, ...]:
    """Parse path arguments; the same kind twice without names is named `host`, `host.2`, ... Raises UserError."""
    if not arguments:
        raise UserError("no path was given", hint=f"name at least one: {_listed(kinds())}")
    if len(arguments) > MAX_PATHS:
        raise UserError(f"{len(arguments)} paths are more than the {MAX_PATHS} a lab can hold", hint="name fewer paths")
    parsed = [_parse(argument) for argument in arguments]
    given = [name for name, _, _ in parsed if name is not None]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two paths are named {quoted(twice)}", hint="give each a name of its own: a=KIND b=KIND")
    taken = set(given)
    specs: list[PathSpec] = []
    for name, kind, options in parsed:
        unique = name if name is not None else _free_name(kind, taken)
        taken.add(unique)
        specs.append(PathSpec(unique, kind, options))
    return tuple(specs)


def written(spec: PathSpec) -> str:
    """The argument that gives `spec`, its name always written."""
    options = ",".join(f"{key}={value}" for key, value in spec.options.items())
    return f"{spec.name}={spec.kind}" + (f":{options}" if options else "")


def _parse(argument: str) -> tuple[str | None, str, dict[str, str]]:
    """Name or None, kind, options (every option of the kind is there)."""
    head, colon, tail = argument.partition(":")
    name, equals, kind_name = head.rpartition("=")
    if equals and not NAME.fullmatch(name):
        raise UserError(
            f"{quoted(name)} cannot name a path: a name has 1 to 32 letters, digits or any of _.-, no sign first",
            hint="type for example a=host",
        )
    if not kind_name:
        raise UserError(f"{quoted(argument)} names no kind of path", hint=f"the kinds are {_listed(kinds())}")
    kind = kinds().get(kind_name)
    if kind is None:
        raise UserError(f"there is no kind of path {quoted(kind_name)}", hint=_nearest(kind_name, kinds()))
    if colon and not tail:
        raise UserError(f"{quoted(argument)} has no option after the colon", hint=f"type {head}, or {head}:key=value")
    return (name if equals else None), kind_name, _parse_options(kind, tail)


def _parse_options(kind: Kind, text: str) -> dict[str, str]:
    known = {option.name: option for option in kind.options}
    said: dict[str, str] = {}
    for item in text.split(",") if text else ():
        key, equals, value = item.partition("=")
        if key not in known and key in _SET and equals:
            raise UserError(
                f"{quoted(key)} is no option of the kind {kind.name}; every path's devices have it",
                hint=f"--set NAME.{key}={value}, with the path's name",
            )
        if not known:
            raise UserError(f"the kind {kind.name} has no options", hint=f"type {kind.name}")
        if key not in known:
            raise UserError(
                f"the kind {kind.name} has no option {quoted(key)}", hint=_nearest(key, known, f"{kind.name}:", "=...")
            )
        option = known[key]
        if not equals or value not in option.values:
            lack = f"has no value {quoted(value)}" if equals else "needs a value"
            raise UserError(
                f"the option {key} of {kind.name} {lack}",
                hint=_nearest(value, option.values, f"{kind.name}:{key}="),
            )
        if key in said:
            raise UserError(f"the option {key} of {kind.name} is given twice", hint=f"type {kind.name}:{key}={value}")
        said[key] = value
    return {option.name: said.get(option.name, option.default) for option in kind.options}


def _free_name(kind: str, taken: set[str]) -> str:
    name, number = kind, 2
    while name in taken:
        name, number = f"{kind}.{number}", number + 1
    return name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _nearest(wrong: str, names: Iterable[str], before: str = "", after: str = "") -> str:
    choices = list(names)
    near = difflib.get_close_matches(wrong, choices, n=1, cutoff=0.5)
    if near:
        return f"did you mean {before}{near[0]}{after}? There are: {_listed(choices)}"
    return f"there are: {', '.join(before + choice + after for choice in choices)}"
