"""Temporal windows: which kernels merge so many frames to one."""

from __future__ import annotations

import math

from kinegraph.errors import ConfigError

_MOST_FRAMES = 9999


def window_kernels(frames: int, blocks: int, kernels: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Odd kernels, one per block, whose product is ``frames``.

    Args:
        frames: frames of the window; odd, so that there is a centre.
        blocks: how many kernels.
        kernels: the kernels themselves, which are then only checked; ``None`` spreads the prime factors evenly.

    >>> window_kernels(9, 2), window_kernels(27, 2), window_kernels(3, 2)
    ((3, 3), (9, 3), (3, 1))

    Raises:
        ConfigError: even frames, or kernels that do not fit.
    """
    if not 1 <= frames <= _MOST_FRAMES or frames % 2 == 0:
        raise ConfigError(
            f"frames {frames}: expected an odd number up to {_MOST_FRAMES}, so that there is a centre frame"
        )
    if kernels is not None:
        if any(k < 1 or k % 2 == 0 for k in kernels):
            raise ConfigError(f"kernels {kernels}: expected odd numbers of frames")
        if len(kernels) != blocks or math.prod(kernels) != frames:
            raise ConfigError(
                f"kernels {kernels} with frames {frames} and {blocks} blocks: expected one kernel per block and "
                f"product {frames}; e.g. {window_kernels(frames, blocks)}"
            )
        return kernels
    if blocks < 1:
        raise ConfigError(f"blocks {blocks}: merging {frames} frames takes at least one")
    result = [1] * blocks
    for factor in sorted(_prime_factors(frames), reverse=True):
        smallest = result.index(min(result))
        result[smallest] *= factor
    return tuple(sorted(result, reverse=True))


def _prime_factors(number: int) -> list[int]:
    factors, divisor = [], 3
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 2
    return [*factors, number] if number > 1 else factors
