"""The documentation agrees with the code: links, command lines, options, metrics, exit codes."""

import ast
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

from pathgauge import errors, options
from pathgauge.cli import main as cli
from pathgauge.explain import reference as causes_reference
from pathgauge.paths.reference import MARK, reference_markdown
from pathgauge.paths.registry import kinds
from pathgauge.paths.spec import parse_paths
from pathgauge.peers.netperf import options as netperf_options
from pathgauge.peers.netperf import server_options
from pathgauge.peers.netperf.kinds import KINDS
from pathgauge.peers.netperf.option_table import CLASSIC_LETTERS, GLOBAL_OPTIONS, TEST_OPTIONS
from pathgauge.peers.netperf.words import markdown
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.registry import TESTS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
REFERENCE = ROOT / "docs/reference"

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)
_OPERATORS = {"|", "||", "&&", ";", "&"}
_REDIRECTIONS = {">", ">>", "<"}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(text: str, language: str) -> Iterator[str]:
    """The fenced blocks of a language."""
    for indent, found, body in _FENCE.findall(text):
        if found == language:
            yield "\n".join(line.removeprefix(indent) for line in body.splitlines())


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.is_relative_to(ROOT) and file.exists()
        if there and anchor:
            there = file.suffix == ".md" and anchor in anchors(file.read_text(encoding="utf-8"))
        if not there:
            broken.append(target)
    return broken


def typed_commands(text: str) -> Iterator[tuple[str, str]]:
    """What is typed at the prompts of the console blocks, continued lines joined, and the first line of its output."""
    for block in blocks(text, "console"):
        lines = [*block.replace("\\\n", " ").splitlines(), ""]
        for line, after in pairwise(lines):
            if line.startswith("$ "):
                yield line.removeprefix("$ "), after


def pathgauge_arguments(command: str) -> Iterator[list[str]]:
    """The arguments of each call of pathgauge in a shell's line: in a pipe, in a substitution, after sudo."""
    for inner in re.findall(r"\$\((pathgauge [^()]*)\)", command):
        yield from pathgauge_arguments(inner)
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = [*lexer, ";"]
    while words:
        end = next(place for place, word in enumerate(words) if word in _OPERATORS)
        call, words = words[:end], words[end + 1 :]
        cut = next((place for place, word in enumerate(call) if word in _REDIRECTIONS), len(call))
        call = call[:cut]
        if call[:1] == ["sudo"]:
            call = call[1:]
        if call and (call[0].endswith("/pathgauge") or call[0] in ("pathgauge", "$(command -v pathgauge)")):
            yield call[1:]


def check(arguments: list[str]) -> None:
    """Parse as the program would, up to where a machine or a file would be needed. Raises UserError, SystemExit."""
    if arguments[-1:] in (["--help"], ["--version"]):
        return
    if arguments[:1] == ["netperf"]:
        netperf_options.parse(arguments[1:])
        return
    if arguments[:1] == ["netserver"]:
        server_options.parse(arguments[1:])
        return
    args = cli._parse(arguments)  # the program's own way from text to arguments
    if args.verb in ("compare", "explain"):
        values = options.parse_values(options.given(args))
        if "config" not in values:
            options.build_request(args.paths, values, explaining=args.verb == "explain")
    elif args.verb == "lab" and args.lab_verb == "up":
        options.parse_values(options.given(args))
        parse_paths([path for path in args.paths if path != "PATH"] or ["host"])


def is_there(module: ModuleType, name: str) -> bool:
    return hasattr(module, name) or importlib.util.find_spec(f"{module.__name__}.{name}") is not None


