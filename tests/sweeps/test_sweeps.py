"""Sweeps: what is varied, that runs are kept and continued, and that the table says what the runs say."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import shutil
import statistics

import numpy as np
import pytest
from motion_files import TINY_RUN, write_recordings

import kinegraph.training.run as training
from kinegraph.cli.analyze_sweep import ANALYSES
from kinegraph.config import read_yaml, to_dict
from kinegraph.errors import ConfigError
from kinegraph.evaluation.forecasting import evaluate_forecast, load_forecast_method
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
from kinegraph.evaluation.recognition import evaluate_recognition, fuse, load_recognition_method
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.sweeps import motion
from kinegraph.sweeps.early_recognition import early_recognition
from kinegraph.sweeps.generation_speed import frames_generated_within
from kinegraph.sweeps.hcsf_presets import RECOGNITION_PRESETS
from kinegraph.sweeps.pictures import draw_sweep
from kinegraph.sweeps.runs import plan_sweep, run_sweep
from kinegraph.sweeps.sweep import Measured, SweepResult, sweep_report, vary
from kinegraph.sweeps.symgnn_presets import NO_PREDICTION, PRESETS
from kinegraph.training.recipe import load_recipe, read_recipe


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("cmu"))


@pytest.fixture(scope="module")
def swept(recordings, tmp_path_factory):
    """Joint, bone and their fusion with two seeds, trained for two steps."""
    out = tmp_path_factory.mktemp("sweep")
    said: list[str] = []

    def run(**changes):
        options = {"protocol": "cmu-euler-64", "data": str(recordings), "out": out, "seeds": (0, 1), "quiet": True}
        return run_sweep(PRESETS["streams"](), "symgnn_cmu_cpu", TINY_RUN, say=said.append, **{**options, **changes})

    return run(), run, out, said


def test_figures_are_those_of_the_runs(swept, recordings):
    result, _, out, _ = swept
    assert {path.name for path in out.iterdir()} == {"joint", "bone"}
    protocol = load_forecast_protocol("cmu-euler-64", recordings)
    scores = {}
    for variant, runs in result.rows[:2]:
        for run, seed in zip(runs, (0, 1), strict=True):
            weights = out / variant.name / f"seed_{seed}" / "best"
            assert read_recipe(read_yaml(weights.parent / "recipe.yaml")).seed == seed
            found = evaluate_forecast(load_forecast_method(weights), protocol).average
            assert [run.figures[f"{ms} ms"] for ms in protocol.times_ms] == list(found)
            assert run.figures["short"] == statistics.fmean(found[:4])
            scores[variant.name, seed] = evaluate_recognition(load_recognition_method(weights), "cmu-8", recordings)
            assert run.figures["top-1"] == scores[variant.name, seed].top1
    fused, runs = result.rows[2]
    assert fused.name == "fused"
    for run in runs:
        expected = fuse([scores["joint", run.seed], scores["bone", run.seed]], (0.5, 0.5))
        assert run.figures == {"top-1": expected.top1, "top-5": expected.top5}
    values = [run.figures["80 ms"] for run in result.rows[0][1]]
    assert values[0] != values[1]  # another seed is another network
    assert result.summary(result.rows[0][1], "80 ms") == (statistics.fmean(values), statistics.stdev(values))
    assert result.summary(runs, "80 ms") is None


def test_table_json_and_picture(swept, tmp_path):
    result, *_ = swept
    printed = sweep_report(result)
    line = next(line for line in printed.splitlines() if line.startswith("only bone"))
    mean, spread = result.summary(result.rows[1][1], "80 ms")
    assert f"{mean:.3f} ±{spread:.3f}" in line
    assert next(row for row in printed.splitlines() if row.startswith("joint & bone")).count(" - ") >= 4
    assert "87.1" not in printed  # figures of other data do not stand here
    content = json.loads(json.dumps(result.to_json()))
    assert content["published"]["NTU-RGB+D, top-1 %, cross-subject and cross-view"]["only joint"] == [87.1, 93.8]
    assert content["variants"][0]["mean"]["80 ms"] == result.summary(result.rows[0][1], "80 ms")[0]
    assert [run["seed"] for run in content["variants"][1]["runs"]] == [0, 1]
    assert content["data"]["fingerprint"]
    assert "| variant " in sweep_report(result, markdown=True)
    [path] = draw_sweep(result, tmp_path)
    assert path.name == "streams.png"
    assert path.stat().st_size > 10_000


def test_finished_runs_are_kept_and_others_go_on(swept, monkeypatch):
    result, run, out, said = swept

    def never(*_, **__):
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", never)
        before = len(said)
        again = run()
    assert [line.rpartition(": ")[2] for line in said[before:]] == ["trained already"] * 4
    assert [[m.figures for m in runs] for _, runs in again.rows] == [
        [m.figures for m in runs] for _, runs in result.rows
    ]
    place = out / "bone" / "seed_1" / "run.json"
    content = json.loads(place.read_text())
    place.write_text(json.dumps({**content, "status": "interrupted"}))
    asked = []

    def stopped(recipe, *, resume, quiet, splits):
        asked.append((recipe.out, resume))
        return dataclasses.replace(kept, status="interrupted")

    kept = training.RunResult(
        folder=out, status="", step=1, steps=2, best_step=1, best=0, monitor=None, parameters=1, seconds=0
    )
    with monkeypatch.context() as patch:
        patch.setattr(training, "train", stopped)
        with pytest.raises(KeyboardInterrupt, match="same command goes on"):
            run()
    assert asked == [(str(out / "bone" / "seed_1"), True)]
    place.write_text(json.dumps(content))


def test_the_data_may_move_as_long_as_they_are_the_same(swept, recordings, tmp_path, monkeypatch):
    """An interrupted sweep had to find its data where it left them, though their fingerprints say what they are."""
    result, run, out, _ = swept
    opened, load = [], motion.load_motion_splits
    monkeypatch.setattr(motion, "load_motion_splits", lambda *given: opened.append(given) or load(*given))
    again = run(data=str(recordings / ".." / recordings.name), seeds=(0,))
    assert (len(again.rows), opened) == (3, [])
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(recordings, elsewhere)
    place = out / "bone" / "seed_1" / "run.json"
    before = place.read_text()
    place.write_text(json.dumps({**json.loads(before), "status": "interrupted"}))
    moved = run(data=str(elsewhere), seeds=(1,))  # one is kept, the other goes on
    assert [runs[0].figures for _, runs in moved.rows] == [runs[1].figures for _, runs in result.rows]
    assert len(opened) == 1
    assert read_recipe(read_yaml(place.parent / "recipe.yaml")).data.source == str(elsewhere)
    file = next(path for path in sorted((elsewhere / "train" / "walking").iterdir()))
    file.write_text(file.read_text().replace("1", "2"))
    with pytest.raises(ConfigError, match=r"seed_0 was trained on other data .* than the data that are there now"):
        run(data=str(elsewhere), seeds=(0,))


def test_another_sweep_does_not_use_the_folder(swept, recordings):
    _, _, out, _ = swept
    options = {"protocol": "cmu-euler-64", "data": str(recordings), "out": out, "quiet": True}
    for more, message in (
        (["--optim.lr", "0.5"], r"optim: .* was trained with"),
        (["--trainer.steps", "3"], r"trainer.steps: .* was trained with 2, this sweep says 3"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_sweep(PRESETS["streams"](), "symgnn_cmu_cpu", [*TINY_RUN, *more], **options)


def test_weights_of_ntu_are_measured_on_the_test_clips_of_their_own_split(tmp_path, monkeypatch):
    """Each split's test part holds training clips of the other."""
    asked = []

    def load(name, data, **options):
        asked.append(options["benchmark"])

    monkeypatch.setattr(motion, "load_forecast_protocol", load)
    base = load_recipe("symgnn_ntu")
    recipes = {
        split: dataclasses.replace(base, data=dataclasses.replace(base.data, source="x", benchmark=split))
        for split in (None, "xview")
    }
    for split, recipe in recipes.items():
        motion.MotionMeasure("ntu-pck", "x", "test", PRESETS["streams"](), [recipe])
        assert asked.pop() == (split or "xsub")
    with pytest.raises(ConfigError, match="two tables"):
        motion.MotionMeasure("ntu-pck", "x", "test", PRESETS["streams"](), list(recipes.values()))


