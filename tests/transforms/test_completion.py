"""Guesses for missing joints, and slips of the detector."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.completion import complete_faces, complete_poses, face_pairs, share_faces
from kinegraph.transforms.outliers import remove_spikes

COCO = get_skeleton("coco17")
BODY = get_skeleton("h36m17")


def walk(frames: int = 40, layout: str = "h36m17") -> np.ndarray:
    """Random poses (1, frames, joints, 2), px, that drift."""
    rng = np.random.default_rng(0)
    pose = rng.uniform(0, 400, (get_skeleton(layout).num_joints, 2))
    return (pose + np.linspace(0, 60, frames)[:, None, None])[None]


def test_the_hidden_ear_takes_the_place_of_the_seen_one() -> None:
    points = walk(5, "coco17")
    confidence = np.full((1, 5, 17), 0.8)
    left, right = COCO.index("left_ear"), COCO.index("right_ear")
    confidence[0, 2, left] = 0
    confidence[0, 3, [left, right]] = 0
    confidence[0, 4, COCO.index("left_wrist")] = 0
    got = complete_faces(SkeletonSequence(points, COCO, unit="px", space="image", confidence=confidence))
    np.testing.assert_allclose(got.positions[0, 2, left], points[0, 2, right])
    assert got.confidence[0, 2, left] == pytest.approx(0.4)
    assert not got.seen[0, 3, [left, right]].any()
    assert not got.seen[0, 4, COCO.index("left_wrist")]


def test_faces_are_shared_pair_by_pair_whatever_the_leading_axes() -> None:
    assert [[COCO.joints[i].split("_")[1] for i in pair] for pair in face_pairs(COCO)] == [["eye"] * 2, ["ear"] * 2]
    assert face_pairs(BODY) == []
    rng = np.random.default_rng(0)
    positions, confidence = rng.normal(size=(30, 17, 2)), rng.uniform(size=(30, 17)) * (rng.random((30, 17)) < 0.5)
    places, sure, count = positions.copy(), confidence.copy(), 0
    for row in range(30):
        for left, right in face_pairs(COCO):
            for hidden, shown in ((left, right), (right, left)):
                if confidence[row, hidden] == 0 < confidence[row, shown]:
                    places[row, hidden], sure[row, hidden] = positions[row, shown], confidence[row, shown] / 2
                    count += 1
    grouped = positions.reshape(5, 6, 17, 2).copy(), confidence.reshape(5, 6, 17).copy()
    assert share_faces(*grouped, face_pairs(COCO)) == share_faces(positions, confidence, face_pairs(COCO)) == count > 0
    for found, sure_of in ((positions, confidence), (grouped[0].reshape(30, 17, 2), grouped[1].reshape(30, 17))):
        np.testing.assert_array_equal(found, places)
        np.testing.assert_array_equal(sure_of, sure)


def test_a_missing_joint_keeps_its_last_offset_from_its_neighbour() -> None:
    points = walk()
    seen = np.ones((1, 40, 17), dtype=bool)
    wrist, elbow = BODY.index("left_wrist"), BODY.index("left_elbow")
    seen[0, 20:, wrist] = False
    given = points.copy()
    given[~seen] = np.nan
    got = complete_poses(given, seen, BODY)
    want = points[0, 20:, elbow] + points[0, 19, wrist] - points[0, 19, elbow]
    np.testing.assert_allclose(got[0, 20:, wrist], want)
    np.testing.assert_array_equal(got[seen], points[seen])


def test_a_joint_never_seen_continues_the_bone_and_nobody_at_all_is_zero() -> None:
    points = walk(3)
    seen = np.ones((1, 3, 17), dtype=bool)
    head, nose, thorax = (BODY.index(n) for n in ("head", "nose", "thorax"))
    seen[..., head] = False
    got = complete_poses(np.where(seen[..., None], points, np.nan), seen, BODY)
    np.testing.assert_allclose(got[0, :, head], points[0, :, nose] + 0.5 * (points[0, :, nose] - points[0, :, thorax]))
    nobody = np.zeros((2, 3, 17), dtype=bool)
    nobody[0, 1] = True
    got = complete_poses(np.where(nobody[..., None], np.repeat(points, 2, 0), np.nan), nobody, BODY)
    np.testing.assert_allclose(got[0, 2], points[0, 1])
    np.testing.assert_array_equal(got[1], 0)


def test_only_the_root_missing() -> None:
    points = walk(4)
    seen = np.ones((1, 4, 17), dtype=bool)
    seen[0, 2, BODY.root] = False
    got = complete_poses(np.where(seen[..., None], points, np.nan), seen, BODY)
    # The offset to any neighbour is constant here, so the answer is exact.
    np.testing.assert_allclose(got, points)


def test_spikes_go_and_fast_movements_stay() -> None:
    points = walk(60)
    rng = np.random.default_rng(1)
    points += rng.normal(scale=1.0, size=points.shape)
    wrist, ankle, knee = (BODY.index(n) for n in ("left_wrist", "right_ankle", "right_knee"))
    points[0, 20, wrist] += 300
    points[0, 40:42, knee] -= 300
    points[0, 30:, ankle] += 300  # a real move: it does not come back
    points[0, 10:14, knee] += 300  # four frames are no slip
    given = SkeletonSequence(points, BODY, fps=30, unit="px", space="image")
    got = remove_spikes(given)
    lost = {(int(f), int(j)) for f, j in np.argwhere(~got.seen[0])}
    assert lost == {(20, wrist), (40, knee), (41, knee)}
    assert remove_spikes(got).notes == got.notes
    for wrong in ({"jump": 0.0}, {"longest": 0}, {"apart_s": 0.0}):
        with pytest.raises(DataError, match="spikes"):
            remove_spikes(given, **wrong)


@pytest.mark.parametrize(
    ("fps", "lengths"), [(60, {1, 2}), (30, {1, 2}), (29.97, {1, 2}), (None, {1, 2}), (25, {1}), (20, {1}), (15, set())]
)
def test_a_slip_is_back_within_a_tenth_of_a_second(fps: float | None, lengths: set[int]) -> None:
    """At a low rate somebody goes away and comes back within two frames."""
    points = walk(40)
    knees = (BODY.index("left_knee"), BODY.index("right_knee"))
    points[0, 10, knees[0]] += 300
    points[0, 20:22, knees[1]] += 300
    got = remove_spikes(SkeletonSequence(points, BODY, fps=fps, unit="px", space="image"))
    lost = {int((~got.seen[0, :, knee]).sum()) for knee in knees} - {0}
    assert lost == lengths
    assert (~got.seen).sum() == sum(lengths)
    assert any(note.endswith("for one frame taken for slips of the detector") for note in got.notes) == (lengths == {1})


def test_a_kick_filmed_slowly_is_no_slip() -> None:
    """A foot that is up for 0.4 s: eleven frames of it at 30 a second, and one or two at 10 or less."""
    fast = walk(61)
    foot = BODY.index("right_ankle")
    fast[0, 24:37, foot] -= 100 * (1 - np.cos(np.linspace(0, 2 * np.pi, 13)))[:, None]
    kick = SkeletonSequence(fast, BODY, fps=30, unit="px", space="image")
    assert not remove_spikes(kick.slice_frames(step=6), apart_s=1.0).seen.all()
    for step in (1, 2, 3, 5, 6):
        assert remove_spikes(kick.slice_frames(step=step)).seen.all(), step
