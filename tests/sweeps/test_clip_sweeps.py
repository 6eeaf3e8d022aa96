"""Sweeps of networks that recognise clips: the HCSF paper's studies, folds, fusion, and what is measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_files import ListSource

import kinegraph.training.run as training
from kinegraph.config import to_dict
from kinegraph.errors import ConfigError, KinegraphError
from kinegraph.evaluation.clip_recognition import evaluate_clips, load_clip_method
from kinegraph.evaluation.clip_views import ClipView
from kinegraph.store import ActionClip, ClipStore, prepare_clips
from kinegraph.sweeps.clips import ClipMeasure
from kinegraph.sweeps.hcsf_presets import GRAPHS, RECOGNITION_PRESETS
from kinegraph.sweeps.pictures import draw_sweep
from kinegraph.sweeps.recipe_comparison import compare
from kinegraph.sweeps.runs import plan_sweep, run_sweep
from kinegraph.sweeps.sweep import Measured, SweepResult, sweep_report, vary
from kinegraph.training.recipe import load_recipe

TINY = [
    *("--model.width", "0.05", "--transform.frames", "8", "--trainer.steps", "2", "--trainer.batch", "4"),
    *("--trainer.tensorboard", "false", "--trainer.accelerator", "cpu"),
]
SUBJECTS = ("bd", "bk", "dg", "mm", "tr")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """Two clips of each of HDM05's subjects, as if of its eleven classes."""
    rng = np.random.default_rng(0)
    clips = [
        ActionClip(
            name=f"{subject}{take}",
            label=take,
            positions=rng.normal(size=(1, 9, 31, 3)).astype(np.float32),
            subject=subject,
        )
        for subject in SUBJECTS
        for take in range(2)
    ]
    source = ListSource(clips, 11, skeleton="hdm05_31")
    return prepare_clips(source, tmp_path_factory.mktemp("hdm05"), workers=1, progress=False).store


@pytest.fixture(scope="module")
def swept(store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepResult, Path, list[str]]:
    """Joint, bone and their fusion on two folds."""
    out, said = tmp_path_factory.mktemp("sweep"), []
    sweep = RECOGNITION_PRESETS["clip-streams"]().only(["joint", "bone"])
    options: dict[str, Any] = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": out, "folds": (0, 3)}
    result = run_sweep(sweep, "recognize_stgcn_hdm05", TINY, quiet=True, say=said.append, **options)
    return result, out, said


def test_figures_are_the_mean_over_folds(swept: Any, store: ClipStore) -> None:
    result, out, said = swept
    assert said[1].startswith("[2/4] joint, seed 0, fold 3: training into ")
    for variant, runs in result.rows[:2]:
        tops = []
        for fold in (0, 3):
            method = load_clip_method(out / variant.name / f"seed_0_fold_{fold}" / "best")
            assert (method.fold, method.transform.stream) == (fold, variant.name)
            found = evaluate_clips(method, store, "hdm05-11-one")
            assert len(found.labels) == 8
            tops.append(found.top1)
        assert runs[0].figures["top-1"] == pytest.approx(np.mean(tops))
        assert runs[0].figures["parameters"] == runs[0].info["parameters"] > 0
    fused, runs = result.rows[2]
    assert (fused.name, len(result.rows)) == ("two", 3)  # of four streams there are two
    assert set(runs[0].figures) == {"top-1", "top-5"}
    assert result.conditions["folds"] == [0, 3]
    assert any(note.startswith("folds 0, 3 of hdm05-11-one's 5") for note in result.notes)


def test_table_and_json(swept: Any) -> None:
    result, *_ = swept
    printed = sweep_report(result)
    assert "hdm05-11-one" in printed
    row = next(line for line in printed.splitlines() if line.startswith("bone"))
    assert f" {result.rows[1][1][0].info['parameters']}" in row
    assert "95.3" not in printed  # figures of other data do not stand here
    content = json.loads(json.dumps(result.to_json()))
    assert content["published"]["top-1 %"]["joint"][1] == 95.3
    assert content["variants"][1]["changes"] == {"transform.stream": "bone"}


