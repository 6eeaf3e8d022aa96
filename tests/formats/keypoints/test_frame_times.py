"""Times beside frames: how many frames lie between them, and the rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.formats import read
from kinegraph.formats.keypoints import frame_times
from kinegraph.formats.keypoints.frame_times import Times, numbers_by_time
from kinegraph.formats.tables.csv_cells import table_cells
from kinegraph.formats.tables.csv_columns import table_columns
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_LOST = {*range(7, 12), 20, *range(31, 40)}  # nobody was seen: no entry
_THERE = [t for t in range(60) if t not in _LOST]
_TALL = np.stack([300 + 20.0 * (np.arange(17) % 2), 50 + 20.0 * np.arange(17)], axis=1)
_SURE = np.full(17, 0.75)
_SHAPE = np.random.default_rng(0).uniform(0.2, 0.6, (33, 2))


def _pose(t: int) -> dict[str, Any]:
    return {"keypoints": [[x + t, y, 0.75] for x, y in _TALL.tolist()]}


def _landmarks(t: int) -> list[dict[str, float]]:
    return [{"x": x + t / 200, "y": y, "z": 0.0, "visibility": 0.9} for x, y in _SHAPE.tolist()]


def _time(key: str, t: int) -> float:
    return round(t * 40.0) if key.lower().endswith("ms") else round(t * 0.04, 6)


def _write(path: Path, kind: str, key: str, times: list[float], **facts: object) -> Path:
    """A file of `_THERE` frames, or as many as there are times."""
    entries = list(zip(times, _THERE, strict=False))
    if kind == "csv":
        header = ",".join([key, *(f"{name}_{axis}" for name in get_skeleton("coco17").joints for axis in "xy")])
        rows = [",".join(map(str, [at, *(_TALL + np.array([t, 0])).ravel()])) for at, t in entries]
        comments = [f"# {name}: {value}" for name, value in facts.items()]
        path.with_suffix(".csv").write_text("\n".join([*comments, header, *rows]) + "\n")
        return path.with_suffix(".csv")
    content: object
    if kind == "mediapipe":
        content = [{key: at, "landmarks": _landmarks(t)} for at, t in entries]
    elif kind == "mediapipe world":
        points = [{**point, "z": 0.5} for point in _landmarks(0)]
        content = [{key: at, "pose_world_landmarks": points} for at, _ in entries]
    elif kind == "openpose":
        points = [np.column_stack([_TALL[:, 0] + t, _TALL[:, 1], _SURE]).ravel().tolist() for _, t in entries]
        content = [
            {key: at, "people": [{"pose_keypoints_2d": one}]} for (at, _), one in zip(entries, points, strict=True)
        ]
    elif kind == "one by one":
        content = [{key: at, **_pose(t)} for at, t in entries]
    else:
        content = [{key: at, "persons": [_pose(t)]} for at, t in entries]
    path.write_text(json.dumps({**facts, "frames": content} if facts or kind == "persons" else content))
    return path


def _gaps(sequence: SkeletonSequence) -> set[int]:
    return set(np.flatnonzero(~sequence.seen[0].any(axis=1)).tolist())


_KINDS = ("mediapipe", "mediapipe world", "persons", "one by one", "openpose", "csv")


@pytest.mark.parametrize("key", ["time", "timestamp", "timestamp_ms"])
@pytest.mark.parametrize("kind", _KINDS)
def test_frames_that_are_not_there_are_missing(tmp_path: Path, kind: str, key: str) -> None:
    sequence = read(_write(tmp_path / "a.json", kind, key, [_time(key, t) for t in _THERE]))
    assert (sequence.people, sequence.frames, sequence.fps) == (1, 60, 25)
    assert _gaps(sequence) == _LOST
    unit = "milliseconds" if key.endswith("ms") else "seconds"
    assert {"15 frames are not there: kept as missing", f"25 frames a second from '{key}', taken as {unit}"} <= set(
        sequence.notes
    )


@pytest.mark.parametrize("kind", ["mediapipe", "persons", "openpose", "csv"])
def test_a_rate_that_is_stated_comes_first(tmp_path: Path, kind: str) -> None:
    times = [_time("time", t) for t in _THERE]
    in_file = read(_write(tmp_path / "a.json", kind, "time", times, fps=25))
    assert (in_file.frames, in_file.fps, _gaps(in_file)) == (60, 25, _LOST)
    assert "15 frames are not there: kept as missing" in in_file.notes
    assert not any("a second" in note for note in in_file.notes)
    path = _write(tmp_path / "b.json", kind, "time", times)
    every_other = read(path, fps=50)
    assert (every_other.frames, every_other.fps, _gaps(every_other)) == (60, 25, _LOST)
    assert "one frame in 2 of the video is there" in every_other.notes
    other = read(path, fps=30)
    assert (other.frames, other.fps, _gaps(other)) == (60, 30, _LOST)
    assert "'time' says 25 frames a second, and 30 are stated: taken" in other.notes


@pytest.mark.parametrize("kind", _KINDS)
def test_times_out_of_order_are_put_in_order(tmp_path: Path, kind: str) -> None:
    path = _write(tmp_path / "a.json", kind, "time", [_time("time", t) for t in _THERE][::-1])
    sequence = read(path)
    assert (sequence.frames, sequence.fps, _gaps(sequence)) == (60, 25, _LOST)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("times", ["uneven", "hostile", "huge", "tiny"])
def test_uneven_times_are_taken_as_evenly_spaced(tmp_path: Path, kind: str, times: str) -> None:
    count = len(_THERE)
    values = {
        "uneven": np.cumsum(np.random.default_rng(1).uniform(0.01, 0.1, count)).tolist(),
        "hostile": [*(0.04 * t for t in range(count - 1)), 1e12],
        "huge": [*(0.04 * t for t in range(count - 1)), 1e308],
        "tiny": [5e-324 * t if t < 30 else 1e12 * t for t in range(count)],
    }[times]
    sequence = read(_write(tmp_path / "a.json", kind, "time", values))
    assert (sequence.frames, _gaps(sequence)) == (count, set())
    assert any("taken as evenly spaced" in note for note in sequence.notes)


@pytest.mark.parametrize("kind", ["mediapipe", "persons"])
def test_frames_of_one_time_are_not_laid_over_each_other(tmp_path: Path, kind: str) -> None:
    for times in ([0.0, 0.04, 0.04, 0.08], [7.0, 7.0, 7.0, 7.0]):
        sequence = read(_write(tmp_path / "a.json", kind, "time", times))
        assert (sequence.people, sequence.frames, sequence.fps) == (1, 4, None)
        assert any("taken as evenly spaced" in note for note in sequence.notes)


@pytest.mark.parametrize("kind", _KINDS)
def test_one_time_says_no_rate(tmp_path: Path, kind: str) -> None:
    sequence = read(_write(tmp_path / "a.json", kind, "time", [3.25]))
    assert (sequence.frames, sequence.fps) == (1, None)


def test_people_of_one_time_are_one_frame(tmp_path: Path) -> None:
    content = [{"time": t / 25, "keypoints": [[x + far, y, 0.75] for x, y in _TALL.tolist()]}
               for t in (0, 1, 2, 4, 5) for far in (0, 500)]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(content))
    sequence = read(tmp_path / "a.json")
    assert (sequence.people, sequence.frames, sequence.fps, _gaps(sequence)) == (2, 6, 25, {3})


def test_frame_numbers_come_before_times(tmp_path: Path) -> None:
    content = [{"frame": 2 * t, "time": t / 25, "persons": [_pose(t)]} for t in range(8)]
    (tmp_path / "a.json").write_text(json.dumps({"frames": content}))
    sequence = read(tmp_path / "a.json")
    assert (sequence.frames, sequence.fps) == (8, 25)


@pytest.mark.parametrize("digits", [0, 3])
@pytest.mark.parametrize("seed", range(5))
def test_jitter_does_not_add_up(seed: int, digits: int) -> None:
    """Webcams' steps of 33 +- 5 ms, each from the last frame, over a minute and two gaps."""
    steps = np.random.default_rng(seed).uniform(28.3, 38.3, 1800)
    steps[600] *= 2
    steps[1200:1202] += 100.0  # three frames more each
    times = np.concatenate([[0.0], np.cumsum(steps)]).round(digits)
    expected = np.arange(1801) + (np.arange(1801) > 600) + 3 * (np.arange(1801) > 1200) + 3 * (np.arange(1801) > 1201)
    told = Times.read("timestamp_ms", map(str, times)).timing()
    np.testing.assert_array_equal(told.numbers, expected)
    assert told.fps == pytest.approx(30, rel=0.02)


