"""Bodies from positions face as they face: on every layout, on rigs with joints on top of each other, on any root."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from moving_people import LAYOUT, TURNING, turned, walker

from kinegraph.errors import DataError, SkeletonError
from kinegraph.formats.motion import bvh
from kinegraph.inference.forecaster import Forecaster
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints, skeleton_names
from kinegraph.skeleton.contraction import contract
from kinegraph.skeleton.pelvis import rooted_at
from kinegraph.transforms.heading import heading_relative, yaw_of
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import posed_body
from kinegraph.transforms.reposing import KnownRig

FULL = contract(LAYOUT, TURNING, trajectory=True)
CORE = contract(
    LAYOUT,
    [j for j in TURNING if j.endswith(("pelvis", "thorax", "hip", "knee", "shoulder", "elbow"))],
    trajectory=True,
)
YAWS = (0.0, 1.6, np.pi)


def on_layout(name: str, sequence: SkeletonSequence) -> SkeletonSequence:
    """The walker's positions on a layout, faces and fingers made up."""
    layout = get_skeleton(name)
    weights = map_joints(LAYOUT, layout, minimum=0.0).weights
    positions = np.einsum("ts,pfsd->pftd", weights, sequence.positions)
    assert sequence.rotations is not None
    places = {joint: sequence.positions[0, :, LAYOUT.index(joint)] for joint in ("head_top", "neck", "pelvis")}
    facing = np.cross(places["neck"] - places["pelvis"], [0.0, 1.0, 0.0])
    for joint in np.flatnonzero(~weights.any(axis=1)):
        point = layout.joints[joint]
        if point == "root":
            positions[0, :, joint] = places["pelvis"]
        elif point == "spine_base":  # 0.1 mm above Human3.6M's pelvis
            positions[0, :, joint] = positions[0, :, layout.parents[joint]]
        else:  # somewhere on what the joint hangs on, the same for every turn
            side = 0.03 if point.startswith("left") else -0.03 if point.startswith("right") else 0.0
            base = sequence.positions[0, :, LAYOUT.index("head")] if layout.parents[joint] < 0 else 0.0
            positions[0, :, joint] = base + positions[0, :, layout.parents[joint]] * (layout.parents[joint] >= 0)
            positions[0, :, joint] += 0.2 * facing + side * (places["head_top"] - places["pelvis"])
    return SkeletonSequence(positions, layout, fps=sequence.fps, up="y", source=name)


def positions_of(sequence: SkeletonSequence) -> SkeletonSequence:
    return sequence.replace(rotations=None, offsets=None)


@pytest.mark.parametrize("name", sorted(skeleton_names()))
def test_the_heading_is_told_on_every_layout(name: str) -> None:
    """Whichever way somebody faces, a network sees the same; and posed anew on known bones too."""
    seen, again, yaws = [], [], []
    for yaw in YAWS:
        sequence = on_layout(name, walker(1.0, yaw=0.0))
        sequence = turned(sequence, yaw, np.array([1.0, 0.0, 2.0]))
        person = posed_body(sequence)
        codec = RotationFeatures(person, CORE)
        seen.append(heading_relative(codec.encode()[None], -1, CORE)[0])
        yaws.append(yaw_of(codec.orientation[-1]) - yaw)
        rig = KnownRig(person, CORE, np.zeros((CORE.num_joints, 3)))
        anew = rig.features(np.nan_to_num(sequence.positions[0]), 60.0, 0.0)
        again.append(heading_relative(anew.encode()[None], -1, CORE)[0])
    for other in seen[1:]:
        np.testing.assert_allclose(other, seen[0], atol=0.1)  # lost headings are off by radians
    for other in again[1:]:
        np.testing.assert_allclose(other, again[0], atol=0.1)  # lost headings are off by radians
    assert np.abs(np.angle(np.exp(1j * np.array(yaws)))).max() < 0.5  # radians: the made-up hips turn a little


def test_a_cmu_rig_whose_hips_lie_on_the_root_faces_as_its_rotations_say(shared_data: Path) -> None:
    sequence = bvh.read(shared_data / "cmu_bvh" / "02" / "02_01.bvh").slice_frames(1, 200, 4)
    for yaw in YAWS:
        moved = turned(sequence, yaw, np.zeros(3))
        own = RotationFeatures(posed_body(moved), FULL).orientation
        made = RotationFeatures(posed_body(positions_of(moved)), FULL).orientation
        assert np.abs(np.angle(np.exp(1j * (yaw_of(made) - yaw_of(own))))).max() < 0.02


@pytest.mark.parametrize("root", ["thorax", "spine", "head", "left_knee", "right_wrist"])
def test_any_root_gives_the_body_of_the_pelvis(root: str) -> None:
    sequence = positions_of(walker()).to_skeleton("h36m17")
    other = sequence.replace(skeleton=rooted_at(sequence.skeleton, sequence.skeleton.index(root)))
    expected, found = RotationFeatures(posed_body(sequence), CORE), RotationFeatures(posed_body(other), CORE)
    np.testing.assert_allclose(found.encode(), expected.encode(), atol=1e-9)
    np.testing.assert_allclose(found.path, sequence.positions[0, :, sequence.skeleton.root], atol=1e-9)
    for codec in (expected, found):
        points, _ = codec.finish(codec.pose(codec.encode()[-1:], 60.0))
        np.testing.assert_allclose(points[0], sequence.positions[0, -1], atol=0.05)


