"""What a seed may be."""

from __future__ import annotations

import pytest

from kinegraph.errors import ConfigError
from kinegraph.seeds import check_seed


def test_seeds_are_what_every_generator_takes() -> None:
    assert [check_seed(seed, "seed") for seed in (0, 7, 2**31 - 1)] == [0, 7, 2**31 - 1]
    for seed in (-1, 2**31):
        with pytest.raises(ConfigError, match=f"^--seed is {seed}; give a whole number from 0 to 2147483647$"):
            check_seed(seed, "--seed")