def test_finished_runs_are_kept(swept: Any, store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = swept

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "train", never)
    sweep = RECOGNITION_PRESETS["clip-streams"]().only(["bone"])
    options: dict[str, Any] = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": out, "folds": (3,)}
    again = run_sweep(sweep, "recognize_stgcn_hdm05", TINY, **options)
    assert again.conditions["folds"] == [3]
    with pytest.raises(ConfigError, match="trainer.steps: .* was trained with 2, this sweep says 3"):
        run_sweep(sweep, "recognize_stgcn_hdm05", [*TINY, "--trainer.steps", "3"], **options)
    # by how many a run is made, and what the way to the same clips is called, makes no other network
    moved = tmp_path / "moved"
    shutil.copytree(store.folder, moved)
    for more, place in (
        (["--trainer.workers", "0", "--trainer.devices", "2", "--trainer.nodes", "2"], store.folder),
        ([], moved),
        ([], moved / ".." / "moved"),
    ):
        same = run_sweep(sweep, "recognize_stgcn_hdm05", [*TINY, *more], **{**options, "data": str(place)})
        assert [run.figures for _, runs in same.rows for run in runs] == [
            run.figures for _, runs in again.rows for run in runs
        ]
    with pytest.raises(ConfigError, match="data.held_out: .* this sweep says 0.3"):
        run_sweep(sweep, "recognize_stgcn_hdm05", [*TINY, "--data.held_out", "0.3"], **options)


def test_runs_of_other_clips_are_not_one_table(
    swept: Any, store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips were added and prepared again: runs of before are refused before anything is trained or measured."""
    _, out, _ = swept
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained"))
    sweep = RECOGNITION_PRESETS["clip-streams"]().only(["bone"])
    options: dict[str, Any] = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": out, "folds": (0, 3)}
    run = out / "bone" / "seed_0_fold_3" / "run.json"
    before = run.read_text()
    content = json.loads(before)
    content["data"]["train"]["fingerprint"] = "0123456789abcdef"
    run.write_text(json.dumps(content))
    with pytest.raises(
        ConfigError, match=r"fold_3 was trained on other data \(0123.* than the data that are there now"
    ):
        run_sweep(sweep, "recognize_stgcn_hdm05", TINY, **options)
    monkeypatch.setattr(
        ClipMeasure, "fingerprint", lambda self, recipe: None
    )  # as where the recipe has a source of its own
    with pytest.raises(ConfigError, match=r"fold_3 was trained on other data \(0123.* than .*fold_0.run\.json"):
        run_sweep(sweep, "recognize_stgcn_hdm05", TINY, **options)
    run.write_text(before)
    assert run_sweep(sweep, "recognize_stgcn_hdm05", TINY, **options).conditions["folds"] == [0, 3]


def test_one_length_takes_the_place_of_the_other() -> None:
    recipe = "recognize_hcsf_ntu_cpu"
    assert load_recipe(recipe).trainer.epochs is not None
    plan = plan_sweep(vary("trainer.steps", [10, 20]), recipe, protocol="ntu60-xsub", data="clips")
    assert [(run.recipe.trainer.steps, run.recipe.trainer.epochs) for run in plan.runs] == [(10, None), (20, None)]


def test_presets_vary_what_the_supplement_varies() -> None:
    made = {name: make() for name, make in RECOGNITION_PRESETS.items()}
    assert {name: len(sweep.variants) for name, sweep in made.items()} == {
        **{"clip-streams": 4, "squeeze": 15, "hops": 18, "graph-frames": 6}
    }
    table = made["squeeze"].published["NTU RGB+D, cross-view, top-1 %"]
    assert [title for title, _ in GRAPHS.values()] == list(table)
    ratios = [variant.changes["model.squeeze"] for variant in made["squeeze"].variants]
    assert ratios == [1, 0.5, 0.25, 0.125, 0.0625] * 3
    frames = [
        tuple(variant.changes[f"model.dynamic_{key}"] for key in ("kernel", "stride", "dilation"))
        for variant in made["graph-frames"].variants
    ]
    assert frames == [(1, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (5, 1, 1), (7, 1, 1)]
    hops = made["hops"].variants
    assert [variant.changes["model.name"] for variant in hops[:6]] == [
        *("khop", "khop", "khop", "mixhop", "mshop", "hcsf_recognizer")
    ]
    assert [variant.changes.get("model.hops") for variant in hops[:3]] == [[1], [5], [7]]
    four = made["clip-streams"].fusions[1]
    assert (four.of, sum(four.weights), len(four.variants)) == ("softmax", 1.0, 4)
    assert [v.x for v in RECOGNITION_PRESETS["squeeze"]([0.3]).variants] == [0.3] * 3
    for name, values, message in (
        ("squeeze", [2], "above 0, to 1"),
        ("squeeze", [0.5, 0.5], "twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            RECOGNITION_PRESETS[name](values)


def test_all_networks_of_a_row_may_join_the_same_joints() -> None:
    """The recipe's graph joins any two: HCSF's alone would measure that, not its hops."""
    sweep = RECOGNITION_PRESETS["hops"]()
    plan = plan_sweep(sweep, "recognize_hcsf_hdm05", protocol="hdm05-11-one", data="somewhere", folds=(0,))
    for variant, _, one in plan.runs:
        static = variant.changes["model.dynamic"] == "none"
        assert to_dict(one)["model"]["dynamic_support"] == ("hop" if static else "dense")


@pytest.mark.parametrize("name", RECOGNITION_PRESETS)
@pytest.mark.parametrize(("recipe", "protocol"), [("hdm05", "hdm05-11-one"), ("ntu", "ntu60-xview")])
def test_every_variant_is_a_recipe_and_can_be_drawn(name: str, recipe: str, protocol: str, tmp_path: Path) -> None:
    sweep = RECOGNITION_PRESETS[name]()
    folds = (0, 4) if recipe == "hdm05" else None
    options: dict[str, Any] = {"protocol": protocol, "data": "somewhere", "seeds": (0, 1), "folds": folds}
    found = plan_sweep(sweep, f"recognize_hcsf_{recipe}", **options).runs
    assert len(found) == 2 * len(folds or (None,)) * len(sweep.variants)
    for variant, _, one in found:
        plain = to_dict(one)
        assert (one.data.protocol, one.data.source) == (protocol, "somewhere")
        for field, value in variant.changes.items():
            part, _, key = field.partition(".")
            assert plain[part][key] == to_dict(value)
    columns = ("top-1", "top-5", "parameters")
    rows = tuple(
        (variant, (Measured(seed=0, figures=dict(zip(columns, (50.0, 60.0, 7.0), strict=True)), info={}),))
        for variant in (*sweep.variants, *sweep.fusions)
    )
    result = SweepResult(
        sweep=sweep,
        conditions={"protocol": protocol, "split": "test", "seeds": [0]},
        columns=columns,
        units=dict(zip(columns, ("%", "%", "values"), strict=True)),
        rows=rows,
        notes=(),
    )
    [path] = draw_sweep(result, tmp_path)
    assert path.stat().st_size > 10_000


def test_mistakes_come_before_training(store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(training, "train", never)
    good = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": tmp_path}
    width = vary("model.width", [0.05, 0.1])
    streams = RECOGNITION_PRESETS["clip-streams"]()
    for sweep, recipe, overrides, changes, message in (
        (vary("model.widht", [1]), "stgcn_hdm05", [], {}, "did you mean 'width'"),
        (width, "stgcn_hdm05", [], {"folds": (5,)}, "from 0 to 4"),
        (width, "stgcn_hdm05", ["--data.fold", "1"], {}, "use --folds"),
        (width, "stgcn_hdm05", [], {"protocol": "hdm05-11", "folds": (0,)}, "this protocol has none"),
        (width, "stgcn_hdm05", ["--data.protocol", "hdm05-11"], {}, "5 folds, the recipe trains on hdm05-11"),
        (streams, "stgcn_hdm05", ["--transform.stream", "bone"], {}, "sweep sets itself"),
        (vary("seed", [0, 1]), "stgcn_hdm05", [], {}, "--vary seed: .* use --seeds"),
        (vary("data.fold", [0, 1]), "stgcn_hdm05", [], {}, "--vary data.fold: .* use --folds"),
        (vary("out", ["a", "b"]), "stgcn_hdm05", [], {}, "--vary out: .* use --out"),
        (streams, "stgcn_hdm05", [], {"protocol": "hdm05-1"}, "did you mean 'hdm05-11'"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_sweep(sweep, f"recognize_{recipe}", overrides, **{**good, **changes})
    with pytest.raises(ConfigError, match="of task motion; this sweep is of networks of recognition"):
        run_sweep(streams, "symgnn_cmu_cpu", **good)


def test_a_network_that_cannot_be_is_found_before_training(
    store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second recipe's mistake came when the first had been trained in full."""
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained"))
    two = compare(["recognize_stgcn_hdm05", "recognize_stgcnpp_hdm05"], ("joint",))
    good: dict[str, Any] = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": tmp_path, "folds": (0,)}
    with pytest.raises(ConfigError, match=r"variant recognize_stgcnpp_hdm05_joint: .* do not fill 6 temporal branches"):
        run_sweep(two, None, ["--model.width", "0.0625"], **good)
    elsewhere = ["--data.source", str(tmp_path / "none"), "--data.protocol", "hdm05-11"]
    with pytest.raises(KinegraphError, match="none"):  # other training clips than those that are measured
        run_sweep(two, None, elsewhere, **{**good, "protocol": "hdm05-11", "folds": None})
    assert not list(tmp_path.iterdir())


RECIPES = ["recognize_stgcn_hdm05", "recognize_linear_hdm05"]


def test_recipes_are_compared_in_streams_fused_and_with_joints_missing(store: ClipStore, tmp_path: Path) -> None:
    sweep = compare(RECIPES, ("joint", "bone"), missing=0.2)
    options: dict[str, Any] = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": tmp_path, "folds": (0, 3)}
    plain = [value for value in TINY if value not in ("--model.width", "0.05")]
    result = run_sweep(sweep, None, plain, quiet=True, **options)
    labels = [row.label for row, _ in result.rows]
    assert labels == [
        *("stgcn, joint", "stgcn, bone", "stgcn, fused", "linear, joint", "linear, bone", "linear, fused")
    ]
    rows = {row.label: runs[0].figures for row, runs in result.rows}
    lost = "top1_missing"  # the same whatever the share is
    assert result.columns == ("top-1", "top-5", lost, "parameters", "training")
    for name, recipe in zip(("stgcn", "linear"), RECIPES, strict=True):
        methods = {
            (stream, fold): load_clip_method(tmp_path / f"{recipe}_{stream}" / f"seed_0_fold_{fold}" / "best")
            for stream in ("joint", "bone")
            for fold in (0, 3)
        }
        assert {method.transform.stream for method in methods.values()} == {"joint", "bone"}
        for column, view in (("top-1", ClipView()), (lost, ClipView(missing=0.2))):
            found = {key: evaluate_clips(one, store, "hdm05-11-one", view=view) for key, one in methods.items()}
            fused = [found["joint", fold].logits + found["bone", fold].logits for fold in (0, 3)]
            right = [
                100 * np.mean(scores.argmax(axis=1) == found["joint", fold].labels)
                for scores, fold in zip(fused, (0, 3), strict=True)
            ]
            assert rows[f"{name}, fused"][column] == pytest.approx(np.mean(right))
            alone = [found["bone", fold].top1 for fold in (0, 3)]
            assert rows[f"{name}, bone"][column] == pytest.approx(np.mean(alone))
        places = [tmp_path / f"{recipe}_joint" / f"seed_0_fold_{fold}" / "best" / "config.json" for fold in (0, 3)]
        written = [json.loads(place.read_text()) for place in places]
        minutes = np.mean([one["metadata"]["train_seconds"] for one in written]) / 60
        assert rows[f"{name}, joint"]["training"] == pytest.approx(minutes)
        assert "training" not in rows[f"{name}, fused"]
    assert rows["linear, joint"]["parameters"] != rows["stgcn, joint"]["parameters"]
    content = result.to_json()
    assert (content["recipe"], content["missing_joints"]) == (RECIPES, 0.2)
    assert (content["units"][lost], content["labels"][lost]) == ("%", "top-1, 20 % of joints missing")
    assert set(content["labels"]) == set(content["variants"][0]["mean"])
    assert "recipes recognize_stgcn_hdm05, recognize_linear_hdm05 |" in sweep_report(result)
    lost = content["labels"][lost]
    assert f" {lost} " in sweep_report(result)
    assert f"note: {lost}: 6 of 31 joints missing (throughout each clip; seed 0)" in sweep_report(result)
    (picture,) = draw_sweep(result, tmp_path)
    assert picture.stat().st_size > 10_000


def test_the_spread_is_of_what_seeds_can_change() -> None:
    sweep = vary("seed", [0])
    figures = [{"top-1": value, "parameters": 5.0, "training": 2 * value} for value in (1.0, 2.0)]
    result = SweepResult(
        sweep=sweep,
        conditions={"recipe": "r", "protocol": "p", "split": "test", "seeds": [0, 1]},
        columns=("top-1", "parameters", "training"),
        units={"top-1": "%", "parameters": "values", "training": "min"},
        rows=((sweep.variants[0], tuple(Measured(seed=n, figures=f, info={}) for n, f in enumerate(figures))),),
        notes=(),
    )
    (row,) = result.to_json()["variants"]
    assert set(row["mean"]) == {"top-1", "parameters", "training"}
    assert row["spread"] == {"top-1": pytest.approx(0.5**0.5)}


def test_comparisons_name_what_is_wrong(store: ClipStore, tmp_path: Path) -> None:
    for given, message in (
        ((RECIPES, ()), "--streams: found none; expected one or more"),
        ((RECIPES, ("joint", "joint")), "--streams: found joint, joint; expected one or more, each once"),
        ((RECIPES, ("joints",)), "no stream 'joints'; did you mean 'joint'"),
        ((RECIPES[:1] * 2, ("joint",)), "recipes: found .*each once"),
        ((["a/x.yaml", "b/x.yaml"], ("joint",)), "bear one name"),
        (
            (["行走.yaml", "跑步.yaml"], ("joint",)),
            "'行走, joint' and '跑步, joint' would share the folder 'joint'.*rename a file",
        ),
        (
            (["my net.yaml", "my_net.yaml"],),
            "'my net, joint' and 'my_net, joint' would share the folder 'my_net_joint'",
        ),
        ((RECIPES, ("joint",), 1.0), "--missing-joints 1: expected a share"),
    ):
        with pytest.raises(ConfigError, match=message):
            compare(*given)
    options: dict[str, Any] = {"protocol": "hdm05-11-one", "data": str(store.folder), "out": tmp_path / "x"}
    with pytest.raises(ConfigError, match="symgnn_cmu_cpu is of task motion"):
        run_sweep(compare(["recognize_stgcn_hdm05", "symgnn_cmu_cpu"], ("joint",)), None, [], **options)
    with pytest.raises(ConfigError, match="--transform.stream: it is what this sweep sets itself"):
        run_sweep(compare(RECIPES), None, ["--transform.stream", "bone"], **options)
    assert not (tmp_path / "x").exists()


def test_streams_are_fused_with_the_weights_of_the_field() -> None:
    sweep = compare(["recognize_hcsf_hdm05"], ("joint", "bone", "joint-motion", "bone-motion"))
    assert sweep.fusions[0].weights == (0.6, 0.6, 0.4, 0.4)
    assert compare(["recognize_hcsf_hdm05"], ("joint",)).fusions == ()
    assert compare(["recognize_hcsf_hdm05"]).fusions[0].weights == (1.0, 1.0)
