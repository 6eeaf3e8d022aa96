"""Human3.6M's reader on files written here: joints, cameras, actions, detections, and files that are wrong."""

from __future__ import annotations

import contextlib
import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.datasets import h36m
from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.geometry.cameras import load_h36m_cameras
from kinegraph.skeleton import get_skeleton

KEPT = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""The 17 of 32 joints, in the order of layout ``h36m17``."""


def world(frames, seed):
    """32 joints about 1 m above the middle of the floor of the recording hall."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(-0.5, 0.5, size=(frames, 32, 3)) + np.array([0.0, 0.0, 1.0])).astype(np.float32)


@pytest.fixture
def source(tmp_path):
    recordings = {
        "S1": {"Walking 1": world(7, 1), "SittingDown 2": world(3, 2)},
        "S9": {"WalkingDog": world(4, 3), "TakingPhoto 1": world(5, 4), "Directions": world(2, 7)},
        "S11": {"Directions": world(6, 5), "Directions 1": world(4, 6)},
    }
    for subject in ("S5", "S6", "S7", "S8"):
        recordings[subject] = {"Eating": world(2, 8)}
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(recordings, dtype=object))
    rng = np.random.default_rng(0)
    found = {
        subject: {
            name: [rng.uniform(0, 1000, size=(len(poses) + 1, 17, 2)).astype(np.float32) for _ in range(4)]
            for name, poses in table.items()
        }
        for subject, table in recordings.items()
    }
    metadata = {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
    np.savez_compressed(
        tmp_path / "data_2d_h36m_net.npz", positions_2d=np.array(found, dtype=object), metadata=np.array(metadata)
    )
    return tmp_path, recordings, found


def slow_projection(point_m, subject, camera, figures):
    """One point through one camera, by the quaternion's sandwich product; returns camera mm and pixels."""
    extrinsic, lens = figures["extrinsics"][subject][camera], list(figures["intrinsics"].values())[camera]
    w, x, y, z = np.array(extrinsic["orientation"]) / np.linalg.norm(extrinsic["orientation"])
    v = np.array(point_m, dtype=np.float64) * 1000 - np.array(extrinsic["translation"])
    q = -np.array([x, y, z])  # inverse rotation: world -> camera
    t = 2 * np.cross(q, v)
    p = v + w * t + np.cross(q, t)
    u = lens["focal_length"][0] * p[0] / p[2] + lens["center"][0]
    return p, (u, lens["focal_length"][1] * p[1] / p[2] + lens["center"][1])


def test_seventeen_of_thirty_two_and_the_projection(source):
    folder, recordings, _ = source
    data = h36m.load(folder, "train")
    figures = json.loads((h36m.files("kinegraph.datasets") / "h36m_cameras.json").read_text())
    assert data.skeleton == get_skeleton("h36m17")
    assert set(range(32)) - set(KEPT) == {4, 5, 9, 10, 11, 16, *range(20, 25), *range(28, 32)}
    for view in range(4):
        row = np.flatnonzero(data.clip == view)[2]
        assert data.clip_names[view].startswith("S1/Walking 1/")
        for joint in range(17):
            point = recordings["S1"]["Walking 1"][2, KEPT[joint]]
            camera_mm, pixels = slow_projection(point, "S1", view, figures)
            np.testing.assert_allclose(data.camera_m[row, joint], camera_mm / 1000, atol=1e-5)
            np.testing.assert_allclose(data.keypoints_px[row, joint], pixels, atol=2e-3)


def test_spec_figures_of_the_cameras():
    lenses = {c.name: c for c in h36m.cameras()["S9"]}
    assert list(lenses) == ["54138969", "55011271", "58860488", "60457274"]
    want = {
        "54138969": (1145.05, 1143.78, 512.54, 515.45),
        "55011271": (1149.68, 1147.59, 508.85, 508.06),
        "58860488": (1149.14, 1148.80, 519.82, 501.40),
        "60457274": (1145.51, 1144.77, 514.97, 501.88),
    }
    for name, figures in want.items():
        np.testing.assert_allclose(lenses[name].intrinsics, figures, atol=0.005)
    assert [lenses[name].image_size for name in want] == [(1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002)]


def test_figures_agree_with_the_shared_file(shared_data):
    theirs = load_h36m_cameras(shared_data / "h36m_cameras.json")
    assert set(theirs) == set(h36m.cameras()) == {"S1", "S5", "S6", "S7", "S8", "S9", "S11"}
    for subject, cameras in h36m.cameras().items():
        for ours, other in zip(cameras, theirs[subject], strict=True):
            np.testing.assert_array_equal(ours.rotation, other.rotation)
            np.testing.assert_array_equal(ours.translation, other.translation)


def test_splits_actions_and_the_damaged_recording(source):
    folder, _, _ = source
    train, test = h36m.load(folder, "train"), h36m.load(folder, "test")
    assert train.subject_names == ("S1", "S5", "S6", "S7", "S8")
    assert test.subject_names == ("S9", "S11")
    assert len(train) == 4 * (7 + 3 + 4 * 2)
    assert len(test) == 4 * (4 + 5 + 2 + 4)  # S11's "Directions" is out, S9's and S11's "Directions 1" stay
    assert len(h36m.load(folder, "test", drop_s11_directions=False)) == 4 * (4 + 5 + 2 + 6 + 4)
    assert len(h36m.ACTIONS) == 15
    found = {
        name.split("/")[1]: test.action_names[test.action[test.clip == k][0]] for k, name in enumerate(test.clip_names)
    }
    assert found == {
        "WalkingDog": "WalkDog",
        "TakingPhoto 1": "Photo",
        "Directions": "Directions",
        "Directions 1": "Directions",
    }
    assert test.fps == 50.0


def test_every_nth_frame(source):
    folder, _, _ = source
    whole, third = h36m.load(folder, "train"), h36m.load(folder, "train", step=3)
    np.testing.assert_array_equal(third.camera_m[third.clip == 0], whole.camera_m[whole.clip == 0][::3])
    assert third.fps == pytest.approx(50 / 3)


def test_detections(source):
    folder, _, found = source
    data = h36m.load(folder, "test", keypoints="net")
    assert data.name == "h36m/test (net)"
    rows = data.keypoints_px[
        [name.startswith("S9/WalkingDog/58860488") for name in data.clip_names].index(True) == data.clip
    ]
    np.testing.assert_array_equal(rows, found["S9"]["WalkingDog"][2][:4])  # the file's extra frame is cut
    assert (data.confidence == 1).all()
    with pytest.raises(FormatError, match="data_2d_h36m_cpn"):
        h36m.load(folder, "test", keypoints="cpn")


def test_detections_of_cameras_that_filmed_on_for_longer(source):
    folder, _, found = source
    views = [np.concatenate([view, view[: 2 * camera]]) for camera, view in enumerate(found["S9"]["WalkingDog"])]
    assert len({len(view) for view in views}) == 4
    expected = h36m.load(folder, "test", keypoints="net")
    for number, laid_out in enumerate((views, np.array(views, dtype=object))):
        table = {**found, "S9": {**found["S9"], "WalkingDog": laid_out}}
        np.savez(folder / f"data_2d_h36m_long{number}.npz", positions_2d=np.array(table, dtype=object))
        data = h36m.load(folder, "test", keypoints=f"long{number}")
        np.testing.assert_array_equal(data.keypoints_px, expected.keypoints_px)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/kinegraph-pwned",)


def save(path, table):
    np.savez(path / "data_3d_h36m.npz", positions_3d=np.array(table, dtype=object))


def test_files_that_are_wrong(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        h36m.load(tmp_path, "test")
    good = {"S9": {"Walking": world(3, 0)}, "S11": {"Walking": world(3, 0)}}
    cases = [
        ([1, 2], "laid out"),
        ({"S9": good["S9"]}, "no subject S11"),
        ({**good, "S9": {"Walking": world(3, 0)[:, :20]}}, r"expected float \(T, 32, 3\)"),
        ({**good, "S9": {"Walking": world(3, 0) * np.nan}}, "not finite"),
        ({**good, "S9": {"Walking": world(0, 0)}}, "is empty"),
    ]
    for table, message in cases:
        save(tmp_path, table)
        with pytest.raises(FormatError, match=message):
            h36m.load(tmp_path, "test")
    save(tmp_path, {**good, "S9": {"Flying": world(3, 0)}})
    with pytest.raises(DataError, match="no Human3.6M action"):
        h36m.load(tmp_path, "test")
    save(tmp_path, good)
    assert len(h36m.load(tmp_path, "test")) == 24
    with pytest.raises(DataError, match="no split 'val'"):
        h36m.load(tmp_path, "val")
    with pytest.raises(DataError, match="no calibration of subject 'S2'"):
        h36m.load(tmp_path, "test", subjects=["S2"])


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    save(tmp_path, {"S9": {"Walking": Evil()}})
    assert b"posix" in pickle.dumps(Evil())
    with pytest.raises(FormatError, match="posix.system"):
        h36m.load(tmp_path, "test")
    assert not os.path.exists("/tmp/kinegraph-pwned")


def test_detection_files_that_are_wrong(source):
    folder, _, found = source
    short = {**found, "S9": {**found["S9"], "WalkingDog": [view[:2] for view in found["S9"]["WalkingDog"]]}}
    three = {**found, "S9": {**found["S9"], "WalkingDog": found["S9"]["WalkingDog"][:3]}}
    flat = {**found, "S9": {**found["S9"], "WalkingDog": [view[..., :1] for view in found["S9"]["WalkingDog"]]}}
    for table, message in ((short, "has 2 frames, the 3D has 4"), (three, "4 cameras"), (flat, r"\(T, 17, 2\)")):
        np.savez(folder / "data_2d_h36m_bad.npz", positions_2d=np.array(table, dtype=object))
        with pytest.raises(FormatError, match=message):
            h36m.load(folder, "test", keypoints="bad")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damaged_file_escapes_as_another_error(source, choices):
    folder, _, _ = source
    path = folder / "data_3d_h36m.npz"
    whole = folder / "whole"
    if not whole.exists():
        whole.write_bytes(path.read_bytes())
    content = bytearray(whole.read_bytes())
    if choices.draw(st.booleans()):
        content = content[: choices.draw(st.integers(0, len(content) - 1))]
    for _ in range(choices.draw(st.integers(0, 3))):
        if content:
            content[choices.draw(st.integers(0, len(content) - 1))] = choices.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    with contextlib.suppress(KinegraphError):
        h36m.load(folder, "train")


leaves = st.sampled_from([None, 0, "x", [], {}, np.zeros((2, 32, 3)), np.zeros((2, 17)), np.array(["a"]), b"x"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["S9", "S11"]), st.dictionaries(st.sampled_from(["Walking", "?"]), leaves) | leaves)
)
def test_no_odd_table_escapes_as_another_error(tmp_path, table):
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(table, dtype=object))
    np.savez(tmp_path / "data_2d_h36m_odd.npz", positions_2d=np.array(table, dtype=object))
    with contextlib.suppress(KinegraphError):
        h36m.load(tmp_path, "test", keypoints="odd")
    save(tmp_path, {"S9": {"Walking": world(2, 0)}, "S11": {"Walking": world(2, 0)}})
    with contextlib.suppress(KinegraphError):
        h36m.load(tmp_path, "test", keypoints="odd")
