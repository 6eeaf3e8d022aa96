"""Headings as graphs against the package's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.export.turning import Heading
from kinegraph.skeleton import get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.heading import heading_absolute, heading_relative

SKELETON = contract(get_skeleton("h36m17"), get_skeleton("h36m17").joints, trajectory=True)


@pytest.mark.parametrize("narrow", [(), ("hip",), ("hip", "knee"), ("hip", "knee", "shoulder")])
def test_positions_turn_as_in_the_package(narrow: tuple[str, ...]) -> None:
    """Also where pairs of joints coincide in one window of the batch."""
    rng = np.random.default_rng(0)
    world = rng.normal(scale=0.5, size=(4, 6, SKELETON.num_joints, 3))
    for part in narrow:
        left, right = SKELETON.index(f"left_{part}"), SKELETON.index(f"right_{part}")
        world[1, -1, left] = world[1, -1, right] + rng.normal(scale=0.005, size=3)
    relative, frame = heading_relative(world, -1, SKELETON, "positions")
    heading = Heading(SKELETON, "positions").double()
    x, place, turn = heading(torch.from_numpy(world))
    np.testing.assert_allclose(x.numpy(), relative, atol=1e-12)
    back = heading_absolute(relative, frame, SKELETON, "positions")
    np.testing.assert_allclose(heading.back(x, place, turn).numpy(), back, atol=1e-12)
