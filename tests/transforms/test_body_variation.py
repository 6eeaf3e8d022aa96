"""Other bodies and viewpoints: against a joint-by-joint loop, and by what must not change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from kinegraph.errors import ConfigError
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.body_variation import BodyVariation, trunk_frames

SKELETON = get_skeleton("h36m17")
STRONG = BodyVariation(size=0.1, limbs=0.1, turn_deg=60, tilt_deg=10, distance=0.3)


def people(count: int = 5, frames: int = 3) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    body = rng.normal(0, 0.4, (count, frames, SKELETON.num_joints, 3))
    return body + np.array([0.3, -0.2, 5.0])


def lengths(points: NDArray[np.float64]) -> NDArray[np.float64]:
    pairs = np.array(SKELETON.bones)
    return np.asarray(np.linalg.norm(points[..., pairs[:, 0], :] - points[..., pairs[:, 1], :], axis=-1))


def angles_at_joints(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines between each bone and the bone before it."""
    found = []
    for joint, parent in enumerate(SKELETON.parents):
        if parent >= 0 and SKELETON.parents[parent] >= 0:
            a = points[..., joint, :] - points[..., parent, :]
            b = points[..., parent, :] - points[..., SKELETON.parents[parent], :]
            found.append((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1))
    return np.stack(found)


def test_without_strengths_nothing_changes() -> None:
    points = people()
    np.testing.assert_allclose(BodyVariation().apply(points, np.random.default_rng(1), skeleton=SKELETON), points)


def test_pose_stays_and_lengths_change_by_one_factor_a_bone_alike_on_both_sides() -> None:
    points = people()
    made = STRONG.apply(points, np.random.default_rng(1), skeleton=SKELETON)
    np.testing.assert_allclose(angles_at_joints(made), angles_at_joints(points), atol=1e-9)
    factors: NDArray[np.float64] = lengths(made) / lengths(points)  # (people, frames, bones)
    np.testing.assert_allclose(factors, factors[:, :1].repeat(points.shape[1], 1))  # one body in all its frames
    ends = [child if SKELETON.parents[child] == parent else parent for parent, child in SKELETON.bones]
    place = {joint: number for number, joint in enumerate(ends)}
    for joint, number in place.items():
        np.testing.assert_allclose(factors[..., number], factors[..., place[SKELETON.mirror[joint]]])
    assert factors[:, 0].std(axis=0).min() > 0.05  # people differ
    assert factors[:, 0].std(axis=1).min() > 0.02  # and so do the bones of one of them


def test_strengths_are_standard_deviations() -> None:
    points = people(4000, 1)
    made = BodyVariation(size=0.2).apply(points, np.random.default_rng(2), skeleton=SKELETON)
    factors = np.log(lengths(made) / lengths(points))[:, 0]
    assert factors.std(axis=0) == pytest.approx(np.full(len(SKELETON.bones), 0.2), rel=0.05)
    np.testing.assert_allclose(factors, factors[:, :1].repeat(factors.shape[1], 1), atol=1e-9)
    far = BodyVariation(distance=0.2).apply(points, np.random.default_rng(2), skeleton=SKELETON)
    root = SKELETON.root
    ratio = far[:, 0, root] / points[:, 0, root]
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(3, 1))  # along the line of sight
    assert np.log(ratio[:, 0]).std() == pytest.approx(0.2, rel=0.05)
    np.testing.assert_allclose(far - far[:, :, root, None], points - points[:, :, root, None], atol=1e-9)


def test_a_turn_is_about_the_cameras_vertical_and_within_its_bounds() -> None:
    points = people(300, 1)
    made = BodyVariation(turn_deg=30).apply(points, np.random.default_rng(3), skeleton=SKELETON)
    root = SKELETON.root
    before, after = ((p - p[:, :, root, None])[:, 0, 5] for p in (points, made))
    np.testing.assert_allclose(after[:, 1], before[:, 1], atol=1e-9)
    turned = np.rad2deg(np.arctan2(before[:, 0], before[:, 2]) - np.arctan2(after[:, 0], after[:, 2]))
    turned = (turned + 180) % 360 - 180
    assert np.abs(turned).max() <= 30 + 1e-9
    assert turned.std() == pytest.approx(30 / np.sqrt(3), rel=0.1)