def test_presets_vary_what_the_paper_varies():
    def of(name):
        return [dict(variant.changes) for variant in PRESETS[name]().variants]

    assert [c["augment.shuffle_targets"] for c in of("noisy-targets")[:-1]] == [0, 0.1, 0.2, 0.5, 0.7, 1]
    assert of("noisy-targets")[-1]["transform.horizon"] == 0
    assert [c["augment.shuffle_labels"] for c in of("noisy-labels")[:-1]] == [0, 0.1, 0.2, 0.3, 0.5, 1]
    assert of("noisy-labels")[-1]["transform.recognise"] is False
    assert [c["model.lambda_act"] for c in of("lambda-act")] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert [c["model.differences"] for c in of("differences")] == [(0,), (0, 1), (0, 1, 2)]
    assert [c["model.iterations"] for c in of("iterations")] == [0, 1, 2, 3, 4]
    graphs = {v.name: v.changes for v in PRESETS["graphs"]().variants}
    assert len(graphs) == 10
    assert [graphs["only_js_4"][f"model.{key}"] for key in ("structural", "actional", "parts", "gamma")] == [
        *(True, False, False, 4)
    ]
    assert [graphs["only_p"][f"model.{key}"] for key in ("structural", "actional", "parts")] == [False, False, True]
    assert [v.x for v in PRESETS["noisy-labels"]([0.25]).variants] == [25.0, None]
    for name, values, message in (
        ("noisy-labels", [2], "from 0 to 1"),
        ("noisy-labels", ["a"], "from 0 to 1"),
        ("lambda-act", [1, 1], "twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            PRESETS[name](values)


def test_the_command_line_offers_other_values_to_presets_that_take_them() -> None:
    for name, make in {**PRESETS, **RECOGNITION_PRESETS}.items():
        parser = argparse.ArgumentParser()
        ANALYSES[name].add_arguments(parser)
        assert ("--values" in parser.format_usage()) == bool(inspect.signature(make).parameters), name


@pytest.mark.parametrize("name", [*PRESETS, "early-recognition"])
def test_every_variant_of_the_paper_is_a_recipe(name):
    sweep = early_recognition() if name == "early-recognition" else PRESETS[name]()
    found = plan_sweep(sweep, "symgnn_cmu_cpu", protocol="cmu-euler-64", data="somewhere", out="out", seeds=(0, 5)).runs
    assert len(found) == 2 * len(sweep.variants)
    for variant, seed, recipe in found:
        assert (recipe.seed, recipe.out) == (seed, f"out/{variant.name}/seed_{seed}")
        assert recipe.data.source == "somewhere"
        plain = to_dict(recipe)
        for field, value in variant.changes.items():
            part, _, key = field.partition(".")
            assert plain[part][key] == to_dict(value)


def test_early_recognition_shares_a_window_of_50():
    sweep = early_recognition((0.2, 0.5), ("10", "all", "none"))
    frames = {v.name: (v.changes["transform.observed"], v.changes["transform.horizon"]) for v in sweep.variants}
    assert frames == {
        "10_0.2": (10, 10),
        "10_0.5": (25, 10),
        "all_0.2": (10, 40),
        "all_0.5": (25, 25),
        "none_0.2": (10, 0),
        "none_0.5": (25, 0),
    }
    assert sweep.fixed["trainer.monitor"] == "recognition"
    for ratios, strategies, message in (
        ((1.0,), ("all",), "at least 2 frames"),
        ((0.01,), ("all",), "at least 2 frames"),
        ((0.5,), ("some",), "strategy 'some'"),
        ((0.5, 0.5), ("all",), "given twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            early_recognition(ratios, strategies)


def test_mistakes_come_before_training(recordings, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("training began")

    monkeypatch.setattr(training, "train", never)
    good = {"protocol": "cmu-euler-64", "data": str(recordings), "out": tmp_path}
    gamma = vary("model.gamma", [1, 2])
    only_classes = vary("model.gamma", [1, 2], fixed=NO_PREDICTION)
    for sweep, overrides, changes, message in (
        (vary("model.gama", [1]), [], {}, "did you mean 'gamma'"),
        (vary("model.gamma", [1, 0]), [], {}, "gamma_0: model.gamma: found 0"),
        (vary("optim.lr.x", [1]), [], {}, "no fields of its own"),
        (gamma, ["--model.gamma", "3"], {}, "sweep sets itself"),
        (gamma, ["--seed", "3"], {}, "use --seeds"),
        (gamma, [], {"protocol": "cmu-euler"}, "did you mean 'cmu-euler-64'"),
        (gamma, [], {"data": None}, "--data DIR"),
        # the recipe knows its clips, and what it is measured on is not known
        (only_classes, ["--data.source", str(recordings)], {"data": None}, "cmu-8.: --data DIR"),
        (only_classes, ["--data.source", str(recordings)], {"data": None, "protocol": "cmu-8"}, "files: --data DIR"),
        (gamma, [], {"data": "nowhere"}, "no CMU actions here"),
        (gamma, [], {"seeds": (1, 1)}, "each once"),
        (gamma, ["--transform.recognise", "false"], {"protocol": "cmu-8"}, "recognise true"),
        (gamma, ["--trainer.monitor", "nothing"], {}, "trainer.monitor"),
    ):
        with pytest.raises(ConfigError if "nowhere" not in changes.values() else Exception, match=message):
            run_sweep(sweep, "symgnn_cmu_cpu", overrides, **{**good, **changes})
    with pytest.raises(ConfigError, match="task lift"):
        run_sweep(gamma, "lift_fcn_mocap_pixel", [], **good)
    with pytest.raises(ConfigError, match="each once"):
        vary("model.gamma", [1, 1])
    with pytest.raises(ConfigError, match="sweep sweep: 'name a b' and 'name a/b' would share the folder 'name_a_b'"):
        vary("model.name", ["a b", "a/b"])
    with pytest.raises(ConfigError, match="did you mean 'gamma_2'"):
        gamma.only(["gama_2"])
    assert [variant.name for variant in gamma.only(["gamma_2"]).variants] == ["gamma_2"]
    assert not PRESETS["streams"]().only(["joint"]).fusions


@pytest.mark.parametrize("protocol", ["cmu-euler-64", "cmu-8"])
def test_every_variant_is_built_before_training(recordings, tmp_path, monkeypatch, protocol):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained"))

    def only_one(name, skeleton, config):
        model = build(name, skeleton, config)
        if config.gamma == 2:
            raise ConfigError("two are too many")
        assert any(weight.is_meta for weight in model.parameters())
        return model

    monkeypatch.setattr(motion, "build", only_one)
    options = {"protocol": protocol, "data": str(recordings), "out": tmp_path}
    with pytest.raises(ConfigError, match="variant gamma_2: two are too many"):
        run_sweep(vary("model.gamma", [1, 2]), "symgnn_cmu_cpu", [], **options)


@pytest.mark.parametrize("name", [*PRESETS, "early-recognition"])
def test_every_sweep_can_be_drawn(name, tmp_path):
    rng = np.random.default_rng(0)
    sweep = early_recognition((0.2, 0.6)) if name == "early-recognition" else PRESETS[name]()
    columns = ("80 ms", "400 ms", "short", "top-1", "frames in 20 ms")
    rows = tuple(
        (
            variant,
            tuple(
                Measured(seed=k, figures=dict(zip(columns, rng.uniform(1, 2, 5), strict=True)), info={})
                for k in range(2)
            ),
        )
        for variant in (*sweep.variants, *sweep.fusions)
    )
    result = SweepResult(
        sweep=sweep,
        conditions={"protocol": "p", "split": "test", "seeds": [0, 1]},
        columns=columns,
        units=dict(zip(columns, ("rad", "rad", "rad", "%", "frames"), strict=True)),
        rows=rows,
        notes=(),
    )
    [path] = draw_sweep(result, tmp_path)
    assert path.stat().st_size > 10_000


def test_speed_counts_frames_per_period(monkeypatch):
    import kinegraph.sweeps.generation_speed as speed

    clock = iter(np.arange(0, 100, 0.005))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    model = build(
        "symgnn", get_skeleton("h36m17"), {"width": 0.05, "agim_width": 4, "observed": 6, "horizon": 3}
    ).eval()
    assert frames_generated_within(model) == pytest.approx(10 * 0.02 / 0.005)  # every answer of ten frames takes 5 ms


def test_a_sweep_over_what_has_no_effect_is_refused():
    """It made a table of identical rows, and a picture of them."""
    options = {"protocol": "cmu-euler-64", "data": "somewhere", "out": "out"}
    steady = ["--schedule.name", "constant"]
    falling = vary("schedule.name", ["exponential", "constant"])
    for sweep, given, message in (
        (vary("schedule.gamma", [0.1, 0.9]), steady, "variant gamma_0.1: schedule.gamma: it has no effect .* constant"),
        (vary("optim.momentum", [0.1, 0.9]), [], "variant momentum_0.1: optim.momentum: .* --optim.name sgd"),
        (
            vary("model.gamma", [1, 2]),
            ["--optim.momentum", "0.5"],
            "^optim.momentum: it has no effect under",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            plan_sweep(sweep, "symgnn_cmu_cpu", given, **options)
    # one of its variants uses it
    runs = plan_sweep(falling, "symgnn_cmu_cpu", ["--schedule.gamma", "0.5"], **options).runs
    assert [run.recipe.schedule.gamma for run in runs] == [0.5, 0.5]
