"""Whatever a detector may write, lifting gives a sound sequence or one of the package's own errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from lifting_people import flat_person, lifter

from kinegraph.errors import KinegraphError
from kinegraph.inference import LiftOptions, upright
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.visualize import player_html


@pytest.mark.parametrize("seed", range(40))
def test_any_keypoints(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, frames = int(rng.integers(1, 4)), int(rng.integers(1, 40))
    body = get_skeleton(str(rng.choice(["h36m17", "coco17", "body25", "mediapipe33"])))
    shape = (people, frames, body.num_joints)
    points = rng.normal(size=(*shape, 2)) * 10.0 ** rng.integers(-3, 6) + rng.normal() * 10.0 ** rng.integers(0, 5)
    if rng.random() < 0.2:
        points[:] = points[:, :1, :1]  # nobody has any size
    confidence = rng.random(shape) * (rng.random(shape) > rng.choice([0, 0.05, 0.3, 0.6]))
    if rng.random() < 0.3:
        confidence[:, rng.integers(0, frames) :] = 0
    given = SkeletonSequence(
        points,
        body,
        fps=None if rng.random() < 0.3 else float(rng.choice([5, 25, 30, 120])),
        unit="px" if rng.random() < 0.5 else "normalized",
        space="image",
        confidence=confidence,
        image_size=None if rng.random() < 0.5 else (640, 480),
    )
    own = lifter(
        flat_person,
        frames=int(rng.choice([1, 9])),
        normalise=str(rng.choice(["screen", "box"])),
        confidence=bool(rng.random() < 0.5),
        metadata={"data": {"train": {"fps": float(rng.choice([25, 50]))}}},
    )
    options = LiftOptions(
        stills=bool(rng.random() < 0.3),
        people="all" if rng.random() < 0.5 else "main",
        root="estimated" if rng.random() < 0.5 else "relative",
        framing=("auto", "image", "person")[rng.integers(3)],
        smooth_s=float(rng.choice([0, 0.05])),
        rigid=bool(rng.random() < 0.8),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            lifted = own.lift(given, options)
        except KinegraphError:
            return
        world = upright(lifted, stills=options.stills)
        assert world.positions.shape[1:] == (frames, 17, 3)
        assert lifted.seen.any(axis=(1, 2)).all()  # nobody empty
        player_html([("2D", given), ("3D", world)], title="any")