def test_a_tilt_leans_the_vertical_by_its_strength() -> None:
    points = np.zeros((4000, 1, SKELETON.num_joints, 3)) + np.array([0.0, 0.0, 5.0])
    points[:, :, 1:, 1] += 1.0  # every joint a metre below the root
    made = BodyVariation(tilt_deg=5).apply(points, np.random.default_rng(3), skeleton=SKELETON)
    down = (made - made[:, :, SKELETON.root, None])[:, 0, 1]
    assert np.rad2deg(np.arcsin(down[:, 2])).std() == pytest.approx(5, rel=0.05)
    assert np.rad2deg(np.arcsin(down[:, 0])).std() == pytest.approx(5, rel=0.05)


def test_nobody_is_brought_into_the_camera() -> None:
    made = BodyVariation(distance=1.0).apply(people(2000, 2), np.random.default_rng(4), skeleton=SKELETON)
    assert made[..., 2].min() >= 0.5 - 1e-9


def test_equal_generators_give_equal_bodies_and_strengths_do_not_mix() -> None:
    points = people()
    first, again = (STRONG.apply(points, np.random.default_rng(5), skeleton=SKELETON) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    nearer = dataclasses.replace(STRONG, distance=0.0).apply(points, np.random.default_rng(5), skeleton=SKELETON)
    root = SKELETON.root
    np.testing.assert_allclose(first - first[:, :, root, None], nearer - nearer[:, :, root, None], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "value"), [("size", -0.1), ("limbs", 2), ("turn_deg", 181), ("tilt_deg", float("nan")), ("mix", 1.5)]
)
def test_strengths_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        BodyVariation(**{name: value})


def upright_people(count: int) -> NDArray[np.float64]:
    """Bodies whose trunk stands, turned about the vertical, with limbs at random."""
    rng = np.random.default_rng(7)
    body = rng.normal(0, 0.3, (count, 2, SKELETON.num_joints, 3))
    body[:, :, SKELETON.root] = 0
    for name, place in {"left_hip": [0.1, 0, 0], "right_hip": [-0.1, 0, 0], "thorax": [0, -0.5, 0]}.items():
        body[:, :, SKELETON.index(name)] = place
    angle = rng.uniform(-np.pi, np.pi, count)
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros(count), np.ones(count)
    turn = np.stack([np.stack([c, o, s], -1), np.stack([o, i, o], -1), np.stack([-s, o, c], -1)], -2)
    return np.asarray(np.einsum("pij,pfkj->pfki", turn, body) + np.array([0.2, 0.1, 4.0]))


def in_trunk(points: NDArray[np.float64], child: str, parent: str) -> NDArray[np.float64]:
    """Direction (people, frames, 3) of a bone to the trunk's left, up and forward."""
    bone = points[..., SKELETON.index(child), :] - points[..., SKELETON.index(parent), :]
    bone = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
    return np.asarray(np.einsum("pfij,pfj->pfi", trunk_frames(points, SKELETON), bone))


def test_frames_of_trunks_are_left_up_and_forward() -> None:
    points = np.zeros((1, SKELETON.num_joints, 3))
    points[0, SKELETON.index("left_hip")] = [0.1, 0, 0]  # they face the camera: their left is the image's right
    points[0, SKELETON.index("right_hip")] = [-0.1, 0, 0]
    points[0, SKELETON.index("thorax")] = [0, -0.5, 0]  # y points down
    np.testing.assert_allclose(trunk_frames(points, SKELETON)[0], [[1, 0, 0], [0, -1, 0], [0, 0, -1]], atol=1e-12)
    coco = get_skeleton("openpose18")
    np.testing.assert_allclose(trunk_frames(np.ones((2, 18, 3)), coco).shape, (2, 3, 3))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_mixed_limb_is_all_of_one_other_persons(share: float) -> None:
    points = upright_people(200)
    made = BodyVariation(mix=share).apply(points, np.random.default_rng(2), skeleton=SKELETON)
    np.testing.assert_allclose(lengths(made), lengths(points), atol=1e-9)
    trunk = [SKELETON.index(j) for j in ("pelvis", "left_hip", "right_hip", "spine", "thorax", "nose", "left_shoulder")]
    np.testing.assert_allclose(made[:, :, trunk], points[:, :, trunk], atol=1e-9)
    partners = []
    for side in ("left", "right"):
        for upper, middle, end in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            names = [f"{side}_{joint}" for joint in (upper, middle, end)]
            who = []
            for child, parent in (names[1::-1], names[2:0:-1]):
                given, found = in_trunk(points, child, parent), in_trunk(made, child, parent)
                apart = np.linalg.norm(found[:, None] - given[None], axis=-1).max(axis=-1)  # (made, given)
                assert apart.min(axis=1).max() < 1e-6  # somebody's, in all frames
                who.append(apart.argmin(axis=1))
            np.testing.assert_array_equal(*who)
            partners.append(np.where(who[0] == np.arange(200), -1, who[0]))
    several = np.stack(partners)
    assert (several >= 0).mean() == pytest.approx(share, abs=0.05)
    assert all(len(set(column[column >= 0].tolist())) <= 1 for column in several.T)  # one partner a person


