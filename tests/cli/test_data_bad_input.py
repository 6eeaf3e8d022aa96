"""``kinegraph data prepare`` on damaged, mislabelled and hostile files: bad.csv lists them, or one line refuses."""

from __future__ import annotations

import csv
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from action_files import ntu_text, write_ntu

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.datasets.clip_sources import SOURCES
from kinegraph.store import ClipStore

pytest.importorskip("pyarrow")

RNG = np.random.default_rng(0)


class Bomb:
    """Would make a file if it were unpickled by the ordinary way."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


def prepare(name: str, source: Path, out: Path, *words: str) -> int:
    """Run the command in this process."""
    common = ["--source", str(source), "--out", str(out), "--workers", "1", "--quiet"]
    return main(["data", "prepare", name, *common, *words])


def listed(out: Path) -> dict[str, str]:
    """Clip -> reason in bad.csv; every reason is one line."""
    with (out / "bad.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["clip", "reason"]
    assert all(len(reason.splitlines()) == 1 and len(reason) < 500 for _, reason in rows[1:])
    assert not any(str(out.parent) in reason for _, reason in rows[1:])  # it travels with the data
    return dict(rows[1:])


def cut(text: str) -> str:
    return "\n".join(text.splitlines()[:40])


def other_joints(text: str) -> str:
    lines = text.splitlines()
    lines[3] = "20"
    return "\n".join(lines[:24] + lines[29:])


def not_a_number(text: str) -> str:
    lines = text.splitlines()
    lines[5] = "nan " + lines[5].split(" ", 1)[1]
    return "\n".join(lines)


NTU = {
    "S001C001P001R001A000": (str, "action 0 in its name; expected 1 to 120"),
    "S001C001P001R001A121": (str, "action 121 in its name; expected 1 to 120"),
    "S001C004P001R001A001": (str, "camera 4 in its name; expected 1 to 3"),
    "S001C001P000R001A001": (str, "performer 0 in its name"),
    "S001C001P001R001A01": (str, "its name is not SsssCcccPpppRrrrAaaa"),
    "xS001C001P001R001A001": (str, "its name is not SsssCcccPpppRrrrAaaa"),
    "walking": (str, "its name is not SsssCcccPpppRrrrAaaa"),
    "S001C001P001R001A003": (cut, "line 40, before"),
    "S001C001P001R001A004": (lambda text: "3\n0\n0\n0\n", "no body in any frame"),
    "S001C001P001R001A005": (other_joints, "the number of joints is '20' (kinect20), expected 25 (ntu25)"),
    "S001C001P001R001A006": (not_a_number, "line 6: found 'nan', expected a finite number"),
    "S001C001P001R001A007": (lambda text: "", "empty"),
    "S001C001P001R001A008": (lambda text: text + "1\n", "the file is damaged"),
}


def test_a_folder_of_bad_ntu_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong stands in bad.csv by its file's name; the good ones are prepared."""
    good = ["S001C001P001R001A001", "S001C002P002R001A060"]
    folder, out = write_ntu(tmp_path / "ntu", [*good, "S001C001P001R001A061"]), tmp_path / "out"
    text = (folder / f"{good[0]}.skeleton").read_text()
    for name, (change, _) in NTU.items():
        (folder / f"{name}.skeleton").write_text(change(text))
    (folder / ".S001C001P001R001A002.0badf00d.part.skeleton").write_text("half")
    assert prepare("ntu60", folder, out) == 0
    printed = capsys.readouterr().out
    assert f"{len(NTU)} clips could not be read" in printed
    assert "1 samples left out: their actions are beyond the 60 of ntu60" in printed
    bad = listed(out)
    assert len(bad) == len(NTU)
    for name, (_, message) in NTU.items():
        key = name if name in bad else f"{name}.skeleton"
        assert message in bad[key]
        assert f"{name}.skeleton" in bad[key]
    assert ClipStore(out).names == tuple(good)


def test_identities_of_64_bits_stay_apart(tmp_path: Path) -> None:
    """Two people whose identities are one number as float64 are two people."""
    (tmp_path / "ntu").mkdir()
    bodies = [RNG.normal(size=(6, 25, 3)) + np.array([side, 0, 3]) for side in (0.5, -0.5)]
    text = ntu_text(bodies)
    numbers = [72057594037931101 + person for person in range(2)]
    assert all(str(number) in text for number in numbers)
    assert float(numbers[0]) == float(numbers[1])
    (tmp_path / "ntu" / "S001C001P001R001A050.skeleton").write_text(text)
    assert prepare("ntu60", tmp_path / "ntu", tmp_path / "out") == 0
    clip = ClipStore(tmp_path / "out")[0]
    assert clip.people == 2
    order = sorted(range(2), key=lambda person: -clip.positions[person, :, :, 0].mean())
    np.testing.assert_allclose(clip.positions[order], np.stack(bodies), rtol=1e-5, atol=1e-6)


