"""MPI-INF-3DHP's reader on files written here."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.datasets import mpi_inf_3dhp as hp
from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.skeleton import get_skeleton

LENS = (1500.0, 1502.0, 1030.0, 1010.0)


def sequence(frames=6, seed=0):
    rng = np.random.default_rng(seed)
    mm = rng.uniform(-800, 800, size=(frames, 17, 3)) + np.array([0, 0, 3500])
    fx, fy, cx, cy = LENS
    px = np.stack([fx * mm[..., 0] / mm[..., 2] + cx, fy * mm[..., 1] / mm[..., 2] + cy], axis=-1)
    return {"data_2d": px, "data_3d": mm, "valid": np.ones(frames)}


def write(path, table):
    np.savez(path / hp.FILE, data=np.array(table, dtype=object))


@pytest.fixture
def table():
    table = {name: sequence(6, seed) for seed, name in enumerate(hp.SEQUENCES)}
    table["TS3"]["valid"] = np.array([1, 1, 0, 1, 0, 0])
    return table


def test_reading(tmp_path, table):
    write(tmp_path, table)
    data = hp.load(tmp_path)
    assert len(data) == 5 * 6 + 3
    assert data.skeleton == get_skeleton("h36m17")
    assert data.action_names == hp.SEQUENCES
    # the usual table of indices from this dataset's order to Human3.6M's
    order = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
    np.testing.assert_allclose(data.camera_m[0], table["TS1"]["data_3d"][0, order] / 1000, atol=1e-6)
    np.testing.assert_allclose(data.keypoints_px[0], table["TS1"]["data_2d"][0, order], atol=1e-3)
    assert hp.LAYOUT.joints[14] == "pelvis"
    np.testing.assert_allclose(data.intrinsics[0], LENS, rtol=1e-4)
    sizes = {name: data.image_size[data.action == k][0].tolist() for k, name in enumerate(hp.SEQUENCES)}
    assert sizes["TS4"] == [2048, 2048]
    assert sizes["TS5"] == sizes["TS6"] == [1920, 1080]


def test_invalid_frames_part_the_clips(tmp_path, table):
    write(tmp_path, table)
    data = hp.load(tmp_path / hp.FILE)
    third = data.clips([name.startswith("TS3/") for name in data.clip_names])
    assert [name for name in data.clip_names if name.startswith("TS3/")] == ["TS3/0", "TS3/3"]
    assert np.diff(third.clip).tolist() == [0, 1]


def test_fourteen_joints_are_scored():
    names = [get_skeleton("h36m17").joints[k] for k in hp.scored_joints(get_skeleton("h36m17"))]
    assert len(names) == 14
    assert not {"pelvis", "spine", "head"} & set(names)


def test_files_that_are_wrong(tmp_path, table):
    with pytest.raises(FormatError, match="no such file"):
        hp.load(tmp_path)
    cases = [
        ({k: v for k, v in table.items() if k != "TS4"}, "TS4 is missing"),
        ({**table, "TS2": 3}, "TS2 is no table"),
        ({**table, "TS2": {**table["TS2"], "data_2d": np.zeros((6, 16, 2))}}, "data_2d is"),
        ({**table, "TS2": {**table["TS2"], "data_3d": np.full((6, 17, 3), np.nan)}}, "all finite"),
        ({**table, "TS2": {**table["TS2"], "valid": np.ones(5)}}, "valid has shape"),
    ]
    for content, message in cases:
        write(tmp_path, content)
        with pytest.raises(FormatError, match=message):
            hp.load(tmp_path)
    write(tmp_path, {**table, "TS2": {**table["TS2"], "valid": np.zeros(6)}})
    with pytest.raises(DataError, match="no valid frame"):
        hp.load(tmp_path)
    np.savez(tmp_path / hp.FILE, other=np.zeros(3))
    with pytest.raises(FormatError, match="key 'data'"):
        hp.load(tmp_path)


leaves = st.sampled_from(
    [None, 0, "x", [], {}, np.zeros((6, 17, 3)), np.zeros((6, 17, 2)), np.zeros(6), np.array(["a"] * 6), b"x"]
)
entries = st.dictionaries(st.sampled_from(["data_2d", "data_3d", "valid"]), leaves) | leaves


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(hp.SEQUENCES), entries, min_size=1))
def test_no_odd_table_escapes_as_another_error(tmp_path, odd):
    good = {name: sequence(6, 0) for name in hp.SEQUENCES}
    write(tmp_path, {**good, **odd})
    with contextlib.suppress(KinegraphError):
        hp.load(tmp_path)
