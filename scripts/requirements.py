"""Prints requirements of pyproject.toml, one a line: `build` (to build the package) or `dev` (to lint and test it)."""

import sys
import tomllib
from pathlib import Path

# scikit-build-core asks for these on its own only in an isolated build.
BUILD_PROGRAMS = ("cmake", "ninja")


def main() -> int:
    """Print the list that the one argument names."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    dev = project["project"]["optional-dependencies"]["dev"]
    programs = [line for line in dev if line.startswith(BUILD_PROGRAMS)]
    lists = {"build": project["build-system"]["requires"] + programs, "dev": dev}
    wanted = sys.argv[1] if sys.argv[1:] else ""
    if wanted not in lists:
        print(f"requirements.py: name one list: {', '.join(lists)}", file=sys.stderr)
        return 2
    print("\n".join(lists[wanted]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
