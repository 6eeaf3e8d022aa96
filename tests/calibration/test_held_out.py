"""What networks did not learn from, as their weights tell it, and whose recordings they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from motion_files import write_takes

import kinegraph as kg
from kinegraph.calibration.held_out import held_out_poses, people_in, who_moves
from kinegraph.config import from_dict
from kinegraph.datasets import synthetic
from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.synthetic import SyntheticLifting, SyntheticMotion, synthetic_lifting
from kinegraph.errors import ConfigError
from kinegraph.training.motion_recipe import MotionRecipe
from kinegraph.training.motion_setup import prepare


@pytest.fixture(scope="module")
def validation() -> LiftingData:
    """A few seconds of two actions."""
    motion = SyntheticMotion(subjects=3, takes=1, seconds=1.5, fps=20, actions=("walking", "waving"))
    return synthetic_lifting("val", SyntheticLifting(motion=motion, validation=1, test=1))


def _lifter(folder: Path, data: dict[str, Any]) -> kg.Lifter:
    """The lifter in the package, as if it had been trained on other data."""
    place = kg.Lifter.from_pretrained().save_pretrained(folder)
    config = json.loads((place / "config.json").read_text())
    config["metadata"]["recipe"]["data"] = data
    (place / "config.json").write_text(json.dumps(config))
    return kg.Lifter.from_pretrained(place)


@pytest.mark.parametrize(
    ("data", "procedural"),
    [
        ({"name": "mocap-lifting", "add_synthetic": True}, True),
        ({"name": "synthetic"}, True),
        ({"name": "mocap-lifting", "add_synthetic": False}, False),
        ({"name": "h36m"}, False),
    ],
)
def test_procedural_people_are_held_out_where_the_recipe_had_them(
    validation: LiftingData, data: dict[str, Any], procedural: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []

    def made(split: str, config: SyntheticLifting) -> LiftingData:
        rates.append(config.motion.fps)
        return validation.replace(name=split)

    monkeypatch.setattr(synthetic, "load", made)
    held = held_out_poses(_lifter(tmp_path / "net", data), validation)
    assert held.name == (f"{validation.name} and procedural people" if procedural else validation.name)
    assert len(held) == len(validation) * (3 if procedural else 1)
    assert rates == ([validation.fps] * 2 if procedural else [])


def test_the_recipes_clips_are_chosen_as_in_training(validation: LiftingData, tmp_path: Path) -> None:
    """By the same rule: capitals count on every system, and a choice of nothing is an error, not an empty check."""
    chosen = validation.clip_names[0]
    held = held_out_poses(_lifter(tmp_path / "some", {"name": "mocap-lifting", "clips": chosen}), validation)
    assert 0 < len(held) == (validation.clip == 0).sum() < len(validation)
    assert held.name == f"{validation.name} [{chosen}]"
    with pytest.raises(ConfigError, match="no clip of .* matches 'nobody/"):
        held_out_poses(_lifter(tmp_path / "none", {"name": "mocap-lifting", "clips": "nobody/*"}), validation)


def _trained_on(folder: Path, out: Path, *, names: bool = True) -> kg.Forecaster:
    """The network in the package, as if it had been trained on a folder; without names, as before they were kept."""
    place = kg.Forecaster.from_pretrained().save_pretrained(out)
    config = json.loads((place / "config.json").read_text())
    recipe = config["metadata"]["recipe"]
    recipe["data"] |= {
        "source": str(folder),
        "representation": "positions",
        "held_out_by": "name" if names else "place",
    }
    recipe["transform"]["recognise"] = False
    data = dict(prepare(from_dict(MotionRecipe, recipe)).splits)
    if not names:
        data = {role: {key: value for key, value in part.items() if key != "names"} for role, part in data.items()}
    config["metadata"]["data"] = data
    if not names:
        del recipe["data"]["held_out_by"]
    (place / "config.json").write_text(json.dumps(config))
    return kg.Forecaster.from_pretrained(place)


@pytest.mark.parametrize("names", [True, False])
def test_what_was_held_out_then_is_known_when_the_folder_has_grown(names: bool, tmp_path: Path) -> None:
    write_takes(mine := tmp_path / "mine", 8)
    forecaster = _trained_on(mine, tmp_path / "net", names=names)
    then = {file.stem for _, file in people_in(mine, forecaster)}
    assert len(then) == 1
    kg.save(kg.load(mine / "take00.npz"), mine / "a new take.npz")
    if names:
        assert {file.stem for _, file in people_in(mine, forecaster)} == then
        (mine / f"{then.pop()}.npz").unlink()
        with pytest.raises(ConfigError, match="no recording of which all was held out"):
            people_in(mine, forecaster)
    else:
        with pytest.raises(ConfigError, match="not the folder as it was in training"):
            people_in(mine, forecaster)


def test_recordings_of_two_people_are_held_out_whole(tmp_path: Path) -> None:
    write_takes(mine := tmp_path / "mine", 8, people=2)
    held = people_in(mine, _trained_on(mine, tmp_path / "net"))
    assert [file.parent for _, file in held] == [mine]
    with pytest.raises(ConfigError, match="no recording of which all was held out"):  # only second people were
        people_in(mine, _trained_on(mine, tmp_path / "older", names=False))


def test_whose_recordings_they_are() -> None:
    files = (
        ("07_01.amc", "07"),
        ("any/07_01.amc", "07"),
        ("HDM_mm_cut.amc", "mm"),
        ("anna/take_01.bvh", "anna"),
        ("ben/take_02.bvh", "ben"),
        ("take_01.bvh", "take_01"),
        ("take_02.bvh", "take_02"),
    )
    assert [who_moves(Path("mine") / file, Path("mine")) for file, _ in files] == [name for _, name in files]
