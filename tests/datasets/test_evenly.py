"""Evenly spaced rows: how many, which ends, none twice, gaps that differ by one at most."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.datasets.evenly import evenly_spaced


@pytest.mark.parametrize("count", [1, 2, 3, 10, 97])
def test_so_many_at_gaps_that_differ_by_one_at_most(count: int) -> None:
    rows = np.arange(100, 100 + count)
    for most in range(1, count + 2):
        found = evenly_spaced(rows, most)
        assert len(found) == min(most, count)
        assert found[0] == 100
        gaps = np.diff(found)
        assert (gaps >= 1).all()
        if len(found) > 1:
            assert found[-1] == rows[-1]
            assert np.ptp(gaps) <= 1


def test_all_or_none_and_rows_of_several_columns() -> None:
    pairs = np.arange(10).reshape(5, 2)
    assert evenly_spaced(pairs, None) is pairs
    assert evenly_spaced(pairs, 3).tolist() == [[0, 1], [4, 5], [8, 9]]
    assert evenly_spaced(pairs, 0).shape == (0, 2)
    assert evenly_spaced(pairs[:0], 3).shape == (0, 2)