def test_an_equal_state_gives_equal_bodies_whatever_was_drawn_before() -> None:
    points, variation = people(), dataclasses.replace(STRONG, mix=0.7)
    used, fresh = np.random.default_rng(3), np.random.default_rng(9)
    first = variation.apply(points, used, skeleton=SKELETON)
    fresh.bit_generator.state = used.bit_generator.state
    second = variation.apply(points, used, skeleton=SKELETON)
    np.testing.assert_array_equal(second, variation.apply(points, fresh, skeleton=SKELETON))
    assert np.abs(second - first).max() > 0.1  # and another state others, whose limbs lie elsewhere
    limbs = BodyVariation(mix=0.7)
    assert np.abs(np.subtract(*(limbs.apply(points, used, skeleton=SKELETON) for _ in range(2)))).max() > 0.01


def test_mixing_leaves_all_other_draws_as_they_were() -> None:
    points = people()
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    plain = STRONG.apply(points, rng, skeleton=SKELETON)
    mixed = dataclasses.replace(STRONG, mix=0.7).apply(points, again, skeleton=SKELETON)
    assert np.abs(mixed - plain).max() > 0.1
    np.testing.assert_allclose(lengths(mixed), lengths(plain), rtol=1e-9)
    assert rng.random() == again.random()


def test_a_foot_that_stands_still_stands_still_in_the_other_body() -> None:
    """Frames of one person are one scene: as large, from another side, farther off, but not skating."""
    rng = np.random.default_rng(0)
    walk = rng.normal(0, 0.3, (5, 9, SKELETON.num_joints, 3)) + np.array([0, 0, 5])
    walk += np.linspace(0, 0.6, 9)[None, :, None, None] * [1.0, 0.0, 0.5]
    foot = SKELETON.index("left_ankle")
    walk[:, :, foot] = walk[:, :1, foot]
    change = BodyVariation(size=0.2, turn_deg=60, tilt_deg=10, distance=0.3)
    moved = change.apply(walk, np.random.default_rng(1), skeleton=SKELETON)
    np.testing.assert_allclose(moved[:, :, foot], np.broadcast_to(moved[:, :1, foot], (5, 9, 3)), atol=1e-9)
    # and the path is as long as the legs are: every distance within the window changes by the same factor
    before, after = (np.linalg.norm(p[:, 1:, SKELETON.root] - p[:, :-1, SKELETON.root], axis=-1) for p in (walk, moved))
    bones = [np.linalg.norm(p[:, :, foot] - p[:, :, SKELETON.parents[foot]], axis=-1) for p in (walk, moved)]
    np.testing.assert_allclose(after / before, np.broadcast_to((bones[1] / bones[0])[:, :1], (5, 8)), rtol=1e-9)


def test_single_poses_are_what_they_were() -> None:
    """The published figures are of these: a pose by itself turns about its own root."""
    poses = np.random.default_rng(0).normal(0, 0.3, (6, 1, SKELETON.num_joints, 3)) + np.array([0.2, 0.1, 5])
    change = BodyVariation(size=0.1, limbs=0.1, turn_deg=30, tilt_deg=3, distance=0.2)
    moved = change.apply(poses, np.random.default_rng(1), skeleton=SKELETON)
    along = moved[:, 0, SKELETON.root] / poses[:, 0, SKELETON.root]
    np.testing.assert_allclose(along, np.broadcast_to(along[:, :1], along.shape), rtol=1e-12)
