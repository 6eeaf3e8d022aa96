"""Clips of several lengths as one batch, filled in clip by clip."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.transforms.clip_batches import pad_clips


@pytest.mark.parametrize("lengths", [(4, 4, 4), (2, 5, 3), (1,)])
@pytest.mark.parametrize("frames", [None, 6])
def test_clips_are_followed_by_nothing(lengths: tuple[int, ...], frames: int | None) -> None:
    rng = np.random.default_rng(0)
    clips = [(rng.normal(size=(2, n, 5, 3)).astype(np.float32), rng.random((2, n)) < 0.7) for n in lengths]
    batch, mask = pad_clips(clips, frames)
    assert batch.shape == (len(lengths), 2, frames or max(lengths), 5, 3)
    assert (batch.dtype, mask.dtype) == (np.float32, np.bool_)
    for row, (x, there) in enumerate(clips):
        for frame in range(batch.shape[2]):
            if frame < x.shape[1]:
                np.testing.assert_array_equal(batch[row, :, frame], x[:, frame])
                np.testing.assert_array_equal(mask[row, :, frame], there[:, frame])
            else:
                assert not batch[row, :, frame].any()
                assert not mask[row, :, frame].any()
