"""Features of recordings and back: round trips, other rigs, the CMU text files, bones that keep their length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from moving_people import LAYOUT, TURNING, body, bone_lengths, turned, walker

from kinegraph.errors import DataError, SkeletonError
from kinegraph.formats.motion import asf_amc, bvh, expmap_text
from kinegraph.geometry.rotations import (
    matrix_to_quaternion,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_expmap,
)
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.heading import heading_relative
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import carried_root, posed_body
from kinegraph.transforms.position_features import PositionFeatures
from kinegraph.transforms.rig_match import match_rig

FULL = contract(LAYOUT, TURNING, trajectory=True)


def test_own_rig_is_the_text_file() -> None:
    """On cmu38 itself the features are the columns of the exponential-map files: minus the rotation vectors."""
    sequence = walker()
    features = RotationFeatures(posed_body(sequence), contract(LAYOUT, TURNING), None).encode()
    assert sequence.rotations is not None
    for joint in TURNING[1:]:
        expected = -quaternion_to_expmap(sequence.rotations[0, :, LAYOUT.index(joint)])
        np.testing.assert_allclose(features[:, TURNING.index(joint)], expected, atol=1e-9)
    assert not features[:, 0].any()


@pytest.mark.parametrize("network", [FULL, body()], ids=["all", "contracted"])
def test_features_and_back(network: Skeleton) -> None:
    codec = RotationFeatures(posed_body(walker()), network, None, floor=0.1)
    features = codec.encode()
    again = codec.pose(features, 60.0)
    positions, rotations = codec.finish(again)
    # joints that the network does not know hold still, so the full network alone gives every frame back
    if network is FULL:
        np.testing.assert_allclose(positions, walker().positions[0], atol=1e-9)
    np.testing.assert_allclose(positions[-1], walker().positions[0, -1], atol=1e-9)
    whole = walker().replace(positions=positions[None], rotations=None if rotations is None else rotations[None])
    np.testing.assert_allclose(
        RotationFeatures(posed_body(whole), network, None, floor=0.1).encode(), features, atol=1e-9
    )
    np.testing.assert_allclose(bone_lengths(whole), bone_lengths(walker()), atol=1e-9)


def test_a_z_up_recording_is_the_same_motion() -> None:
    sequence = walker()
    to_z = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert sequence.rotations is not None
    rotations = sequence.rotations.copy()
    rotations[:, :, 0] = quaternion_multiply(matrix_to_quaternion(to_z), rotations[:, :, 0])
    other = sequence.replace(positions=sequence.positions @ to_z.T, rotations=rotations, up="z")
    codec = RotationFeatures(posed_body(other), FULL, None)
    np.testing.assert_allclose(codec.encode(), RotationFeatures(posed_body(sequence), FULL, None).encode(), atol=1e-9)
    positions, turned = codec.finish(codec.pose(codec.encode(), 60.0))
    np.testing.assert_allclose(positions, other.positions[0], atol=1e-9)
    assert turned is not None
    np.testing.assert_allclose(np.abs((turned * rotations[0]).sum(-1)), 1.0, atol=1e-9)


def test_another_rest_pose_is_taken_out() -> None:
    """A rig whose legs hang straight and whose joints bear other names gives the features of the first."""
    sequence = walker()
    assert sequence.rotations is not None
    assert sequence.offsets is not None
    # each joint's axes turned by a constant: what another rest pose is
    count = LAYOUT.num_joints
    change = matrix_to_quaternion(np.tile(np.eye(3), (count, 1, 1)))
    for side in ("left", "right"):
        for joint in ("hip", "knee", "ankle", "toe_base"):
            sign = 1.0 if side == "left" else -1.0
            half = sign * np.radians(20.0) / 2
            change[LAYOUT.index(f"{side}_{joint}")] = [0.0, 0.0, np.sin(half), np.cos(half)]
    conjugate = change * [-1, -1, -1, 1]
    parents = np.array(LAYOUT.parents)
    rotations, offsets = sequence.rotations[0].copy(), sequence.offsets.copy()
    for joint in range(count):
        above = parents[joint]
        if above >= 0:
            rotations[:, joint] = quaternion_multiply(change[above], rotations[:, joint])
            offsets[joint] = quaternion_rotate(change[above], offsets[joint])
        rotations[:, joint] = quaternion_multiply(rotations[:, joint], conjugate[joint])
    other = sequence.replace(rotations=rotations[None], offsets=offsets)
    expected = RotationFeatures(posed_body(sequence), FULL, None).encode()
    found = RotationFeatures(posed_body(other), FULL, None).encode()
    for joint in ("left_hip", "right_hip", "left_knee", "left_ankle", "left_elbow", "pelvis", "trajectory"):
        at = FULL.index(joint)
        assert np.abs(found[:, at] - expected[:, at]).max() < np.radians(5), joint


def test_from_positions_alone() -> None:
    sequence = walker().replace(rotations=None, offsets=None)
    person = posed_body(sequence)
    assert not person.own
    codec = RotationFeatures(person, body(), None)
    positions, rotations = codec.finish(codec.pose(codec.encode()[-1:], 60.0))
    assert rotations is None
    np.testing.assert_allclose(positions[0], sequence.positions[0, -1], atol=0.02)


@pytest.mark.parametrize("clip", ["hdm05/train/10", "cmu_asfamc/02"])
def test_places_alone_do_not_tell_the_heading(shared_data: Path, clip: str) -> None:
    """Rotations made from positions are the same whichever way somebody faces, backwards least of all."""
    path = next(p for p in sorted((shared_data / clip).iterdir()) if p.suffix.lower() == ".amc")
    sequence = asf_amc.read(path).slice_frames(0, 120, 2)
    network = body()
    seen = []
    for yaw in (0.0, 1.5, np.pi):
        person = posed_body(turned(sequence, yaw, np.array([1.0, 0.0, 2.0])))
        seen.append(heading_relative(RotationFeatures(person, network).encode()[None], -1, network)[0])
    np.testing.assert_allclose(seen[1], seen[0], atol=0.01)
    np.testing.assert_allclose(seen[2], seen[0], atol=0.01)


def test_missing_joints_stand_at_the_mean() -> None:
    keep = [j for j, joint in enumerate(LAYOUT.joints) if "right_elbow" not in joint and not _below(j, "right_elbow")]
    sequence = walker().replace(rotations=None, offsets=None)
    places = {joint: i for i, joint in enumerate(keep)}
    skeleton = Skeleton(
        name="one_armed",
        joints=tuple(LAYOUT.joints[j] for j in keep),
        parents=tuple(places.get(LAYOUT.parents[j], -1) for j in keep),
    )
    part = SkeletonSequence(sequence.positions[:, :, keep], skeleton, fps=60, up="y")
    mean = np.zeros((FULL.num_joints, 3))
    mean[FULL.index("right_elbow")] = [0.1, 0.2, 0.3]
    codec = RotationFeatures(posed_body(part), FULL, mean)
    assert "right_elbow" in codec.missing
    features = codec.encode()
    np.testing.assert_allclose(features[:, FULL.index("right_elbow")], [[0.1, 0.2, 0.3]] * len(features))


def _below(joint: int, name: str) -> bool:
    while joint >= 0:
        if LAYOUT.joints[joint] == name:
            return True
        joint = LAYOUT.parents[joint]
    return False


def test_another_skeleton_is_refused() -> None:
    skeleton = Skeleton(name="dog", joints=("trunk", "tail", "paw"), parents=(-1, 0, 0))
    rng = np.random.default_rng(0)
    sequence = SkeletonSequence(rng.normal(size=(1, 30, 3, 3)), skeleton, fps=30, up="y")
    with pytest.raises(SkeletonError, match="of the 31 joints that the network turns"):
        RotationFeatures(posed_body(sequence), FULL, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": None}, "no frame rate"),
        ({"unit": "normalized"}, "expected metres"),
    ],
)
def test_what_is_no_motion_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        posed_body(walker().replace(**change))


def test_two_dimensions_are_refused() -> None:
    sequence = SkeletonSequence(np.zeros((1, 5, 17, 2)), get_skeleton("coco17"), fps=30, unit="px", space="image")
    with pytest.raises(DataError, match="lift it first"):
        posed_body(sequence)


def test_a_root_that_is_carried_keeps_its_pace() -> None:
    person = posed_body(walker(speed=1.5, yaw=0.7))
    root = carried_root(person, 31, 30.0)
    np.testing.assert_allclose(root[0], person.root[-1])
    np.testing.assert_allclose(root[-1] - root[0], 1.5 * np.array([np.sin(0.7), 0, np.cos(0.7)]), atol=1e-9)


@pytest.mark.parametrize("trajectory", [True, False])
def test_positions_and_back(trajectory: bool) -> None:
    sequence = walker(speed=0.0)
    names = [j for j in LAYOUT.joints if not j.endswith(("hip_joint", "clavicle", "finger_base", "thumb_base"))]
    codec = PositionFeatures(sequence, posed_body(sequence), contract(LAYOUT, names, trajectory=trajectory))
    features = codec.encode()
    assert np.abs(features[:, codec.joints[0]]).max() == 0
    positions, rotations = codec.finish(codec.pose(features[-5:], 60.0))
    assert rotations is None
    np.testing.assert_allclose(positions[-1], sequence.positions[0, -1], atol=1e-3)
    lengths = bone_lengths(sequence.replace(positions=positions[None], confidence=None, rotations=None, offsets=None))
    np.testing.assert_allclose(lengths[0], np.broadcast_to(bone_lengths(sequence)[0, -1], lengths[0].shape), atol=1e-9)


# ---- the facts about CMU's formats that all this rests on ------------------------------------------------------------


def test_acclaim_rotations_are_those_of_the_text_files(shared_data: Path) -> None:
    """Joints that turn about one axis have that axis in both, with the same sign; fingers hold the same angle."""
    acclaim = asf_amc.read(shared_data / "cmu_asfamc" / "02" / "02_01.amc", joints="starts")
    text = expmap_text.read_matrix(shared_data / "cmu_mocap_8actions" / "train" / "walking" / "walking_4.txt")
    assert acclaim.skeleton == LAYOUT
    assert acclaim.rotations is not None
    ours = -quaternion_to_expmap(acclaim.rotations[0])
    theirs = text[:, 3:].reshape(len(text), -1, 3)
    for joint in ("knee", "toe_base", "elbow", "wrist", "hand_index"):
        for side in ("left", "right"):
            at = LAYOUT.index(f"{side}_{joint}")
            a, b = (np.linalg.svd(x[30:, at], full_matrices=False)[2][0] for x in (ours, theirs))
            assert abs(a @ b) > 0.9999, joint
            if joint in ("knee", "elbow", "hand_index"):
                assert ours[30:, at].mean(axis=0) @ theirs[30:, at].mean(axis=0) > 0
    for name in ("left_hip_joint", "left_clavicle", "left_toe", "head_top"):
        assert np.abs(ours[:, LAYOUT.index(name)]).max() < 1e-9
        assert np.abs(theirs[:, LAYOUT.index(name)]).max() < 1e-9
    for name in ("left_hand_index", "right_hand_index"):
        np.testing.assert_allclose(ours[-1, LAYOUT.index(name)], theirs[-1, LAYOUT.index(name)], atol=1e-3)


# Mean difference in radians after the rest poses are taken out, measured, rounded up: the BVH release bends elbows at
# rest and splits spine and neck differently.
APART = {"pelvis": 0.03, "left_hip": 0.15, "right_hip": 0.16, "left_knee": 0.18, "right_knee": 0.18, "thorax": 0.03}
APART |= {"left_ankle": 0.13, "left_shoulder": 0.12, "right_shoulder": 0.12, "left_elbow": 0.35, "right_elbow": 0.35}


@pytest.mark.parametrize("kind", ["acclaim", "text"])
def test_bvh_of_another_rig_gives_the_same_features(shared_data: Path, kind: str) -> None:
    if kind == "acclaim":
        reference = asf_amc.read(shared_data / "cmu_asfamc" / "02" / "02_01.amc", joints="starts")
        other = bvh.read(shared_data / "cmu_bvh" / "02" / "02_01.bvh").slice_frames(1)
    else:  # the same clip: CMU 07_01
        reference = expmap_text.read(shared_data / "cmu_mocap_8actions" / "train" / "walking" / "walking_4.txt")
        other = bvh.read(shared_data / "cmu_bvh" / "07" / "07_01.bvh")
    assert other.frames == reference.frames
    expected, found = (RotationFeatures(posed_body(s), FULL, None).encode()[40:] for s in (reference, other))
    for joint, limit in APART.items():
        difference = np.linalg.norm(found[:, FULL.index(joint)] - expected[:, FULL.index(joint)], axis=-1).mean()
        assert difference < limit, joint


def test_spine_and_neck_are_matched_from_the_top(shared_data: Path) -> None:
    sequence = bvh.read(shared_data / "cmu_bvh" / "07" / "07_01.bvh")
    assert sequence.offsets is not None
    match = match_rig(sequence.skeleton, np.array(sequence.offsets), contract(LAYOUT, TURNING))
    named = {
        j: sequence.skeleton.joints[s] if s >= 0 else "" for j, s in zip(match.body.joints, match.source, strict=True)
    }
    assert named["pelvis"] == "hip"
    assert [named[j] for j in ("lower_back", "spine", "thorax")] == ["", "abdomen", "chest"]
    assert [named[j] for j in ("neck_base", "neck", "head")] == ["", "neck", "head"]
    assert [named[f"left_{j}"] for j in ("hip", "knee", "ankle")] == ["lThigh", "lShin", "lFoot"]
    assert [named[f"right_{j}"] for j in ("shoulder", "elbow", "wrist")] == ["rShldr", "rForeArm", "rHand"]
