"""Bodies of lifting data: told apart by their bones, and drawn alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from lifting_samples import make_data

from kinegraph.datasets.bodies import body_of_poses, even_weights
from kinegraph.datasets.lifting_data import LiftingData, concatenate


def person(name: str, size: float, clips: int) -> LiftingData:
    """Somebody of that size, who keeps a pose and is carried about: 25 poses a clip."""
    data = make_data("tiny", clips, 25, 1)
    pose = np.random.default_rng(0).normal(0, 0.3, (17, 3)).astype(np.float32)
    places = np.random.default_rng(clips).uniform(4, 6, (len(data), 1, 3)).astype(np.float32)
    names = tuple(f"{name}/{clip}" for clip in data.clip_names)
    return dataclasses.replace(
        data, camera_m=places + size * pose, subject_names=(name,), clip_names=names, fingerprint=""
    )


def test_subjects_on_one_rig_are_one_body() -> None:
    people = [person("tall", 1.1, 3), person("a", 1.0, 1), person("small", 0.9, 1), person("b", 1.004, 2)]
    data = concatenate(people, "all")
    body = body_of_poses(data)
    found = {name: set(body[data.subject == i].tolist()) for i, name in enumerate(data.subject_names)}
    assert found["a"] == found["b"]
    assert len(found["tall"] | found["small"] | found["a"]) == 3
    assert all(len(numbers) == 1 for numbers in found.values())
    assert sorted(set(body.tolist())) == [0, 1, 2]


def test_names_without_poses_are_no_bodies() -> None:
    data = concatenate([person("a", 1.0, 1), person("b", 1.1, 1), person("c", 1.2, 1)], "all")
    rest = data.clips(["b/" not in name for name in data.clip_names])
    assert sorted(set(body_of_poses(rest).tolist())) == [0, 1]


@pytest.mark.parametrize("counts", [(1,), (5, 1), (3, 40, 7)])
def test_every_group_counts_alike(counts: tuple[int, ...]) -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    weights = even_weights(groups)
    for number, count in enumerate(counts):
        np.testing.assert_allclose(weights[groups == number], 1 / len(counts) / count)
