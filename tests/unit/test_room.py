"""Room for the descriptors of many copies."""

import resource
from collections.abc import Iterator

import pytest

from pathgauge.errors import MachineError
from pathgauge.paths.room import OWN, make_room


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """The limits of this process, as they are again afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_small_lab_changes_no_limit(limits: tuple[int, int]) -> None:
    make_room(2, "2 copies", "ask for fewer")
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits


def test_the_limit_is_raised_as_far_as_it_is_needed(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    make_room(300, "100 copies", "ask for fewer")
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (OWN + 300, limits[1])


def test_more_than_is_allowed_is_refused_with_what_to_type(limits: tuple[int, int]) -> None:
    with pytest.raises(MachineError, match=r"^many copies need \d+ open files") as caught:
        make_room(limits[1], "many copies", "ask for fewer")
    assert "ulimit -Hn" in caught.value.hint
    assert caught.value.hint.endswith("; or ask for fewer")
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits
