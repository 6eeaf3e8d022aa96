"""Generated NTU files: names, splits, what the sensors agree on, exact text, determinism, going on after a stop."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from kinegraph.datasets.action_splits import split
from kinegraph.datasets.ntu import XSUB_60, NtuSource
from kinegraph.datasets.synthetic import kinect
from kinegraph.datasets.synthetic.kinect import CLASSES, KinectBody, KinectStage
from kinegraph.datasets.synthetic.ntu_files import SETTINGS, skeleton_text, write_ntu
from kinegraph.errors import ConfigError, KinegraphError
from kinegraph.formats.motion.ntu_skeleton import read_bodies
from kinegraph.skeleton import get_skeleton
from kinegraph.store import prepare_clips

JOINTS = get_skeleton("ntu25").joints


def distances(positions: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(positions[:, a] - positions[:, b], axis=-1) for a, b in combinations(range(25), 2)])


def test_names_are_all_different_and_fill_every_split() -> None:
    stage = KinectStage(clips=5000)
    names = [stage.name(index) for index in range(5000)]
    assert len(set(names)) == 5000
    assert {name.action for name in names} == set(CLASSES)
    assert {name.performer for name in names} == set(range(1, 41))
    assert {name.camera for name in names} == {1, 2, 3}
    assert {name.setup for name in names} == set(range(1, 18))
    for action in CLASSES:
        own = [name for name in names if name.action == action]
        assert 0.3 < np.mean([name.performer in XSUB_60 for name in own]) < 0.7
    few = [KinectStage(clips=18, actions=2).name(index) for index in range(18)]
    assert {name.performer in XSUB_60 for name in few} == {True, False}
    assert stage.stem(0) == "S001C001P001R001A001"


def test_a_recording_does_not_depend_on_the_others() -> None:
    first, second = KinectStage(clips=3), KinectStage(clips=900)
    for one, two in zip(first.bodies(2), second.bodies(2), strict=True):
        np.testing.assert_array_equal(one.positions, two.positions)
    other = KinectStage(clips=3, seed=1).bodies(2)[0].positions
    assert other.shape != first.bodies(2)[0].positions.shape or not np.allclose(other, first.bodies(2)[0].positions)


def test_the_sensors_see_one_performance() -> None:
    """Distances between joints agree but for noise; what is before the sensors is a body that stands on the floor."""
    stage = KinectStage(clips=9)
    views = [stage.bodies(camera, frames=60)[0] for camera in range(3)]
    sure = np.all([view.tracking == 2 for view in views], axis=(0, 2))
    first = distances(views[0].positions)[:, sure]
    for view in views[1:]:
        assert np.abs(distances(view.positions)[:, sure] - first).max() < 0.05
        assert np.abs(view.positions - views[0].positions).max() > 0.1  # seen from elsewhere
    for view in views:
        assert view.positions[..., 2].min() > 1.5
        assert view.positions[..., 2].max() < 6.5
        assert (view.positions[:, JOINTS.index("head"), 1] > view.positions[:, JOINTS.index("left_foot"), 1]).all()


def test_standing_people_face_the_sensor_named_by_the_replication() -> None:
    stage = KinectStage(clips=KinectStage(clips=1, subjects=3, actions=1).subjects * 6, subjects=3, actions=1)
    assert CLASSES[1] == ("standing",)
    for index in range(stage.clips):
        name = stage.name(index)
        if name.camera != (2 if name.replication == 1 else 3):
            continue
        body = stage.bodies(index, frames=40)[0].positions.mean(axis=0)
        across = body[JOINTS.index("left_shoulder")] - body[JOINTS.index("right_shoulder")]
        # who faces a sensor has the left side on the sensor's right, where x is negative
        assert across[0] < -0.8 * np.hypot(across[0], across[2])


def test_two_people_face_each_other() -> None:
    stage = KinectStage(clips=3 * len(CLASSES))
    index = next(n for n in range(stage.clips) if CLASSES[stage.name(n).action] == ("waving", "waving"))
    one, two = (body.positions[0] for body in stage.bodies(index))
    assert 1.0 < np.linalg.norm((one - two)[0, [0, 2]]) < 3.0
    for body, other in ((one, two), (two, one)):
        across = body[JOINTS.index("left_hip")] - body[JOINTS.index("right_hip")]
        forward = np.array([-across[2], across[0]])  # left x up, on the ground
        towards = (other[0] - body[0])[[0, 2]]
        assert forward @ towards > 0.7 * np.linalg.norm(forward) * np.linalg.norm(towards)


def test_nobody_walks_through_anybody_or_into_a_sensor() -> None:
    """Noise is 4 mm, that of a hidden joint 3 cm; the pelvis is never hidden."""
    actions = list(CLASSES.values())
    crossing = [actions.index(pair) for pair in (("walking", "walking"), ("running", "standing"), ("cartwheel",))]
    stage = KinectStage(clips=3 * len(CLASSES) * 6)
    for index in (3 * (turn * len(CLASSES) + action) + turn % 3 for turn in range(6) for action in crossing):
        bodies = stage.bodies(index)
        assert min(body.positions[..., 2].min() for body in bodies) > 0.9, stage.stem(index)
        if len(bodies) > 1:
            between = bodies[0].positions[:, 0] - bodies[1].positions[:, 0]
            assert np.linalg.norm(between, axis=-1).min() > 0.6, stage.stem(index)


def test_only_who_would_touch_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = KinectStage(clips=3 * len(CLASSES))
    walking, clapping = (
        next(n for n in range(stage.clips) if CLASSES[stage.name(n).action] == (action, action))
        for action in ("walking", "clapping")
    )
    moved = {index: stage.bodies(index) for index in (walking, clapping)}
    monkeypatch.setattr(kinect, "_APART", 0.0)
    for index, bodies in moved.items():
        shifts = [one.positions - two.positions for one, two in zip(stage.bodies(index), bodies, strict=True)]
        if index == clapping:
            assert not np.any(shifts)
            continue
        assert 0.1 < np.linalg.norm(shifts[0][0, 0]) < 1.5
        np.testing.assert_allclose(shifts[0], -shifts[1], atol=1e-9)  # each by half of it, the same way in every frame
        np.testing.assert_allclose(np.ptp(shifts[0], axis=(0, 1)), 0, atol=1e-9)


def test_text_says_what_was_made(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    seen = np.array([False, True, True, False])
    bodies = [
        KinectBody(
            identity=2**56 + 1 + person,  # neighbours that are one number as float64
            positions=rng.normal(size=(4, 25, 3)) + np.array([0, 0, 3]),
            tracking=rng.integers(1, 3, size=(4, 25)).astype(np.int8),
            seen=seen if person else ~seen | seen,
        )
        for person in range(2)
    ]
    path = tmp_path / "a.skeleton"
    path.write_text(skeleton_text(bodies))
    lines = path.read_text().splitlines()
    assert lines[:2] == ["4", "1"]
    assert [len(lines[2].split()), lines[3], len(lines[4].split())] == [10, "25", 12]
    found = read_bodies(path)
    assert found.identities == (2**56 + 1, 2**56 + 2)
    np.testing.assert_allclose(found.positions[0], bodies[0].positions, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.positions[1, seen], bodies[1].positions[seen], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.tracking[0], bodies[0].tracking)
    assert np.isnan(found.positions[1, ~seen]).all()
    turn = np.array(lines[5].split()[7:11], dtype=float)  # the spine's, from the pelvis or to it
    assert np.linalg.norm(turn) == pytest.approx(1, abs=1e-5)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_bytes_however_made_and_both_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = KinectStage(clips=27, actions=3, seed=3)
    assert write_ntu(stage, tmp_path / "1", workers=1) == (27, 0)
    assert capsys.readouterr().err == ""  # no bar: it is no terminal
    assert write_ntu(stage, tmp_path / "2", workers=2, progress=False) == (27, 0)
    first = contents(tmp_path / "1")
    assert first == contents(tmp_path / "2")
    assert len(first) == 28
    (tmp_path / "2" / f"{stage.stem(7)}.skeleton").unlink()
    (tmp_path / "2" / f".{stage.stem(7)}.0badf00d.part.skeleton").write_text("half")
    assert write_ntu(stage, tmp_path / "2", workers=1, progress=False) == (1, 26)
    assert contents(tmp_path / "2") == first
    with pytest.raises(KinegraphError, match=f"other settings .{SETTINGS}."):
        write_ntu(KinectStage(clips=27, actions=3, seed=4), tmp_path / "2", progress=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(KinegraphError, match="holds other files"):
        write_ntu(stage, tmp_path / "other", progress=False)
    pytest.importorskip("pyarrow")
    done = prepare_clips(NtuSource(tmp_path / "1"), tmp_path / "store", workers=1, progress=False)
    assert (len(done.store), done.bad) == (27, ())
    for protocol in ("ntu60-xsub", "ntu60-xview"):
        parts = [split(done.store, protocol, part) for part in ("train", "test")]
        assert sorted(np.concatenate(parts)) == list(range(27))
        assert min(map(len, parts)) >= 6
    assert done.store.frames.min() >= 40
    assert done.store.frames.max() <= 150


def test_some_frames_are_empty_and_some_recordings_show_two() -> None:
    stage = KinectStage(clips=900)
    recordings = [stage.bodies(index) for index in range(0, 900, 19)]
    assert any(not body.seen.all() for bodies in recordings for body in bodies)
    assert all(body.seen.any() for bodies in recordings for body in bodies)
    assert 0.2 < np.mean([len(bodies) == 2 for bodies in recordings]) < 0.6
    assert any((body.tracking == 1).any() for bodies in recordings for body in bodies)
    lengths = [len(bodies[0].positions) for bodies in recordings]
    assert 40 <= min(lengths) < 60
    assert 100 < max(lengths) <= 150


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clips": 0}, "clips is 0; expected 1 to"),
        ({"clips": 10**9}, "clips is 1000000000; expected 1 to"),
        ({"clips": 5, "subjects": 2}, "subjects is 2; expected 3 to 40"),
        ({"clips": 5, "actions": 34}, "actions is 34; expected 1 to 33"),
        ({"clips": 5, "seed": -1}, "seed is -1"),
    ],
)
def test_numbers_out_of_range(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KinectStage(**fields)
