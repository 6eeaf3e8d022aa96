"""Recognition: windows over a recording, each person, and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from moving_people import network, turned, walker

from kinegraph.errors import DataError, KinegraphError
from kinegraph.inference.motion_window import person_window
from kinegraph.inference.recognizer import Recognizer
from kinegraph.transforms.heading import heading_relative

ACTIONS = ("walk", "run", "hop")


def test_scores_are_the_mean_of_the_windows() -> None:
    made = network(actions=ACTIONS, fps=30.0, observed=12)
    sequence = walker(seconds=2.0, fps=30.0)
    result = Recognizer(made).recognize(sequence, stride_s=0.5)
    person = result.people[0]
    np.testing.assert_allclose(person.scores, person.timeline.mean(axis=0))
    np.testing.assert_allclose(person.timeline.sum(axis=1), 1)
    # 61 frames: windows end with frames 60, 45, 30, 15 (0-based)
    np.testing.assert_allclose(person.times[:, 1], [0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(person.times[:, 1] - person.times[:, 0], 11 / 30)
    whole = Recognizer(made).recognize(sequence, stride_s=1 / 30).people[0]
    assert np.signbit(whole.times).sum() == 0  # a -0.0 s would be printed
    features = person_window(sequence, 0, made, 0.0).features
    for row, last in zip(person.timeline, (15, 30, 45, 60), strict=True):
        window, _ = heading_relative(features[None, last - 11 : last + 1], -1, made.skeleton)
        window[..., 0, 1] -= person_floor(sequence)
        with torch.no_grad():
            logits = made.model(torch.from_numpy(made.transform.encode(window)), 0).logits
        assert logits is not None
        np.testing.assert_allclose(row, torch.softmax(logits[0].double(), -1).numpy(), atol=1e-6)


def person_floor(sequence: object) -> float:
    lowest = sequence.positions[0, ..., 1].min(axis=-1)  # type: ignore[attr-defined]
    return float(np.quantile(lowest, 0.01))


def test_top_is_ordered() -> None:
    result = Recognizer(network(actions=ACTIONS)).recognize(walker())
    top = result.top(5)
    assert [score for _, score in top] == sorted((score for _, score in top), reverse=True)
    assert {name for name, _ in top} == set(ACTIONS)
    assert result.top(1) == top[:1]


def test_place_and_heading_do_not_matter() -> None:
    recognizer = Recognizer(network(actions=ACTIONS))
    one, other = recognizer.recognize(walker()), recognizer.recognize(turned(walker(), 2.0, np.array([4.0, 0.5, 1.0])))
    np.testing.assert_allclose(one.people[0].scores, other.people[0].scores, atol=1e-5)


def test_every_person_and_nobody() -> None:
    crowd = walker(people=3).replace(rotations=None, offsets=None)
    positions = crowd.positions.copy()
    positions[1] = np.nan
    result = Recognizer(network(actions=ACTIONS)).recognize(crowd.replace(positions=positions, confidence=None))
    assert [entry.person for entry in result.people] == [0, 2]
    assert any("person 2 is never seen" in note for note in result.notes)
    with pytest.raises(DataError, match="nobody is seen"):
        Recognizer(network(actions=ACTIONS)).recognize(
            crowd.replace(positions=np.full_like(positions, np.nan), confidence=None)
        )


@pytest.mark.parametrize("fps", [30.0, 50.0])
def test_nothing_is_named_while_nobody_is_seen(fps: float) -> None:
    sequence = walker(seconds=6.0, fps=fps).replace(rotations=None, offsets=None)
    positions = sequence.positions.copy()
    at = np.arange(sequence.frames) / fps
    positions[0, ((at > 1.5) & (at < 4.0)) | (at < 0.2)] = np.nan
    recognizer = Recognizer(network(actions=ACTIONS, fps=30.0, observed=12))
    person = recognizer.recognize(sequence.replace(positions=positions, confidence=None), stride_s=1 / 30).people[0]
    seen = np.isfinite(positions[0]).all(axis=(1, 2))
    times = at[seen]
    assert person.times[0, 0] == pytest.approx(times[0])
    for start, stop in person.times:
        inside = (at >= start - 1e-6) & (at <= stop + 1e-6)
        assert seen[inside].mean() >= 0.5
        assert min(abs(times - start)) < 0.5 / fps
        assert min(abs(times - stop)) < 0.5 / fps
    for segment in person.segments:
        assert segment.stop_s <= 1.5 + 1e-6 or segment.start_s >= 4.0 - 1e-6
    assert person.segments[-1].stop_s == pytest.approx(6.0)
    positions[0, at < 5.9] = np.nan
    with pytest.raises(DataError, match=r"nobody is seen for long enough; expected a person in half of 0\.37 s"):
        recognizer.recognize(sequence.replace(positions=positions, confidence=None))


def test_too_short_names_both_times() -> None:
    with pytest.raises(DataError, match=r"looks at 0\.37 s \(12 frames at 30 a second\) and the recording has 0\.20 s"):
        Recognizer(network(actions=ACTIONS)).recognize(walker(seconds=0.2))


def test_a_recording_of_exactly_one_window() -> None:
    sequence = walker(seconds=11 / 30, fps=30.0)
    assert sequence.frames == 12
    assert len(Recognizer(network(actions=ACTIONS)).recognize(sequence).people[0].times) == 1


def test_what_cannot_recognise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KinegraphError, match="does not recognise"):
        Recognizer(network())
    with pytest.raises(KinegraphError, match="does not recognise"):
        Recognizer.from_pretrained("zero-velocity")
    monkeypatch.setattr("kinegraph.shipped.FOLDER", tmp_path)
    with pytest.raises(KinegraphError, match="ships no weights"):
        Recognizer.from_pretrained()
