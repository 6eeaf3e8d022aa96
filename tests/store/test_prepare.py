"""Prepared folders: what goes in comes out, the same bytes however made, kills, damage and hostile manifests."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from random_clips import RandomClips

from kinegraph.errors import DataError, FormatError, KinegraphError, MissingExtraError
from kinegraph.store import ActionClip, ClipStore, prepare_clips
from kinegraph.store.clip import absent, liveliest
from kinegraph.store.prepare import shard_size

pytest.importorskip("pyarrow")

SAMPLES = Path(__file__).parents[1] / "samples"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_bar_is_for_terminals(tmp_path, monkeypatch, capsys) -> None:
    prepare_clips(RandomClips(), tmp_path / "log", workers=1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    prepare_clips(RandomClips(), tmp_path / "terminal", workers=1)
    assert "40/40" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_goes_in_comes_out(tmp_path, dtype) -> None:
    source = RandomClips()
    done = prepare_clips(source, tmp_path, dtype=dtype, workers=1, progress=False)
    store = pickle.loads(pickle.dumps(done.store))
    assert (len(store), done.bad, store.dtype, store.classes, store.fps) == (40, (), dtype, source.classes, 30.0)
    assert store.skeleton == source.skeleton
    for index in (39, 0, 17, 3, 21):
        clip, expected = store[index], source.read(index)
        np.testing.assert_array_equal(clip.positions, expected.positions.astype(dtype))
        for key in ("name", "label", "subject", "camera", "setup", "splits"):
            assert getattr(clip, key) == getattr(expected, key)
        if expected.confidence is None:
            assert clip.confidence is None
        else:
            np.testing.assert_array_equal(clip.confidence, expected.confidence.astype(dtype))
        assert not clip.positions.flags.writeable
    assert store.labels.tolist() == [n % 3 for n in range(40)]
    assert store.frames.tolist() == [1 + n % 7 for n in range(40)]
    assert [clip.name for clip in store] == list(store.names)
    with pytest.raises(DataError, match="no clip 40"):
        store[40]


def test_the_same_bytes_from_any_number_of_processes(tmp_path) -> None:
    broken = {5: DataError("five"), 20: ValueError("two\nlines")}
    one = prepare_clips(RandomClips(broken=broken), tmp_path / "1", workers=1, progress=False)
    two = prepare_clips(RandomClips(broken=broken), tmp_path / "2", workers=2, progress=False)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert len(one.store) == 38
    assert one.store.fingerprint == two.store.fingerprint
    with (tmp_path / "2" / "bad.csv").open() as stream:
        assert list(csv.reader(stream)) == [
            ["clip", "reason"],
            ["clip0005", "five"],
            ["clip0020", "ValueError: two lines"],
        ]


def test_only_what_changed_is_read_again(tmp_path) -> None:
    first = prepare_clips(RandomClips(broken={20: DataError("x")}), tmp_path, workers=1, progress=False)
    source = RandomClips()  # the file has been repaired
    again = prepare_clips(source, tmp_path, workers=1, progress=False)
    assert source.reads == shard_size(40) == 16
    assert (again.kept, len(again.store), again.bad) == (24, 40, ())
    assert not (tmp_path / "bad.csv").exists()
    assert first.store.fingerprint != again.store.fingerprint
    fresh = prepare_clips(RandomClips(), tmp_path / "fresh", workers=1, progress=False)
    assert fresh.store.fingerprint == again.store.fingerprint
    smaller = prepare_clips(RandomClips(16), tmp_path, workers=1, progress=False)
    assert (len(smaller.store), smaller.kept) == (16, 16)
    assert not (tmp_path / "shard-00001.arrow").exists()


_SCRIPT = """
import sys
sys.path.insert(0, {samples!r})
from random_clips import RandomClips
from kinegraph.store import prepare_clips
if __name__ == "__main__":
    prepare_clips(RandomClips(pause=0.02), {out!r}, workers={workers}, progress=False)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on(tmp_path, workers) -> None:
    out, script = tmp_path / "out", tmp_path / "script.py"
    script.write_text(_SCRIPT.format(samples=str(SAMPLES), out=str(out), workers=workers))
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("shard-*.json")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (out / ".shard-00002.0badf00d.part.arrow").write_bytes(b"half")
    if process.returncode == -signal.SIGKILL:
        with pytest.raises(FormatError, match="not finished"):
            ClipStore(out)
    deadline = time.monotonic() + 20  # workers see that their parent is gone
    while workers > 1 and _session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _session(process.pid)
    source = RandomClips()
    done = prepare_clips(source, out, workers=1, progress=False)
    assert source.reads < 40
    fresh = prepare_clips(RandomClips(), tmp_path / "fresh", workers=1, progress=False)
    assert contents(out) == contents(tmp_path / "fresh")
    assert done.store.fingerprint == fresh.store.fingerprint


