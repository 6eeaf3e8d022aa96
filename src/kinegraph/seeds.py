"""Seeds: the one number that all of a run's chance follows from."""

from __future__ import annotations

from kinegraph.errors import ConfigError

__all__ = ["SEEDS_BELOW", "check_seed"]

SEEDS_BELOW = 2**31
"""What every generator in use takes, NumPy's, PyTorch's and scikit-learn's."""


def check_seed(seed: int, what: str) -> int:
    """The seed, if it is one.

    Args:
        seed: 0 or more, below 2^31.
        what: it is called, to begin the message with.

    Raises:
        ConfigError: it is none.
    """
    if not 0 <= seed < SEEDS_BELOW:
        raise ConfigError(f"{what} is {seed}; give a whole number from 0 to {SEEDS_BELOW - 1}")
    return seed
