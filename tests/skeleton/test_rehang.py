"""Loose points get a tree: by name where names say it, by constant distance where they do not."""

from __future__ import annotations

import numpy as np

from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.skeleton.rehang import is_loose, rehung

NAMES = ("pelvis", "left_hip", "left_knee", "left_ankle", "thorax", "left_shoulder", "left_wrist", "strap", "heel_tape")


def test_bodies_are_hung_as_bodies() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(50, len(NAMES), 3))
    positions[:, 7] = positions[:, 4] + [0.1, 0.0, 0.05]  # on the chest
    positions[:, 8] = positions[:, 3] + [0.0, -0.05, 0.02]  # at the ankle
    loose = Skeleton(name="markers", joints=NAMES, parents=(-1,) + (0,) * 8)
    assert is_loose(loose)
    hung = rehung(loose, positions)
    above = {joint: hung.joints[p] if p >= 0 else "" for joint, p in zip(hung.joints, hung.parents, strict=True)}
    assert above == {
        "pelvis": "",
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "thorax": "pelvis",  # there is no spine point
        "left_shoulder": "thorax",
        "left_wrist": "left_shoulder",  # nor an elbow
        "strap": "thorax",
        "heel_tape": "left_ankle",
    }


def test_markers_without_anatomy_follow_the_segments_they_lie_on() -> None:
    """Two stiff segments of three markers each that turn about a joint: only its neighbours keep their distance."""
    t = np.linspace(0, 3, 90)[:, None]
    upper = np.array([[0.0, 0.9, 0.05], [0.0, 0.7, 0.05], [0.0, 0.5, 0.05]])
    along = np.concatenate((0 * t, -np.cos(t), np.sin(t)), axis=-1)  # of the lower one, from the joint at (0, 0.5, 0)
    lower = [np.array([0.0, 0.5, 0.0]) + reach * along for reach in (0.02, 0.2, 0.4)]
    positions = np.stack([*(np.tile(point, (90, 1)) for point in upper), *lower], axis=1)
    hung = rehung(Skeleton(name="m", joints=tuple("abcdef"), parents=(-1, 0, 0, 0, 0, 0)), positions)
    assert hung.parents == (-1, 0, 1, 2, 3, 4)
    turned = rehung(Skeleton(name="m", joints=tuple("abcdef"), parents=(5, 5, 5, 5, 5, -1)), positions)
    assert turned.parents == (1, 2, 3, 4, 5, -1)  # the root stays the root


def test_points_never_seen_together_hang_somewhere() -> None:
    positions = np.full((10, 9, 3), np.nan)
    positions[::2, :7], positions[1::2, 7:] = 0.0, 1.0
    assert rehung(Skeleton(name="m", joints=NAMES, parents=(-1,) + (0,) * 8), positions).roots == (0,)


def test_trees_are_not_loose() -> None:
    body = get_skeleton("h36m17")
    assert not is_loose(body)
    assert rehung(body, np.zeros((2, 17, 3))) is body
    assert not is_loose(Skeleton(name="few", joints=("a", "b", "c"), parents=(-1, 0, 0)))
