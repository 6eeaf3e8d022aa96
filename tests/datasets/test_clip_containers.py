"""PYSKL, CTR-GCN, ST-GCN, Kinetics: each against the arrays that were written."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest

from kinegraph.datasets.ctrgcn import CtrGcnSource
from kinegraph.datasets.kinetics_skeleton import KineticsSource
from kinegraph.datasets.pyskl import PysklSource
from kinegraph.datasets.stgcn import StGcnSource
from kinegraph.errors import FormatError, SkeletonError
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.store import prepare_clips

RNG = np.random.default_rng(0)


def annotation(name, people=2, frames=5, joints=25, dims=3, **fields):
    keypoint = RNG.normal(size=(people, frames, joints, dims)).astype(np.float16)
    return {"frame_dir": name, "label": 3, "total_frames": frames, "keypoint": keypoint, **fields}


def dump(path, annotations, protocol=4, **split):
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pyskl_3d(tmp_path, protocol) -> None:
    first, second = annotation("S001C002P003R001A004"), annotation("S002C001P001R001A002", frames=2)
    first["keypoint"][1, 3:] = 0
    path = dump(
        tmp_path / "a.pkl",
        [first, second],
        protocol,
        xsub_train=["S001C002P003R001A004"],
        xsub_val=["S002C001P001R001A002"],
    )
    source = PysklSource(path)
    clips = list(source)
    assert (len(source), source.skeleton.name, source.unit) == (2, "ntu25", "m")
    np.testing.assert_array_equal(clips[0].positions[0], first["keypoint"][0].astype(np.float32))
    assert clips[0].present.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert (clips[0].splits, clips[1].splits) == (("xsub_train",), ("xsub_val",))
    assert (clips[0].subject, clips[0].camera, clips[0].setup, clips[0].label) == ("P003", 2, 1, 3)
    copy = pickle.loads(pickle.dumps(source))  # goes to other processes
    np.testing.assert_array_equal(copy.read(1).positions, clips[1].positions)


@pytest.mark.parametrize(
    ("names", "labels", "classes"),
    [
        (["S001C001P001R001A004", "S017C001P003R001A050"], (3, 49), 60),  # a part of NTU RGB+D
        (["S001C001P001R001A004", "S018C001P003R001A050"], (3, 49), 120),  # a setup of the second half
        (["S001C001P001R001A004", "S001C001P003R001A061"], (3, 60), 120),
        (["S001C001P001R001A004", "S001C001P003R001A060"], (3, -1), 60),
        (["S001C001P001R001A004", "S001C001P003R001A050"], (0, 1), 2),  # numbered anew: classes of its own
        (["S001C001P001R001A004", "walk"], (3, 4), 5),
        (["S001C001P001R001A004", "S001C001P003R001A130"], (3, 129), 130),
    ],
)
def test_pyskl_has_ntu_s_classes_where_names_and_labels_are_ntu_s(tmp_path, names, labels, classes) -> None:
    items = [annotation(name, label=label) for name, label in zip(names, labels, strict=True)]
    source = PysklSource(dump(tmp_path / "a.pkl", items))
    assert len(source.classes) == classes
    assert any("NTU's" in note for note in source.notes) == (classes > max(labels) + 1)


def test_pyskl_2d_is_in_fractions_of_the_image(tmp_path) -> None:
    item = annotation("v1", joints=17, dims=2, img_shape=(100, 200))
    item["keypoint_score"] = np.full((2, 5, 17), 0.5, np.float16)
    item["keypoint_score"][0, 0, 0] = 0
    clip = PysklSource(dump(tmp_path / "a.pkl", [item])).read(0)
    expected = item["keypoint"].astype(np.float64) / [200, 100]
    np.testing.assert_allclose(clip.positions[1], expected[1], rtol=1e-6)
    assert np.isnan(clip.positions[0, 0, 0]).all()
    assert clip.confidence is not None
    assert clip.confidence[0, 0, :2].tolist() == [0, 0.5]

    unsized = annotation("v0", joints=17, dims=2)
    source = PysklSource(dump(tmp_path / "b.pkl", [unsized, item]))  # whichever of them comes first
    assert source.unit == "normalized"
    np.testing.assert_allclose(source.read(1).positions[1], expected[1], rtol=1e-6)
    with pytest.raises(FormatError, match="v0: no img_shape, which other annotations have"):
        source.read(0)


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def test_pyskl_refuses_by_name(tmp_path) -> None:
    path = dump(tmp_path / "a.pkl", [annotation("a", img_norm=Evil())])
    with pytest.raises(FormatError, match="asks for posix.system"):
        PysklSource(path)
    path.write_bytes(pickle.dumps({"annotations": [annotation("a")]})[:-30])
    with pytest.raises(FormatError, match="cut short"):
        PysklSource(path)
    with pytest.raises(FormatError, match="no list of annotations"):
        PysklSource(dump(path, []))


def test_pyskl_joint_counts_name_both_layouts(tmp_path) -> None:
    path = dump(tmp_path / "a.pkl", [annotation("a"), annotation("b", joints=17)])
    with pytest.raises(FormatError, match=r"keypoint \(2, 5, 17, 3\); expected \(people, frames, 25, 3\) of 'ntu25'"):
        PysklSource(path).read(1)
    with pytest.raises(FormatError, match="25 joints; layout 'coco17' has 17"):
        PysklSource(path, get_skeleton("coco17"))
    with pytest.raises(FormatError, match=r"20 joints in 3D \(kinect20\); expected ntu25"):
        PysklSource(dump(path, [annotation("a", joints=20)]))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_ctrgcn(tmp_path, save) -> None:
    x = RNG.normal(size=(3, 8, 150)).astype(np.float32)
    x[:, 6:] = 0  # padding
    x[1, :, 75:] = 0  # one person
    y = np.eye(60)[[4, 0, 59]]
    path = tmp_path / "NTU60_CS.npz"
    save(path, x_train=x[:2], y_train=y[:2], x_test=x[2:], y_test=y[2:])
    source = pickle.loads(pickle.dumps(held := CtrGcnSource(path)))
    clips = list(source)
    assert len(held) == 3
    assert [(c.name, c.label, c.splits) for c in clips] == [
        ("train/000000", 4, ("train",)),
        ("train/000001", 0, ("train",)),
        ("test/000000", 59, ("test",)),
    ]
    np.testing.assert_array_equal(clips[0].positions, x[0, :6].reshape(6, 2, 25, 3).transpose(1, 0, 2, 3))
    assert clips[1].positions.shape == (1, 6, 25, 3)


def test_ctrgcn_damage(tmp_path) -> None:
    path = tmp_path / "a.npz"
    x, y = np.ones((2, 4, 150), np.float32), np.eye(60)[[0, 1]]
    np.savez(path, x_train=x, y_train=y, x_test=x)
    with pytest.raises(FormatError, match="no array y_test"):
        CtrGcnSource(path)
    np.savez(path, x_train=x, y_train=y[:1], x_test=x, y_test=y)
    with pytest.raises(FormatError, match="one-hot rows for 2 clips"):
        CtrGcnSource(path)
    np.savez(path, x_train=x[:, :, :149], y_train=y, x_test=x, y_test=y)
    with pytest.raises(FormatError, match=r"\(2, 4, 149\)"):
        CtrGcnSource(path)
    np.savez(path, x_train=np.array([{}], dtype=object), y_train=y, x_test=x, y_test=y)
    with pytest.raises(FormatError, match="expected plain numbers"):
        CtrGcnSource(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FormatError):
        CtrGcnSource(path)


def test_stgcn(tmp_path) -> None:
    x = RNG.normal(size=(2, 3, 7, 25, 2)).astype(np.float32)
    x[:, :, 5:] = 0
    for part in ("train", "val"):
        np.save(tmp_path / f"{part}_data.npy", x)
        names = ["S001C002P003R001A004.skeleton", "S001C001P001R001A001.skeleton"]
        (tmp_path / f"{part}_label.pkl").write_bytes(pickle.dumps((names, [3, 0])))
    source = StGcnSource(tmp_path)
    clip = source.read(2)
    assert (clip.name, clip.label, clip.camera, clip.splits) == ("val/S001C002P003R001A004", 3, 2, ("val",))
    np.testing.assert_array_equal(clip.positions, x[0, :, :5].transpose(3, 1, 2, 0))
    prepared = tmp_path / "prepared"
    prepare_clips(source, prepared, workers=1, progress=False)
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps((names, [2, 3])))  # no longer, and other labels
    again = prepare_clips(StGcnSource(tmp_path), prepared, workers=1, progress=False)
    assert again.store.labels.tolist() == [3, 0, 2, 3]
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps((["a"], [3, 0])))
    with pytest.raises(FormatError, match="1 names and 2 labels; expected 2"):
        StGcnSource(tmp_path)


def test_stgcn_of_kinetics(tmp_path) -> None:
    x = np.zeros((1, 3, 4, 18, 2), np.float32)
    x[0, :2, :3, :, 0] = RNG.uniform(-0.5, 0.5, (2, 3, 18))
    x[0, 2, :3, :, 0] = 0.75
    x[0, :, 1, 5, 0] = 0
    np.save(tmp_path / "train_data.npy", x)
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps((["a"], [399])))
    source = StGcnSource(tmp_path)
    clip = source.read(0)
    assert (source.skeleton.name, len(source.classes), clip.positions.shape) == ("openpose18", 400, (1, 3, 18, 2))
    np.testing.assert_allclose(clip.positions[0, 0], x[0, :2, 0, :, 0].T + 0.5)
    assert np.isnan(clip.positions[0, 1, 5]).all()


def test_kinetics(tmp_path) -> None:
    def write(part, name, label, scores):
        people = [{"pose": [0.1 * (p + 1)] * 36, "score": [s] * 18} for p, s in enumerate(scores)]
        content = {"data": [{"frame_index": 1, "skeleton": people}], "label": f"action {label}", "label_index": label}
        (tmp_path / f"kinetics_{part}").mkdir(exist_ok=True)
        (tmp_path / f"kinetics_{part}" / f"{name}.json").write_text(json.dumps(content))
        return {name: {"has_skeleton": bool(scores), "label": f"action {label}", "label_index": label}}

    listed = write("train", "a", 1, [0.2, 0.9, 0.5]) | write("train", "b", 0, [])
    (tmp_path / "kinetics_train_label.json").write_text(json.dumps(listed))
    write("val", "c", 2, [0.5])
    source = KineticsSource(tmp_path)
    assert [source.name(n) for n in range(len(source))] == ["train/a", "val/c"]
    assert source.classes == ("action 0", "action 1", "action 2")
    clip = source.read(0)
    np.testing.assert_allclose(clip.positions[:, 0, 0, 0], [0.2, 0.3], rtol=1e-6)
    assert (clip.label, clip.splits) == (1, ("train",))
    assert "1 clips left out" in source.notes[0]


def test_folders_and_index(tmp_path) -> None:
    from kinegraph.datasets.folder import FolderSource
    from kinegraph.errors import DataError
    from kinegraph.formats import write
    from kinegraph.sequence import SkeletonSequence

    def motion(name, **fields):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        layout = fields.pop("skeleton", get_skeleton("h36m17"))
        points = RNG.normal(size=(1, 9, layout.num_joints, 3))
        write(SkeletonSequence(points, layout, fields.pop("fps", 30), **{"up": "y", **fields}), tmp_path / name)
        return points

    points = motion("train/wave/a.npz")
    motion("test/nod/b.npz", up="z", fps=60)
    source = FolderSource(tmp_path)
    assert source.classes == ("nod", "wave")
    assert [(c.name, c.label, c.splits) for c in source] == [
        ("train/wave/a.npz", 1, ("train",)),
        ("test/nod/b.npz", 0, ("test",)),
    ]
    np.testing.assert_allclose(source.read(0).positions, points, rtol=1e-6)
    assert source.read(1).frames == 5
    motion("train/nod/c.npz", skeleton=Skeleton("dots", ("a", "b"), (-1, 0)))
    with pytest.raises(SkeletonError, match=r"dots.*h36m17|h36m17.*dots"):
        FolderSource(tmp_path, get_skeleton("h36m17")).read(0)
    index = tmp_path / "index.csv"
    index.write_text("file,label,split,subject,camera\ntrain/wave/a.npz,hello,Train,ann,2\ntest/nod/b.npz,bye,,,\n")
    assert FolderSource(index).notes == ("1 of 2 clips name no split and are in no part, as others name one",)
    clips = list(FolderSource(index))
    assert [(c.label, c.subject, c.camera, c.splits) for c in clips] == [(1, "ann", 2, ("train",)), (0, "", 0, ())]
    for rows, message in (
        ("file,action\na,b\n", "columns file, action; expected at least file and label"),
        ("file,label\n../a.npz,b\n", "lies outside"),
        ("file,label\na.npz,\n", "line 2 has no label"),
        ("file,label,camera\na.npz,b,left\n", "camera is 'left'"),
        (
            "file,label,split\na.npz,b,Test\nb.npz,b,traning\n",
            "line 3, split is 'traning'; expected train, val, test, or",
        ),
        ("file,label\na.npz,b\na.npz,c\n", "stands twice"),
        ("file,label,split\na.npz,b,train\n./x/../a.npz,b,test\n", "line 3, './x/../a.npz' stands twice"),
        ("file,label\n", "no rows"),
    ):
        index.write_text(rows)
        with pytest.raises(DataError, match=message):
            FolderSource(tmp_path)
    with pytest.raises(DataError, match="no labelled files"):
        FolderSource(tmp_path / "train" / "wave")


def test_cmu(tmp_path) -> None:
    from motion_files import write_recordings

    from kinegraph.datasets.cmu_clips import CmuSource

    source = CmuSource(write_recordings(tmp_path, frames=20))
    clips = list(source)
    assert {c.name: c.splits[0] for c in clips}["train/walking/walking_4"] == "val"
    assert {c.splits[0] for c in clips} == {"train", "val", "test"}
    assert clips[0].positions.shape == (1, 10, 38, 3)
    assert source.classes[clips[0].label] == clips[0].name.split("/")[1]
