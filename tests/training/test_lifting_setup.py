"""What is wrong with a lifting recipe is said before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lifting_samples import make_data
from training_runs import lifting_recipe, run_lifting

from kinegraph.errors import ConfigError
from kinegraph.training.lifting_setup import prepare
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.run import train


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": {"batch": 1}}, r"trainer.batch: one pose at a time .* the batch norm of fcn needs two or more"),
        ({"trainer": {"batch": 2, "devices": 2}}, "each of 2 processes .of a batch of 2, 100 training poses in all"),
        ({"data": {"balance": "bodies"}}, "data.balance: all subjects of tiny/train are one body; leave it out"),
        ({"model": {"name": "fcn", "width": 0}}, "model.width: found 0, expected 1 or more"),
        ({"model": {"name": "fcn", "blocks": -1}}, "model.blocks: found -1, expected 0 or more"),
        ({"model": {"name": "fcn", "dropout": 1.5}}, "model.dropout: found 1.5, expected 0 or more, below 1"),
    ],
)
def test_it_is_refused_and_leaves_no_folder(
    changes: dict[str, Any], message: str, tmp_path: Path, splits: LiftingSplits
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_lifting(tmp_path / "runs" / "run", splits, **changes)
    assert not (tmp_path / "runs").exists()


def test_a_single_pose_is_too_few_for_a_batch_norm_and_for_two_processes(tmp_path: Path, splits: LiftingSplits) -> None:
    one = LiftingSplits(make_data("tiny/one", 1, 1, 1), splits.validation)
    with pytest.raises(ConfigError, match="of a batch of 24, 1 training pose in all.* or more poses"):
        prepare(lifting_recipe(tmp_path, trainer={"batch": 24}), one)
    with pytest.raises(ConfigError, match="trainer.devices: 1 training poses a step for 2 processes; start fewer"):
        prepare(lifting_recipe(tmp_path, trainer={"batch": 24, "devices": 2}), one)


def test_networks_without_a_norm_over_poses_learn_from_one_at_a_time(tmp_path: Path, splits: LiftingSplits) -> None:
    """And are not changed by the trial."""
    model = {"name": "gcn", "channels": 8, "blocks": 1}
    alone, usual = (lifting_recipe(tmp_path, model=model, trainer={"batch": batch, "steps": 2}) for batch in (1, 25))
    tried, plain = (prepare(one, splits).model.state_dict() for one in (alone, usual))
    assert all(torch.equal(value, tried[name]) for name, value in plain.items())
    assert train(alone, quiet=True, splits=splits).status == "finished"
