"""Averages over actions, and the torchmetrics shells."""

from __future__ import annotations

import math

import pytest
import torch

from kinegraph.errors import DataError
from kinegraph.metrics import action_mean, group_means, mpjpe, n_mpjpe, pa_mpjpe


def test_action_mean_is_unweighted_over_actions():
    values = torch.tensor([1.0, 1.0, 1.0, 5.0], dtype=torch.float64)
    average, table = action_mean(values, torch.tensor([0, 0, 0, 2]), ("walk", "absent", "sit"))
    assert table == {"walk": 1.0, "sit": 5.0}  # an action without poses is left out, not averaged as zero
    assert average == 3.0  # the mean over poses would be 2.0


def test_an_action_whose_errors_are_nan_shows():
    values = torch.tensor([float("nan"), 1.0, 3.0])
    average, table = action_mean(values, torch.tensor([0, 1, 1]), ("bad", "good", "absent"))
    assert list(table) == ["bad", "good"]
    assert math.isnan(table["bad"])
    assert table["good"] == 2.0
    assert math.isnan(average)


@pytest.mark.parametrize("group", [[0, -1], [0, 3]])
def test_groups_that_are_none_are_refused(group):
    with pytest.raises(DataError, match=f"groups {min(group)} to {max(group)}; expected 0 to 2"):
        group_means(torch.tensor([2.0, 4.0]), torch.tensor(group), 3)
    with pytest.raises(DataError, match="expected 0 to 2"):
        action_mean(torch.tensor([2.0, 4.0]), torch.tensor(group), ("a", "b", "c"))


def test_action_mean_accepts_int32_groups():
    assert action_mean(torch.ones(2), torch.tensor([0, 1], dtype=torch.int32), ("a", "b"))[0] == 1.0


def test_group_means_and_errors():
    got = group_means(torch.tensor([2.0, 4.0]), torch.tensor([1, 1]), 3).tolist()
    assert math.isnan(got[0])
    assert got[1] == 3.0
    assert math.isnan(got[2])
    with pytest.raises(DataError, match="equally long"):
        group_means(torch.zeros(3), torch.zeros(2), 1)
    with pytest.raises(DataError, match="no poses"):
        action_mean(torch.zeros(0), torch.zeros(0, dtype=torch.int64), ())


@pytest.mark.parametrize(("name", "function"), [("MPJPE", mpjpe), ("PAMPJPE", pa_mpjpe), ("NMPJPE", n_mpjpe)])
def test_shells_accumulate_unequal_batches(name, function):
    pytest.importorskip("torchmetrics")
    import kinegraph.metrics as metrics

    generator = torch.Generator().manual_seed(0)
    p, t = torch.randn(2, 10, 17, 3, generator=generator, dtype=torch.float64)
    shell = getattr(metrics, name)()
    shell.update(p[:7], t[:7])
    shell.update(p[7:], t[7:])
    assert shell.compute().item() == pytest.approx(1000 * function(p, t).mean().item())
    shell.reset()
    shell.update(p[:1], t[:1])
    assert shell.compute().item() == pytest.approx(1000 * function(p[:1], t[:1]).item())
