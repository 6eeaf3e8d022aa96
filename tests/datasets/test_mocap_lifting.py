"""The free benchmark on the real recordings: counts, splits, bodies, cache."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from kinegraph.datasets import mocap_lifting as ml
from kinegraph.datasets.bodies import body_of_poses
from kinegraph.datasets.prepared_splits import SPLITS, is_prepared, read_splits, write_splits
from kinegraph.errors import DataError, FormatError, KinegraphError


@pytest.fixture(scope="module")
def recordings(shared_data):
    return ml.benchmark_recordings(shared_data)


@pytest.fixture(scope="module")
def small(shared_data, tmp_path_factory):
    """A folder laid out as the real one, with one class of HDM05 and two CMU clips (linked, not copied)."""
    root = tmp_path_factory.mktemp("mocap")
    for part in ("train", "test"):
        for number in range(1, 12):
            folder = root / "hdm05" / part / str(number)
            folder.mkdir(parents=True)
            if number == 9:
                for path in (shared_data / "hdm05" / part / "9").iterdir():
                    os.symlink(path, folder / path.name)
    for asf in (shared_data / "hdm05").glob("*.asf"):
        os.symlink(asf, root / "hdm05" / asf.name)
    (root / "cmu_asfamc" / "02").mkdir(parents=True)
    (root / "cmu_bvh" / "02").mkdir(parents=True)
    (root / "cmu_bvh" / "08").mkdir(parents=True)
    for name in ("02.asf", "02_01.amc"):
        os.symlink(shared_data / "cmu_asfamc" / "02" / name, root / "cmu_asfamc" / "02" / name)
    os.symlink(shared_data / "cmu_bvh" / "02" / "02_01.bvh", root / "cmu_bvh" / "02" / "02_01.bvh")
    os.symlink(shared_data / "cmu_bvh" / "08" / "08_01.bvh", root / "cmu_bvh" / "08" / "08_01.bvh")
    return root


def test_every_recording_has_one_place(recordings):
    names = [item.name for item in recordings]
    assert len(set(names)) == len(names)
    count = {split: sum(item.split == split for item in recordings) for split in SPLITS}
    # 189 + 99 HDM05 clips; CMU: 9 ASF/AMC, 17 BVH of which 01_01, 02_01, 02_03, 03_01 are among the former
    assert sum(count.values()) == 189 + 99 + 9 + 17 - 4
    assert count["test"] == 99
    hdm = [item for item in recordings if item.name.startswith("hdm05") and item.split != "test"]
    assert sum(item.split == "val" for item in hdm) == 28


def test_subjects_do_not_cross_from_train_to_test(recordings):
    subjects = {split: {item.subject for item in recordings if item.split == split} for split in SPLITS}
    assert subjects["test"] == {"mm", "tr"}
    assert not subjects["test"] & (subjects["train"] | subjects["val"])
    assert {"cmu02", "cmu12"} <= subjects["val"] - subjects["train"]


def test_a_clip_in_both_formats_is_read_from_asf(recordings):
    both = [item for item in recordings if item.name == "cmu/01_01"]
    assert [item.path.suffix for item in both] == [".amc"]


def test_all_eleven_actions_are_in_every_hdm05_split(recordings):
    for split in SPLITS:
        assert set(ml.ACTIONS[:11]) <= {item.action for item in recordings if item.split == split}, split


def test_prepared_data(small, tmp_path):
    cache = tmp_path / "cache"
    first = ml.load(small, cache=cache)
    folder = next(cache.iterdir())
    manifest = json.loads((folder / "mocap-lifting.json").read_text())
    assert manifest["fingerprints"]["test"] == first.test.fingerprint
    stamp = (folder / "test.npz").stat().st_mtime_ns
    again = ml.load(small, cache=cache)
    assert (folder / "test.npz").stat().st_mtime_ns == stamp  # read, not made again
    assert again.train.fingerprint == first.train.fingerprint
    assert ml.load(folder).val.fingerprint == first.val.fingerprint
    with pytest.raises(DataError, match="already prepared"):
        ml.load(folder, extra=[small])
    with pytest.raises(DataError, match="no split 'dev'"):
        first["dev"]

    data = first.train
    assert data.fps == 60.0
    assert data.skeleton.name == "h36m17"
    assert data.action_names == ml.ACTIONS
    # cameras 4-6 m from the middle of a walk of at most 3 m: nobody near the lens, everyone in the picture
    assert data.camera_m[..., 2].min() > 2.0
    assert ((data.keypoints_px > 0) & (data.keypoints_px < 1000)).mean() > 0.999
    # a body keeps its limbs: hip-knee and elbow-wrist in each clip
    for a, b in (("left_hip", "left_knee"), ("right_elbow", "right_wrist"), ("left_knee", "left_ankle")):
        i, j = data.skeleton.index(a), data.skeleton.index(b)
        length = np.linalg.norm(data.camera_m[:, i] - data.camera_m[:, j], axis=-1)
        for view in np.unique(data.clip):
            assert np.ptp(length[data.clip == view]) < 1e-3


def test_the_bvh_lead_in_is_gone(small):
    recordings = {item.name: item for item in ml.benchmark_recordings(small)}
    sequence = ml.read_recording(recordings["cmu/08_01"])
    steps = np.linalg.norm(np.diff(sequence.positions[0], axis=0), axis=-1).max(axis=-1)
    assert steps[:10].max() < 0.05  # a foot of a walking person moves 5 m/s at most; the swing-in moves 20


def test_anatomy_is_comparable_between_the_rigs(small):
    """The points every 2D layout has must sit at the same places of both rigs' bodies."""
    recordings = {item.name: item for item in ml.benchmark_recordings(small)}
    from kinegraph.skeleton import get_skeleton

    target = get_skeleton("h36m17")
    for name in ("cmu/02_01", "cmu/08_01"):
        pose = ml.read_recording(recordings[name]).to_skeleton(target).positions[0]
        at = {joint: pose[:, k] for k, joint in enumerate(target.joints)}
        np.testing.assert_allclose(at["pelvis"], (at["left_hip"] + at["right_hip"]) / 2, atol=1e-9)
        np.testing.assert_allclose(at["thorax"], (at["left_shoulder"] + at["right_shoulder"]) / 2, atol=1e-9)
        trunk = np.linalg.norm(at["thorax"] - at["pelvis"], axis=-1)
        share = np.linalg.norm(at["spine"] - at["pelvis"], axis=-1) / trunk
        assert 0.4 < share.mean() < 0.6
        forearm = np.linalg.norm(at["left_wrist"] - at["left_elbow"], axis=-1).mean()
        assert 0.22 < forearm < 0.30  # an adult's; ASF's bone 'radius' alone is 0.17-0.2
        # upright walking: the head is above everything else
        height = {joint: value[:, 1].mean() for joint, value in at.items()}
        assert max(height, key=height.get) == "head"
        assert height["head"] > height["nose"] > height["thorax"] > height["spine"] > height["pelvis"]


