"""Evaluation: errors of methods whose error is known, the flip test, and what a result says of itself."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from kinegraph.errors import ConfigError, DataError, FormatError, SkeletonError
from kinegraph.evaluation import (
    LiftingMethod,
    evaluate_lifting,
    lifting_comparison,
    lifting_report,
    load_lifting_method,
    load_lifting_protocol,
    predict,
)
from kinegraph.evaluation.lifting import measure_lifting
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform


@pytest.mark.parametrize("target", ["pixel", "metric"])
def test_a_perfect_method_has_no_error(data, remembering, target):
    result = evaluate_lifting(remembering(target), data, "mocap-lifting", flip_test=False)
    assert result.mpjpe_mm < 2e-3  # the rounding of float32 targets
    assert result.pa_mpjpe_mm < 2e-3


def test_a_known_depth_error_in_pixel_space(data, remembering):
    """d is off by a constant: every joint slides along its own ray by a distance that can be written down."""
    error = 0.02
    result = evaluate_lifting(remembering("pixel", error), data, "mocap-lifting", flip_test=False)
    camera = data.camera_m.astype(np.float64)
    want = []
    for pose in camera:
        rho = (1145.0 * 2000 / (1000 * pose[0, 2]) + 1) / 2000  # px per mm
        slide = error * 1000 / 2 / rho  # mm along z
        rays = pose / pose[:, 2:]  # joints move along (X/Z, Y/Z, 1)
        lengths = slide * np.linalg.norm(rays, axis=1)
        lengths[0] = 0
        want.append(lengths.mean())
    np.testing.assert_allclose(result.errors_mm, want, rtol=1e-4)
    actions = [np.mean(np.array(want)[data.action == k]) for k in (0, 1)]
    assert result.mpjpe_mm == pytest.approx(np.mean(actions), rel=1e-4)  # unweighted over actions
    assert list(result.per_action["mpjpe_mm"]) == ["walk", "sit"]
    assert result.per_action["mpjpe_mm"]["sit"] == pytest.approx(actions[1], rel=1e-4)


def test_a_known_depth_error_in_metres(data, remembering):
    result = evaluate_lifting(remembering("metric", 0.1), data, "mocap-lifting", flip_test=False)
    # 0.1 of a scale of 0.3 m, on 16 of 17 joints
    assert result.mpjpe_mm == pytest.approx(30 * 16 / 17, rel=1e-4)
    assert result.n_mpjpe_mm is not None
    assert result.n_mpjpe_mm < result.mpjpe_mm
    assert result.mpjve_mm == pytest.approx(0, abs=1e-3)  # a constant error has no velocity


def test_pixel_error_is_absolute_and_metric_error_is_not(data):
    truth = data.camera_m.astype(np.float64)
    shifted = truth + np.array([0.1, 0.0, 0.0])
    assert measure_lifting(shifted, truth, data, "mocap-lifting", target="pixel", label="m").mpjpe_mm == pytest.approx(
        100
    )
    relative = truth - truth[:, :1]
    moved = shifted - shifted[:, :1]
    assert measure_lifting(moved, relative, data, "mocap-lifting", target="metric", label="m").mpjpe_mm < 1e-9


def test_a_method_that_fails_on_some_poses_has_no_figures(data, remembering):
    method = remembering("metric", 0.1)

    def failing(inputs):
        answer = method.model(inputs).clone()
        answer[3:5, 2, 0] = torch.nan
        return answer

    broken = dataclasses.replace(method, model=failing)
    action = data.action_names[data.action[3]]
    with pytest.raises(DataError, match=f"NaN or infinite values for 2 of {len(data)} poses, the first of '{action}'"):
        evaluate_lifting(broken, data, "mocap-lifting", flip_test=False)
    truth = data.camera_m.astype(np.float64)
    lost = truth.copy()
    lost[3] = np.nan
    measured = measure_lifting(lost, truth, data, "mocap-lifting", target="pixel", label="m")
    for key in ("mpjpe_mm", "pa_mpjpe_mm"):
        assert np.isnan(measured.per_action[key][action])
    assert np.isnan(measured.mpjpe_mm)


def test_every_subject_has_its_mean_over_poses(data):
    people = dataclasses.replace(data, subject=np.array([1] * 3 + [0] * 9), subject_names=("ann", "bob", "nobody"))
    truth = data.camera_m.astype(np.float64)
    shifted = truth.copy()
    shifted[:3, :, 1] += 0.05
    shifted[3, :, 1] += 0.09
    result = measure_lifting(shifted, truth, people, "mocap-lifting", target="pixel", label="m")
    assert result.per_subject == pytest.approx({"ann": 10.0, "bob": 50.0})
    assert result.to_json()["per_subject"] == result.per_subject
    assert "ann 10.0, bob 50.0" in lifting_report(result)


def test_the_velocity_error_stays_inside_clips(data):
    """Errors that are constant in each clip but differ between clips have no velocity."""
    truth = data.camera_m.astype(np.float64)
    wrong = truth + 0.1 * data.clip[:, None, None]
    assert measure_lifting(wrong, truth, data, "mocap-lifting", target="pixel", label="m").mpjve_mm == pytest.approx(0)
    wrong = truth.copy()
    wrong[1:, :, 0] += 0.01 * np.arange(1, len(truth))[:, None]
    result = measure_lifting(wrong, truth, data, "mocap-lifting", target="pixel", label="m")
    assert result.mpjve_mm == pytest.approx(10)  # 10 mm more every frame
    single = data.subset(np.array([0, 4, 8]))
    rows = single.camera_m.astype(np.float64)
    assert measure_lifting(rows, rows, single, "mocap-lifting", target="pixel", label="m").mpjve_mm is None


class Lopsided(torch.nn.Module):
    """Adds depth to left joints of what it is shown: right only if its answer is averaged with the mirror's."""

    def __init__(self):
        super().__init__()
        joints = get_skeleton("h36m17").joints
        self.left = torch.tensor([[0.0, 0.0, float(j.startswith("left"))] for j in joints])

    def forward(self, x):
        return 0.3 * self.left.expand(len(x), 17, 3) + 0 * x.sum()


