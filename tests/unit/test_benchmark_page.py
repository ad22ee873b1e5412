"""The page that the benchmarks write their tables into."""

from pathlib import Path

import pytest

from benchmarks.page import machine, part, put

ROOT = Path(__file__).parents[2]
PAGE = """# Page

Before.

<!-- flows -->
old
<!-- end of flows -->

Between.

<!-- scale -->
kept
<!-- end of scale -->
"""


def test_a_part_is_written_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for _ in range(2):
        put(page, "flows", ["| a |", "|---|", "| \\1 |"])
        text = page.read_text()
        assert "old" not in text
        assert text.count("| \\1 |") == text.count("<!-- flows -->") == 1
        assert text.startswith("# Page\n\nBefore.\n\n<!-- flows -->")
        assert text.endswith("<!-- end of flows -->\n\nBetween.\n\n<!-- scale -->\nkept\n<!-- end of scale -->\n")


def test_a_page_without_the_part_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(ValueError, match="no part between <!-- engine -->"):
        put(page, "engine", ["| a |"])
    assert page.read_text() == PAGE


def test_a_part_names_the_command_without_files_and_the_machine() -> None:
    text = part("engine", ["| a |"], ["--seconds", "9", "--page", "docs/page.md", "--json", "/a", "TCP_RR 1/1"])
    assert "$ python -m benchmarks.engine --seconds 9 'TCP_RR 1/1'\n" in text
    assert f"Measured on {machine()}." in text
    assert text.endswith("| a |")


@pytest.mark.parametrize("name", ["engine", "startup", "scale", "flows"])
def test_the_published_page_has_a_part_for_each_benchmark(name: str) -> None:
    page = (ROOT / "docs/reference/performance.md").read_text()
    assert page.count(f"<!-- {name} -->") == page.count(f"<!-- end of {name} -->") == 1
