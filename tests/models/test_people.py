"""Who is there: what is worked on, what is put back and what the mean is of, against loops."""

from __future__ import annotations

import pytest
import torch

from kinegraph.models.people import mean_over_people, present_rows, put_back


@pytest.mark.parametrize("there", [[True, False, True, True], [False, True, False, False], [True] * 4, [False] * 4, []])
def test_rows_are_left_out_and_put_back(there: list[bool]) -> None:
    present = torch.tensor(there, dtype=torch.bool)
    rows = torch.randn(len(there), 3, 2)
    index = present_rows(present)
    if all(there):
        assert index is None
        return
    assert index is not None
    assert index.tolist() == ([row for row, seen in enumerate(there) if seen] or [0])  # one at least
    back = put_back(rows[index], index, len(there))
    for row in range(len(there)):
        assert torch.equal(back[row], rows[row] if row in index else torch.zeros(3, 2))


def test_the_mean_is_of_those_who_are_there() -> None:
    rows = torch.randn(6, 5, 2, dtype=torch.float64)
    present = torch.tensor([[True, True], [False, True], [False, False]])
    found = mean_over_people(rows, (3, 2), present)
    torch.testing.assert_close(found[0], (rows[0] + rows[1]) / 2)
    torch.testing.assert_close(found[1], rows[3])
    assert torch.equal(found[2], torch.zeros(5, 2, dtype=torch.float64))
    torch.testing.assert_close(mean_over_people(rows, (3, 2), None), rows.view(3, 2, 5, 2).mean(dim=1))
    assert mean_over_people(rows[:0], (0, 2), present[:0]).shape == (0, 5, 2)
