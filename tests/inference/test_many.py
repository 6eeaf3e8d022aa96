"""Many recordings: in order, with bad ones among them, in constant memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from lifting_people import keypoints, motion, write_mixed_folder

import kinegraph as kg
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.inference.many import find_recordings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_mixed_folder(tmp_path / "in")


def test_recordings_are_found_in_order(folder: Path) -> None:
    found = [str(path.relative_to(folder)) for path in find_recordings(folder)]
    assert found == ["a.npz", "b", "c.csv", "deep/d.json", "e.npz"]


def test_a_bad_file_stops_nothing(folder: Path, tmp_path: Path) -> None:
    done = list(kg.lift_files(folder, tmp_path / "out", to="npz"))
    assert [bool(one.error) for one in done] == [False, False, True, False, True]
    assert "c.csv" in (done[2].error or "")
    assert "3D joints" in (done[4].error or "")
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.npz"))
    assert written == ["a.npz", "b.npz", "deep/d.npz"]
    np.testing.assert_array_equal(kg.load(tmp_path / "out" / "a.npz").positions, kg.lift(folder / "a.npz").positions)


def test_paths_alone_and_no_folder_to_write(folder: Path) -> None:
    results = kg.lift_files([folder / "a.npz", str(folder / "b")], people="main")
    assert [one.sequence.frames for one in results if one.sequence] == [8, 8]


def test_nothing_is_read_before_it_is_asked_for(folder: Path) -> None:
    results = kg.lift_files([folder / "a.npz", folder / "gone.npz"])
    assert next(results).error is None
    assert "gone.npz" in (next(results).error or "")


def test_memory_does_not_grow_with_the_number_of_files(folder: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in kg.lift_files([folder / "a.npz"] * count, model=lifter):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    lifter = kg.Lifter.from_pretrained()
    peak(2)
    few, many = peak(2), peak(12)
    assert many < 1.2 * few + 50_000


def test_two_of_one_name_stay_apart(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text("nothing")
    kg.save(kg.load(folder / "a.npz"), folder / "a.csv")
    done = list(kg.lift_files(folder, tmp_path / "out", to="npz"))
    assert (tmp_path / "out" / "a.npz.npz").is_file()
    assert (tmp_path / "out" / "a.csv.npz").is_file()
    assert sum(one.error is None for one in done) == 4


def test_what_is_wrong_for_all_is_said_at_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is written"):
        kg.lift_files(folder, tmp_path, to=".xyz")
    with pytest.raises(FormatError, match="no such folder"):
        kg.lift_files(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no recordings"):
        kg.lift_files(tmp_path / "empty")
    with pytest.raises(ConfigError, match="no option 'poeple'"):
        next(kg.lift_files(folder, poeple="main"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(KinegraphError, match="is a file"):
        kg.lift_files(folder, tmp_path / "file")


def test_an_option_that_suits_some_recordings_stops_none(folder: Path) -> None:
    (folder / "c.csv").unlink()
    walk = keypoints(motion()).slice_frames(0, 8)
    two = np.concatenate([walk.positions, walk.positions + 200])
    kg.save(walk.replace(positions=two, confidence=None), folder / "a.npz")
    done = list(kg.lift_files(folder, height_m=[1.7, 1.8]))
    assert [one.source.name for one in done if one.error is None] == ["a.npz"]
    told = next(one.error or "" for one in done if one.source.name == "d.json")
    assert told == f"{folder / 'deep' / 'd.json'}: 2 heights for 1 people; expected one for all, or one each"
    done = list(kg.lift_files(folder, read={"people": 1}))
    assert [one.source.name for one in done if one.error is None] == ["b"]
    assert (done[0].error or "").startswith(f"{folder / 'a.npz'}: npz is not read with the option 'people'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height_m": [17.0, 18.0]}, "a height of 17 m"),
        ({"read": {"poeple": 1}}, "option 'poeple'; did you mean 'people'"),
        ({"read": {"format": "opnepose"}}, "no format 'opnepose'"),
        ({"fps": 0}, "is no frame rate"),
        ({"skeleton": "coco71"}, "coco71"),
        ({"space": "moon"}, "choose world or camera"),
        ({"root": "nowhere"}, "root is 'nowhere'"),
        ({"extrinsics": "nowhere.json"}, "cannot be read"),
    ],
)
def test_options_that_suit_no_recording_are_refused_before_the_first(
    folder: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(KinegraphError, match=message):
        kg.lift_files(folder, **options)


def test_who_leaves_is_told_for_each_recording(tmp_path: Path) -> None:
    walk = keypoints(motion())
    points = np.concatenate([walk.positions, walk.positions + 300])
    late = round((walk.fps or 30) * 1.5)
    assert walk.frames > late + 10
    points[1, :late] = np.nan
    (tmp_path / "in").mkdir()
    kg.save(walk.replace(positions=points, confidence=None), tmp_path / "in" / "two.npz")
    kg.save(walk, tmp_path / "in" / "whole.npz")
    two, whole = kg.lift_files(tmp_path / "in", tmp_path / "out")
    assert two.notes[0].startswith(f"person 2 is away in frames 0-{late - 1} and stands still there")
    assert whole.notes == ()
    assert next(kg.lift_files(tmp_path / "in", tmp_path / "out", to="npz")).notes == ()  # it holds gaps


# ---- recognised and forecast ----------------------------------------------------------------------------------------


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """A 3D recording, one further down, one in 2D, one too short, one broken."""
    place = tmp_path / "in"
    (place / "deep").mkdir(parents=True)
    body = kg.load(motion(40) * [1, -1, -1], skeleton="h36m17", fps=30)
    kg.save(body, place / "a.trc")
    kg.save(body, place / "deep" / "b.npz")
    kg.save(keypoints(motion(40)), place / "c.npz")
    kg.save(body.slice_frames(0, 4), place / "d.npz")
    (place / "e.bvh").write_text("HIERARCHY\n")
    (place / "readme.txt").write_text("walks")
    return place


def test_recordings_are_recognised_one_by_one(walks: Path) -> None:
    done = list(kg.recognize_files(walks, model="forecast"))
    assert [one.source.name for one in done] == ["a.trc", "c.npz", "d.npz", "b.npz", "e.bvh"]
    assert [bool(one.error) for one in done] == [False, False, True, False, True]
    assert done[0].actions is not None
    assert done[0].actions.top(1) == kg.recognize(walks / "a.trc", model="forecast").top(1)
    assert "e.bvh" in (done[4].error or "")
    with pytest.raises(ConfigError, match=r"stride -1 s"):
        next(kg.recognize_files([walks / "a.trc"], stride_s=-1.0))


def test_recordings_are_forecast_one_by_one(walks: Path, tmp_path: Path) -> None:
    done = list(kg.forecast_files(walks, 0.2, tmp_path / "out", to="npz", model="constant-velocity"))
    assert [bool(one.error) for one in done] == [False, False, False, False, True]
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.npz"))
    assert written == ["a.npz", "c.npz", "d.npz", "deep/b.npz"]
    future = kg.load(tmp_path / "out" / "deep" / "b.npz")
    assert future.frames == 6
    with pytest.raises(ConfigError, match="nothing is written"):
        kg.forecast_files(walks, 0.2, tmp_path, to=".xyz")
    with pytest.raises(DataError, match="at most 60 s"):
        kg.forecast_files(walks, 61)
    with pytest.raises(ConfigError, match="is no frame rate"):
        kg.forecast_files(walks, 0.2, fps=-1)
    with pytest.raises(ConfigError, match="smooth is 5.0; expected 'auto'"):
        kg.forecast_files(walks, 0.2, smooth=5.0)
    with pytest.raises(KinegraphError, match="nobody"):
        kg.recognize_files(walks, lifter="nobody")


def test_a_further_person_never_takes_the_place_of_another_recording(tmp_path: Path) -> None:
    """a.npz holds two, and the second's BVH would be named as the result of a_person2.npz."""
    walk = keypoints(motion()).slice_frames(0, 8)
    both = walk.replace(positions=np.concatenate([walk.positions, walk.positions + 40]), confidence=None)
    (tmp_path / "in").mkdir()
    kg.save(both, tmp_path / "in" / "a.npz")
    kg.save(walk, tmp_path / "in" / "a_person2.npz")
    one, two = kg.lift_files(tmp_path / "in", tmp_path / "out")
    assert "a further person would take the place of" in (one.error or "")
    assert "a_person2.npz's result; rename one of them" in (one.error or "")
    assert [path.name for path in two.written] == ["a_person2.bvh"]
    one, two = kg.lift_files(tmp_path / "in", tmp_path / "whole", to="npz")  # holds both
    assert (one.error, two.error) == (None, None)
