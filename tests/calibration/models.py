"""Noise as machines make it, on the log scale: each model gives (runs, blocks) values from a seeded generator.

The spread of a block is 1; a test scales it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Model = Callable[[np.random.Generator, int, int], Values]


def floats(values: Any) -> Values:
    """The values with their type told."""
    return np.asarray(values, dtype=np.float64)


def normal(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """Independent and normal: what the interval is made for."""
    return floats(generator.standard_normal((runs, blocks)))


def heavy_tailed(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """Student's t with 3 degrees of freedom: its fourth moment does not exist."""
    return floats(generator.standard_t(3, (runs, blocks)) / np.sqrt(3.0))


def autocorrelated(generator: np.random.Generator, runs: int, blocks: int, rho: float = 0.5) -> Values:
    """AR(1): a disturbance that lasts for some blocks."""
    shocks = generator.standard_normal((runs, blocks))
    values = np.empty_like(shocks)
    values[:, 0] = shocks[:, 0]
    for block in range(1, blocks):
        values[:, block] = rho * values[:, block - 1] + np.sqrt(1 - rho**2) * shocks[:, block]
    return floats(values)


def _abba(load: Values) -> Values:
    """Blocks A B B A of a load of shape (runs, 4 x blocks): what it does to one path against the other."""
    slices = load.reshape(load.shape[0], -1, 4)
    return floats((slices[:, :, 1] + slices[:, :, 2] - slices[:, :, 0] - slices[:, :, 3]) / 2.0)


def linear_drift(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """Noise on top of a machine that grows slower and slower: by 40 spreads of a block over the run."""
    drift = floats(np.tile(np.arange(4 * blocks) * (10.0 / blocks), (runs, 1)))
    return normal(generator, runs, blocks) + _abba(drift)


def step_change(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """Noise on top of a machine that becomes slower by 10 spreads all at once, at any time."""
    at = generator.integers(0, 4 * blocks, (runs, 1))
    load = 10.0 * (np.arange(4 * blocks)[None, :] >= at)
    order = generator.choice([-1.0, 1.0], (runs, blocks))  # who is first is drawn for each block
    return floats(normal(generator, runs, blocks) + order * _abba(floats(load)))


def periodic(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """Noise on top of a load that comes and goes every 9.3 slices, out of step with the blocks."""
    phase = generator.random((runs, 1))
    load = 2.0 * np.sin(2 * np.pi * (np.arange(4 * blocks)[None, :] / 9.3 + phase))
    order = generator.choice([-1.0, 1.0], (runs, blocks))
    return floats(normal(generator, runs, blocks) + order * _abba(floats(load)))


def spikes(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """5 % of the blocks are hit by something that costs one of the paths 8 spreads."""
    hit = generator.random((runs, blocks)) < 0.05
    return floats(normal(generator, runs, blocks) + 8.0 * hit * generator.choice([-1.0, 1.0], (runs, blocks)))


def connections(generator: np.random.Generator, runs: int, blocks: int) -> Values:
    """Connections differ among themselves by twice as much as slices do; each block has new ones."""
    between = generator.standard_normal((runs, blocks, 2))
    within = generator.standard_normal((runs, blocks, 4)) / 2.0
    return floats((between[:, :, 0] - between[:, :, 1] + within[:, :, :2].mean(2) - within[:, :, 2:].mean(2)) / 1.5)


MODELS: dict[str, Model] = {
    model.__name__: model
    for model in (normal, heavy_tailed, autocorrelated, linear_drift, step_change, periodic, spikes, connections)
}
