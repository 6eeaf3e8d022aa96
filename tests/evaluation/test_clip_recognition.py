"""Clips are counted by hand; every clip once; folds and seeds; what does not fit is refused."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from clip_methods import numbered, says

from kinegraph.datasets.action_splits import hold_out, split
from kinegraph.datasets.seen_clips import marks_of
from kinegraph.errors import ConfigError, DataError, SkeletonError
from kinegraph.evaluation.clip_recognition import evaluate_clips, part_rows
from kinegraph.evaluation.clip_views import ClipView
from kinegraph.evaluation.early_clips import early_curve
from kinegraph.evaluation.processes import own_device
from kinegraph.evaluation.recognition_merge import SeedResults, fuse_seeds, group_methods, merge_folds
from kinegraph.evaluation.recognition_result import fuse
from kinegraph.evaluation.recognition_tables import clip_report
from kinegraph.skeleton import get_skeleton

SUBJECTS = ("bd", "bk", "dg", "mm", "tr")


@pytest.fixture
def clips():
    """Six test clips of classes 0, 0, 0, 0, 1, 2, answered as 0, 0, 0, 1, 1, 0; two training clips."""
    return numbered([0, 0, 0, 1, 1, 0, 2, 2], [0, 0, 0, 0, 1, 2, 2, 1], classes=4, splits=["test"] * 6 + ["train"] * 2)


def test_clips_are_counted(clips):
    result = evaluate_clips(says(classes=4), clips, "folder")
    assert result.counts == {"action 0": 4, "action 1": 1, "action 2": 1}
    assert result.missing == ("action 3",)
    assert result.top1 == result.pooled_top1 == pytest.approx(100 * 4 / 6)
    assert result.per_class == pytest.approx({"action 0": 75.0, "action 1": 100.0, "action 2": 0.0})
    assert result.class_top1 == pytest.approx(175 / 3)
    assert [list(row) for row in result.confusion] == [[3, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    content = json.loads(json.dumps(result.to_json()))
    assert {"top1", "top5", "per_class", "confusion", "ece", "nll", "mean_class_top1", "clips"} <= set(content)
    long = dataclasses.replace(result, info={**result.info, "parameters": 12345, "train_seconds": 7200})
    row = next(
        line for line in clip_report([SeedResults(label="made", results={0: long})]).splitlines() if "66.7" in line
    )
    assert row.endswith("12,345     2.0 h")
    other = dataclasses.replace(result, protocol="ntu60-xview")
    less = dataclasses.replace(result, data={**result.data, "view": {"missing_joints": 0.5}})
    for changed, what in ((other, "protocol"), (less, "view of the clips")):
        with pytest.raises(DataError, match=f"made and changed were measured on another {what}"):
            clip_report(
                [SeedResults(label="made", results={0: result}), SeedResults(label="changed", results={0: changed})]
            )


@pytest.mark.parametrize("batch", [1, 2, 4, 5, 64])
def test_every_clip_once_whatever_the_batch(clips, batch):
    seen = []

    def answer(numbers):
        seen.extend(numbers.round().astype(int).tolist())
        return np.eye(4)[numbers.round().astype(int)]

    result = evaluate_clips(says(answer, classes=4), clips, "folder", batch=batch)
    assert seen == [0, 0, 0, 1, 1, 0]
    assert len(set(result.names)) == len(result.names) == 6
    assert result.top1 == pytest.approx(100 * 4 / 6)


def test_other_parts(clips):
    result = evaluate_clips(says(classes=4), clips, "folder", part="train")
    assert result.counts == {"action 1": 1, "action 2": 1}
    assert any("not the test set" in note for note in result.notes)
    with pytest.raises(DataError, match="held none out"):
        evaluate_clips(says(classes=4), clips, "folder", part="val")
    with pytest.raises(ConfigError, match="expected test, val, train"):
        evaluate_clips(says(classes=4), clips, "folder", part="tset")


def test_splits_that_the_files_name():
    clips = numbered([0, 1, 1], [0, 1, 0], classes=2, splits=["xsub_train", "xsub_val", "xsub_val"])
    result = evaluate_clips(says(classes=2), clips, "xsub")
    assert (result.protocol, result.counts) == ("xsub", {"action 0": 1, "action 1": 1})
    assert result.top1 == 50.0
    with pytest.raises(ConfigError, match="no split 'xset'"):
        evaluate_clips(says(classes=2), clips, "xset")


def test_parts_of_a_file_that_does_not_name_them_are_remarked():
    clips = numbered([0, 1, 1], [0, 1, 0], classes=60, splits=["train", "test", "test"])
    result = evaluate_clips(says(classes=60), clips, "ntu60-xview")
    assert any("that they are ntu60-xview's it does not say" in note for note in result.notes)


def test_validation_is_what_training_held_out():
    clips = numbered([0] * 20, [n % 2 for n in range(20)], classes=2, splits=["train"] * 18 + ["test"] * 2)
    recipe = {"data": {"held_out": 0.3}, "seed": 4}
    rows, remarks = part_rows(clips, "folder", "val", 0, recipe)
    train, held = hold_out(clips.labels, np.arange(18), 0.3, 4)
    np.testing.assert_array_equal(rows, held)
    np.testing.assert_array_equal(part_rows(clips, "folder", "train", 0, recipe)[0], train)
    assert "30 %" in remarks[0]


def test_classes_in_another_order_are_put_right(clips):
    names = ("action 3", "action 1", "action 0", "action 2")
    told = says(lambda numbers: np.eye(4)[[{0: 2, 1: 1}[round(n)] for n in numbers]], classes=4, actions=names)
    assert evaluate_clips(told, clips, "folder").top1 == pytest.approx(100 * 4 / 6)


def test_a_class_without_examples_is_never_answered(clips):
    def nearest(numbers):
        scores = np.tile([-3.0, -2.0, -np.inf, -np.inf], (len(numbers), 1))
        return scores

    result = evaluate_clips(says(nearest, classes=4), clips, "folder")
    assert np.isfinite(result.logits).all()
    assert (result.logits[:, 2] < -1000).all()
    assert result.per_class == {"action 0": 0.0, "action 1": 100.0, "action 2": 0.0}
    with pytest.raises(DataError, match="NaN"):
        evaluate_clips(says(lambda numbers: np.full((len(numbers), 4), np.nan), classes=4), clips, "folder")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"classes": 3}, DataError, r"made has 3 classes \(action 0, .*made has 4"),
        ({"classes": 4, "actions": ("a", "b", "c", "d")}, DataError, "calls class 0 'a', made 'action 0'"),
        ({"classes": 4, "skeleton": "coco17"}, SkeletonError, r"expects skeleton 'coco17' \(17 joints\).*'ntu25'"),
        ({"classes": 4, "dims": 2}, DataError, "looks at 2D clips, made holds 3D ones"),
        ({"classes": 4, "unit": "px"}, DataError, "trained on clips in px, made holds them in metres"),
    ],
)
def test_what_does_not_fit_is_refused(clips, settings, error, message):
    with pytest.raises(error, match=message):
        evaluate_clips(says(**settings), clips, "folder")


def test_another_frame_rate_is_remarked(clips):
    assert clips.fps == 30
    notes = {fps: evaluate_clips(says(classes=4, fps=fps), clips, "folder").notes for fps in (None, 30.0, 60.0)}
    assert [any("Hz" in note for note in found) for found in notes.values()] == [False, False, True]
    assert "made was trained on clips at 60 Hz, these are at 30 Hz" in notes[60.0]


def test_unknown_protocol_is_said_first(clips):
    with pytest.raises(ConfigError, match="did you mean 'folder'"):
        evaluate_clips(says(classes=3), clips, "foldr")
    with pytest.raises(ConfigError, match="batch 0"):
        evaluate_clips(says(classes=4), clips, "folder", batch=0)


# --------------------------------------------------------------------------------------------------- folds and seeds


def fold_method(fold, right, seed=0, label=None, **more):
    """Answers every clip rightly whose number is below `right`, the others wrongly."""

    def answer(numbers):
        return np.eye(11)[np.where(numbers.round() < right, 0, 1)]

    recipe = {"data": {"protocol": "hdm05-11-one", "fold": fold}, "seed": seed, "out": f"{fold}{seed}", **more}
    return says(answer, classes=11, label=label or f"run_f{fold}_s{seed}", recipe=recipe)


@pytest.fixture
def people():
    """Five subjects with 2, 1, 1, 1, 5 clips of class 0, numbered."""
    subjects = [name for name, count in zip(SUBJECTS, (2, 1, 1, 1, 5), strict=True) for _ in range(count)]
    return numbered(range(10), [0] * 10, classes=11, subjects=subjects)


def test_each_fold_is_measured_on_its_own_clips(people):
    results = [evaluate_clips(fold_method(f, 5), people, "hdm05-11-one") for f in range(5)]
    # clips 0 to 4 are right; fold f leaves out the clips of its own subject
    expected = [3 / 8, 4 / 9, 4 / 9, 4 / 9, 5 / 5]
    assert [result.top1 for result in results] == pytest.approx([100 * share for share in expected])
    merged = merge_folds(results, "run")
    assert merged.top1 == pytest.approx(100 * np.mean(expected))
    assert merged.spread == pytest.approx(100 * np.std(expected, ddof=1))
    assert merged.counts == {"action 0": 8 + 9 * 3 + 5}
    assert [fold["clips"] for fold in merged.folds] == [8, 9, 9, 9, 5]
    assert not any("missing" in note for note in merged.notes)
    some = merge_folds(results[:2], "run")
    assert any("folds 0, 1 of hdm05-11-one's 5; missing: 2, 3, 4" in note for note in some.notes)
    assert some.top1 == pytest.approx(100 * np.mean(expected[:2]))


def test_clips_that_are_done_are_counted_on_a_terminal(people, capsys, monkeypatch):
    [group] = group_methods([fold_method(4, 5)], "hdm05-11-one")
    evaluate_clips(fold_method(4, 5), people, "hdm05-11-one", progress=True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    evaluate_clips(fold_method(4, 5), people, "hdm05-11-one")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    evaluate_clips(fold_method(4, 5), people, "hdm05-11-one", batch=2, progress=True)
    early_curve(group, people, "hdm05-11-one", ratios=(0.5,), progress=True)
    said = capsys.readouterr().err
    assert "run_f4_s0:   0%" in said
    assert "0/5 " in said
    assert "run_f4_s0, first 50 %:" in said


def test_weights_are_grouped_by_recipe(people):
    methods = [fold_method(f, 5, seed) for seed in (1, 0) for f in (1, 0)] + [fold_method(0, 5, width=2, label="wide")]
    groups = group_methods(methods, "hdm05-11-one")
    assert [group.label for group in groups] == ["run", "wide"]
    assert {seed: [m.fold for m in own] for seed, own in groups[0].seeds.items()} == {0: [0, 1], 1: [0, 1]}
    alike = [fold_method(0, 5, width=width, label="run") for width in range(3)] + [fold_method(0, 5, label="run (2)")]
    assert [group.label for group in group_methods(alike, "p")] == ["run", "run (2)", "run (3)", "run (2) (2)"]
    more = dataclasses.replace(fold_method(0, 5, 1), info={"trained_on": {"fingerprint": "of more clips"}})
    for labels, common in (
        (["hcsf_0", "hcsf_1"], "hcsf"),
        (["bones_0", "bones_1"], "bones"),
        (["hcsf0", "hcsf1"], "hcsf"),
        (["hcsf-joints", "hcsf-joints2"], "hcsf-joints"),
        (["hcsf_seed0", "hcsf_seed1"], "hcsf"),
        (["bones_s", "bones_s"], "bones_s"),
        (["hcsf_10", "hcsf_11"], "hcsf"),
        (["hcsf2_9", "hcsf2_10"], "hcsf2"),
        (["seed_0", "seed_1"], "hdm05"),
        (["10", "11"], "hdm05"),
        (["0", "1"], "hdm05"),
    ):
        runs = [fold_method(fold, 5, label=label) for fold, label in enumerate(labels)]
        runs = [
            dataclasses.replace(run, info={"weights": f"runs/hdm05/{run.label}/best", "model": "linear"})
            for run in runs
        ]
        assert [group.label for group in group_methods(runs, "hdm05-11-one")] == [common]
    apart = [dataclasses.replace(run, info={**run.info, "weights": f"{run.label}/runs"}) for run in runs]
    assert [group.label for group in group_methods(apart, "hdm05-11-one")] == ["linear"]
    of_other_clips = group_methods([fold_method(0, 5), more], "hdm05-11-one")
    assert [list(group.seeds) for group in of_other_clips] == [[0], [1]]  # two rows, not two seeds
    with pytest.raises(ConfigError, match="same recipe, seed 0 and fold 1"):
        group_methods([fold_method(1, 5), fold_method(1, 4)], "hdm05-11-one")
    with pytest.raises(ConfigError, match="seed 0 has folds 0, 1, seed 1 0"):
        group_methods([fold_method(0, 5), fold_method(1, 5), fold_method(0, 5, 1)], "hdm05-11-one")


def test_seeds_are_averaged(people):
    results = {
        seed: merge_folds([evaluate_clips(fold_method(4, right, seed), people, "hdm05-11-one")], "run")
        for seed, right in enumerate((5, 4, 1))
    }
    seeds = SeedResults(label="run", results=results)
    content = json.loads(json.dumps(seeds.to_json()))
    assert content["top1"] == pytest.approx(np.mean([100, 80, 20]))
    assert content["top1_std"] == pytest.approx(np.std([100, 80, 20], ddof=1))
    assert [one["top1"] for one in content["seeds"]] == pytest.approx([100, 80, 20])
    assert content["per_class"] == pytest.approx({"action 0": np.mean([100, 80, 20])})
    report = clip_report([seeds])
    assert "66.7 +- 41.6" in report
    # the first seed mistakes nothing, the others one clip and four
    assert "most taken for (3 seeds)" in report
    assert "action 1 (5)" in report


def test_weights_of_no_fold_are_refused(people):
    with pytest.raises(ConfigError, match="trained under hdm05-11; hdm05-11-one has 5 folds"):
        evaluate_clips(says(classes=11, recipe={"data": {"protocol": "hdm05-11"}}), people, "hdm05-11-one")


def test_tested_clips_that_trained_are_remarked(people):
    recipe = {"data": {"protocol": "hdm05-11-one", "fold": 4}}
    told = says(lambda numbers: np.eye(11)[[0] * len(numbers)], classes=11, recipe=recipe)
    told.info["trained_on"] = {"fingerprint": people.fingerprint}
    result = evaluate_clips(told, people, "hdm05-11")  # tests mm and tr, and tr trained
    assert any("5 of these 6 clips trained these weights" in note for note in result.notes)
    assert not any("trained these" in note for note in evaluate_clips(told, people, "hdm05-11-one").notes)


def test_clips_of_ones_own_that_trained_are_known_by_their_names():
    """A folder that has grown has another fingerprint, and other clips test."""
    clips = numbered([0] * 10, [n % 2 for n in range(10)], classes=2)
    clips.dataset = "folder"
    test = split(clips, "folder", "test")
    recipe = {"data": {"protocol": "folder"}}
    made = says(lambda numbers: np.eye(2)[[0] * len(numbers)], classes=2, recipe=recipe)
    trained = marks_of([clips.names[test[0]], "another"])
    for seen, expected in (
        (trained, "1 of these 2 clips trained these weights (under folder, by their names): no test of anything"),
        (marks_of(["another"]), None),
        ("", "made does not say which clips trained it: these may be among them, and then test nothing"),
    ):
        notes = evaluate_clips(dataclasses.replace(made, seen=seen), clips, "folder").notes
        assert [note for note in notes if "trained" in note] == ([] if expected is None else [expected])


def test_validation_clips_that_trained_are_told():
    """What is held out of a folder that has grown is not what training held out."""
    clips = numbered([0] * 20, [n % 2 for n in range(20)], classes=2, splits=["train"] * 18 + ["test"] * 2)
    recipe = {"data": {"protocol": "folder", "held_out": 0.3}, "seed": 4}
    made = says(classes=2, recipe=recipe)
    rows, _ = part_rows(clips, "folder", "val", 0, recipe)
    learnt, _ = part_rows(clips, "folder", "train", 0, recipe)
    told = "2 of these 6 clips trained these weights (under folder, by their names): no test of anything"
    other = "made was trained on other clips, and may have learnt from some of what is held out of these"
    for trained, held, fingerprint, expected in (
        (learnt, rows, clips.fingerprint, None),
        ([*learnt, *rows[:2]], rows[2:], "another", told),
        ([], [], clips.fingerprint, None),
        ([], [], "another", other),
    ):
        names = [marks_of(clips.names[row] for row in part) for part in (trained, held)]
        info = {"trained_on": {"fingerprint": fingerprint}}
        method = dataclasses.replace(made, trained=names[0], seen="".join(names), info=info)
        notes = evaluate_clips(method, clips, "folder", part="val").notes
        assert [note for note in notes if "trained" in note] == ([] if expected is None else [expected])
    named = numbered([0] * 4, [0, 1, 0, 1], classes=2, splits=["train", "train", "val", "test"])
    notes = evaluate_clips(dataclasses.replace(made, info=info), named, "folder", part="val").notes
    assert not any("trained" in note for note in notes)


# ------------------------------------------------------------------------------------------------------------ fusion


def test_fused_by_name_not_by_place(clips):
    def made(label, **scores):
        rows = np.array([scores.get(f"n{n}", (1.0, 0.0, 0.0, 0.0)) for n in range(2)])
        return evaluate_clips(says(lambda x: rows[x.round().astype(int)], classes=4, label=label), clips, "folder")

    one, two = made("a", n1=(0.0, 1.0, 0.0, 0.0)), made("b", n0=(0.0, 3.0, 0.0, 0.0), n1=(3.0, 0.0, 0.0, 0.0))
    assert fuse([one, two], (0.5, 0.5)).top1 == two.top1
    assert fuse([one, two], (0.8, 0.2)).top1 == one.top1
    half, whole = fuse([one, two], (0.4, 0.1)), fuse([one, two], (8.0, 2.0))
    np.testing.assert_allclose(half.logits, 0.8 * one.logits + 0.2 * two.logits)
    # what is stated of the weights is their ratio: calibration must not follow their scale
    assert (whole.ece, whole.nll) == pytest.approx((half.ece, half.nll))
    order = np.arange(6)[::-1]
    turned = type(two)(
        **{
            **vars(two),
            "names": two.names[::-1],
            "labels": two.labels[order],
            "logits": two.logits[order],
            "fold_of": two.fold_of[order],
        }
    )
    np.testing.assert_allclose(fuse([one, turned], (0.5, 0.5)).logits, fuse([one, two], (0.5, 0.5)).logits)
    soft = fuse([one, two], (0.5, 0.5), of="softmax")
    expected = np.mean([np.exp(r.logits) / np.exp(r.logits).sum(axis=1, keepdims=True) for r in (one, two)], axis=0)
    np.testing.assert_allclose(np.exp(soft.logits), expected)
    lossy = evaluate_clips(says(classes=4, label="l"), clips, "folder", view=ClipView(missing=0.2))
    with pytest.raises(DataError, match="what is shown of the clips"):
        fuse([one, lossy], (0.5, 0.5))
    train = evaluate_clips(says(classes=4, label="t"), clips, "folder", part="train")
    with pytest.raises(DataError, match=r"differ in split \(test, train\)"):
        fuse([one, train], (0.5, 0.5))


def test_seeds_are_fused_one_by_one(people):
    def seeds(label, *rights):
        results = {
            s: merge_folds([evaluate_clips(fold_method(4, r, s), people, "hdm05-11-one")], label)
            for s, r in enumerate(rights)
        }
        return SeedResults(label=label, results=results)

    fused = fuse_seeds([seeds("a", 5, 1), seeds("b", 2, 3)], (0.7, 0.3))
    assert [result.top1 for result in fused.results.values()] == pytest.approx([100, 20])
    assert fused.label == "0.7 x a + 0.3 x b"
    with pytest.raises(ConfigError, match="2 seeds, b 1"):
        fuse_seeds([seeds("a", 5, 1), seeds("b", 2)], (0.7, 0.3))
    others = SeedResults(label="c", results=dict(zip((1, 2), seeds("c", 2, 3).results.values(), strict=True)))
    with pytest.raises(ConfigError, match="a has the seeds 0, 1, c 1, 2; each is fused with its like"):
        fuse_seeds([seeds("a", 5, 1), others], (0.7, 0.3))
    turned = SeedResults(label="b", results=dict(reversed(seeds("b", 2, 3).results.items())))
    again = fuse_seeds([seeds("a", 5, 1), turned], (0.7, 0.3))
    assert [again.results[seed].top1 for seed in (0, 1)] == [fused.results[seed].top1 for seed in (0, 1)]


def test_bones_are_those_the_network_was_trained_with(clips):
    """Of the same joints a store may know another tree (two are in use for NTU's hands); the network's decides."""
    ours = get_skeleton("ntu25")
    parents = list(ours.parents)
    hand, thumb = ours.index("left_hand_tip"), ours.index("left_thumb")
    parents[hand], parents[thumb] = ours.index("left_hand"), hand
    clips.skeleton = dataclasses.replace(ours, parents=tuple(parents))
    seen = []
    made = says(classes=4, stream="bone")
    method = dataclasses.replace(made, logits=lambda x, mask: seen.append(x) or made.logits(x, mask))
    for row in range(6):
        clips[row].positions[:] = np.random.default_rng(row).normal(size=clips[row].positions.shape)
    evaluate_clips(method, clips, "folder", batch=1)
    assert len(seen) == 6
    for row, x in enumerate(seen):
        expected, other = (made.transform.encode(clips[row].positions, body)[0] for body in (ours, clips.skeleton))
        assert not np.array_equal(expected, other)
        np.testing.assert_array_equal(x[0].numpy(), expected)


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    assert own_device("cuda") == "cuda"
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert [own_device(name) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda:2", "cuda:1"]
