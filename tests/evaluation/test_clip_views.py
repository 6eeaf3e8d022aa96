"""What is shown of a clip: exactly so many joints missing, the same for all, mirrors and beginnings by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_methods import numbered, says

from kinegraph.errors import ConfigError, SkeletonError
from kinegraph.evaluation.clip_recognition import evaluate_clips
from kinegraph.evaluation.clip_views import ClipView, beginning, lose_joints, mirror_clip
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.store import ActionClip
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import PreNormalise

NTU = get_skeleton("ntu25")
WHOLE = ClipTransform(prenormalise=PreNormalise(convention="none"), sampling="all", people=1)


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    return ActionClip(name="c", label=0, positions=rng.normal(size=(2, 40, 25, 3)).astype(np.float32))


@pytest.mark.parametrize("frames", [False, True])
def test_exactly_so_many_joints_are_lost(clip, frames):
    lost = np.isnan(lose_joints(clip, 0.2, np.random.default_rng(0), frames=frames).positions)
    assert (lost.all(axis=-1) == lost.any(axis=-1)).all()
    by_frame = lost.any(axis=-1)
    assert (by_frame.sum(axis=-1) == 5).all()
    assert (by_frame == by_frame[:, :1]).all() != frames
    assert (by_frame[0] != by_frame[1]).any()  # each person its own


def test_lost_joints_have_no_confidence(clip):
    sure = ActionClip(name="c", label=0, positions=clip.positions, confidence=np.ones((2, 40, 25), np.float32))
    shown = lose_joints(sure, 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal(shown.confidence == 0, np.isnan(shown.positions).any(axis=-1))


def test_chance_is_of_the_clip_alone(clip):
    view = ClipView(missing=0.2)
    (first, _), (again, _) = (view.encode(clip, WHOLE, NTU, "m")[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = ActionClip(name="d", label=0, positions=clip.positions)
    assert (view.encode(other, WHOLE, NTU, "m")[0][0] != first).any()
    bones = ClipTransform(**{**vars(WHOLE), "sampling": "resize", "frames": 40})
    np.testing.assert_array_equal(view.encode(clip, bones, NTU, "m")[0][0], first)
    assert (ClipView(missing=0.2, seed=1).encode(clip, WHOLE, NTU, "m")[0][0] != first).any()


def test_beginning(clip):
    assert beginning(clip, 0.1).frames == 4
    assert beginning(clip, 0.001).frames == 1
    np.testing.assert_array_equal(beginning(clip, 0.5).positions, clip.positions[:, :20])
    late = clip.positions.copy()
    late[:, :10] = np.nan
    shown = beginning(ActionClip(name="c", label=0, positions=late), 0.1)
    assert shown.frames == 11
    assert shown.present.any()


def test_who_is_first_is_told_by_what_is_seen(clip):
    """The second person stirs at the end of the clip alone, the first in its beginning."""
    positions = np.tile(clip.positions[:1, :1], (2, 40, 1, 1))
    positions[0, :10] += np.linspace(0, 1, 10)[:, None, None]
    positions[1, 30:] += np.linspace(0, 5, 10)[:, None, None]
    made = ActionClip(
        name="c", label=0, positions=positions[::-1], confidence=np.array([[[1.0]], [[0.5]]]) * np.ones((2, 40, 25))
    )
    shown = beginning(made, 0.25, livelier_first=True)
    np.testing.assert_array_equal(shown.positions, positions[:, :10])
    assert shown.confidence is not None
    assert (shown.confidence[0] == 0.5).all()
    np.testing.assert_array_equal(beginning(made, 0.25).positions, positions[::-1, :10])  # as the files have them
    np.testing.assert_array_equal(beginning(made, 1.0, livelier_first=True).positions, positions[::-1])


@pytest.mark.parametrize("dataset", ["ntu60", "folder", "pyskl"])
def test_early_recognition_looks_at_the_livelier_so_far(dataset):
    clips = numbered([0], [0], classes=2, splits=["test"], frames=40)
    moving = np.zeros((1, 40, 25, 3), np.float32)
    moving[0, :, :, 0] = np.arange(40)[:, None] % 2 * 0.02
    later = np.where(np.arange(40)[:, None, None] < 20, 1.0, 1 + np.arange(40)[:, None, None] % 3).astype(np.float32)
    clips[0].__dict__["positions"] = np.concatenate([np.broadcast_to(later, (1, 40, 25, 3)), moving])
    clips.dataset = dataset
    early = evaluate_clips(says(classes=2), clips, "folder", view=ClipView(observed=0.5))
    assert early.top1 == (0.0 if dataset == "pyskl" else 100.0)  # the first is still and at 1, the second moves at 0


@pytest.mark.parametrize(("unit", "place"), [("m", 0.0), ("normalized", 1.0)])
def test_mirror(clip, unit, place):
    image = mirror_clip(clip, NTU, unit)
    left, right = NTU.index("left_hand"), NTU.index("right_hand")
    np.testing.assert_allclose(image.positions[:, :, left, 0], place - clip.positions[:, :, right, 0], rtol=1e-6)
    np.testing.assert_array_equal(image.positions[:, :, left, 1:], clip.positions[:, :, right, 1:])
    np.testing.assert_allclose(mirror_clip(image, NTU, unit).positions, clip.positions, atol=1e-6)


def test_number_and_kind_of_looks(clip):
    view = ClipView(looks=3, mirror=True)
    looks = view.encode(clip, WHOLE, NTU, "m")
    assert len(looks) == 6
    np.testing.assert_array_equal(looks[0][0][0], clip.positions[0])
    assert [look.shape[1] for look, _ in looks[:2]] == [40, 40]
    assert all(36 <= look.shape[1] <= 40 for look, _ in looks[2:])
    drawn = ClipTransform(**{**vars(WHOLE), "sampling": "uniform", "frames": 10})
    first, second = (look for look, _ in ClipView(looks=2).encode(clip, drawn, NTU, "m"))
    assert first.shape == second.shape == (1, 10, 25, 3)
    assert (first != second).any()


def test_scores_are_the_mean_over_looks():
    clips = numbered([2.0, 4.0], [0, 1], classes=2, splits=["test", "test"])

    def answer(numbers):
        return np.stack([numbers, np.zeros_like(numbers)], axis=1)

    plain = evaluate_clips(says(answer, classes=2), clips, "folder", batch=1)
    np.testing.assert_allclose(plain.logits[:, 0], [2, 4])
    both = evaluate_clips(says(answer, classes=2), clips, "folder", view=ClipView(mirror=True, looks=2), batch=3)
    # of the three coordinates one changes its sign: the mean of 1 and 1/3
    np.testing.assert_allclose(both.logits[:, 0], [2 * 2 / 3, 4 * 2 / 3])
    assert any("mirror image" in note for note in both.notes)
    missing = evaluate_clips(says(answer, classes=2), clips, "folder", view=ClipView(missing=0.2))
    np.testing.assert_allclose(missing.logits[:, 0], [2 * 0.8, 4 * 0.8], rtol=1e-6)
    assert any("5 of 25 joints missing (throughout each clip; seed 0)" in note for note in missing.notes)
    assert missing.data["view"]["missing_joints"] == 0.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"looks": 0}, "views 0"),
        ({"missing": 1.0}, "below 1"),
        ({"missing": float("nan")}, "below 1"),
        ({"missing_by": "joint"}, "clip or frame"),
        ({"observed": 0.0}, "above 0"),
        ({"seed": -1}, "seed of the views is -1"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ClipView(**settings)


def test_what_a_skeleton_cannot_give():
    chain = Skeleton("chain", ("a", "b"), (-1, 0))
    with pytest.raises(SkeletonError, match="no left and right"):
        ClipView(mirror=True).check(chain, WHOLE, "m")
    with pytest.raises(ConfigError, match="at least 1 lost and 1 left"):
        ClipView(missing=0.1).check(chain, WHOLE, "m")
    with pytest.raises(ConfigError, match="at least 1 lost and 1 left"):
        ClipView(missing=0.9).check(chain, WHOLE, "m")


def test_a_mirror_image_of_pixels_needs_the_picture():
    flat = ClipTransform(**{**vars(WHOLE), "dims": 2})
    laid = ClipTransform(**{**vars(flat), "prenormalise": PreNormalise(convention="ctr-gcn")})
    with pytest.raises(ConfigError, match=r"^the mirror test: .* in px .* --image-size 1280x720"):
        ClipView(mirror=True).check(NTU, flat, "px")
    ClipView(mirror=True).check(NTU, flat, "normalized")
    ClipView(mirror=True).check(NTU, laid, "px")
    ClipView().check(NTU, flat, "px")


def test_the_mirror_test_asks_the_clips_themselves():
    clips = numbered([0], [0], classes=2, splits=["test"])
    clips._clips = tuple(replace(clip, positions=clip.positions[..., :2]) for clip in clips._clips)
    clips.dims, clips.unit = 2, "px"
    method = says(classes=2, dims=2, unit="px")
    with pytest.raises(ConfigError, match="^the mirror test: .* in px"):
        evaluate_clips(method, clips, "folder", view=ClipView(mirror=True))
    evaluate_clips(method, clips, "folder")
