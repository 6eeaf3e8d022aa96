"""Clips, their windows, and what makes two data sets the same."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.errors import DataError
from kinegraph.skeleton import Skeleton

PAIR = Skeleton(name="pair", joints=("root", "arm"), parents=(-1, 0))


def make(lengths=(7, 3, 5), **changes):
    rng = np.random.default_rng(0)
    clips = tuple(
        MotionClip(features=rng.normal(size=(length, 2, 3)), action=place % 2, name=f"clip_{place}")
        for place, length in enumerate(lengths)
    )
    settings = {"name": "made", "skeleton": PAIR, "fps": 30.0, "representation": "expmap", "actions": ("a", "b")}
    return MotionData(**(settings | {"clips": clips} | changes))


def test_windows_lie_within_clips():
    data = make()
    assert data.frames == 15
    for length in (1, 3, 5, 7, 8):
        for stride in (1, 2, 4):
            expected = [
                [clip, start]
                for clip, frames in enumerate((7, 3, 5))
                for start in range(frames)
                if start % stride == 0 and start + length <= frames
            ]
            found = data.windows(length, stride)
            assert found.shape == (len(expected), 2)
            assert found.tolist() == expected


def test_choose():
    data = make()
    assert [clip.name for clip in data.choose(lambda clip: clip.action == 0).clips] == ["clip_0", "clip_2"]
    one = data.choose([False, True, False], name="one")
    assert (one.name, one.clips[0].name, one.actions) == ("one", "clip_1", ("a", "b"))
    with pytest.raises(DataError, match="no clips"):
        data.choose(lambda clip: False)
    with pytest.raises(ValueError, match="zip"):
        data.choose([True])


def test_fingerprint_sees_all_that_can_be_learned_from():
    data = make()
    assert data.fingerprint == make().fingerprint == make(name="other").fingerprint
    changed = [
        make((7, 3, 6)),
        make(fps=60.0),
        make(representation="positions"),
        make(actions=("a", "c")),
        make(skeleton=Skeleton(name="pair", joints=("root", "leg"), parents=(-1, 0))),
        data.choose([True, True, False]),
    ]
    moved = data.clips[0].features.copy()
    moved[0, 0, 0] += 1e-9
    clip = MotionClip(features=moved, action=0, name="clip_0")
    changed.append(make(clips=(clip, *data.clips[1:])))
    relabelled = MotionClip(features=data.clips[0].features, action=1, name="clip_0")
    changed.append(make(clips=(relabelled, *data.clips[1:])))
    assert len({data.fingerprint, *(other.fingerprint for other in changed)}) == 1 + len(changed)


@pytest.mark.parametrize(
    ("features", "action", "message"),
    [
        (np.zeros((4, 3, 3)), 0, r"expected \(frames, 2, 3\)"),
        (np.zeros((4, 6)), 0, "features"),
        (np.full((4, 2, 3), np.nan), 0, "NaN"),
        (np.zeros((4, 2, 3)), 2, "action 2 is not among 0..1 or -1"),
        (np.zeros((4, 2, 3)), -2, "action -2"),
    ],
)
def test_bad_clips_are_refused(features, action, message):
    with pytest.raises(DataError, match=message):
        make(clips=(MotionClip(features=features, action=action, name="x"),))


def test_unknown_action_is_allowed():
    assert make(clips=(MotionClip(features=np.zeros((4, 2, 3)), action=-1, name="x"),), actions=()).frames == 4
