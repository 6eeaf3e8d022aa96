"""NTU forecasting: which body, which frames, and joints within a share of a named size."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.datasets import ntu_forecasting
from kinegraph.errors import DataError, KinegraphError
from kinegraph.evaluation.forecasting import ForecastMethod, evaluate_forecast
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
from kinegraph.skeleton import get_skeleton

NTU = get_skeleton("ntu25")


def save(path, bodies, frames):
    """`bodies`: (frames, 25, 3) arrays, all NaN where absent."""
    lines = [str(frames)]
    for frame in range(frames):
        present = [body for body in bodies if np.isfinite(body[frame]).all()]
        lines.append(str(len(present)))
        for number, body in enumerate(bodies):
            if np.isfinite(body[frame]).all():
                lines += [f"{number + 7} 0 1 1 0 0 0 0 0 2", "25"]
                lines += [f"{x:.6f} {y:.6f} {z:.6f} 1 1 1 1 0 0 0 1 2" for x, y, z in body[frame]]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def made(tmp_path):
    """Performer 3 (test of both) walks with 0.01 m a frame beside a still one; 1 trains; another is too short."""
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(25, 3))
    rest[NTU.index("thorax")] = [0, 0.5, 0]
    rest[NTU.index("spine")] = [0, 0.3, 0]
    rest[NTU.index("pelvis")] = [0, 0.0, 0]
    path = rest + 0.01 * np.arange(60)[:, None, None] * np.array([1.0, 0, 0])
    save(tmp_path / "S001C001P003R001A002.skeleton", [np.repeat(rest[None], 60, 0), path + 1], 60)
    save(tmp_path / "S001C002P001R001A001.skeleton", [path], 60)
    gone = path.copy()
    gone[55] = np.nan
    save(tmp_path / "S001C001P003R001A003.skeleton", [gone], 60)
    save(tmp_path / "S001C001P003R002A003.skeleton", [path[:49]], 49)
    return tmp_path


def test_the_moving_body_of_the_last_fifty_frames(made):
    data = ntu_forecasting.load(made).data
    assert [clip.name for clip in data.clips] == ["S001C001P003R001A002"]
    clip = data.clips[0]
    assert (clip.features.shape, clip.subject, data.actions[clip.action]) == ((50, 25, 3), "P003", "A002")
    np.testing.assert_allclose(clip.features[:, 0, 0], 0.01 * (np.arange(50) - 39), atol=1e-6)
    train = ntu_forecasting.load(made, "train").data
    assert [clip.name for clip in train.clips] == ["S001C002P001R001A001"]
    assert len(ntu_forecasting.load(made, "train", benchmark="xview").data.clips) == 1


def test_a_joint_that_is_not_tracked_is_not_there(made, tmp_path):
    """What the file gives for it (often the origin) must not be forecast, nor make a body the liveliest."""
    path = made / "S001C001P003R001A002.skeleton"
    lines = path.read_text().splitlines()
    joints_of_the_mover = [i for i, line in enumerate(lines) if line == "25"][2 * 30 + 1]  # frame 30
    lines[joints_of_the_mover + 4] = "0 0 0 1 1 1 1 0 0 0 1 0"
    path.write_text("\n".join(lines) + "\n")
    clip = ntu_forecasting.load(made).data.clips[0]
    np.testing.assert_allclose(np.ptp(clip.features, axis=0), 0, atol=1e-6)  # the still one beside it
    lines[joints_of_the_mover + 4] = "0 0 0 1 1 1 1 0 0 0 1 1"  # inferred
    path.write_text("\n".join(lines) + "\n")
    assert np.ptp(ntu_forecasting.load(made).data.clips[0].features) > 0.4


def test_what_is_no_sample_of_a_split_is_left_out_and_said(made):
    """Of NTU RGB+D 120 alone, named otherwise, there twice or damaged: none is a window, and none ends the reading."""
    whole = (made / "S001C001P003R001A002.skeleton").read_text()
    (made / "again").mkdir()
    for name in (
        "S018C001P045R001A002",
        "S018C001P003R001A061",
        "S001C001P003R001A002 (1)",
        "S001C001P003R001A000",
        "S001C001P003R001A121",
        "again/S001C001P003R001A002",
    ):
        (made / f"{name}.skeleton").write_text(whole)
    (made / "S001C001P003R001A004.skeleton").write_text("60\n1\n")
    read = ntu_forecasting.load(made)
    assert [clip.name for clip in read.data.clips] == ["S001C001P003R001A002"]
    assert read.data.actions == ("A001", "A002", "A003", "A004")
    assert read.files == 11
    reasons = {one.path.relative_to(made).as_posix().removesuffix(".skeleton"): one.reason for one in read.skipped}
    twice = reasons.pop("S001C001P003R001A002", "") or reasons.pop("again/S001C001P003R001A002")
    assert twice.startswith("the sample is there twice")
    damaged = reasons.pop("S001C001P003R001A004")
    assert "cut short" in damaged
    gone = "no body with all its joints in each of the last 50 frames"
    assert reasons == {
        "S018C001P045R001A002": "performer 45 in its name is of NTU RGB+D 120; the benchmarks divide the 40 of the "
        "first set",
        "S018C001P003R001A061": "action 61 in its name is of NTU RGB+D 120; the benchmarks divide the 60 of the first "
        "set",
        "S001C001P003R001A002 (1)": "its name is not SsssCcccPpppRrrrAaaa",
        "S001C001P003R001A000": "action 0 in its name; expected 1 to 120",
        "S001C001P003R001A121": "action 121 in its name; expected 1 to 120",
        "S001C001P003R001A003": gone,
        "S001C001P003R002A003": gone,
    }
    protocol = load_forecast_protocol("ntu-pck", made)
    assert "9 of 11 files left out, the first: " in " ".join(protocol.notes)


def test_pck_of_zero_velocity_by_hand(made):
    """The torso is 0.5 m, so that 0.05 of it is 25 mm: two frames at 10 mm a frame."""
    zero = ForecastMethod(label="zero", forecast=lambda x, h: np.repeat(x[:, -1:], h, axis=1))
    torso = evaluate_forecast(zero, load_forecast_protocol("ntu-pck", made, normaliser="torso"))
    assert torso.per_action["all"] == (100.0, 100.0, *(0.0,) * 8)
    assert torso.higher_is_better
    metre = evaluate_forecast(zero, load_forecast_protocol("ntu-pck", made, normaliser="metre"))
    assert metre.average[:4] == (100.0,) * 4  # 50 mm
    assert metre.average[5:] == (0.0,) * 5
    assert "torso" in torso.metric
    assert torso.times_ms[-1] == 333


def test_sizes():
    poses = np.zeros((2, 50, 25, 3))
    poses[:, 39, NTU.index("thorax")] = [0, 0.5, 0]
    poses[:, 39, NTU.index("spine")] = [0, 0.2, 0]
    poses[1] *= 2
    for side, x in (("left", 0.1), ("right", -0.1)):
        for joint, y in (("hip", 0), ("knee", -0.4), ("ankle", -0.8), ("foot", -0.9)):
            poses[:, 39, NTU.index(f"{side}_{joint}")] = [x, y, 0]
    for joint, y in (("neck", 0.6), ("head", 0.8)):
        poses[:, 39, NTU.index(joint)] = [0, y, 0]
    size = {name: ntu_forecasting.body_size(poses, NTU, name) for name in ntu_forecasting.NORMALISERS}
    np.testing.assert_allclose(size["torso"], [0.5, 1.0])
    np.testing.assert_allclose(size["metre"], 1)
    np.testing.assert_allclose(size["box"], [1.7, 1.9])
    np.testing.assert_allclose(size["height"], [0.8 + 0.9, (0.2 + 0.4 + 1.0) + 0.9])
    with pytest.raises(DataError, match="did you mean 'torso'"):
        ntu_forecasting.body_size(poses, NTU, "torsos")
    with pytest.raises(DataError, match="without extent"):
        ntu_forecasting.body_size(np.zeros((1, 50, 25, 3)), NTU, "box")


def test_choices(made, tmp_path):
    with pytest.raises(DataError, match="did you mean 'xsub'"):
        ntu_forecasting.load(made, benchmark="xsubs")
    with pytest.raises(DataError, match="no split 'val'"):
        ntu_forecasting.load(made, "val")
    (tmp_path / "empty").mkdir()
    with pytest.raises(KinegraphError, match="no recording of xsub test"):
        ntu_forecasting.load(tmp_path / "empty")