def test_a_stated_rate_counts_where_the_steps_are_whole_frames_of_it() -> None:
    times = [t / 25 for t in (0, 1, 2, 5, 6)]
    assert numbers_by_time(times, "time", 50.0) == [0, 2, 4, 10, 12]
    assert numbers_by_time(times, "time", 30.0) == [0, 1, 2, 5, 6]
    rows = [(line, [str(time), "1", "2"]) for line, time in enumerate(times)]
    columns = table_columns(iter([(0, ["time", "nose_x", "nose_y"])]), Path("a.csv"))
    cells, written = table_cells(rows, columns, Path("a.csv"), numbered=False, fps=50.0)
    assert [cell[0] for cell in cells] == list(written) == [0, 2, 4, 10, 12]


def test_whole_milliseconds_count_a_long_gap_right() -> None:
    frames = np.r_[0:40, 340:400]
    assert numbers_by_time((frames * 1000 / 30).round().tolist(), "time") == frames.tolist()


def test_more_than_half_of_the_frames_away() -> None:
    frames = sorted(np.random.default_rng(3).permutation(200)[:80].tolist())
    found = numbers_by_time([t / 25 for t in frames], "time")
    assert found == [t - frames[0] for t in frames]


@pytest.mark.parametrize(
    ("name", "step", "fps"),
    [
        ("time_s", 1.0, 1),
        ("time_ms", 1.0, 1000),
        ("timestampMs", 1.0, 1000),
        ("time", 1.0, None),
        ("time_ms", 0.04, 25),
    ],
)
def test_the_name_tells_the_unit_and_else_the_size(name: str, step: float, fps: float | None) -> None:
    assert Times.read(name, (str(step * t) for t in range(20))).timing().fps == fps


