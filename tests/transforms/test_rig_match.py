"""Which joints of a rig are a network's: rigs that hang their body on a root of their own, near the pelvis or far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bvh_files import MIXAMO, ROOT_MOTION, renamed, under_a_root
from moving_people import body, network, walker

from kinegraph.formats.motion import bvh
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.inference.forecaster import Forecaster
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import posed_body
from kinegraph.transforms.rig_match import match_rig


@pytest.fixture
def text(tmp_path: Path) -> str:
    """Somebody who walks, as a BVH file with the joints of Mixamo."""
    bvh.write(walker(seconds=1.0), tmp_path / "walker.bvh")
    return renamed((tmp_path / "walker.bvh").read_text(), MIXAMO)


def read(place: Path, text: str) -> SkeletonSequence:
    place.write_text(text)
    return bvh.read(place, unit="cm")


def sources(sequence: SkeletonSequence) -> list[str]:
    """What each joint of a network is called in the recording."""
    assert sequence.offsets is not None
    source = match_rig(sequence.skeleton, np.array(sequence.offsets), body(trajectory=False)).source
    return [sequence.skeleton.joints[joint] if joint >= 0 else "" for joint in source]


@pytest.mark.parametrize("kind", ROOT_MOTION)
def test_root_motion_is_no_pelvis_however_near(tmp_path: Path, text: str, kind: str) -> None:
    plain, carried = read(tmp_path / "plain.bvh", text), read(tmp_path / "carried.bvh", under_a_root(text, kind))
    assert sources(carried) == sources(plain)
    named = dict(zip(body(trajectory=False).joints, sources(plain), strict=True))
    assert [named[joint] for joint in ("pelvis", "spine", "thorax", "neck")] == ["Hips", "Spine1", "Spine2", "Neck1"]
    features = [RotationFeatures(posed_body(one), body()).encode() for one in (plain, carried)]
    np.testing.assert_allclose(features[1], features[0], atol=1e-5)
    forecaster = Forecaster(network())
    futures = [forecaster.forecast(one, 0.3) for one in (plain, carried)]
    same = [carried.skeleton.index(joint) for joint in plain.skeleton.joints]
    np.testing.assert_allclose(futures[1].positions[:, :, same], futures[0].positions, atol=1e-5)


def on_a_joint(sequence: SkeletonSequence, children: list[str], up: float) -> SkeletonSequence:
    """The recording with a joint `up` metres above its root, which turns with the root and carries `children`."""
    rig = sequence.skeleton
    assert sequence.rotations is not None
    assert sequence.offsets is not None
    shift, carried = np.array([0.0, up, 0.0]), [rig.index(joint) for joint in children]
    parents = [rig.num_joints if joint in carried else parent for joint, parent in enumerate(rig.parents)]
    offsets = np.concatenate([sequence.offsets, [shift]])
    offsets[carried] -= shift
    still = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (1, sequence.frames, 1, 4))
    rotations = np.concatenate([sequence.rotations, still], axis=2)
    places = np.tile(offsets, (sequence.frames, 1, 1))
    places[:, rig.root] = sequence.positions[0, :, rig.root]
    positions = forward_kinematics([*parents, rig.root], rotations[0], places)[0][None]
    np.testing.assert_allclose(positions[:, :, :-1], sequence.positions, atol=1e-9)
    return SkeletonSequence(
        positions=positions,
        skeleton=Skeleton(
            name="rig",
            joints=(*rig.joints, "Inner"),
            parents=(*parents, rig.root),
            pairs=rig.pairs,
            landmarks=rig.landmarks,
        ),
        fps=sequence.fps,
        up="y",
        rotations=rotations,
        offsets=offsets,
    )


@pytest.mark.parametrize(("up", "root"), [(0.0, "Hips"), (0.1, "Hips"), (0.4, "Inner")])
def test_a_root_with_the_spine_on_it_is_the_pelvis_though_the_legs_part_on_a_joint_near_by(
    tmp_path: Path, text: str, up: float, root: str
) -> None:
    plain = read(tmp_path / "plain.bvh", text)
    apart = on_a_joint(plain, ["LeftHipSide", "RightHipSide"], up)
    assert sources(apart)[0] == root
    if root == "Hips":
        assert sources(apart) == sources(plain)
        features = [RotationFeatures(posed_body(one), body()).encode() for one in (plain, apart)]
        np.testing.assert_allclose(features[1], features[0], atol=1e-9)


@pytest.mark.parametrize("up", [0.0, 0.1, 0.4])
def test_where_legs_and_spine_hang_is_the_pelvis_however_near_the_root(tmp_path: Path, text: str, up: float) -> None:
    plain = read(tmp_path / "plain.bvh", text)
    above = on_a_joint(plain, ["LeftHipSide", "RightHipSide", "Spine"], up)
    assert sources(above) == ["Inner", *sources(plain)[1:]]
