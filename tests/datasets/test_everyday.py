"""The everyday actions: what is in them, and that nobody trains whom validation knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinegraph.datasets import everyday
from kinegraph.datasets.action_splits import split
from kinegraph.datasets.everyday import CLASSES, CMU, PEOPLE, EverydaySource
from kinegraph.datasets.open_clips import open_clips
from kinegraph.datasets.synthetic.generator import ACTIONS
from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.store.prepare import prepare_clips


@pytest.fixture(scope="module")
def few(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some clips of subjects 02 and 07 to 09."""
    folder = tmp_path_factory.mktemp("cmu")
    for name in ("01/01.asf", "02/02.asf"):
        (folder / Path(name).name).symlink_to(shared_data / "cmu_asfamc" / name)
    for path in (*shared_data.glob("cmu_asfamc/02/*.amc"), *shared_data.glob("cmu_bvh/*/0[789]_*.bvh")):
        (folder / path.name).symlink_to(path)
    return folder


def test_actions_are_those_of_both_kinds_of_motion_and_no_recording_has_two() -> None:
    assert set(CLASSES) == {*CMU, *ACTIONS}
    assert len(CLASSES) == 26
    stems = [stem for clips in CMU.values() for stem in clips]
    assert len(stems) == len(set(stems)) == 109


def test_windows_last_up_to_three_seconds_at_30_on_h36m17_upright(few: Path) -> None:
    source = EverydaySource(few)
    assert source.notes[0].endswith("of 109 recordings of CMU are here")
    recorded = [i for i, item in enumerate(source.items) if item.path is not None]
    procedural = [i for i, item in enumerate(source.items) if item.path is None]
    assert {item.subject for item in source.items if item.path is None} == set(range(24))
    assert {item.stop - item.start for item in source.items if item.path is None} == {45, 60, 90}
    for index in (*recorded, *procedural[::97]):
        clip = source.read(index)
        assert clip.positions.shape[2:] == (17, 3)
        assert 24 <= clip.frames <= 90
        assert CLASSES[clip.label] == source.items[index].action
        assert np.isfinite(clip.positions).all()
        if CLASSES[clip.label] in ("walking", "running", "standing"):
            head, feet = source.skeleton.index("head"), source.skeleton.index("left_ankle")
            assert (clip.positions[0, :, head, 1] - clip.positions[0, :, feet, 1]).min() > 1.0  # metres, y up


def test_parts_share_neither_recordings_nor_people(few: Path) -> None:
    clips = open_clips(few, "everyday")
    parts = {part: split(clips, "everyday", part) for part in ("train", "val", "test")}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(clips)))

    def origins(part: str) -> set[str]:
        return {"/".join(clips.names[index].split("/")[:2]) for index in parts[part]}

    assert not origins("train") & origins("val")
    assert not origins("train") & origins("test")
    assert not origins("val") & origins("test")
    for part, people in PEOPLE.items():
        assert {name for name in origins(part) if name.startswith("procedural")} == {
            f"procedural/P{person:02d}" for person in people
        }
        assert any(name.startswith("cmu/") for name in origins(part))


@pytest.mark.parametrize(
    ("recordings", "expected"),
    [
        (1, ["train"]),
        (2, ["train", "test"]),
        (3, ["train", "train", "test"]),
        (4, ["train", "train", "val", "test"]),
        (7, ["train", "train", "train", "val", "test", "train", "train"]),
    ],
)
def test_a_fifth_of_an_actions_recordings_tests_and_a_fifth_validates(recordings: int, expected: list[str]) -> None:
    assert [everyday._part(order, recordings) for order in range(recordings)] == expected


@pytest.mark.parametrize(("frames", "expected"), [(23, []), (24, [(0, 24)]), (44, [(0, 44)]), (45, [(0, 45)])])
def test_what_is_shorter_than_all_windows_stays_whole(frames: int, expected: list[tuple[int, int]]) -> None:
    assert everyday._spans(frames) == expected


@pytest.mark.parametrize("frames", [60, 68, 90, 134, 135, 200, 1000])
def test_windows_of_a_length_reach_from_end_to_end_and_overlap_by_half_at_most(frames: int) -> None:
    spans = everyday._spans(frames)
    for window in (45, 60, 90):
        starts = [start for start, stop in spans if stop - start == window]
        if frames < window:
            assert not starts
            continue
        assert starts[0] == 0
        assert len(starts) <= 4
        assert (np.diff(starts) >= window // 2).all()
        assert len(starts) == 1 or starts[-1] == frames - window
        assert len(starts) == 4 or frames - window < len(starts) * window / 2  # one more would overlap by more


def test_windows_of_another_part_or_skeleton_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One recording more gives others another part, and an AMC is on the skeleton beside it."""
    still = SkeletonSequence(positions=np.zeros((1, 90, 17, 3)), skeleton=get_skeleton("h36m17"), fps=30.0, up="y")
    monkeypatch.setattr(everyday, "_read_cmu", lambda path: still)

    def stamps() -> dict[str, tuple[str, str]]:
        source = EverydaySource(tmp_path)
        return {item.name: (source.stamp(n), item.part) for n, item in enumerate(source.items)}

    for name in ("02_01.amc", "02_02.amc", "03_01.bvh"):
        (tmp_path / name).write_text("x")
    (tmp_path / "02.asf").write_text("x")
    before = stamps()
    (tmp_path / "03_02.bvh").write_text("x")
    after = stamps()
    other = {name for name in before if before[name][1] != after[name][1]}
    assert other == {name for name in before if before[name][0] != after[name][0]} != set()
    (tmp_path / "02.asf").write_text("another")
    assert {name.split("/")[1] for name, found in stamps().items() if found != after[name]} == {"02_01", "02_02"}


def test_a_damaged_recording_stands_in_bad_csv_and_stops_nothing(few: Path, tmp_path: Path) -> None:
    whole = EverydaySource(few)
    for path in few.iterdir():
        (tmp_path / path.name).symlink_to(path)
    damaged = next(item.path for item in whole.items if item.path is not None and item.path.suffix == ".bvh")
    text = (tmp_path / damaged.name).read_text()
    (tmp_path / damaged.name).unlink()
    (tmp_path / damaged.name).write_text(text[: len(text) // 2] + "\nrubbish x y\n")
    source = EverydaySource(tmp_path)
    own = {f"cmu/{damaged.stem}"}
    names = {name for name in map(whole.name, range(len(whole))) if not name.startswith(f"cmu/{damaged.stem}/")}
    assert {source.name(index) for index in range(len(source))} == names | own
    place = next(index for index in range(len(source)) if source.name(index) in own)
    source.items = source.items[max(place - 1, 0) : place + 2]
    prepared = prepare_clips(source, tmp_path / "out", workers=1, progress=False)
    assert [(name, damaged.name in reason) for name, reason in prepared.bad] == [(*own, True)]
    assert len(prepared.store) == len(source) - 1


def test_of_a_take_in_two_files_the_amc_is_read(tmp_path: Path, shared_data: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for name in ("02.asf", "02_01.amc"):
        (tmp_path / "a" / name).symlink_to(shared_data / "cmu_asfamc" / "02" / name)
    (tmp_path / "b" / "02_01.bvh").symlink_to(shared_data / "cmu_bvh" / "02" / "02_01.bvh")
    assert {window.path.suffix for window in EverydaySource(tmp_path).items if window.path is not None} == {".amc"}


def test_a_folder_without_cmu_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.bvh").write_text("HIERARCHY\n")
    with pytest.raises(DataError, match="none of CMU's recordings"):
        EverydaySource(tmp_path)