def annotation(name: str, label: int = 0, joints: int = 25, **more: object) -> dict[str, object]:
    keypoint = RNG.normal(size=(1, 5, joints, 3)).astype(np.float16)
    return {"frame_dir": name, "label": label, "total_frames": 5, "keypoint": keypoint, **more}


def pyskl(path: Path, annotations: list[dict[str, object]], **split: list[str]) -> Path:
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    return path


def test_pyskl_joints_and_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotations = [annotation("a", 1), annotation("b", joints=17), annotation("c", 0)]
    path = pyskl(tmp_path / "a.pkl", annotations, xsub_train=["a", "gone"], xsub_val=["c"])
    assert prepare("pyskl", path, tmp_path / "out") == 0
    assert "1 names of the splits have no annotation, e.g. gone" in capsys.readouterr().out
    bad = listed(tmp_path / "out")
    assert list(bad) == ["b"]
    assert "keypoint (1, 5, 17, 3); expected (people, frames, 25, 3) of 'ntu25'" in bad["b"]
    from kinegraph.datasets.action_splits import split
    from kinegraph.errors import ConfigError

    store = ClipStore(tmp_path / "out")
    assert split(store, "xsub", "train").tolist() == [0]
    said = r"no split 'xset' \(its files name splits xsub; parts xsub_train, xsub_val; .*did you mean 'xsub'"
    with pytest.raises(ConfigError, match=said):
        split(store, "xset", "train")


