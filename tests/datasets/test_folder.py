"""Folders of classes: what one clip is, and when it is read again."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from action_files import recordings

from kinegraph.cli import main
from kinegraph.datasets.folder import FolderSource
from kinegraph.errors import DataError
from kinegraph.formats import read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.store import ClipStore

pytest.importorskip("pyarrow")


def frames(folder: Path, seed: int, count: int = 6) -> SkeletonSequence:
    """A folder of OpenPose frames."""
    points = np.random.default_rng(seed).uniform(100, 400, (1, count, 25, 2))
    write(SkeletonSequence(points, get_skeleton("body25"), 30, unit="px", space="image"), folder, format="openpose")
    return read(folder)


def prepare(source: Path, out: Path) -> int:
    return main(["data", "prepare", "folder", "--source", str(source), "--out", str(out), "--workers", "1", "--quiet"])


def test_a_folder_of_frames_is_one_clip(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    for folder in ("wave", "kick", "kick/monday"):
        (root / folder).mkdir(parents=True)
    takes = {
        "kick/monday/take": frames(root / "kick" / "monday" / "take", 0),
        "kick/take": frames(root / "kick" / "take", 1, 9),
        "wave/take": frames(root / "wave" / "take", 2),
    }
    source = FolderSource(root)
    assert [source.name(number) for number in range(len(source))] == list(takes)
    for clip, take in zip(source, takes.values(), strict=True):
        assert clip.positions.shape[1] == take.frames
        np.testing.assert_allclose(clip.positions, take.positions, rtol=1e-6)
    alone = tmp_path / "alone"  # the class folder is the take
    alone.mkdir()
    frames(alone / "wave", 2)
    assert [clip.positions.shape[1] for clip in FolderSource(alone)] == [6]


def test_frames_that_change_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "wave").mkdir()
    frames(tmp_path / "wave" / "take", 0)
    first = FolderSource(tmp_path).stamp(0)
    assert FolderSource(tmp_path).stamp(0) == first
    one = sorted((tmp_path / "wave" / "take").iterdir())[2]
    text = one.read_text()
    one.write_text(text + " ")
    assert FolderSource(tmp_path).stamp(0) != first
    one.unlink()
    assert FolderSource(tmp_path).stamp(0) != first


def test_a_folder_without_frames_is_bad_and_stops_nothing(tmp_path: Path) -> None:
    root = recordings(tmp_path / "in", "a.npz", "b.npz")
    (root / "empty").mkdir()
    (root / "index.csv").write_text("file,label\na.npz,bus\nb.npz,car\nempty,car\n")
    assert prepare(root, tmp_path / "out") == 0
    assert ClipStore(tmp_path / "out").names == ("a.npz", "b.npz")
    [bad] = csv.DictReader((tmp_path / "out" / "bad.csv").open())
    assert bad["clip"] == "empty"


def test_reasons_do_not_tell_where_an_index_named_from_here_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of an index are opened by their whole paths, the source is given as seen from the current folder."""
    root = recordings(tmp_path / "in", "a.npz")
    (root / "broken.npz").write_bytes(b"PK")
    (root / "index.csv").write_text("file,label\na.npz,bus\nbroken.npz,car\n")
    monkeypatch.chdir(tmp_path)
    assert prepare(Path("in"), Path("out")) == 0
    [bad] = csv.DictReader(Path("out/bad.csv").read_text().splitlines())
    assert bad["reason"].startswith("broken.npz")
    assert str(tmp_path) not in bad["reason"]


def test_the_rate_is_that_of_the_first_file_that_states_one(tmp_path: Path) -> None:
    """Else clips of 30 and of 60 frames a second would stand side by side as if of one rate."""
    root = recordings(tmp_path / "in", "bus/b.npz", "car/c.npz")
    still = read(root / "bus" / "b.npz")
    write(still.replace(fps=None), root / "bus" / "a.npz")
    many = np.repeat(still.positions, 5, axis=1)
    write(still.replace(positions=many, confidence=None, fps=60.0), root / "car" / "d.npz")
    source = FolderSource(root)
    assert source.fps == 30
    frames = {clip.name: clip.frames for clip in source}
    assert frames == {"bus/a.npz": 4, "bus/b.npz": 4, "car/c.npz": 4, "car/d.npz": 10}


