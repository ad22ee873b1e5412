"""The measuring loop, the only one: blocks of slices over arms, until the primary metrics are settled or time is up."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Protocol, TypeVar

import msgspec

from pathgauge.measuring.measured import Arm, Block, Measured, Warmed
from pathgauge.results.document import Connection
from pathgauge.statistics.interval import MINIMUM_BLOCKS

SHORTEST_SLICE = 0.02
# A resting wire saves up its shaper's burst, 8 ms of the rate and more; it has to be spent before the slice, and what
# is left must be small beside it.
SHORTEST_SHAPED = 0.1
SHORTEST_SHAPED_RAMP = 0.025
LONGEST_SLICE = 2.0
MESSAGES_IN_SLICE = 200  # so that one message more or less is 0.5 %
BLOCKS_IN_BUDGET = 10  # at least so many must fit, or the run could not settle anything
WARMUP = 0.012  # rates on a wire without delay were the same after warm-ups of 5, 12, 30 and 100 ms
GROWING = 1.25  # a rate that rises by this much from one part of the pilot to the next is not what it will be
STEADY = 4  # so many more warm-ups show whether it rises
RAMP_SHARE = 4  # each slice's ramp is this part of the warm-up
VOID_BLOCKS_IN_A_ROW = 5
TURN_SECONDS = 0.004  # of one among several loops on a CPU: a tick of a kernel with HZ=250
# Of each of many streams at once, until its window has grown: 1000 of them over loopback carried 32 Gbit/s after the
# shortest warm-up, 51 after 1 s and no more after 2 s.
GROWTH_SECONDS = 0.001
RARER = 50  # blocks, for each of which one more block is waited for until the next look


@dataclass(frozen=True, slots=True)
class Plan:
    """Lengths in seconds: of the warm-up of a fresh connection, of the ramp before each slice, of the slice."""

    warmup: float
    ramp: float
    slice: float


@dataclass(slots=True)
class Outcome:
    """One test, measured: all blocks, and how many the first look expected to be needed (None: no more, or unknown)."""

    plan: Plan
    blocks: list[Block] = field(default_factory=list)
    looks: int = 0
    expected: int | None = None
    stopped: str = ""
    seconds: float = 0.0
    connections: list[Connection] = field(default_factory=list)

    @property
    def valid(self) -> int:
        """How many blocks count."""
        return sum(block.void is None for block in self.blocks)


class Standing(Protocol):
    """What a look says of one question: its verdict so far, and how many blocks would decide, where that is known."""

    @property
    def verdict(self) -> str: ...
    @property
    def blocks_needed(self) -> int | None: ...


Seen = TypeVar("Seen", bound=Standing)


def pilot(
    arms: Sequence[Arm],
    budget: float,
    slice_seconds: float | None,
    warmup: float | None,
    *,
    shaped: bool = False,
    crowd: int = 1,
    streams: int = 1,
) -> Plan:
    """Choose the lengths that were not given: a slice holds some hundred messages on the slowest arm.

    Slices of 20 ms gave the most information a second where messages are plenty; where they are few (a shaped wire, a
    long path), counting them is what limits a slice, and it gets longer. Fresh connections are warmed until the rate of
    none rises any more, as far as the budget goes. Where each arm is a `crowd` of so many loops on one CPU, each of
    them has its turn in every part of a slice; where it is so many `streams`, their windows take longer to grow.
    """
    warm = WARMUP if warmup is None else warmup
    least_ramp = SHORTEST_SHAPED_RAMP if shaped else 0.0
    if slice_seconds is not None:
        return Plan(warm, max(least_ramp, warm / RAMP_SHARE), slice_seconds)
    turns = TURN_SECONDS * (crowd - 1)
    shortest = (SHORTEST_SHAPED if shaped else SHORTEST_SLICE) + turns
    longest, drain, grown = shortest, 0.0, 0.0
    for arm in arms:
        needed, seen, late = _settle(arm, budget / BLOCKS_IN_BUDGET / len(arms) / 4)
        grown, drain = max(grown, needed), max(drain, late)
        longest = max(longest, MESSAGES_IN_SLICE * seen.seconds / max(1, seen.messages))
    # What the queues hold when a warm-up or a slice ends is waited for; on a slow wire that is most of a block. Fewer
    # blocks settle more than slices too short to hold anything but the shaper's burst.
    afforded = budget / BLOCKS_IN_BUDGET / len(arms) - 1.5 * warm - 3 * drain
    chosen = max(shortest, min(longest, LONGEST_SLICE, afforded / 2))
    if warmup is None:
        growth = min(GROWTH_SECONDS * (streams - 1), budget / BLOCKS_IN_BUDGET / len(arms) / 2)
        warm = max(grown + turns, chosen / 4, growth)
    return Plan(warm, max(least_ramp, warm / RAMP_SHARE), chosen)


def _settle(arm: Arm, most: float) -> tuple[float, Warmed, float]:
    """How long a fresh connection of the arm is to be warmed, at most so long; what it carries then; by how much what
    its queues held came late. In seconds. What stalls when it begins seems to rise, too: so it has to do it twice.
    """
    found = _rise(arm, most)
    return found if found[0] == WARMUP else min(found, _rise(arm, most), key=itemgetter(0))


def _rise(arm: Arm, most: float) -> tuple[float, Warmed, float]:
    """As _settle, of one connection."""
    arm.open()
    warm = WARMUP
    arm.warm(warm)
    before = arm.warm(warm)
    while True:
        seen = arm.warm(STEADY * warm)
        late = seen.seconds - STEADY * warm
        rises = seen.messages * before.seconds > GROWING * before.messages * seen.seconds
        if 2 * warm > most or (seen.messages and not rises):  # where nothing has come, the round trip is longer yet
            break
        warm, before = 2 * warm, seen
    arm.close()
    return warm, seen, late


def run_test(
    arms: Sequence[Arm],
    *,
    budget: float,
    slice_seconds: float | None,
    warmup: float | None,
    plan: Plan | None = None,
    blocks: int | None = None,
    shaped: bool = False,
    crowd: int = 1,
    streams: int = 1,
    lab: int = 0,
    generator: random.Random,
    outcome: Outcome,
    look: Callable[[], Sequence[Seen]],
    tell: Callable[[float, Sequence[Seen]], None],
) -> None:
    """Measure one test over its arms in one lab into `outcome`, which holds every whole block even when this raises.

    `look` judges the outcome's valid blocks; the run ends when no verdict of it is `undecided`, or before a block that
    would not end within `budget` seconds. Without a `plan` a pilot makes one. With `blocks` it looks once, when so many
    are valid, and ends. `tell` is called after each block, between slices.
    """
    begin = time.monotonic()
    outcome.plan = plan or pilot(arms, budget, slice_seconds, warmup, shaped=shaped, crowd=crowd, streams=streams)
    at = blocks or MINIMUM_BLOCKS
    current: tuple[Seen, ...] = ()
    longest = 0.0
    while True:
        block = run_block(arms, len(outcome.blocks), outcome.plan, generator, lab)
        outcome.blocks.append(block)
        if not outcome.connections and block.void is None:
            outcome.connections = _connections(arms, outcome.plan)
        now = time.monotonic()
        outcome.seconds = now - begin
        longest = max(longest, block.seconds)
        out_of_time = now - begin + longest > budget
        if outcome.valid >= at or (out_of_time and outcome.valid and outcome.looks < outcome.valid):
            # After many blocks one more changes little, and a look at many takes its time.
            at = outcome.valid + 1 + outcome.valid // RARER
            outcome.looks += 1
            current = tuple(look())
            if outcome.looks == 1:
                outcome.expected = max((row.blocks_needed for row in current if row.blocks_needed), default=None)
            if current and all(row.verdict != "undecided" for row in current):
                outcome.stopped = "settled"
            elif blocks is not None and outcome.valid >= blocks:
                outcome.stopped = "all blocks are measured"
        tell(now - begin, current)
        if outcome.stopped:
            return
        if _hopeless(outcome.blocks):
            outcome.stopped = "void"
            return
        if out_of_time:
            outcome.stopped = "time is up"
            return


def run_block(arms: Sequence[Arm], number: int, plan: Plan, generator: random.Random, lab: int = 0) -> Block:
    """One block: fresh connections, warmed, then every arm once in random order, and again in reverse.

    Who opens first and who is warmed first is drawn too: what is always done to the same path first is part of its
    effect. Nothing is closed after an error: the run ends with it, and its two ends with the run.
    """
    slices: dict[str, list[Measured]] = {arm.name: [] for arm in arms}
    start = time.monotonic()
    for arm in generator.sample(arms, len(arms)):
        arm.open()
    for arm in generator.sample(arms, len(arms)):
        arm.warm(plan.warmup)
    order = generator.sample(arms, len(arms))
    for position, arm in enumerate([*order, *reversed(order)]):
        measured = arm.measure(plan.ramp, plan.slice)
        row = msgspec.structs.replace(measured.row, lab=lab, block=number, position=position)
        slices[arm.name].append(replace(measured, row=row))
    for arm in arms:
        arm.close()
    return Block(number, slices, time.monotonic() - start, lab)


def _connections(arms: Sequence[Arm], plan: Plan) -> list[Connection]:
    """What the arms' connections negotiate, seen on one more of each, outside of any block."""
    found = []
    for arm in arms:
        arm.open()
        arm.warm(plan.warmup)
        found.append(arm.connection())
        arm.close()
    return found


def _hopeless(blocks: Sequence[Block]) -> bool:
    last = blocks[-VOID_BLOCKS_IN_A_ROW:]
    return len(last) == VOID_BLOCKS_IN_A_ROW and all(block.void is not None for block in last)
