"""Recipes: the schema, the overrides and the files shipped with the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kinegraph.config import read_yaml, to_dict, write_yaml
from kinegraph.errors import ConfigError
from kinegraph.training.recipe import (
    TASKS,
    LiftingRecipe,
    field_table,
    find_recipe,
    load_recipe,
    read_recipe,
    recipe_names,
)


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("task", TASKS)
def test_every_field_is_explained(task: str) -> None:
    rows = {name: text for name, _, text in field_table(TASKS[task])}
    flat = to_dict(read_recipe({"task": task, "model": {"name": "fcn"}}))
    names = {f"{a}.{b}" for a, v in flat.items() if isinstance(v, dict) and a != "model" for b in v}
    names |= {a for a, v in flat.items() if not isinstance(v, dict) or a == "model"}
    assert set(rows) == names
    assert all(len(text) > 10 for text in rows.values())


def test_overrides_reach_nested_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "model: {name: fcn}\noptim: {lr: 1e-3}\n")
    recipe = load_recipe(path, ["--optim.lr", "3e-4", "--model.width=64", "--augment.noise.sigma_px", "2"])
    assert recipe.optim.lr == 3e-4
    assert recipe.model["width"] == 64
    assert recipe.augment.noise is not None
    assert recipe.augment.noise.sigma_px == 2.0
    assert recipe.optim.loss == "l1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--trainer.steps", "20"], (None, 20)),
        (["--trainer.epochs=3"], (3, None)),
        ([], (7, None)),
    ],
)
def test_a_length_on_the_command_line_replaces_the_files(tmp_path: Path, given: list[str], expected: object) -> None:
    path = write(tmp_path, "model: {name: fcn}\ntrainer: {epochs: 7}\n")
    trainer = load_recipe(path, given).trainer
    assert (trainer.epochs, trainer.steps) == expected


MOTION = "task: motion\nmodel: {name: symgnn}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("augment: {flip: true}\n", r"my.yaml: augment.flip: unknown key"),
        ("transform: {horizon: 0}\n", r"horizon 0 and recognise false: there is nothing to learn"),
        ("transform: {observed: 1}\n", r"expected at least 2 and at least 0 frames"),
        ("augment: {speed: [1.2, 0.8]}\n", r"speed: found \[1.2, 0.8\]"),
        ("augment: {mirror: 2}\n", r"mirror: found 2.0, expected a share"),
        ("augment: {shuffle_labels: 0.1}\n", r"shuffle_labels: there are no labels to learn"),
        ("trainer: {monitor: recognition}\n", r"monitor: recognition is not learned"),
        ("objective: {balance: fixed, normalise: loss}\n", r"normalise: nothing is chosen"),
        ("objective: {weight: 0.3}\n", r"weight: found 0.3, but balance mgda chooses it; set balance fixed"),
        ("objective: {velocity: 1}\ntransform: {horizon: 1}\n", r"velocity: differences .* need a horizon of 2"),
        ("data: {name: ntu, representation: expmap}\n", r"representation: ntu holds positions only; found expmap"),
        ("data: {name: cmu-8, fps: 30}\n", r"fps: it goes with recordings and means nothing for cmu-8"),
        ("data: {name: cmu-8, held_out: 0.2}\n", r"held_out: it goes with ntu and recordings; cmu-8 has"),
        ("data: {name: h36m-angles, held_out: 0.2}\n", r"held_out: it goes with ntu and recordings; h36m-angles has"),
        ("data: {name: ntu, held_out_by: place}\n", r"held_out_by: it goes with recordings and means nothing for ntu"),
        ("data: {held_out: 0.2}\n", r"held_out: it goes with ntu and recordings; synthetic has"),
        ("data: {source: x}\n", r"the synthetic data makes itself"),
        ("optim: {momentum: 1}\n", r"momentum: found 1.0"),
    ],
)
def test_mistakes_of_motion_recipes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(write(tmp_path, MOTION + text))
    assert "\n" not in str(caught.value)


def test_the_share_held_out_is_written_and_read_with_any_data(tmp_path: Path) -> None:
    """Recipes of runs hold every field: the default must pass where a choice would not."""
    for name, share in (("cmu-8", 0.1), ("ntu", 0.2), ("recordings", 0.3)):
        recipe = load_recipe(write(tmp_path, f"{MOTION}data: {{name: {name}, held_out: {share}}}\n"))
        assert recipe.data.held_out == share


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {name: fcn}\noptin: {lr: 1}\n", r"my.yaml: optin: unknown key; did you mean 'optim'\?"),
        ("model: {name: fcn}\noptim: {lrr: 1}\n", r"optim.lrr: unknown key; did you mean 'lr'\?"),
        ("optim: {lr: 1}\n", r"model: missing"),
        ("model: {width: 3}\n", r"model.name: missing"),
        ("model: {name: fcn}\noptim: {lr: fast}\n", r"optim.lr: found str 'fast', expected a number"),
        ("model: {name: fcn}\noptim: {lr: -1}\n", r"my.yaml: optim.lr: found -1.0, expected more than 0"),
        ("model: {name: fcn}\noptim: {ema: 2}\n", r"optim.ema: found 2.0"),
        ("model: {name: fcn}\noptim: {lr: .inf}\n", r"optim.lr: found inf, expected more than 0"),
        ("model: {name: fcn}\noptim: {weight_decay: -1}\n", r"optim.weight_decay: found -1.0, expected 0 or more"),
        ("model: {name: fcn}\noptim: {betas: [0.9, 1.5]}\n", r"optim.betas: found \[0.9, 1.5\], expected two factors"),
        ("model: {name: fcn}\ntrainer: {batch: 0}\n", r"trainer.batch: found 0, expected more than 0"),
        ("model: {name: fcn}\ntransform: {target: pixels}\n", r"transform.target: .*did you mean 'pixel'\?"),
        ("model: {name: fcn}\ntrainer: {epochs: 1, steps: 1}\n", r"epochs and steps are both given"),
        ("model: {name: fcn}\ntrainer: {batch: 5, devices: 2}\n", r"5 poses cannot be shared equally by 2"),
        ("model: {name: fcn}\nschedule: {name: one-cycle}\n", r"warmup: one-cycle needs a rise"),
        ("model: {name: fcn}\naugment: {noise: {drop: 2}}\n", r"drop is 2.0"),
        ("model: {name: fcn}\ndata: {input: cpn}\n", r"data.input: found 'cpn', expected 'exact' or 'noisy'"),
        ("- a\n", r"expected a mapping"),
        ("model: {name: fcn\n", r"my.yaml: line 2, column 1: not valid YAML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lift_hcsf_shipped", "symgnn_cmu_mpjpe_cpu"])
def test_a_recipe_survives_its_own_file(tmp_path: Path, name: str) -> None:
    recipe = load_recipe(name)
    write_yaml(recipe, tmp_path / "again.yaml")
    assert read_recipe(read_yaml(tmp_path / "again.yaml")) == recipe


def test_a_recipe_without_a_task_lifts() -> None:
    assert isinstance(read_recipe({"model": {"name": "fcn"}}), LiftingRecipe)
    with pytest.raises(ConfigError, match=r"task: found 'motoin'; did you mean 'motion'\?"):
        read_recipe({"task": "motoin", "model": {"name": "fcn"}})


def test_shipped_recipes_cover_every_model_data_and_target() -> None:
    every = {name: load_recipe(name) for name in recipe_names()}
    assert all(recipe.out == f"runs/{name}" for name, recipe in every.items())
    from kinegraph.models import REGISTRY

    recipes = {name: recipe for name, recipe in every.items() if recipe.task == "lift"}
    found = {(r.model["name"], r.data.name, r.transform.target) for r in recipes.values()}
    for model in (name for name, entry in REGISTRY.items() if entry.task == "lift"):
        for data in ("synthetic", "mocap-lifting"):
            for target in ("pixel", "metric"):
                assert (model, data, target) in found


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'lift_fcn_synthetic_pixel'\?"):
        find_recipe("lift_fcn_syntetic_pixel")
    with pytest.raises(ConfigError, match=r"nowhere/x.yaml: no such recipe file"):
        find_recipe("nowhere/x.yaml")


def test_reading_a_recipe_loads_no_torch() -> None:
    code = (
        "import sys, kinegraph.training.recipe as r\n"
        "r.load_recipe('lift_fcn_mocap_pixel'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
