"""Kinetics-skeleton: who is kept, what is missing, and damage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinegraph.errors import ConfigError, FormatError
from kinegraph.formats import detect, read
from kinegraph.formats.keypoints.kinetics import label_index


def person(x, score):
    pose = [value for joint in range(18) for value in (x, x / 2 + joint / 50)]
    return {"pose": pose, "score": [score] * 18}


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "a.json"

    def write(frames, **fields):
        path.write_text(json.dumps({"data": frames, "label": "juggling", "label_index": 7, **fields}))
        return path

    return write


def frame(number, *people):
    return {"frame_index": number, "skeleton": list(people)}


def test_frames_people_and_label(clip):
    one = person(0.25, 0.9)
    one["score"][3] = 0
    path = clip([frame(1, one, person(0.75, 0.5)), frame(2), frame(4, person(0.26, 0.9))])
    assert detect(path) == "kinetics"
    found = read(path)
    assert (found.people, found.frames, found.fps, found.label) == (2, 4, 30.0, "juggling")
    assert (found.skeleton.name, found.unit, found.space) == ("openpose18", "normalized", "image")
    assert found.confidence[:, 0, 0].tolist() == [0.9, 0.5]
    assert not found.seen[0, 0, 3]
    np.testing.assert_array_equal(found.positions[0, 0, 0], [0.25, 0.125])
    np.testing.assert_array_equal(found.positions[0, 3, 0], [0.26, 0.13])
    assert not found.seen[:, 1:3].any()
    assert label_index(json.loads(path.read_text()), path) == 7


def test_the_best_by_score_of_every_frame(clip):
    scores = [[0.1, 0.9, 0.5, 0.2, 0.3], [0.8, 0.1, 0.9, 0.4, 0.6]]
    frames = [frame(t + 1, *(person((p + 1) / 10, s) for p, s in enumerate(row))) for t, row in enumerate(scores)]
    found = read(clip(frames), best=2)
    np.testing.assert_allclose(found.positions[:, :, 0, 0], [[0.2, 0.3], [0.3, 0.1]])
    assert read(clip(frames), people=5).people == 5
    with pytest.raises(ConfigError, match="best is 0"):
        read(clip(frames), best=0)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([frame(1, {"pose": [0.5] * 35, "score": [1] * 18})], "35 coordinates and 18 scores; expected 36 and 18"),
        ([frame(1, person(0.5, 1)), frame(1)], "stands twice"),
        ([frame("x")], "frame_index is 'x'"),
        ([frame(1)], "no people in 1 frame"),
    ],
)
def test_damage(clip, frames, message):
    with pytest.raises(FormatError, match=message):
        read(clip(frames))


def test_no_label_index(clip):
    path = clip([frame(1)], label_index="x")
    with pytest.raises(FormatError, match="label_index is 'x'"):
        label_index(json.loads(path.read_text()), path)