def test_a_skeleton_that_comes_later_is_looked_for(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An AMC file without its ASF cannot be read; once it is there, the same command reads it."""
    place = shared_data / "cmu_asfamc"
    (tmp_path / "clips" / "a").mkdir(parents=True)
    (tmp_path / "clips" / "b").mkdir()
    for name, folder in (("01_01.amc", "a"), ("01.asf", "a"), ("02_01.amc", "b")):
        shutil.copy(place / name[:2] / name, tmp_path / "clips" / folder / name)
    assert prepare(tmp_path / "clips", tmp_path / "store") == 0
    bad = list(csv.DictReader((tmp_path / "store" / "bad.csv").open()))
    assert [row["clip"] for row in bad] == ["b/02_01.amc"]
    shutil.copy(place / "02" / "02.asf", tmp_path / "clips" / "b" / "02.asf")
    assert prepare(tmp_path / "clips", tmp_path / "store") == 0
    assert "2 clips" in capsys.readouterr().out
    assert not (tmp_path / "store" / "bad.csv").exists()
    before = FolderSource(tmp_path / "clips").stamp(1)
    text = (tmp_path / "clips" / "b" / "02.asf").read_text()
    (tmp_path / "clips" / "b" / "02.asf").write_text(text + "\n")
    assert FolderSource(tmp_path / "clips").stamp(1) != before


def test_what_was_prepared_inside_the_source_is_no_class(tmp_path: Path) -> None:
    """The second run, and one that comes after a kill or after nothing could be read, see what the first saw."""
    root = recordings(tmp_path / "mine", "bus/a.npz", "car/a.npz", "car/old/b.npz")
    out = [root / "prepared", root / "car" / "old" / "prepared"]
    for place in out:
        assert prepare(root, place) == 0
    first = ClipStore(out[0])
    assert first.classes == ("bus", "car")
    manifest = out[1] / "store.json"
    manifest.write_text(manifest.read_text().replace('"complete": true', '"complete": false'))
    (root / "failed").mkdir()
    (root / "failed" / "bad.csv").write_text("clip,reason\nbus/a.npz,broken\n")
    assert prepare(root, out[0]) == 0
    again = ClipStore(out[0])
    assert (again.classes, again.fingerprint) == (first.classes, first.fingerprint)
    assert not (out[0] / "bad.csv").exists()
    with pytest.raises(DataError, match="prepared clips already; use it as --data"):
        FolderSource(out[0])
    recordings(root, "store/a.npz")  # what only looks like it is a class
    (root / "store" / "store.json").write_text("{}")
    assert FolderSource(root).classes == ("bus", "car", "store")


def test_names_that_are_no_utf8_stop_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are read by their paths; clips and classes are called by what can be written."""
    root = tmp_path / "in"
    walk, wolk, exercise = (os.fsdecode(name) for name in (b"w\xe4lk", b"w\xf6lk", b"\xdcbung.npz"))
    recordings(root, "wave/a.npz", f"wave/{exercise}", f"{walk}/a.npz", f"{walk}/b.npz", f"{wolk}/a.npz")
    (root / "wave" / os.fsdecode(b"\xdcbel.npz")).write_bytes(b"PK")
    assert prepare(root, tmp_path / "out") == 0
    store = ClipStore(tmp_path / "out")
    assert store.classes == (r"w\udce4lk", r"w\udcf6lk", "wave")
    called = {name: store.classes[label] for name, label in zip(store.names, store.labels, strict=True)}
    assert called == {
        "wave/a.npz": "wave",
        r"wave/\udcdcbung.npz": "wave",
        r"w\udce4lk/a.npz": r"w\udce4lk",
        r"w\udce4lk/b.npz": r"w\udce4lk",
        r"w\udcf6lk/a.npz": r"w\udcf6lk",
    }
    [bad] = csv.DictReader((tmp_path / "out" / "bad.csv").open(encoding="utf-8"))
    assert bad["clip"] == r"wave/\udcdcbel.npz"
    parts = recordings(
        tmp_path / "parts", *(f"{part}/{name}/a.npz" for part in ("train", "test") for name in (walk, wolk))
    )
    assert FolderSource(parts).classes == store.classes[:2]  # a class is the same in every part


@pytest.mark.parametrize("words", [(), ("--skeleton", "h36m17", "--fps", "30")])
@pytest.mark.parametrize("good", ["a/x.npz", "b/x.npz"])
def test_however_many_bad_files_come_first(
    tmp_path: Path, words: tuple[str, ...], good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A good one among the first of another class, and one behind all the bad ones of its own."""
    root = recordings(tmp_path / "in", good)
    for number in range(30):
        path = root / "a" / f"bad{number:02}.npz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"PK\x03\x04")
    out = tmp_path / "out"
    common = ["--source", str(root), "--out", str(out), "--workers", "1", "--quiet"]
    assert main(["data", "prepare", "folder", *common, *words]) == 0
    assert ClipStore(out).names == (good,)
    assert len(list(csv.DictReader((out / "bad.csv").open()))) == 30
    (root / good).unlink()
    capsys.readouterr()
    assert main(["data", "prepare", "folder", *common, *words]) == 2
    assert f"{root}: none of 30 files can be read; " in capsys.readouterr().err
    assert ClipStore(out).names == (good,)


def test_a_store_of_other_recordings_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says where the clips came from; the same folder may move and change."""
    one, out = recordings(tmp_path / "one", "bus/0.npz", "car/0.npz", "car/1.npz"), tmp_path / "out"
    other = recordings(
        tmp_path / "other", "car/1.npz", "car/0.npz", "bus/0.npz"
    )  # the same names, none the same motion
    (other / "car" / "0.npz").rename(other / "car" / "2.npz")
    assert prepare(one, out) == 0
    first = ClipStore(out).fingerprint
    capsys.readouterr()
    assert prepare(other, out) == 2
    error = capsys.readouterr().err
    assert f"{out} holds clips of one, and those of the same name in {other} are others; choose an empty" in error
    assert len(error.splitlines()) == 1
    assert ClipStore(out).fingerprint == first
    shutil.copytree(one, tmp_path / "copy", copy_function=shutil.copyfile)  # their times are others
    (tmp_path / "copy" / "bus" / "0.npz").unlink()
    recordings(tmp_path / "copy", "van/0.npz")
    assert prepare(tmp_path / "copy", out) == 0
    assert ClipStore(out).names == ("car/0.npz", "car/1.npz", "van/0.npz")


def test_acclaim_clips_show_the_joints_that_the_layout_has(shared_data: Path, tmp_path: Path) -> None:
    """Starts of bones for cmu38, as recognisers read clips for networks on it; their ends if no layout is said."""
    place, amc = shared_data / "cmu_asfamc" / "02", tmp_path / "walk" / "02_01.amc"
    amc.parent.mkdir()
    for name in ("02_01.amc", "02.asf"):
        shutil.copy(place / name, amc.parent / name)
    source = FolderSource(tmp_path, skeleton=get_skeleton("cmu38"))
    expected = read(amc, joints="starts").to_skeleton("cmu38").positions
    np.testing.assert_allclose(source.read(0).positions, expected, atol=1e-6)
    assert np.isfinite(source.read(0).positions).all()
    assert FolderSource(tmp_path).stamp(0) != source.stamp(0)
    np.testing.assert_allclose(FolderSource(tmp_path).read(0).positions, read(amc).positions, atol=1e-6)
