"""Which way is up, and where the viewer stands."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.visualize.projection import View, facing, image_box, image_view, stage, to_display

BODY = get_skeleton("h36m17")
HEAD, FOOT, LEFT, RIGHT = (BODY.index(n) for n in ("head", "left_ankle", "left_wrist", "right_wrist"))


def in_space(world: SkeletonSequence, space: str) -> SkeletonSequence:
    """The same person in z-up world space, or before a camera that they face."""
    x, y, z = np.moveaxis(world.positions, -1, 0)
    if space == "z":
        return world.replace(positions=np.stack([x, -z, y], -1), up="z")
    return world.replace(positions=np.stack([x, -y, 5 - z], -1), space="camera", up=None)


@pytest.mark.parametrize("space", ["y", "z", "camera"])
def test_the_head_is_above_the_feet_and_left_is_on_the_right_of_who_faces_us(
    world: SkeletonSequence, space: str
) -> None:
    given = world if space == "y" else in_space(world, space)
    points = to_display(given)[0, 0]
    set_up = stage(given, azimuth=0.0)
    xy, depth, scale = set_up.view.project(points, 400, 400)
    assert xy[HEAD, 1] < xy[FOOT, 1]
    assert xy[LEFT, 0] > xy[RIGHT, 0]
    assert (depth > 0).all()
    assert (scale > 0).all()
    assert (xy > 0).all()
    assert (xy < 400).all()
    # All three are the same person, up to a shift.
    np.testing.assert_allclose(points - points[0], to_display(world)[0, 0] - to_display(world)[0, 0, 0], atol=1e-12)


def test_projection_is_a_pinhole() -> None:
    view = View(azimuth=0.7, elevation=0.3, centre=(1.0, 2.0, 3.0), radius=2.0)
    points = np.random.default_rng(0).normal(size=(20, 3)) + np.array([1, 2, 3])
    # Independent: an explicit look-at basis.
    towards = np.array([math.sin(0.7) * math.cos(0.3), math.sin(0.3), math.cos(0.7) * math.cos(0.3)])
    right = np.cross([0, 1, 0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    eye = np.array([1.0, 2.0, 3.0]) + 6.2 * towards
    local = points - eye
    depth = -(local @ towards)
    want = np.stack([150 + 1.42 * 200 * (local @ right) / depth, 100 - 1.42 * 200 * (local @ up) / depth], -1)
    xy, got_depth, _ = view.project(points, 300, 200)
    np.testing.assert_allclose(got_depth, depth)
    np.testing.assert_allclose(xy, want)


def test_the_viewer_stands_in_front(world: SkeletonSequence) -> None:
    for angle in (0.0, 1.0, -2.5):
        # A turn about y by `angle` makes who faced +z face (sin, 0, cos).
        c, s = math.cos(angle), math.sin(angle)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        given = world.replace(positions=world.positions @ turn.T)
        got = facing(to_display(given), given)
        assert got is not None
        assert math.cos(got - angle) > 0.99


def test_ground_and_follow(world: SkeletonSequence) -> None:
    assert stage(world).ground == 0.0
    assert not stage(world).follow
    far = world.positions + np.linspace(0, 12, world.frames)[None, :, None, None] * np.array([0, 0, 1.0])
    assert stage(world.replace(positions=far)).follow
    camera = in_space(world, "camera")
    assert stage(camera).ground == pytest.approx(world.positions[..., 1].min(), abs=0.02)


def test_the_ground_has_round_cells_and_few(world: SkeletonSequence) -> None:
    def cell(factor: float) -> float:
        return stage(world.replace(positions=world.positions * factor)).cell

    reach = stage(world).view.radius
    for factor in (1e-3, 1.0, 9.9 / reach):  # as long as half metres do
        assert cell(factor) == 0.5
    sides = [cell(radius / reach) for radius in (15.0, 30.0, 90.0, 110.0, 1e9)]
    np.testing.assert_allclose(sides, [1.0, 2.0, 5.0, 10.0, 5e7], rtol=1e-12)
    apart = np.concatenate([world.positions[:1], world.positions[:1] + np.array([1e6, 0, 0])])
    unknown = SkeletonSequence(apart, world.skeleton, world.fps, unit="px", up="y")
    for large in (world.replace(positions=world.positions * 777.0), unknown):
        found = stage(large)
        assert found.view.radius / found.cell <= 20


def test_nothing_to_draw(world: SkeletonSequence, image: SkeletonSequence) -> None:
    nobody = world.replace(confidence=np.zeros(world.confidence.shape))
    with pytest.raises(DataError, match="no joint"):
        stage(nobody)
    with pytest.raises(DataError, match="3D"):
        to_display(image)
    with pytest.raises(DataError, match="no joint"):
        image_box(image.replace(confidence=np.zeros(image.confidence.shape)))


def test_image_box(image: SkeletonSequence) -> None:
    assert image_box(image) == (0, 0, 800, 600)
    left, top, right, bottom = image_box(image.replace(image_size=None))
    flat = image.positions[image.seen]
    assert left < flat[:, 0].min()
    assert right > flat[:, 0].max()
    assert top < flat[:, 1].min()
    assert bottom > flat[:, 1].max()


@pytest.mark.parametrize(("x", "y"), [(-250, 300), (400, 50), (1000, 300), (400, 560)])
def test_who_is_beside_the_image_is_seen_with_it(image: SkeletonSequence, x: float, y: float) -> None:
    middle = np.nanmean(image.positions, axis=(0, 1, 2))
    beside = image.replace(positions=image.positions - middle + [x, y])
    outline, seen = image_view(beside)
    assert outline == (0, 0, 800, 600)
    flat = beside.positions[beside.seen]
    low, high = flat.min(axis=0), flat.max(axis=0)
    assert (np.array(seen[:2]) <= np.minimum(0, low)).all()
    assert (np.array(seen[2:]) >= np.maximum((800, 600), high)).all()
    assert seen != outline


@pytest.mark.parametrize("x", [-3000, 4000])
def test_who_is_far_from_the_image_has_a_box_of_their_own(image: SkeletonSequence, x: float) -> None:
    far = image.replace(positions=image.positions + np.array([x, 0]))
    outline, seen = image_view(far)
    assert outline == seen == image_box(far)
    assert abs(outline[0]) > 2000