COMMANDS = [
    pytest.param(arguments, after, id=f"{named(page)}: {shlex.join(arguments)}")
    for page in PAGES
    for command, after in typed_commands(page.read_text(encoding="utf-8"))
    for arguments in pathgauge_arguments(command)
]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_resolve(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize(("arguments", "after"), COMMANDS)
def test_command_lines_parse(arguments: list[str], after: str) -> None:
    """Or give the error that is shown below them."""
    if after.startswith("pathgauge: "):
        with pytest.raises(errors.UserError) as caught:
            check(arguments)
        assert f"pathgauge: {caught.value}" == after
    else:
        check(arguments)


def test_command_lines_are_found() -> None:
    assert len(COMMANDS) > 30


def test_every_page_is_in_the_index() -> None:
    """By itself, or, as the decisions are, by its folder."""
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in _LINK.findall(index)}
    assert [
        named(page)
        for page in PAGES
        if ROOT not in (page.parent, page.parent.parent) and not {page, page.parent} & linked
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_examples_in_python_and_toml_are_whole(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in blocks(text, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pathgauge"):
                module = importlib.import_module(node.module or "")
                assert [alias.name for alias in node.names if not is_there(module, alias.name)] == []
    for block in blocks(text, "toml"):
        table = tomllib.loads(block)
        paths = table.pop("paths", [])
        options.build_request(paths, options.parse_values(options.texts_of(table, output=True)))


def test_the_catalogue_of_causes_is_made_from_them() -> None:
    _, mark, below = (REFERENCE / "causes.md").read_text(encoding="utf-8").partition(causes_reference.MARK + "\n")
    assert mark
    assert below == causes_reference.reference_markdown()


def test_command_line_reference_is_the_table_of_options() -> None:
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    assert [name for name in options.OPTIONS if f"| `--{name}" not in page] == []
    assert page == options.reference_markdown().rstrip("\n") + "\n"


@pytest.mark.parametrize(
    "table",
    [
        markdown(GLOBAL_OPTIONS.values()),
        markdown(TEST_OPTIONS.values()),
        markdown(server_options.SERVER_OPTIONS.values()),
    ],
    ids=["netperf", "tests", "netserver"],
)
def test_netperf_reference_has_the_tables_of_options(table: str) -> None:
    assert f"\n\n{table}\n\n" in (REFERENCE / "netperf.md").read_text(encoding="utf-8")


def test_netperf_reference_has_every_test_and_every_letter_of_the_older_protocol() -> None:
    page = (REFERENCE / "netperf.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"\n### {name}\n" not in page] == []
    sentence = re.search(r"know only `(.*?)` and, without\neffect, `(.*?)`\.", page)
    assert sentence is not None
    assert {letter.removeprefix("-") for letter in f"{sentence[1]} {sentence[2]}".split()} == CLASSIC_LETTERS


def test_every_metric_is_documented() -> None:
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    found = {row[0].strip("`"): row[1:] for row in table_rows(page) if row[0].strip("`") in METRICS and len(row) > 2}
    assert set(found) == set(METRICS)
    sources = {"blocks": "blocks", "sums": "sums", "nothing": "none"}
    for metric in METRICS.values():
        unit, better, margin, tests, source = found[metric.name]
        assert unit.split(", ") == [each for each in (metric.unit, metric.unit_of_transactions) if each]
        assert better == metric.better
        assert margin == f"{metric.default_margin * 100:g} %"
        having = [name for name, kind in TESTS.items() if metric.name in kind.every_metric]
        assert tests.removesuffix(": primary").split(", ") == (["all"] if having == list(TESTS) else having)
        primary = [name for name, kind in TESTS.items() if kind.primary == metric.name]
        assert tests.endswith(": primary") == bool(primary)
        quantile = metric.quantile is not None and metric.judged != "nothing"
        assert source == ("quantile of sums" if quantile else sources[metric.judged])


def table_rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_exit_code_is_documented() -> None:
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    codes = {0, 1, 129, 130, 143} | {
        error.exit_code for error in (errors.UserError, errors.MachineError, errors.InternalError)
    }
    found = {int(row[0]) for row in table_rows(page) if row[0].isdigit()}
    assert found == codes
    for error in (errors.UserError, errors.MachineError, errors.InternalError):
        assert re.search(rf"^\| {error.exit_code} \|.*`{error.__name__}`", page, re.MULTILINE)


def test_the_page_of_the_kinds_of_path_is_what_their_files_say() -> None:
    page = (REFERENCE / "path-kinds.md").read_text(encoding="utf-8")
    _, mark, sections = page.partition(MARK)
    assert mark
    assert sections == reference_markdown()
    for kind in kinds().values():
        section = sections.partition(f"\n## {kind.name}\n")[2].partition("\n## ")[0]
        assert f"The kind `{kind.name}`: " in section
        assert "[ NAME" in section or "[ host" in section, "it has a drawing"
        assert ("──wire──" in section) == kind.wired
        for option in kind.options:
            assert f"`{option.name}`" in section
            assert [value for value in option.values if f"`{value}`" not in section] == []


# --- the checks themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "calls"),
    [
        ("pathgauge compare host 'a b'", [["compare", "host", "a b"]]),
        ("pathgauge compare --json - | pathgauge show - > x", [["compare", "--json", "-"], ["show", "-"]]),
        ('eval "$(pathgauge completion bash)"', [["completion", "bash"]]),
        ('sudo "$(command -v pathgauge)" doctor', [["doctor"]]),
        (".venv/bin/pathgauge doctor && make test", [["doctor"]]),
        ("pathgauge lab exec NAME -- tc -s qdisc", [["lab", "exec", "NAME", "--", "tc", "-s", "qdisc"]]),
        ("pathgauge schema > completions/pathgauge", [["schema"]]),
        ("make compare", []),
    ],
)
def test_calls_are_found(command: str, calls: list[list[str]]) -> None:
    assert list(pathgauge_arguments(command)) == calls


@pytest.mark.parametrize(
    "line",
    [
        "compare host macvlan --tset TCP_RR",
        "compare host --link-rate 1gbit",
        "compare host macvlan --test TCP_RR --metric goodput",
        "compare host macvlan --margin 0",
        "lab up hots",
        "lab lsit",
    ],
)
def test_wrong_command_lines_are_found(line: str) -> None:
    with pytest.raises(errors.UserError):
        check(line.split())


def test_broken_links_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# A & B `c`\n[1](none.md) [2](page.md#none) [3](page.md#a--b-c) [4](https://x.org/) [5](../x)\n")
    assert broken_links(page) == ["none.md", "page.md#none", "../x"]
