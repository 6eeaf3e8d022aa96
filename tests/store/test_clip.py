"""One clip of a sequence: what float32 keeps of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import clip_of

WALK = np.random.default_rng(0).normal(size=(2, 30, 17, 3))
WALK[1, 4, 3] = np.nan


def stored(offset_m: list[float]) -> NDArray[np.floating]:
    sequence = SkeletonSequence(WALK + offset_m, get_skeleton("h36m17"), 30, up="y")
    return clip_of(sequence, name="walk", label=0).positions


def test_ordinary_places_are_stored_as_they_are() -> None:
    """Bit by bit: fingerprints of stores follow from it."""
    for place in ([0.0, 0.0, 0.0], [3e4, 0.0, -3e4]):
        np.testing.assert_array_equal(stored(place), (WALK + place).astype(np.float32))


def test_far_from_the_origin_a_clip_keeps_its_millimetres() -> None:
    far = stored([5e6, 0.5, -4e7])
    assert far.dtype == np.float32
    assert np.nanmax(np.abs(far)) < 10
    np.testing.assert_array_equal(far[..., 1], (WALK[..., 1] + 0.5).astype(np.float32))  # the height is not touched
    steps = (far - WALK)[np.isfinite(WALK).all(axis=-1)]
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-5)  # one for people and frames