def test_a_body_without_a_pelvis_gets_one_between_its_hips() -> None:
    sequence = on_layout("coco17", walker())
    hips = [sequence.skeleton.index(f"{side}_hip") for side in ("left", "right")]
    person = posed_body(sequence)
    np.testing.assert_allclose(person.root, sequence.positions[0][:, hips].mean(axis=1), atol=1e-9)
    assert next(iter(person.means.values())) == tuple(hips)
    assert (person.shown >= 0).all()
    points, _ = RotationFeatures(person, CORE).finish(
        RotationFeatures(person, CORE).pose(RotationFeatures(person, CORE).encode()[-1:], 60.0)
    )
    assert points.shape == (1, 17, 3)


def on_the_floor() -> SkeletonSequence:
    """The walker under a joint that stands on the floor below its first frame, with rotations."""
    sequence = walker(speed=0.0)
    assert sequence.rotations is not None
    assert sequence.offsets is not None
    count = LAYOUT.num_joints
    skeleton = Skeleton(
        name="reference",
        joints=("reference", *LAYOUT.joints),
        parents=(-1, *(p + 1 for p in LAYOUT.parents)),
        pairs=LAYOUT.pairs,
    )
    still = np.tile([0.0, 0.0, 0.0, 1.0], (1, sequence.frames, 1, 1))
    offsets = np.concatenate([np.zeros((1, 3)), sequence.offsets])
    offsets[1] = sequence.positions[0, 0, 0] * [0, 1, 0]
    ground = sequence.positions[:, :, :1] * [1, 0, 1]
    assert count + 1 == skeleton.num_joints
    return SkeletonSequence(
        np.concatenate([ground, sequence.positions], axis=2),
        skeleton,
        fps=60,
        up="y",
        rotations=np.concatenate([still, sequence.rotations], axis=2),
        offsets=offsets,
    )


@pytest.mark.parametrize("own", [True, False])
def test_a_root_on_the_floor_is_not_the_pelvis(own: bool) -> None:
    sequence = on_the_floor() if own else positions_of(on_the_floor())
    person = posed_body(sequence)
    assert person.own is own
    codec = RotationFeatures(person, FULL)
    np.testing.assert_allclose(codec.path, sequence.positions[0, :, 1], atol=1e-6)
    expected = RotationFeatures(posed_body(walker(speed=0.0)), FULL)
    assert np.abs(yaw_of(codec.orientation) - yaw_of(expected.orientation)).max() < 0.25
    if own:
        np.testing.assert_allclose(codec.encode(), expected.encode(), atol=1e-6)
        features_then = codec.encode()
        features_then[:, FULL.index("trajectory")] += [0.0, 0.1, 0.5]
        points, _ = codec.finish(codec.pose(features_then, 60.0))
        np.testing.assert_allclose(points[:, 1:], sequence.positions[0, :, 1:] + [0.0, 0.1, 0.5], atol=1e-6)


def test_a_chest_without_legs_is_refused() -> None:
    sequence = positions_of(walker())
    keep = [j for j in range(LAYOUT.num_joints) if j >= LAYOUT.index("thorax")]
    skeleton = Skeleton(
        name="bust",
        joints=tuple(LAYOUT.joints[j] for j in keep),
        parents=tuple(keep.index(LAYOUT.parents[j]) if LAYOUT.parents[j] in keep else -1 for j in keep),
        pairs=tuple(pair for pair in LAYOUT.pairs if LAYOUT.index(pair[0]) in keep),
    )
    upper = contract(LAYOUT, [j for j in TURNING if j == "pelvis" or j in skeleton.joints], trajectory=True)
    part = SkeletonSequence(sequence.positions[:, :, keep], skeleton, fps=60, up="y")
    with pytest.raises(SkeletonError, match="hangs on its 'thorax' and has neither a pelvis nor two hips"):
        RotationFeatures(posed_body(part), upper)


@pytest.mark.parametrize("lost", [("right_hip",), ("left_hip", "right_hip"), ("pelvis", "thorax")])
def test_joints_that_are_never_seen_leave_a_body(lost: tuple[str, ...]) -> None:
    sequence = positions_of(walker()).to_skeleton("h36m17")
    root = sequence.skeleton.index("spine")
    sequence = sequence.replace(skeleton=rooted_at(sequence.skeleton, root))
    positions = sequence.positions.copy()
    positions[:, :, [sequence.skeleton.index(joint) for joint in lost]] = np.nan
    person = posed_body(sequence.replace(positions=positions, confidence=None))
    assert np.isfinite(person.rotations).all()
    assert ("pelvis" in lost) == bool(person.means)
    np.testing.assert_allclose(np.linalg.norm(person.rotations, axis=-1), 1.0, atol=1e-9)


def test_who_has_no_root_at_all_is_told_where_there_is_one() -> None:
    lost = positions_of(walker()).to_skeleton("cmu31")
    message = (
        r"'root', on which 'cmu31' hangs, is never seen; expected a body with its root: map it to a layout .*h36m17"
    )
    with pytest.raises(DataError, match=message):
        posed_body(lost)
    with pytest.raises(DataError, match=message):
        Forecaster("zero-velocity").forecast(lost, 0.2)
    assert Forecaster("zero-velocity").forecast(lost.to_skeleton("h36m17"), 0.2).seen.any()
    nobody = lost.replace(positions=np.full_like(lost.positions, np.nan), confidence=None)
    with pytest.raises(DataError, match="its root 'root' is never seen; expected a body"):
        posed_body(nobody)