def folder_index(row: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_ntu(folder, ["S001C001P001R001A001"])
        (folder.parent / "outside.skeleton").write_text((folder / "S001C001P001R001A001.skeleton").read_text())
        (folder / "index.csv").write_text(f"file,label\nS001C001P001R001A001.skeleton,a\n{row}\n")
        return folder

    return make


def ctrgcn(**changes: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir()
        x, y = np.ones((2, 4, 150), np.float32), np.eye(60)[[0, 1]]
        np.savez(folder / "a.npz", **{"x_train": x, "y_train": y, "x_test": x, "y_test": y, **changes})
        return folder / "a.npz"

    return make


def zip_bomb(folder: Path) -> Path:
    """An array of zeros, 140 times as large as its file."""
    folder.mkdir()
    path, clips = folder / "bomb.npz", 800
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x_train.npy", "w") as member,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": (clips, 300, 150)}
        np.lib.format.write_array_header_1_0(member, header)  # type: ignore[arg-type]
        for _ in range(clips):
            member.write(bytes(300 * 150 * 4))
    return path


def hostile(folder: Path) -> Path:
    folder.mkdir()
    return pyskl(folder / "a.pkl", [annotation("a", img_norm=Bomb(folder.parent / "exploded"))])


def hostile_labels(folder: Path) -> Path:
    folder.mkdir()
    np.save(folder / "train_data.npy", np.ones((1, 3, 4, 25, 2), np.float32))
    (folder / "train_label.pkl").write_bytes(pickle.dumps((["a"], Bomb(folder.parent / "exploded"))))
    return folder


def stgcn(labels: list[int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir()
        np.save(folder / "train_data.npy", np.ones((2, 3, 4, 25, 2), np.float32))
        (folder / "train_label.pkl").write_bytes(pickle.dumps((["a", "b"], labels)))
        return folder

    return make


def kinetics(folder: Path) -> Path:
    train = folder / "kinetics_train"
    train.mkdir(parents=True)
    frame = {"frame_index": 1, "skeleton": [{"pose": [0.5] * 36, "score": [0.5] * 18}]}
    (train / "a.json").write_text(json.dumps({"data": [frame], "label": "bowling", "label_index": 9}))
    listing = {"a": {"has_skeleton": True, "label": "abseiling", "label_index": 0}}
    (folder / "kinetics_train_label.json").write_text(json.dumps(listing))
    return folder


def made(content: list[dict[str, object]], **split: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir()
        return pyskl(folder / "a.pkl", content, **split)  # type: ignore[arg-type]

    return make


def only_bad_ntu(folder: Path) -> Path:
    write_ntu(folder, ["S001C001P001R001A001"])
    (folder / "S001C001P001R001A001.skeleton").write_text("2\n0\n0\n")
    return folder


REFUSED = {
    "nobody in any file": ("ntu60", only_bad_ntu, "bad.csv says why, first S001C001P001R001A001: "),
    "path outside": ("folder", folder_index("../outside.skeleton,b"), "line 3, '../outside.skeleton' lies outside"),
    "absolute path": ("folder", folder_index("/etc/passwd,b"), "line 3, '/etc/passwd' lies outside"),
    "hostile pickle": ("pyskl", hostile, "asks for posix.system"),
    "hostile labels": ("stgcn", hostile_labels, "posix.system"),
    "joints of no layout": ("pyskl", made([annotation("a", joints=20)]), "20 joints in 3D (kinect20); expected ntu25"),
    "label no number": ("pyskl", made([annotation("a", label="x")]), "label 'x'; expected a number from 0"),  # type: ignore[arg-type]
    "label far out": ("pyskl", made([annotation("a", label=10**9)]), "label '1000000000'; expected a number from 0"),
    "label below": ("stgcn", stgcn([0, -1]), "a label is no number from 0"),
    "fewer labels": ("stgcn", stgcn([0]), "2 names and 1 labels; expected 2 of each"),
    "split no list": ("pyskl", made([annotation("a")], xsub_train=3), "'split' is no dictionary of lists"),
    "label not listed": ("kinetics-skeleton", kinetics, "label_index 9; expected one of 1 classes"),
    "arrays disagree": ("ctrgcn", ctrgcn(y_train=np.eye(60)[[0]]), "expected one-hot rows for 2 clips"),
    "no class": (
        "ctrgcn",
        ctrgcn(y_test=np.zeros((2, 60))),
        "y_test[0] is [0. 0. 0. ... 0. 0. 0.]; expected one class",
    ),
    "labels below": ("ctrgcn", ctrgcn(y_test=np.array([3, -2])), "y_test[1] is -2; expected one class"),
    "labels that are no index": ("ctrgcn", ctrgcn(y_test=np.array([0.5, 1.5])), "expected one-hot rows, or labels"),
    "other width": ("ctrgcn", ctrgcn(x_train=np.ones((2, 4, 149), np.float32)), "x_train is (2, 4, 149)"),
    "objects": ("ctrgcn", ctrgcn(x_train=np.array([{}], dtype=object)), "expected plain numbers"),
    "zip bomb": ("ctrgcn", zip_bomb, "as no recordings do"),
}


@pytest.mark.parametrize(("dataset", "make", "message"), REFUSED.values(), ids=REFUSED)
def test_one_line_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dataset: str, make: Callable[[Path], Path], message: str
) -> None:
    status = prepare(dataset, make(tmp_path / "in"), tmp_path / "out")
    error = capsys.readouterr().err
    assert status == 2, error
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert "bug" not in error
    assert not (tmp_path / "exploded").exists()
    assert [path.name for path in (tmp_path / "out").glob("*")] in ([], ["bad.csv"])


def test_the_pickle_is_live(tmp_path: Path) -> None:
    """The ordinary way would have run it: the tests above mean something."""
    pickle.loads(hostile(tmp_path / "in").read_bytes())
    assert (tmp_path / "exploded").exists()


def test_a_zip_bomb_among_own_files_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wave = tmp_path / "in" / "wave"
    wave.mkdir(parents=True)
    motion = kg.SkeletonSequence(RNG.normal(size=(1, 9, 17, 3)), kg.get_skeleton("h36m17"), fps=30)
    kg.save(motion, wave / "a.npz")
    with zipfile.ZipFile(wave / "b.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        header = np.lib.format.magic(1, 0)
        archive.writestr("positions.npy", header + bytes(2 * 10**7))
    assert prepare("folder", tmp_path / "in", tmp_path / "out") == 0
    assert "1 clips could not be read" in capsys.readouterr().out
    assert "b.npz" in listed(tmp_path / "out")["wave/b.npz"]


@pytest.mark.parametrize("what", ["empty", "missing", "text"])
@pytest.mark.parametrize("dataset", SOURCES)
def test_a_source_with_nothing_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dataset: str, what: str
) -> None:
    source = tmp_path / what
    if what == "empty":
        source.mkdir()
    elif what == "text":
        source.write_text("nothing")
    assert prepare(dataset, source, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert str(source) in error
    assert len(error.strip().splitlines()) == 1
    assert "bug" not in error
    assert not (tmp_path / "out").exists()