def test_the_key_follows_the_files(small, tmp_path):
    before = ml.cache_key(ml.benchmark_recordings(small))
    copy = tmp_path / "copy"
    shutil.copytree(small, copy, symlinks=True)
    assert ml.cache_key(ml.benchmark_recordings(copy)) == before
    rig = copy / "hdm05" / "HDM_mm.asf"
    content = rig.read_bytes()
    other = content.replace(b"length 7", b"length 8", 1)  # a longer bone, as many bytes
    assert other != content
    rig.unlink()  # it may be a link
    rig.write_bytes(other)
    assert ml.cache_key(ml.benchmark_recordings(copy)) != before
    rig.write_bytes(content)
    assert ml.cache_key(ml.benchmark_recordings(copy)) == before
    (copy / "cmu_bvh" / "08" / "08_01.bvh").unlink()
    assert ml.cache_key(ml.benchmark_recordings(copy)) != before


def test_refusals(small, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        ml.benchmark_recordings(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no HDM05 recordings"):
        ml.benchmark_recordings(tmp_path)
    with pytest.raises(DataError, match="not prepared"):
        read_splits(tmp_path, ml.NAME)
    copy = tmp_path / "copy"
    shutil.copytree(small, copy, symlinks=True)
    (copy / "hdm05" / "HDM_tr.asf").unlink()
    with pytest.raises(DataError, match="HDM_tr.asf is missing"):
        ml.benchmark_recordings(copy)
    odd = copy / "hdm05" / "test" / "1" / "walk.amc"
    odd.write_text("1\n")
    with pytest.raises(DataError, match="'walk' is no subject of test; expected HDM_"):
        ml.benchmark_recordings(copy)


def test_one_benchmark_never_goes_by_the_name_of_another(small, tmp_path):
    splits = ml.prepare(small, tmp_path / "out")
    with pytest.raises(KinegraphError, match="holds mocap-lifting; choose an empty or new folder for mocap-folder"):
        write_splits(splits, tmp_path / "out", "mocap-folder", {})
    assert read_splits(tmp_path / "out", ml.NAME).test.fingerprint == splits.test.fingerprint
    shutil.copy(tmp_path / "out" / "val.npz", tmp_path / "out" / "test.npz")
    with pytest.raises(FormatError, match=r"test.npz: not the test split of which mocap-lifting.json speaks"):
        read_splits(tmp_path / "out", ml.NAME)
    (tmp_path / "out" / "notes.json").write_text("[1")  # whatever else lies there is not a benchmark
    ml.prepare(small, tmp_path / "out")


def test_a_recording_of_a_splits_name_is_not_overwritten(small, tmp_path):
    """`data prepare --source mine --out mine` where mine/train.npz is a recording."""
    np.savez(tmp_path / "train.npz", positions=np.zeros((4, 17, 3)))
    before = (tmp_path / "train.npz").read_bytes()
    with pytest.raises(KinegraphError, match=r"train\.npz was not prepared, and would be overwritten"):
        ml.prepare(small, tmp_path)
    assert (tmp_path / "train.npz").read_bytes() == before


def test_what_was_prepared_and_is_damaged_can_be_prepared_again(small, tmp_path):
    splits = ml.load(small, cache=tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    for again in (lambda: ml.prepare(small, folder), lambda: ml.load(small, cache=tmp_path / "cache")):
        whole = (folder / "train.npz").read_bytes()
        (folder / "train.npz").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(FormatError, match="prepare it again"):
            ml.load(folder)
        assert again()["train"].fingerprint == splits["train"].fingerprint
        assert ml.load(folder)["train"].fingerprint == splits["train"].fingerprint


def test_a_half_written_folder_is_not_taken_for_prepared(small, tmp_path):
    splits = ml.prepare(small, tmp_path / "out")
    (tmp_path / "out" / "mocap-lifting.json").unlink()
    assert not is_prepared(tmp_path / "out", ml.NAME)
    write_splits(splits, tmp_path / "out", ml.NAME, {})
    assert is_prepared(tmp_path / "out", ml.NAME)
    (tmp_path / "out" / "val.npz").unlink()
    (tmp_path / "out" / "val.npz").mkdir()  # a second preparation that stops at val: its train stands beside the old
    with pytest.raises(KinegraphError, match="it is a folder"):
        write_splits(splits, tmp_path / "out", ml.NAME, {})
    assert not is_prepared(tmp_path / "out", ml.NAME)
    (tmp_path / "out" / "val.npz").rmdir()
    write_splits(splits, tmp_path / "out", ml.NAME, {})
    (tmp_path / "out" / "test.npz").write_bytes(b"cut")
    with pytest.raises(FormatError, match="prepare it again"):
        read_splits(tmp_path / "out", ml.NAME)


def test_its_people_are_bodies_of_their_own(small):
    train = ml.load(small)["train"]
    body = body_of_poses(train)
    assert len({(subject, number) for subject, number in zip(train.subject, body, strict=True)}) == body.max() + 1 == 4
