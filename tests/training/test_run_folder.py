"""What a run may go on with: its data wherever they lie, no other data, and the weights and steps that it has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from action_files import recordings
from lifting_samples import make_lifting_splits
from moving_people import walker
from training_runs import lifting_recipe, motion_recipe, recognition_recipe, run_lifting

import kinegraph as kg
from kinegraph.datasets.prepared_splits import write_splits
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.lifting_task import LiftingTask
from kinegraph.training.recipe import RunRecipe
from kinegraph.training.run import train
from kinegraph.weights import load_weights


def clips(folder: Path, first: int) -> None:
    """Recordings of two classes, of which the clips are read."""
    recordings(folder, *("unused.npz",) * first, *(f"{label}/{n}.npz" for label in "xy" for n in range(5)))


def motions(folder: Path, first: int) -> None:
    """Recordings of one action."""
    for take in range(first, first + 3):
        (folder / "walk").mkdir(parents=True, exist_ok=True)
        kg.save(walker(seed=take), folder / "walk" / f"{take - first}.npz")


def poses(folder: Path, first: int) -> None:
    """Poses as they are prepared."""
    splits = make_lifting_splits()
    parts = (splits.validation, splits.train) if first else (splits.train, splits.validation)
    folder.mkdir(exist_ok=True)
    write_splits({"train": parts[0], "val": parts[1], "test": parts[1]}, folder, "mocap-folder", {})


def of_clips(source: str, steps: int) -> RunRecipe:
    small: dict[str, Any] = {"model": {"name": "stgcn", "width": 0.05}, "schedule": {"name": "constant"}}
    data = {"protocol": "folder", "source": source, "held_out": 0.2}
    return recognition_recipe(Path("run"), data=data, trainer={"steps": steps}, **small)


def of_motions(source: str, steps: int) -> RunRecipe:
    data = {"name": "recordings", "source": source, "held_out": 0.3}
    small: dict[str, Any] = {"model": {"name": "simlpe", "blocks": 2}, "schedule": {"name": "constant"}}
    sees = {"recognise": False, "root": "heading"}
    return motion_recipe(Path("run"), data=data, transform=sees, trainer={"steps": steps, "batch": 4}, **small)


def of_poses(source: str, steps: int) -> RunRecipe:
    data = {"name": "mocap-folder", "source": source}
    return lifting_recipe(Path("run"), data=data, trainer={"steps": steps})


@pytest.mark.parametrize(
    ("write", "recipe"),
    [(clips, of_clips), (motions, of_motions), (poses, of_poses)],
    ids=["recognition", "motion", "lift"],
)
def test_a_run_goes_on_with_its_data_wherever_they_are(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path, int], None],
    recipe: Callable[[str, int], RunRecipe],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "k2p", 0)
    write(tmp_path / "others", 1)
    train(recipe("k2p", 2), quiet=True)
    assert train(recipe("./k2p", 3), resume=True, quiet=True).step == 3
    assert train(recipe(str(tmp_path / "k2p"), 4), resume=True, quiet=True).step == 4
    with pytest.raises(DataError, match=r"the data .* in others are not those run was begun with, in .*k2p; give them"):
        train(recipe("others", 5), resume=True, quiet=True)
    (tmp_path / "k2p").rename(tmp_path / "moved")
    assert train(recipe("moved", 5), resume=True, quiet=True).step == 5
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["data"]["source"] == "moved"
    shutil.rmtree("moved")
    write(tmp_path / "moved", 1)  # other data in the same place
    with pytest.raises(DataError, match="are not those run was begun with"):
        train(recipe("moved", 6), resume=True, quiet=True)


def test_kept_weights_that_are_gone_are_not_named(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was said to have finished with weights in a folder that was not there."""
    errors = iter([1.0, *range(2, 20)])
    monkeypatch.setattr(LiftingTask, "evaluate", lambda *_: {"loss": 0.0, "mpjpe_mm": float(next(errors))})
    stops = {"trainer": {"validate_every": 2, "patience": 2}}
    folder = run_lifting(tmp_path / "run", splits, **stops).folder
    (folder / "best").rename(tmp_path / "aside")
    with pytest.raises(KinegraphError, match=r"run/best, the weights of step 2, is gone, and no validation .* put it"):
        run_lifting(folder, splits, resume=True, **stops)
    (tmp_path / "aside").rename(folder / "best")
    again = run_lifting(folder, splits, resume=True, **stops)
    assert (again.status, again.step, again.best_step) == ("stopped early", 6, 2)


def test_where_kept_weights_are_gone_the_next_are_kept(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = iter([1.0, 2.0, 5.0, 4.0, 6.0])
    monkeypatch.setattr(LiftingTask, "evaluate", lambda *_: {"loss": 0.0, "mpjpe_mm": next(errors)})
    folder = run_lifting(tmp_path / "run", splits, trainer={"steps": 4, "validate_every": 2}).folder
    shutil.rmtree(folder / "best")
    longer = {"steps": 10, "validate_every": 2, "patience": 2}
    result = run_lifting(folder, splits, resume=True, trainer=longer)
    assert (result.status, result.step, result.best_step, result.best) == ("finished", 10, 8, 4.0)
    assert load_weights(folder / "best").metadata["checkpoint"]["step"] == 8
    assert "best, the weights of step 2, is gone; those of the validations from here on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("trained", "shorter", "remedy"),
    [({"steps": 12}, {"steps": 8}, "--trainer.steps 12"), ({"epochs": 3}, {"epochs": 2}, "--trainer.epochs 3")],
)
def test_a_length_that_is_passed_is_refused(
    tmp_path: Path, splits: LiftingSplits, trained: dict[str, int], shorter: dict[str, int], remedy: str
) -> None:
    """run.json said {"steps": 8, "step": 12}, and the recipe 8."""
    whole = {"steps": None} | trained
    run_lifting(tmp_path / "run", splits, trainer=whole)
    before = {name: (tmp_path / "run" / name).read_bytes() for name in ("run.json", "recipe.yaml", "last.ckpt")}
    with pytest.raises(ConfigError, match=rf"has taken 12 steps, the recipe says 8; keep {remedy} or more, or"):
        run_lifting(tmp_path / "run", splits, resume=True, trainer={"steps": None} | shorter)
    assert before == {name: (tmp_path / "run" / name).read_bytes() for name in before}
    assert run_lifting(tmp_path / "run", splits, resume=True, trainer=whole).status == "finished"