def _session(session: int) -> list[int]:
    """Processes of a session that are still running."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


def test_nothing_readable_and_foreign_folders(tmp_path) -> None:
    for _ in range(2):  # what is left of the first does not hinder the second
        broken = RandomClips(3, {n: DataError("all broken") for n in range(3)})
        with pytest.raises(
            DataError, match=r"none of 3 clips can be used; .*bad.csv says why, first clip0000: all broken"
        ):
            prepare_clips(broken, tmp_path / "a", workers=1, progress=False)
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["bad.csv"]
    assert len(prepare_clips(RandomClips(3), tmp_path / "a", workers=1, progress=False).store) == 3
    other = RandomClips(3)
    other.dataset = "other"
    with pytest.raises(KinegraphError, match="holds clips of made, not of other; choose an empty or new folder"):
        prepare_clips(other, tmp_path / "a", workers=1, progress=False)
    assert ClipStore(tmp_path / "a").dataset == "made"
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(KinegraphError, match="holds other files"):
        prepare_clips(RandomClips(3), tmp_path, workers=1, progress=False)
    with pytest.raises(FormatError, match="no prepared clips"):
        ClipStore(tmp_path)


class Others(RandomClips):
    """Clips of the names that are asked for, which show something else with another `seed`."""

    def __init__(self, names: list[str], seed: int = 0, stamp: str = "1") -> None:
        super().__init__(len(names))
        self.names, self.seed, self.stamped = names, seed, stamp

    def name(self, index: int) -> str:
        return self.names[index]

    def stamp(self, index: int) -> str:
        return self.stamped

    def read(self, index: int) -> ActionClip:
        number = int(self.names[index].removesuffix("b"))
        rng = np.random.default_rng([self.seed, number])
        return ActionClip(name=self.names[index], label=0, positions=rng.normal(size=(1, 3, 25, 3)))


def numbers(*ranges: range) -> list[str]:
    return [str(number) for part in ranges for number in part]


def test_clips_of_another_source_replace_nothing(tmp_path) -> None:
    """The names are others, or those of the same name show something else: names like 0.npz are in many folders."""
    out, first = tmp_path / "out", tmp_path / "first"
    prepare_clips(Others(numbers(range(40))), out, workers=1, progress=False, origin=first)
    held = contents(out)
    assert re.fullmatch("first sha256:[0-9a-f]{16}", json.loads(held["store.json"])["origin"])  # no path of ours
    for source, place, message in (
        (
            Others(numbers(range(50, 90))),
            tmp_path / "b",
            r"holds clips of first \(first 0\), none of them in .*/b; ",
        ),
        (Others(numbers(range(50, 90))), None, r"none of them in this source; choose an empty or new folder"),
        (
            Others(numbers(range(60)), 1, "2"),
            tmp_path / "b",
            r"clips of first, and those of the same name in .*/b are others",
        ),
    ):
        with pytest.raises(KinegraphError, match=message):
            prepare_clips(source, out, workers=1, progress=False, origin=place)
        assert contents(out) == held
    (out / "store.json").write_text(held["store.json"].decode().replace('"complete": true', '"complete": false'))
    with pytest.raises(KinegraphError, match="none of them in"):  # stopped halfway, it is not another's either
        prepare_clips(Others(["77"]), out, workers=1, progress=False, origin=tmp_path / "b")


def test_the_same_source_may_grow_shrink_and_move(tmp_path) -> None:
    out, place = tmp_path / "out", tmp_path / "first"

    def again(names: list[str], origin: Path | None, **said: object) -> int:
        done = prepare_clips(Others(names, **said), out, workers=1, progress=False, origin=origin)
        assert list(done.store.names) == names
        return done.kept

    again(numbers(range(40)), place)
    assert again(numbers(range(50)), place) == 32  # more
    assert again(numbers(range(3, 50)), place) == 0  # fewer
    assert again(numbers(range(60, 90)), place) == 0  # others in the same folder
    assert again(numbers(range(60, 90)), tmp_path / "moved") == 30  # files keep their times
    assert again(numbers(range(58, 99)), tmp_path / "copied", stamp="2") == 0  # and do not, and there are more of them
    stated = json.loads((out / "store.json").read_text())["origin"]
    assert stated.startswith("copied sha256:")
    assert again(numbers(range(50, 99)), None, seed=1) == 0
    manifest = json.loads((out / "store.json").read_text())
    assert manifest.pop("origin") == stated
    (out / "store.json").write_text(json.dumps(manifest))  # as earlier versions wrote it
    assert ClipStore(out).names[0] == "50"
    assert again(numbers(range(40, 99)), tmp_path / "later", seed=1) == 0
    for path in out.glob("shard-*.arrow"):
        path.write_bytes(path.read_bytes()[:500])  # damaged ones are made anew
    assert again(numbers(range(40)), tmp_path / "elsewhere") == 0


def test_nothing_readable_leaves_an_earlier_store_whole(tmp_path) -> None:
    prepare_clips(RandomClips(20, {3: DataError("three")}), tmp_path, workers=1, progress=False)
    held = contents(tmp_path)
    broken = RandomClips(20, {number: ValueError("cut\nshort") for number in range(20)})
    with pytest.raises(
        DataError, match=r"none of 20 clips .* first clip0000: ValueError: cut short; what .* stays as it"
    ):
        prepare_clips(broken, tmp_path, workers=1, progress=False)
    assert contents(tmp_path) == held
    del broken.broken[19]  # one is enough
    assert len(prepare_clips(broken, tmp_path, workers=1, progress=False).store) == 1


def test_values_that_do_not_fit(tmp_path) -> None:
    class Far(RandomClips):
        def read(self, index: int) -> ActionClip:
            return ActionClip(name="far", label=0, positions=np.full((1, 2, 25, 3), 1e6 if index else 1.0))

    done = prepare_clips(Far(2), tmp_path, dtype="float16", workers=1, progress=False)
    assert [name for name, _ in done.bad] == ["clip0001"]
    assert "too large for float16" in done.bad[0][1]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("shards", ["../shard-00000.arrow"], "no file of this folder"),
        ("shards", ["/etc/passwd"], "no file of this folder"),
        ("clips", 7, "store.json states 7"),
        ("dims", 2, "do not fill its shape"),
        ("classes", ["a"], "labels 0 to 2 for 1 classes"),
        ("skeleton", "coco17", "do not fill its shape"),
        ("dtype", "float16", "expected a shard of float16"),
        ("version", 2, "expected 'kinegraph-clips' version 1"),
        ("fps", "x", "fps x"),
    ],
)
def test_manifests_are_not_trusted(tmp_path, key, value, message) -> None:
    prepare_clips(RandomClips(5), tmp_path, workers=1, progress=False)
    path = tmp_path / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(FormatError, match=message):
        ClipStore(tmp_path)


def test_a_link_out_of_the_folder(tmp_path) -> None:
    prepare_clips(RandomClips(5), tmp_path / "a", workers=1, progress=False)
    shard = tmp_path / "a" / "shard-00000.arrow"
    os.rename(shard, tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FormatError, match="no file of this folder"):
        ClipStore(tmp_path / "a")


def test_damaged_shards(tmp_path) -> None:
    prepare_clips(RandomClips(5), tmp_path, workers=1, progress=False)
    path = tmp_path / "shard-00000.arrow"
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for cut in (0, 100, len(data) // 2, len(data) - 8):
        path.write_bytes(data[:cut])
        with pytest.raises(FormatError, match="shard"):
            ClipStore(tmp_path)
    for _ in range(60):  # either sound, or our error: never a crash
        changed = data.copy()
        for place in rng.integers(0, len(data), 4):
            changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        with contextlib.suppress(KinegraphError):
            list(ClipStore(tmp_path))


def test_without_pyarrow(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"kinegraph\[store\]"):
        prepare_clips(RandomClips(3), tmp_path, workers=1, progress=False)


def test_people_by_liveliness_and_absence() -> None:
    time_ = np.arange(10)[:, None, None]
    still, lively = np.ones((10, 4, 3)), np.ones((10, 4, 3)) * np.sin(time_)
    assert liveliest(np.stack([still, lively, np.full_like(still, np.nan)]), 2) == [1, 0]
    dense = np.zeros((3, 6, 4, 3))
    dense[0, :4], dense[2, 1:3] = 1, 2
    clip = absent(dense)
    assert clip.shape == (2, 4, 4, 3)
    assert np.isnan(clip[1, [0, 3]]).all()
    assert (clip[1, 1:3] == 2).all()
