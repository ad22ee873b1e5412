"""Command lines by getopt's rules: letters in bundles, words between options, `--` ends; and long names of our own."""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from pathgauge.errors import UserError

T = TypeVar("T")

_COLUMN = 26  # where the meanings begin in a help text
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """One option: a letter, or a long name of more. `metavar` is "" where nothing follows it.

    `follows` says of an option whose argument is optional whether the next word is it.
    """

    name: str
    metavar: str
    help: str
    store: Callable[[T, str], None]
    follows: Callable[[str], bool] | None = None

    @property
    def shown(self) -> str:
        """As it is typed: `-t`, `--json`."""
        return f"-{self.name}" if len(self.name) == 1 else f"--{self.name}"

    def apply(self, target: T, value: str) -> None:
        """Stores the value; an error names the option."""
        try:
            self.store(target, value)
        except UserError as error:
            raise UserError(f"{self.shown}: {error}", hint=error.hint) from None


def table(*options: Option[T]) -> dict[str, Option[T]]:
    """Options by name."""
    return {option.name: option for option in options}


class Scan(Generic[T]):
    """Finds the options of a command line one by one; `operands` and `rest` (behind `--`) grow as it goes.

    `refuse` is called with an option that is not in the table, as it was typed, and raises.
    """

    def __init__(
        self, words: Sequence[str], options: Mapping[str, Option[T]], refuse: Callable[[str], NoReturn]
    ) -> None:
        self._words = words
        self._options = options
        self._refuse = refuse
        self._next = 0  # the word to look at next
        self.operands: list[str] = []
        self.rest: list[str] = []

    def __iter__(self) -> Iterator[tuple[Option[T], str]]:
        while self._next < len(self._words):
            word = self._words[self._next]
            self._next += 1
            if word == "--":
                self.rest.extend(self._words[self._next :])
                return
            if word.startswith("--"):
                yield self._long(word)
            elif word.startswith("-") and len(word) > 1:
                yield from self._letters(word)
            else:
                self.operands.append(word)

    def _long(self, word: str) -> tuple[Option[T], str]:
        name, equals, value = word[2:].partition("=")
        option = self._options.get(name) if len(name) > 1 else None
        if option is None:
            self._refuse(f"--{name}")
        if option.metavar and not equals:
            value = self._required(option)
        elif equals and not option.metavar:
            raise UserError(f"{option.shown} takes no value", hint=f"type {option.shown} alone")
        return option, value

    def _letters(self, word: str) -> Iterator[tuple[Option[T], str]]:
        for place, letter in enumerate(word[1:], 2):
            option = self._options.get(letter)
            if option is None:
                self._refuse(f"-{letter}")
            if option.follows is not None:
                yield option, self._optional(option, last=place == len(word))
            elif option.metavar:
                yield option, word[place:] or self._required(option)
                return
            else:
                yield option, ""

    def _required(self, option: Option[T]) -> str:
        if self._next == len(self._words):
            raise UserError(f"{option.shown} lacks its value", hint=f"type {option.shown} {option.metavar}")
        self._next += 1
        return self._words[self._next - 1]

    def _optional(self, option: Option[T], *, last: bool) -> str:
        waiting = self._words[self._next] if last and self._next < len(self._words) else None
        if waiting is None or option.follows is None or not option.follows(waiting):
            return ""
        self._next += 1
        return waiting


def digit_first(word: str) -> bool:
    """Whether a word is the optional argument of -c and -C."""
    return word[:1].isdigit()


def no_option(word: str) -> bool:
    """Whether a word is the optional argument of -k, -o and -O."""
    return not word.startswith("-")


def put(target: object, path: str, value: object) -> None:
    """Sets the attribute of that name, or of a part: `local.cork`."""
    *parts, name = path.split(".")
    for part in parts:
        target = getattr(target, part)
    setattr(target, name, value)


def flag(*paths: str, value: object = True) -> Callable[[object, str], None]:
    """Stores the same value in each place, for an option without argument."""

    def store(target: object, text: str) -> None:
        del text
        for path in paths:
            put(target, path, value)

    return store


def one(path: str, convert: Callable[[str], object]) -> Callable[[object, str], None]:
    """Stores a converted argument."""
    return lambda target, text: put(target, path, convert(text))


def ignored(convert: Callable[[str], object] = str) -> Callable[[object, str], None]:
    """Stores nothing, but wants the argument to be right."""

    def store(target: object, text: str) -> None:
        del target
        convert(text)

    return store


def refused(sentence: str, hint: str) -> Callable[[object, str], None]:
    """Refuses an option that netperf has and we do not."""

    def store(target: object, text: str) -> None:
        del target, text
        raise UserError(sentence, hint=hint)

    return store


def help_lines(options: Iterable[Option[T]]) -> str:
    """The options with their meanings, in two columns."""
    lines: list[str] = []
    for option in options:
        head = f"  {option.shown} {option.metavar}".rstrip()
        meaning = textwrap.wrap(option.help, _WIDTH - _COLUMN)
        if len(head) > _COLUMN - 2:
            lines.append(head)
            head = ""
        lines.append(f"{head:<{_COLUMN}}{meaning[0]}")
        lines.extend(" " * _COLUMN + line for line in meaning[1:])
    return "\n".join(lines)


def markdown(options: Iterable[Option[T]]) -> str:
    """The options as a table of docs/reference/netperf.md; a default is what a meaning has in brackets at its end."""
    rows = ["| option | meaning | default |", "|---|---|---|"]
    for option in options:
        found = re.fullmatch(r"(.*?)(?: \[(.*)\])?", option.help)
        meaning, default = found.groups("") if found else (option.help, "")
        usage = f"{option.shown} {option.metavar}".rstrip()
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{usage}`", meaning, default)) + " |")
    return "\n".join(rows)
