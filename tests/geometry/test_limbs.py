"""Limbs: a closed surface round a bone, and how thick it is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from kinegraph.geometry.limbs import anatomy, bone_radii, limb_mesh
from kinegraph.skeleton import get_skeleton


@pytest.mark.parametrize(("near", "far"), [(0.1, 0.1), (0.12, 0.05), (0.02, 0.2)])
def test_the_surface_is_closed_and_at_its_radius(near: float, far: float) -> None:
    start, end = np.array([0.2, 0.1, -0.3]), np.array([0.5, 0.9, 0.1])
    points, normals, faces = limb_mesh(start, end, near, far, segments=10)
    edges = Counter(tuple(sorted(pair)) for f in faces for pair in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0])))
    assert set(edges.values()) == {2}
    assert len(points) - len(edges) + len(faces) == 2  # a sphere, by Euler
    # every point lies on one of the two round ends, along its normal
    on_near = np.abs(points - start - near * normals).max(axis=1) < 1e-9
    on_far = np.abs(points - end - far * normals).max(axis=1) < 1e-9
    assert (on_near | on_far).all()
    a, b, c = points[faces].transpose(1, 0, 2)
    volume = np.einsum("nd,nd->n", a, np.cross(b, c)).sum() / 6
    exact = np.pi * np.linalg.norm(end - start) * (near**2 + near * far + far**2) / 3
    assert volume > 0.6 * exact


def test_radii_follow_the_anatomy() -> None:
    names = anatomy(get_skeleton("h36m17"))
    assert "knee" in names
    near, far = bone_radii("left_knee", 1.8, 0.45)
    assert 0.05 < far < near < 0.1
    assert bone_radii("right_knee", 1.8, 0.45) == bone_radii("knee", 1.8, 0.45)
    assert bone_radii("knee", 1.8, 0.02) == (0.01, 0.01)
    assert bone_radii("left_flipper", 1.0, 1.0) == (0.022, 0.020)
