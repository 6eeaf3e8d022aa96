"""Scores of a motion network's windows, against each window encoded and put to the network alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from moving_people import body, network, walker

from kinegraph.errors import DataError, KinegraphError, SkeletonError
from kinegraph.inference.motion_scores import MotionScores
from kinegraph.inference.motion_window import person_window, ready
from kinegraph.transforms.heading import heading_relative

ACTIONS = ("walking", "running", "jumping")


def test_each_window_is_scored_as_it_is_alone() -> None:
    found_in = walker(2.0, people=2)
    net = network(actions=ACTIONS)
    rows, _ = MotionScores(net).score(found_in, None, 0.1, None)
    assert [(row.person, row.partner) for row in rows] == [(0, None), (1, None)]
    span = (found_in.frames - 1) / found_in.fps
    for row in rows:
        features = person_window(ready(found_in), row.person, net, 0.0).features
        last, expected, times = len(features), [], []
        while last >= 12:  # from the end, every third of the network's frames
            window, _ = heading_relative(features[last - 12 : last][None], -1, net.skeleton, "expmap")
            with torch.inference_mode():
                logits = net.model(torch.from_numpy(net.transform.encode(window)), 0).logits[0].double().numpy()
            powers = np.exp(logits - logits.max())
            expected.insert(0, powers / powers.sum())
            stop = span - (len(features) - last) / 30.0
            times.insert(0, (max(0.0, stop - net.observed_s), stop))
            last -= 3
        np.testing.assert_allclose(row.timeline, expected, rtol=1e-4)
        np.testing.assert_allclose(row.times, times, atol=1e-6)
        assert row.numbers.tolist() == list(range(len(expected)))


def test_progress_ends_with_everybody_done() -> None:
    told: list[tuple[int, int]] = []
    MotionScores(network(actions=ACTIONS)).score(
        walker(2.0, people=2), None, None, lambda done, total: told.append((done, total))
    )
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_who_is_away_is_left_out_and_said() -> None:
    both = walker(2.0, people=2)
    positions = both.positions.copy()
    positions[1] = np.nan
    sequence = both.replace(positions=positions, confidence=None, rotations=None, offsets=None)
    scores = MotionScores(network(representation="positions", skeleton=body(trajectory=True), actions=ACTIONS))
    rows, notes = scores.score(sequence, None, None, None)
    assert [row.person for row in rows] == [0]
    assert any("is never seen and was left out" in note for note in notes)
    positions[0, 5:] = np.nan
    with pytest.raises(DataError, match="nobody is seen for long enough; expected a person in half of 0.37 s"):
        scores.score(sequence.replace(positions=positions, confidence=None), None, None, None)


@pytest.mark.parametrize(
    ("joints", "told"),
    [((0, 10), "2 joints are seen; expected a body with its root"), ((0, 1, 2, 3), "joints that the network turns")],
)
def test_a_bystander_of_few_joints_stops_nobody(joints: tuple[int, ...], told: str) -> None:
    both = walker(2.0, people=2)
    confidence = np.array(both.confidence)
    confidence[1, :, [joint for joint in range(both.joints) if joint not in joints]] = 0
    both = both.replace(confidence=confidence, rotations=None, offsets=None)
    scores = MotionScores(network(actions=ACTIONS))
    rows, notes = scores.score(both, None, None, None)
    assert [row.person for row in rows] == [0]
    assert any(note.startswith("walker, person 2 was left out: ") and told in note for note in notes)
    with pytest.raises((DataError, SkeletonError), match=told):
        scores.score(both.select_people([1]), None, None, None)


def test_networks_and_recordings_that_do_not_serve_are_refused() -> None:
    with pytest.raises(KinegraphError, match="forecasts and does not recognise"):
        MotionScores(network())
    net = network(actions=ACTIONS)
    wrong = replace(net, transform=replace(net.transform, actions=ACTIONS[:2]))
    with pytest.raises(KinegraphError, match="has 3 classes and names 2; its weights are damaged"):
        MotionScores(wrong)
    told = r"looks at 0.37 s \(12 frames at 30 a second\) and the recording has 0.20 s, 0.17 s too little"
    with pytest.raises(DataError, match=told):
        MotionScores(net).score(walker(0.2), None, None, None)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("fps", "frames"), [(30.0, 12), (1 / 0.033333, 12), (29.97, 12), (60.0, 23), (1 / 0.016667, 23)]
)
def test_a_recording_as_long_as_the_network_looks_back_is_one_window(fps: float, frames: int, kept: bool) -> None:
    """To a rounded digit of its frame rate, as BVH states it, for forecasts too."""
    net = network(actions=ACTIONS)
    walk = walker(1.0, 60.0).slice_frames(0, frames).replace(fps=fps)
    walk = walk if kept else walk.replace(rotations=None, offsets=None)
    ((row,), _) = MotionScores(net).score(walk, None, None, None)
    assert row.times.shape == (1, 2)
    np.testing.assert_allclose(row.times[0], [0, (frames - 1) / fps], atol=1e-3)
    with pytest.raises(DataError, match="s too little"):
        MotionScores(net).score(walk.slice_frames(0, frames - 1), None, None, None)