def test_flip_test_averages_with_the_mirrored_answer(data):
    method = LiftingMethod(label="lopsided", model=Lopsided(), transform=LiftingTransform(target="metric", scale=1.0))
    plain, flipped = predict(method, data, flip_test=False), predict(method, data, flip_test=True)
    joints = data.skeleton.joints
    for k, joint in enumerate(joints):
        assert plain[0, k, 2] == pytest.approx(0.3 if joint.startswith("left") else 0.0, abs=1e-6)
        sided = joint.startswith(("left", "right"))
        assert flipped[0, k, 2] == pytest.approx(0.15 if sided else 0.0, abs=1e-6)


class MirrorFair(torch.nn.Module):
    """A function that commutes with the mirror: x is odd, y and depth even, sides treated alike."""

    def forward(self, x):
        return torch.stack([0.1 * x[..., 0], 0.2 * x[..., 1], x[..., 0] ** 2], dim=-1)


@pytest.mark.parametrize("target", ["pixel", "metric"])
def test_flip_test_changes_nothing_for_a_fair_function(data, target):
    method = LiftingMethod(label="fair", model=MirrorFair(), transform=LiftingTransform(target=target))
    np.testing.assert_allclose(predict(method, data, flip_test=True), predict(method, data, flip_test=False), atol=1e-5)


class Centre(torch.nn.Module):
    """A temporal 'lifter' that answers the mean over its window as depth."""

    def forward(self, x):
        return torch.cat([torch.zeros(*x[:, 0, :, :2].shape), x[..., :1].mean(dim=1)], dim=-1)


def test_temporal_windows_and_batches(data):
    transform = LiftingTransform(target="metric", scale=1.0)
    method = LiftingMethod(label="centre", model=Centre(), transform=transform, frames=3)
    got = predict(method, data, flip_test=False, batch=5)
    x = transform.encode_inputs(data.keypoints_px, data.confidence, data.image_size)
    clips = data.clip.tolist()
    for i in range(len(data)):
        members = [k for k, c in enumerate(clips) if c == clips[i]]
        window = [min(max(i + o, members[0]), members[-1]) for o in (-1, 0, 1)]
        mean = x[window, :, 0].mean(axis=0)
        np.testing.assert_allclose(got[i, :, 2], mean - mean[0], atol=1e-6)


