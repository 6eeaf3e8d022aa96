"""Scores of windows, against the same windows cut by hand and put to each network alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clip_people import ACTIONS, FPS, probe, recording, waver

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.clip_scores import ClipScores
from kinegraph.inference.clip_window import ClipNetwork
from kinegraph.sequence import SkeletonSequence


def alone(network: ClipNetwork, window: SkeletonSequence) -> dict[str, float]:
    """Probability of each action for one window of one person."""
    positions, _ = network.transform.encode(window.positions, window.skeleton)
    mask = torch.ones((1, *positions.shape[:2]), dtype=torch.bool)
    with torch.inference_mode():
        logits = network.model(torch.from_numpy(positions)[None], mask)[0].double()
    powers = [np.exp(float(value - logits.max())) for value in logits]
    return {name: power / sum(powers) for name, power in zip(network.transform.actions, powers, strict=True)}


def day(*moves: tuple[str, float]) -> SkeletonSequence:
    return recording(waver(*(moves or (("upwards", 1.5), ("sideways", 1.5)))))


def test_windows_slide_evenly_and_each_is_scored_as_it_is_alone() -> None:
    sequence, network = day(), probe(sharpness=20.0)
    scores = ClipScores([network])
    assert scores.window_s(FPS) == 1.0
    [found], notes = scores.score(sequence, None, None, None)
    starts = np.round(np.linspace(0, 60, 1 + -(-60 // 8))).astype(int)  # a quarter of 30 frames, rounded
    assert found.numbers.tolist() == list(range(len(starts)))
    np.testing.assert_allclose(found.times, np.stack([starts, starts + 29], axis=1) / FPS)
    for row, start in zip(found.timeline, starts.tolist(), strict=True):
        one = alone(network, sequence.slice_frames(start, start + 30))
        np.testing.assert_allclose(row, [one[name] for name in scores.actions], rtol=1e-5)
    assert notes == []


def test_several_networks_are_averaged_by_their_shares_and_by_name() -> None:
    first = probe(sharpness=5.0)
    second = probe(sharpness=50.0, actions=("sideways", "upwards", "forwards", "still"))
    swapped = ("upwards", "sideways", "still", "forwards")
    third = probe(sharpness=9.0, actions=swapped)
    scores = ClipScores([first, second, third], [1.0, 2.0, 1.0])
    assert scores.shares == (0.25, 0.5, 0.25)
    window = day().slice_frames(0, 30)
    each = [alone(network, window) for network in (first, second, third)]
    expected = [0.25 * each[0][name] + 0.5 * each[1][name] + 0.25 * each[2][name] for name in ACTIONS]
    found = scores.of_window(window, [0])
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.sum() == pytest.approx(1)
    live = scores.for_live().of_window(window, [0])
    np.testing.assert_allclose(live, found, rtol=1e-5)
    assert ClipScores([first, second]).shares == (0.5, 0.5)


def test_a_pair_is_looked_at_together_and_three_are_not() -> None:
    people = [waver(("upwards", 2.0), place=place) for place in (0.0, 1.0, 2.0)]
    scores = ClipScores([probe(people=2)])
    rows, notes = scores.score(recording(*people[:2]), None, None, None)
    assert [(row.person, row.partner) for row in rows] == [(0, None), (1, None), (0, 1)]
    assert notes == []
    rows, notes = scores.score(recording(*people), None, None, None)
    assert [(row.person, row.partner) for row in rows] == [(0, None), (1, None), (2, None)]
    assert notes == ["3 people are seen: each was looked at alone, and no two together"]


def test_progress_counts_every_window_of_everybody() -> None:
    told: list[tuple[int, int]] = []
    sequence = recording(waver(("upwards", 3.0)), waver(("still", 3.0), place=1.0))
    rows, _ = ClipScores([probe()]).score(sequence, None, 0.05, lambda done, total: told.append((done, total)))
    total = sum(len(row.timeline) for row in rows)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert max(np.diff([0, *(done for done, _ in told)])) <= 16


def test_who_is_not_seen_for_long_is_left_out() -> None:
    here, gone = waver(("upwards", 2.0)), waver(("upwards", 2.0), place=1.0)
    gone[:] = np.nan
    scores = ClipScores([probe()])
    rows, notes = scores.score(recording(here, gone), None, None, None)
    assert [row.person for row in rows] == [0]
    assert notes == ["person 2 is never seen and was left out"]
    with pytest.raises(DataError, match="day.npz: nobody is seen in any frame"):
        scores.score(recording(gone), None, None, None)
    assert scores.of_window(recording(gone), [0]) is None


def test_what_does_not_go_together_is_refused() -> None:
    one = probe()
    for networks, shares, message in (
        ([one, probe(actions=("a", "b", "c", "still"))], None, r"know different actions \(a, b, c, forwards, ...\)"),
        ([one, probe(dims=2, actions=ACTIONS)], None, "takes 2D and probe 3D; fuse networks of one kind"),
        ([one, one], [1.0], "1 shares for 2 networks"),
        ([one, one], [0.0, 0.0], "shares 0, 0: expected numbers, 0 or more, not all 0"),
        ([one, one], [1.0, float("nan")], "expected numbers, 0 or more"),
    ):
        with pytest.raises(ConfigError, match=message):
            ClipScores(networks, shares)
    scores, sequence = ClipScores([one]), day()
    for window, message in (
        (601.0, "window 601 s: expected seconds"),
        (0.03, "window 0.03 s: that is no two frames at 30 a second"),
    ):
        with pytest.raises(ConfigError, match=message):
            scores.score(sequence, window, None, None)
    for wrong, message in (
        (sequence.replace(fps=None), "states no frame rate"),
        (sequence.replace(fps=5.0), "has 5 frames a second; probe works at 30 and needs at least 6"),
        (sequence.replace(unit="normalized"), "is in normalized, expected metres"),
    ):
        with pytest.raises(DataError, match=message):
            scores.score(wrong, None, None, None)