@pytest.mark.parametrize("fps", [None, 0.0, -1.0, 1e-323, 1e308])
@pytest.mark.parametrize("step", [5e-324, 1e-300, 1e-7, 0.04, 40.0, 1e12, 1e300])
@pytest.mark.parametrize("name", ["time", "time_s", "time_ms"])
def test_no_step_or_rate_is_too_small_or_large(name: str, step: float, fps: float | None) -> None:
    told = Times.read(name, (repr(step * t) for t in (0, 1, 2, 3, 5, 6, 7, 8))).timing(fps)
    assert fps is not None or told.fps is None or 0.1 <= told.fps <= 2000
    assert told.numbers is None or max(told.numbers) == 8


@pytest.mark.parametrize("fps", [None, 50.0])
@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind != "csv"])
def test_every_time_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, fps: float | None) -> None:
    path, parsed = _write(tmp_path / "a.json", kind, "time", [_time("time", t) for t in _THERE]), []

    def counted(value: Any) -> float:
        parsed.extend([value] if isinstance(value, str) else [])
        return float(value)

    monkeypatch.setattr(frame_times, "float", counted, raising=False)
    sequence = read(path, fps=fps)
    assert _gaps(sequence) == _LOST
    assert len(parsed) == len(_THERE)


def test_words_are_no_times() -> None:
    assert Times.read("time", ["noon", "one"]).timing(30).fps == 30
    assert Times.read("time", ["noon", "one"]).timing().numbers is None