@pytest.mark.parametrize(("rate", "apart"), [(25.0, 2.0), (50.0, 1.0), (51.0, 1.0), (30.0, 50 / 30), (100.0, 0.5)])
def test_windows_keep_the_pace_of_training(data, rate, apart):
    """Data of 50 frames a second: moments as far apart in time as in training, between two frames if need be."""
    seen = []

    def model(x):
        seen.append(x)
        return torch.zeros((len(x), x.shape[2], 3), dtype=x.dtype)

    transform = LiftingTransform(target="metric")
    method = LiftingMethod(label="m", model=model, transform=transform, frames=3, step=7, rate=rate)
    result = evaluate_lifting(method, data, "mocap-lifting", flip_test=False)
    poses = transform.encode_inputs(data.keypoints_px, data.confidence, data.image_size)
    for row, window in enumerate(torch.cat(seen).numpy()):
        own = np.flatnonzero(data.clip == data.clip[row])
        for moment, found in zip((-apart, 0.0, apart), window, strict=True):
            low = int(np.floor(row + moment + 1e-9))
            a, b = (poses[np.clip(at, own[0], own[-1])] for at in (low, low + 1))
            share = row + moment - low
            np.testing.assert_allclose(found, (1 - share) * a + share * b, atol=1e-6)
    assert sum(f"every {apart:.3g} frames of these 50" in note for note in result.notes) == 1
    told = evaluate_lifting(dataclasses.replace(method, rate=50 / 7), data, "mocap-lifting", flip_test=False)
    assert not any("pace" in note for note in told.notes)


def test_missing_joints_reach_the_network_as_zero(data):
    confidence = data.confidence.copy()
    keypoints = data.keypoints_px.copy()
    confidence[:, 3], keypoints[:, 3] = 0, np.nan
    gappy = data.replace(confidence=confidence, keypoints_px=keypoints)
    seen = []

    def model(x):
        seen.append(x)
        return torch.zeros(*x.shape[:-1], 3)

    method = LiftingMethod(label="m", model=model, transform=LiftingTransform(target="metric", confidence=True))
    assert np.isfinite(predict(method, gappy, flip_test=False)).all()
    assert seen[0][:, 3].abs().max() == 0


def test_flat_baseline_by_hand(data):
    result = evaluate_lifting(load_lifting_method("flat"), data, "mocap-lifting")
    camera = data.camera_m.astype(np.float64)
    flat = camera / camera[..., 2:] * camera[:, :1, 2:]  # the same rays, at the root's depth
    want = 1000 * np.linalg.norm(flat - camera, axis=-1).mean(axis=-1)
    np.testing.assert_allclose(result.errors_mm, want, rtol=1e-3)


def test_other_joints_are_refused(data):
    method = LiftingMethod(label="m", model=lambda x: x, transform=LiftingTransform(), skeleton=get_skeleton("coco17"))
    with pytest.raises(SkeletonError, match="coco17"):
        predict(method, data)
    tree = LiftingMethod(
        label="m",
        model=lambda x: torch.zeros(*x.shape[:-1], 3),
        transform=LiftingTransform(),
        skeleton=get_skeleton("h36m17_tree"),
    )
    assert predict(tree, data).shape == (12, 17, 3)  # same joints, other graph: the same data


def test_targets_are_never_mixed(data, remembering):
    with pytest.raises(ConfigError, match="not comparable"):
        evaluate_lifting(remembering("metric"), data, "h36m-pixel")
    with pytest.raises(ConfigError, match="not comparable"):
        evaluate_lifting(remembering("pixel"), data, "mocap-lifting", target="metric")
    with pytest.raises(ConfigError, match="not comparable"):
        evaluate_lifting(remembering("pixel"), data, "3dhp")
    pixel = evaluate_lifting(remembering("pixel"), data, "mocap-lifting")
    metric = evaluate_lifting(remembering("metric"), data, "mocap-lifting")
    with pytest.raises(DataError, match="target"):
        lifting_comparison([pixel, metric])
    noisy = evaluate_lifting(remembering("pixel"), data, "mocap-lifting", input="noisy")
    with pytest.raises(DataError, match="input"):
        lifting_comparison([pixel, noisy])
    unflipped = evaluate_lifting(remembering("pixel"), data, "mocap-lifting", flip_test=False)
    with pytest.raises(DataError, match="flip_test"):
        lifting_comparison([pixel, unflipped])
    other = evaluate_lifting(remembering("pixel"), data.replace(name="other"), "mocap-lifting")
    with pytest.raises(DataError, match="different data"):
        lifting_comparison([pixel, other])


