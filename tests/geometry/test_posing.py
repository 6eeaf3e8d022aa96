"""Rotations made from positions: positions met, bones constant, no flips, a rest pose that stands."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinegraph.errors import DataError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.posing import Posed, rest_directions, rotations_from_positions, swing
from kinegraph.geometry.rotations import quaternion_rotate
from kinegraph.skeleton import get_skeleton

H36M = get_skeleton("h36m17")
FPS = 30.0


def smooth(rng: np.random.Generator, frames: int, count: int, size: float) -> np.ndarray:
    """Smooth random rotation vectors (frames, count, 3): a few slow sines."""
    t = np.arange(frames)[:, None, None] / FPS
    speed, phase = rng.uniform(0.3, 3.0, (2, 1, count, 3))
    return size * np.sin(speed * t + 6 * phase) * rng.uniform(0.3, 1, (1, count, 3))


def lifted(seed: int, frames: int = 90, wobble: float = 0.01) -> np.ndarray:
    """A moving Human3.6M body (frames, 17, 3), whose bones change length and whose torso is not rigid."""
    rng = np.random.default_rng(seed)
    rest = rest_directions(H36M.joints, H36M.parents)
    rest[H36M.root] = 0
    lengths = np.where(np.arange(17) == H36M.root, 0.0, rng.uniform(0.1, 0.45, 17))
    lengths[H36M.index("left_hip")] = lengths[H36M.index("right_hip")] = 0.13
    local = Rotation.from_rotvec(smooth(rng, frames, 17, 0.9).reshape(-1, 3)).as_quat().reshape(frames, 17, 4)
    offsets = np.tile(rest * lengths[:, None], (frames, 1, 1))
    offsets[:, H36M.root] = smooth(rng, frames, 1, 1.0)[:, 0] + [0, 1, 0]
    positions = forward_kinematics(H36M.parents, local, offsets)[0]
    return positions + wobble * smooth(rng, frames, 17, 1.0)


def normalised(points: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """The same bone directions with the median length of each bone, joint by joint."""
    result = points.copy()
    for joint in H36M.topological_order():
        if parents[joint] >= 0:
            bone = points[:, joint] - points[:, parents[joint]]
            length = np.linalg.norm(bone, axis=-1)
            result[:, joint] = result[:, parents[joint]] + bone / length[:, None] * np.median(length)
    return result


def own(posed: Posed) -> np.ndarray:
    """Positions of the input's joints, pivots left out."""
    places = [posed.source.index(j) for j in range(max(posed.source) + 1)]
    return posed.positions[:, places]


def steps(quaternions: np.ndarray) -> np.ndarray:
    """Angle (frames - 1, joints) turned from one frame to the next, radians."""
    return 2 * np.arccos(np.clip(np.abs((quaternions[1:] * quaternions[:-1]).sum(-1)), 0, 1))


@pytest.mark.parametrize("seed", range(4))
def test_positions_are_met_up_to_bone_length_normalisation(seed: int) -> None:
    points = lifted(seed)
    posed = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS)
    error = np.linalg.norm(own(posed) - normalised(points, H36M.parents), axis=-1)
    # children within the tolerance of 2 mm (root mean square) share a rotation; the rest is exact
    assert error.mean() < 0.002
    assert error.max() < 0.015
    exact = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS, tolerance=0.0)
    np.testing.assert_allclose(own(exact), normalised(points, H36M.parents), atol=1e-9)


@pytest.mark.parametrize("frames", [1, 2, 90])
def test_bones_that_swing_together_swing_as_alone_and_none_whirls(frames: int) -> None:
    rng = np.random.default_rng(1)
    rest = rng.normal(size=(5, 3))
    rest /= np.linalg.norm(rest, axis=-1, keepdims=True)
    size = np.array([0.5, 1.0, 3.0, 6.0, 9.0])  # radians: the last ones pass the opposite of their rest direction
    turns = size[:, None] * smooth(rng, frames, 5, 1.0)
    turns[:, 4] = np.linspace(0, 9, frames)[:, None] * np.cross(rest[4], [0.3, -0.5, 0.8]) + 0.02  # straight through it
    direction = np.stack([Rotation.from_rotvec(turns[:, bone]).apply(rest[bone]) for bone in range(5)], axis=1)
    above = Rotation.from_rotvec(smooth(rng, frames, 5, 0.3).reshape(-1, 3)).as_quat().reshape(frames, 5, 4)
    found = swing(above, rest, direction, FPS)
    np.testing.assert_allclose(quaternion_rotate(found, rest), direction, atol=1e-9)
    for bone in range(5):
        alone = swing(above[:, [bone]], rest[[bone]], direction[:, [bone]], FPS)
        np.testing.assert_array_equal(found[:, bone], alone[:, 0])
    moved = np.arccos(np.clip((direction[1:] * direction[:-1]).sum(-1), -1, 1))
    assert (steps(found) < moved + 10.0 / FPS + 1e-6).all()  # a limb turns about itself by at most 10 rad/s


def test_forward_kinematics_of_the_result_gives_the_stated_positions_with_constant_bones() -> None:
    posed = rotations_from_positions(lifted(5), H36M.joints, H36M.parents, fps=FPS)
    translations = np.tile(posed.offsets, (90, 1, 1))
    translations[:, [j for j, p in enumerate(posed.parents) if p < 0]] = posed.root_positions
    np.testing.assert_allclose(forward_kinematics(posed.parents, posed.rotations, translations)[0], posed.positions)
    for joint, parent in enumerate(posed.parents):
        if parent >= 0:
            length = np.linalg.norm(posed.positions[:, joint] - posed.positions[:, parent], axis=-1)
            np.testing.assert_allclose(length, np.linalg.norm(posed.offsets[joint]), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(posed.rotations, axis=-1), 1, atol=1e-9)


def test_without_pivots_the_joints_stay_and_are_a_little_off() -> None:
    points = lifted(6)
    posed = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS, pivots=False)
    assert posed.joints == H36M.joints
    assert posed.parents == H36M.parents
    error = np.linalg.norm(posed.positions - normalised(points, H36M.parents), axis=-1).mean()
    assert 0.002 < error < 0.1


def test_a_rigid_body_needs_no_pivot_and_turns_as_it_did() -> None:
    rng = np.random.default_rng(7)
    rest = lifted(8, frames=1, wobble=0)[0] - lifted(8, frames=1, wobble=0)[0, H36M.root]
    turns = Rotation.from_rotvec(smooth(rng, 60, 1, 2.5)[:, 0])
    points = np.stack([turn.apply(rest) for turn in turns])
    posed = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS)
    assert posed.joints == H36M.joints
    root = Rotation.from_quat(posed.rotations[:, H36M.root])
    relative = (turns[0].inv() * turns).as_rotvec()
    np.testing.assert_allclose((root[0].inv() * root).magnitude(), np.linalg.norm(relative, axis=-1), atol=2e-3)


def test_the_rest_pose_stands_with_arms_out() -> None:
    posed = rotations_from_positions(lifted(9), H36M.joints, H36M.parents, fps=FPS)
    identity = np.tile([0.0, 0, 0, 1], (len(posed.joints), 1))
    stand = dict(zip(posed.joints, forward_kinematics(posed.parents, identity, posed.offsets)[0], strict=True))
    assert stand["head"][1] > stand["thorax"][1] > stand["pelvis"][1] > stand["left_knee"][1] > stand["left_ankle"][1]
    assert stand["left_wrist"][0] > stand["left_elbow"][0] > stand["left_shoulder"][0] > 0 > stand["right_wrist"][0]
    for limb in ("left_knee", "left_ankle", "right_knee", "right_ankle", "left_elbow", "right_wrist"):
        bone = posed.offsets[posed.joints.index(limb)] / np.linalg.norm(posed.offsets[posed.joints.index(limb)])
        axis = [0, -1, 0] if limb.endswith(("knee", "ankle")) else [1 if limb.startswith("left") else -1, 0, 0]
        np.testing.assert_allclose(bone, axis, atol=1e-9)


def test_a_limb_that_passes_the_opposite_of_its_rest_does_not_flip() -> None:
    # the arm's rest is along +x; here it sweeps through -x, a hair off the pole, where the shortest turn whirls
    t = np.linspace(-1, 1, 121)
    arm = np.stack((-np.cos(t), 0.002 * np.ones_like(t), np.sin(t)), axis=-1)
    points = np.stack((np.zeros_like(arm), arm), axis=1)
    rest = np.array([[np.nan] * 3, [1.0, 0, 0]])
    posed = rotations_from_positions(points, ("a", "b"), (-1, 0), rest=rest, fps=FPS)
    np.testing.assert_allclose(posed.positions[:, 1], arm, atol=1e-9)
    moved = np.arccos(np.clip((arm[1:] * arm[:-1]).sum(-1) / np.linalg.norm(arm[0]) ** 2, -1, 1)).max()
    limit = 10 / FPS
    assert steps(posed.rotations).max() <= np.hypot(moved, limit) + 1e-6
    naive = [Rotation.align_vectors(a[None], [[1.0, 0, 0]])[0].as_quat() for a in arm]
    assert steps(np.array(naive)[:, None]).max() > 1.0  # the shortest turn alone does flip


@pytest.mark.parametrize("seed", range(3))
def test_rotations_move_no_faster_than_the_bones_and_signs_are_continuous(seed: int) -> None:
    posed = rotations_from_positions(lifted(seed, frames=200), H36M.joints, H36M.parents, fps=FPS)
    assert steps(posed.rotations).max() < np.radians(60)
    assert ((posed.rotations[1:] * posed.rotations[:-1]).sum(-1) > 0).all()


def test_one_frame_that_is_far_off_earns_a_pivot_where_the_largest_miss_counts() -> None:
    points = lifted(3, frames=400, wobble=0.0)
    points[200, H36M.index("left_shoulder")] += [0.0, 0.02, 0.0]  # 1 mm, root mean square
    loose = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS, tolerance=0.05)
    strict = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS, tolerance=0.05, largest=0.002)
    assert "left_shoulder_pivot" not in loose.joints
    assert "left_shoulder_pivot" in strict.joints
    error = np.linalg.norm(own(strict) - normalised(points, H36M.parents), axis=-1)
    assert error.max() < 0.006  # of up to three children one after the other


def test_a_stub_between_buttock_and_thigh_does_not_turn_the_leg() -> None:
    joints = ("Hips", "spine", *(f"{s}_{n}" for s in ("left", "right") for n in ("buttock", "hip", "knee", "ankle")))
    parents = (-1, 0, 0, 2, 3, 4, 0, 6, 7, 8)
    side = np.array([[0.1, 0, 0], [0, -0.017, -0.022], [0, -0.4, 0], [0, -0.4, 0]])
    offsets = np.concatenate([[[0, 0, 0], [0, 0.3, 0]], side, side * [-1, 1, 1]])
    t = np.arange(60) / FPS
    turns = np.zeros((60, 10, 3))
    turns[:, [3, 7], 0] = 0.5 * np.sin(np.stack([4 * t, 4 * t + np.pi], axis=-1))  # thighs swing
    turns[:, [4, 8], 0] = 0.6 + 0.5 * np.sin(np.stack([5 * t, 5 * t + np.pi], axis=-1))  # knees bend
    local = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(60, 10, 4)
    points = forward_kinematics(parents, local, np.tile(offsets, (60, 1, 1)))[0]
    posed = rotations_from_positions(points, joints, parents, fps=FPS)
    assert posed.joints == joints
    np.testing.assert_allclose(posed.positions, points, atol=1e-6)
    angles = steps(np.stack([local.reshape(-1, 4), posed.rotations.reshape(-1, 4)]))[0]
    assert np.degrees(angles.max()) < 2


def test_what_carries_both_hips_is_no_buttock() -> None:
    joints = ("spine", "root_of_legs", "left_hip", "right_hip", "side", "left_hip_2")
    rest = rest_directions(joints, (-1, 0, 1, 1, 0, 4), {"left_hip_2": "left_hip"})
    assert np.isnan(rest[1]).all()
    np.testing.assert_array_equal(rest[2:5], [[1, 0, 0], [-1, 0, 0], [1, 0, 0]])
    assert np.isnan(rest[5]).all()  # hangs from it as it does


def test_a_name_on_a_bone_without_length_is_of_the_one_that_starts_there() -> None:
    cmu = get_skeleton("cmu38")  # its hip joints lie on the root
    hip, above = cmu.index("left_hip"), cmu.index("left_hip_joint")
    offsets = np.random.default_rng(0).normal(size=(38, 3))
    offsets[[cmu.root, above, cmu.index("right_hip_joint")]] = 0
    for joint, x in ((hip, 0.1), (cmu.index("right_hip"), -0.1)):
        offsets[joint] = [x, 0, 0]
    identity = np.tile([0.0, 0, 0, 1], (5, 38, 1))
    points = forward_kinematics(cmu.parents, identity, np.tile(offsets, (5, 1, 1)))[0]
    posed = rotations_from_positions(points, cmu.joints, cmu.parents, fps=FPS)
    assert posed.offsets[posed.joints.index("left_hip"), 0] > 0.05


def test_bones_that_collapse_and_joints_that_coincide_do_no_harm() -> None:
    points = lifted(10, frames=20)
    points[4:7, H36M.index("left_wrist")] = points[4:7, H36M.index("left_elbow")]
    points[:, H36M.index("head")] = points[:, H36M.index("nose")]
    posed = rotations_from_positions(points, H36M.joints, H36M.parents, fps=FPS)
    assert np.isfinite(posed.positions).all()
    assert np.isfinite(posed.rotations).all()
    np.testing.assert_allclose(posed.offsets[posed.joints.index("head")], 0)
    single = rotations_from_positions(points[:1], H36M.joints, H36M.parents)
    assert single.positions.shape[0] == 1


def test_names_that_mean_nothing_still_work() -> None:
    rng = np.random.default_rng(11)
    points = rng.normal(size=(10, 6, 3))
    parents = (-1, 0, 0, 1, 1, 4)
    posed = rotations_from_positions(points, tuple("abcdef"), parents, tolerance=0.0)
    expected = points.copy()
    for joint, parent in enumerate(parents[1:], start=1):
        bone = points[:, joint] - points[:, parent]
        length = np.linalg.norm(bone, axis=-1, keepdims=True)
        expected[:, joint] = expected[:, parent] + bone / length * np.median(length)
    np.testing.assert_allclose(own(posed), expected, atol=1e-9)


def test_gaps_and_wrong_shapes_are_refused() -> None:
    points = lifted(12, frames=3)
    points[1, 4] = np.nan
    with pytest.raises(DataError, match="fill the gaps"):
        rotations_from_positions(points, H36M.joints, H36M.parents)
    with pytest.raises(DataError, match="must be \\(frames, 17, 3\\)"):
        rotations_from_positions(points[:, :5], H36M.joints, H36M.parents)
    with pytest.raises(DataError):
        rotations_from_positions(points[:0], H36M.joints, H36M.parents)
