"""Who is lost at the end is forecast from the last frame in which enough of them is seen."""

from __future__ import annotations

import numpy as np
import pytest
from moving_people import LAYOUT, network, walker

from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.last_look import frames_late, last_look
from kinegraph.sequence import SkeletonSequence

ROOT, WRIST = LAYOUT.root, LAYOUT.index("left_wrist")


def lost(sequence: SkeletonSequence, frames: int, joints: object = slice(None)) -> SkeletonSequence:
    """Without some joints in the last frames."""
    positions = sequence.positions.copy()
    positions[:, sequence.frames - frames :, joints] = np.nan
    return sequence.replace(positions=positions, confidence=None, rotations=None, offsets=None)


@pytest.mark.parametrize("joints", [slice(None), ROOT, slice(0, 25)])
@pytest.mark.parametrize("kind", ["expmap", "positions", "constant-velocity"])
@pytest.mark.parametrize(("fps", "frames"), [(30.0, 1), (60.0, 7)])
def test_who_is_lost_at_the_end_is_forecast_from_where_they_were_seen(
    joints: object, kind: str, fps: float, frames: int
) -> None:
    forecaster = Forecaster(kind if kind == "constant-velocity" else network(representation=kind))
    walk = walker(2.0, fps).replace(rotations=None, offsets=None)
    found = forecaster.forecast(lost(walk, frames, joints), 0.3)
    seen = walk.slice_frames(0, walk.frames - frames)
    further = forecaster.forecast(seen, 0.3 + frames / fps)
    np.testing.assert_allclose(found.positions, further.positions[:, frames:], atol=1e-9)
    assert found.frames == round(0.3 * fps)
    assert any(f"was last seen well enough {frames / fps:.2f} s before the end" in note for note in found.notes)
    assert not any("last seen" in note for note in further.notes)


def test_its_errors_are_those_of_the_longer_time() -> None:
    forecaster = Forecaster.from_pretrained()
    walk = walker(2.0, 30.0).replace(rotations=None, offsets=None)
    found = forecaster.forecast(lost(walk, 6), 0.3).uncertainty
    further = forecaster.forecast(walk.slice_frames(0, walk.frames - 6), 0.5).uncertainty
    whole = forecaster.forecast(walk, 0.3).uncertainty
    assert found is not None
    assert further is not None
    assert whole is not None
    np.testing.assert_allclose(found, further[:, 6:], atol=1e-9)
    assert found[0, 0].mean() > 2 * whole[0, 0].mean()
    late = forecaster.forecast(lost(walk, 6, WRIST), 0.3).uncertainty
    assert late is not None
    assert late[0, 0, WRIST, 1] > 1.5 * whole[0, 0, WRIST, 1]


def test_progress_is_of_what_is_asked_for() -> None:
    told: list[tuple[int, int]] = []
    given = lost(walker(2.0, 30.0), 6)
    Forecaster(network()).predict(given, 0.5, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (15, 15)
    assert max(done for done, _ in told) == 15


def test_rotations_stay_where_everybody_was_seen() -> None:
    walk = walker(2.0, 60.0)
    confidence = np.array(walk.confidence)
    confidence[:, -5:] = 0
    found = Forecaster(network()).forecast(walk.replace(confidence=confidence), 0.2)
    assert found.rotations is not None
    further = Forecaster(network()).forecast(walk.slice_frames(0, walk.frames - 5), 0.2 + 5 / 60)
    np.testing.assert_allclose(found.positions, further.positions[:, 5:], atol=1e-9)


@pytest.mark.parametrize("joints", [slice(None), [ROOT], [WRIST, WRIST - 1]])
@pytest.mark.parametrize("fps", [30.0, 60.0])
@pytest.mark.parametrize("refit_s", [0.0, 10.0])
def test_a_stream_does_the_same(joints: object, fps: float, refit_s: float) -> None:
    forecaster = Forecaster.from_pretrained()
    given = lost(walker(2.0, fps), 6, joints)
    stream = forecaster.stream("cmu38", fps=fps, refit_s=refit_s)
    for frame in range(given.frames):
        stream.push(given.positions[:, frame])
    live, expected = stream.forecast(0.5).future, forecaster.forecast(given, 0.5)
    assert live is not None
    assert live.frames == expected.frames
    # bones that are fitted now and then are not quite those of the recording
    assert np.abs(live.positions - expected.positions).max() < (0.05 if refit_s else 1e-5)
    told = "go on with the body from" if isinstance(joints, list) and ROOT not in joints else "last seen well enough"
    assert any(told in note for note in live.notes)
    assert any(told in note for note in expected.notes)
    assert live.uncertainty is not None
    assert expected.uncertainty is not None
    assert np.nanmax(np.abs(live.uncertainty - expected.uncertainty)) < (0.05 if refit_s else 1e-5)


def test_a_lost_hand_does_not_stay_behind() -> None:
    walk = walker(2.0, 30.0, speed=2.0).replace(rotations=None, offsets=None)
    forecaster = Forecaster("zero-velocity")
    whole = forecaster.forecast(walk, 0.1).positions[0, 0, WRIST]
    for frames in (4, 25):  # longer than any gap that is filled: their arm is held as it hung
        found = forecaster.forecast(lost(walk, frames, WRIST), 0.1)
        assert np.linalg.norm(found.positions[0, 0, WRIST] - whole) < 0.3
        assert np.linalg.norm(walk.positions[0, -1 - frames, WRIST] - whole) > 0.9 * 2.0 * frames / 30 - 0.15
        assert any(
            "joints that are lost at the end go on with the body from where they were seen: left_wrist" in note
            for note in found.notes
        )


def test_what_is_enough_of_a_body() -> None:
    seen = np.ones((40, 10), dtype=bool)
    assert last_look(seen, 0, 30.0) == 39
    seen[38:, 0] = False
    assert last_look(seen, 0, 30.0) == 37
    seen[36:, 1:6] = False  # half of the joints are not most of them
    assert last_look(seen, 0, 30.0) == 35
    seen[20:, 1:6] = False  # whoever sits at a desk for more than half a second has a body of the others
    assert last_look(seen, 0, 30.0) == 37
    seen[24:, 0] = False
    assert last_look(seen, 0, 30.0) is None
    seen[24, 0] = True
    assert last_look(seen, 0, 30.0) == 24
    assert last_look(seen, 0, 60.0) == 19  # the last of that half second in which most were seen
    assert last_look(seen, 0, 20.0) is None
    flicker = np.zeros((20, 10), dtype=bool)  # the root never with most of the others
    flicker[::2, 0] = True
    flicker[1::2, 1:] = True
    assert last_look(flicker, 0, 30.0) == 18


def test_how_late_a_joint_is_ends_with_the_longest_gap() -> None:
    points = np.ones((40, 4, 3))
    points[38:, 1] = points[10:, 2] = points[:, 3] = np.nan
    assert frames_late(points, 30.0).tolist() == [0, 2, 15, 15]