def test_json_has_the_stable_keys_and_the_conditions(data, remembering):
    pixel = evaluate_lifting(remembering("pixel", 0.01), data, "mocap-lifting").to_json()
    metric = evaluate_lifting(remembering("metric", 0.01), data, "mocap-lifting").to_json()
    for content in (pixel, metric):
        json.dumps(content)
        assert {"protocol", "target", "input", "split", "mpjpe_mm", "pa_mpjpe_mm", "per_action"} <= set(content)
        assert content["data"]["fingerprint"] == data.fingerprint
        assert set(content["per_action"]) == {"walk", "sit"}
    assert pixel["uses_true_root_depth"] is True
    assert metric["uses_true_root_depth"] is False
    assert metric["uses_true_intrinsics"] is False
    assert "n_mpjpe_mm" in metric
    assert "n_mpjpe_mm" not in pixel


def test_the_printed_table_has_the_numbers_of_the_json(data, remembering):
    result = evaluate_lifting(remembering("metric", 0.1), data, "mocap-lifting")
    text = lifting_report(result)
    row = next(line for line in text.splitlines() if line.startswith("average"))
    assert row.split()[1:] == [f"{result.mpjpe_mm:.1f}", f"{result.pa_mpjpe_mm:.1f}", f"{result.n_mpjpe_mm:.1f}"]
    assert "target metric" in text
    pixel = lifting_report(evaluate_lifting(remembering("pixel"), data, "mocap-lifting"))
    assert "TRUE root depth and intrinsics" in pixel
    assert "N-MPJPE" not in pixel
    assert lifting_report(result, markdown=True).splitlines()[2].startswith("| :-")


def test_comparison_lists_methods_in_order(data, remembering):
    results = [evaluate_lifting(remembering("metric", e, label=f"m{e}"), data, "mocap-lifting") for e in (0.0, 0.1)]
    lines = lifting_comparison(results).splitlines()
    assert [line.split()[0] for line in lines[3:5]] == ["m0.0", "m0.1"]
    assert lifting_comparison(results, markdown=True).count("|") > 20


def test_3dhp_scores_fourteen_joints_over_all_frames(data):
    truth = data.camera_m.astype(np.float64) - data.camera_m[:, :1].astype(np.float64)
    wrong = truth.copy()
    names = data.skeleton.joints
    for joint in ("pelvis", "spine", "head"):
        wrong[:, names.index(joint)] += 1.0  # not scored
    wrong[:, names.index("left_wrist"), 0] += 0.2
    wrong[data.action == 1, names.index("right_wrist"), 0] += 0.149
    result = measure_lifting(wrong, truth, data, "3dhp", target="metric", label="m")
    assert result.pck == pytest.approx(100 * 13 / 14)
    below = 30 / 31  # perfect joints
    almost = 1 / 31  # 149 mm: only the threshold 150 is above
    walk, sit = 13 * below / 14, (12 * below + almost) / 14
    frames = [int((data.action == k).sum()) for k in (0, 1)]
    assert result.auc == pytest.approx(100 * (walk * frames[0] + sit * frames[1]) / sum(frames))
    assert result.per_action["auc"]["sit"] == pytest.approx(100 * sit)


def test_3dhp_says_which_rate_the_windows_were_cut_by(data, remembering):
    """Its file states none; a lifter of single frames does not ask."""
    one = remembering("metric")
    several = dataclasses.replace(one, model=lambda x: one.model(x[:, 0]), frames=3, rate=data.fps)
    told = [
        [note for note in evaluate_lifting(method, data, "3dhp", flip_test=False).notes if "no frame rate" in note]
        for method in (one, several, dataclasses.replace(several, rate=None))
    ]
    assert told == [
        [],
        [f"the file states no frame rate: {data.fps:g} a second assumed, which the windows depend on"],
        [],
    ]


def test_unknown_names():
    with pytest.raises(ConfigError, match="did you mean 'mocap-lifting'"):
        load_lifting_protocol("mocap-lift")
    with pytest.raises(ConfigError, match="--data"):
        load_lifting_protocol("mocap-lifting")
    with pytest.raises(FormatError, match="no such weights folder.*; baselines: flat.*did you mean 'flat'"):
        load_lifting_method("flatt")
    with pytest.raises(ConfigError, match="train and test"):
        load_lifting_protocol("h36m-pixel", ".", split="val")
    with pytest.raises(ConfigError, match="one split"):
        load_lifting_protocol("3dhp", ".", input="noisy")
