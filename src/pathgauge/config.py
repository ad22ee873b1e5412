"""Options from a TOML file: its keys are the names of options, and `paths` for the path arguments."""

import json
import tomllib
from collections.abc import Sequence

from pathgauge.errors import UserError
from pathgauge.options import OPTIONS, Texts, parse_values, texts_of
from pathgauge.quantities import quoted_file

GREATEST_FILE = 2**20
NOT_IN_A_FILE = ("config", "print-config")
_OF_ONE_RUN = ("json", "quiet", *NOT_IN_A_FILE)


def written(paths: Sequence[str], texts: Texts) -> str:
    """A file's text that asks for the same, without what is said of one run's output."""
    lines = [f"paths = {_list(paths)}"] if paths else []
    for name, values in texts.items():
        option = OPTIONS[name]
        if name not in _OF_ONE_RUN:
            lines.append(f"{name} = {_list(values) if option.repeatable else _text(values[-1])}")
    return "".join(f"{line}\n" for line in lines)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    """A TOML basic string: JSON writes the same, but for the one control character that TOML wants escaped, too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def read_config(path: str) -> tuple[Sequence[str], Texts]:
    """The path arguments and the options of a file. UserError says what is wrong with it."""
    try:
        with open(path, "rb") as file:
            raw = file.read(GREATEST_FILE + 1)
    except OSError as error:
        raise UserError(f"--config: {quoted_file(path)} cannot be read: {error.strerror}") from None
    if len(raw) > GREATEST_FILE:
        raise UserError(f"--config: {quoted_file(path)} is larger than 1 MiB", hint="is it the right file?")
    try:
        table = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"--config: {quoted_file(path)} is not TOML: {error}", hint='write lines such as link-rate = "1gbit"'
        ) from None
    paths = table.pop("paths", [])
    if not (isinstance(paths, list) and all(isinstance(item, str) for item in paths)):
        raise UserError(
            f"--config: {quoted_file(path)}: paths is not a list of texts", hint='paths = ["host", "macvlan"]'
        )
    for name in NOT_IN_A_FILE:
        if name in table or name.replace("-", "_") in table:
            raise UserError(f"--config: {quoted_file(path)}: {name} is for the command line", hint="leave it out")
    try:
        texts = texts_of(table, output=True)
        parse_values(texts)  # here, where it is known that they are the file's
    except UserError as error:
        raise UserError(f"--config: {quoted_file(path)}: {error}", hint=error.hint) from None
    return paths, texts
