"""Human3.6M's Euler protocol on files made here."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.datasets import h36m_angles
from kinegraph.errors import DataError, FormatError
from kinegraph.evaluation.forecasting import ForecastMethod, evaluate_forecast
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
from kinegraph.geometry.expmap_euler import expmap_to_protocol_euler
from kinegraph.skeleton import get_skeleton

LENGTHS = {("walking", 1): 400, ("walking", 2): 371, ("eating", 1): 380, ("eating", 2): 390, ("smoking", 1): 500}
MOVING = ("left_knee", "right_elbow", "head")


@pytest.fixture
def made(tmp_path):
    rng = np.random.default_rng(0)
    rig = get_skeleton("h36m32")
    for subject, files in ((5, LENGTHS), (6, {("walking", 1): 12})):
        place = tmp_path / f"S{subject}"
        place.mkdir()
        for (action, number), frames in files.items():
            rows = np.zeros((frames, 99))
            rows[:, :6] = rng.normal(size=(frames, 6))
            for joint in MOVING:
                at = 3 + 3 * rig.index(joint)
                rows[:, at : at + 3] = rng.normal(size=(frames, 3)) * 0.3
            np.savetxt(place / f"{action}_{number}.txt", rows, delimiter=",", fmt="%.9g")
    return tmp_path


def test_windows_are_drawn_as_the_protocol_says(made):
    windows = h36m_angles.protocol_windows(made)
    assert list(windows) == ["eating", "walking"]
    rng = np.random.RandomState(1234567890)
    files = [np.loadtxt(made / f"S5/walking_{number}.txt", delimiter=",")[::2] for number in (1, 2)]
    for place in range(8):
        rows = files[place % 2]
        start = rng.randint(16, len(rows) - 150)
        np.testing.assert_allclose(windows["walking"][place], rows[start : start + 75])


def test_zero_velocity_by_a_loop(made):
    protocol = load_forecast_protocol("h36m-euler", made)
    zero = ForecastMethod(label="zero", forecast=lambda x, h: np.repeat(x[:, -1:], h, axis=1))
    result = evaluate_forecast(zero, protocol)
    expected = []
    for rows in h36m_angles.protocol_windows(made)["walking"]:
        angles = expmap_to_protocol_euler(rows[:, 3:].reshape(75, 32, 3))
        angles[:, 0] = 0
        angles = angles.reshape(75, 96)
        used = angles[50:].std(axis=0) > 1e-4  # knee, elbow and head: also what the network does not see
        assert used.sum() == 9
        expected.append([np.linalg.norm((angles[50 + frame] - angles[49])[used]) for frame in (1, 3, 7, 9, 13, 24)])
    np.testing.assert_allclose(result.per_action["walking"], np.mean(expected, axis=0), rtol=1e-6)
    assert result.elapsed_ms == (80, 160, 320, 400, 560, 1000)  # at 25 fps the labels are true
    assert "smoking" in result.missing
    assert len(result.missing) == 13


def test_splits(made):
    train, test = h36m_angles.load(made), h36m_angles.load(made, "test")
    assert [clip.name for clip in train.clips] == ["S6/walking_1"]
    assert train.clips[0].features.shape == (6, 21, 3)
    assert len(test.clips) == 5
    assert test.fps == 25
    assert not test.clips[0].features[:, test.skeleton.root].any()
    knee = test.clips[0].features[:, test.skeleton.index("left_knee")]
    assert knee.std() > 0.1
    assert h36m_angles.network_skeleton().num_joints == 21


def test_what_is_wrong_is_said(made, tmp_path):
    with pytest.raises(DataError, match="no split 'val'"):
        h36m_angles.load(made, "val")
    with pytest.raises(DataError, match="expected folders S1"):
        h36m_angles.load(tmp_path / "nowhere")
    np.savetxt(made / "S5/walking_2.txt", np.zeros((300, 99)), delimiter=",", fmt="%g")
    with pytest.raises(DataError, match="150 decimated frames; the protocol draws from more than 166"):
        h36m_angles.protocol_windows(made)
    np.savetxt(made / "S5/walking_2.txt", np.zeros((400, 117)), delimiter=",", fmt="%g")
    with pytest.raises(FormatError, match="117 columns; expected 99"):
        h36m_angles.protocol_windows(made)
