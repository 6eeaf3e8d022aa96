"""Whatever a person has is read one way: what they state of it is heard or refused, and never dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from lifting_people import keypoints, motion
from moving_people import walker

import kinegraph as kg
from kinegraph.errors import ConfigError
from kinegraph.formats.any_source import Called, read_source
from kinegraph.skeleton import Skeleton


@pytest.fixture(scope="module")
def two_d() -> kg.SkeletonSequence:
    return keypoints(motion())


def test_read_fps_is_the_rate_that_a_source_has_itself(two_d: kg.SkeletonSequence, tmp_path: Path) -> None:
    untold = two_d.replace(fps=None)
    kg.save(untold, tmp_path / "untold.npz")
    name = two_d.skeleton.name
    for source, layout in ((tmp_path / "untold.npz", None), (untold, None), (two_d.positions, name)):
        got = read_source(source, skeleton=layout, options={"fps": 30})
        assert (got.frames, got.fps) == (two_d.frames, 30)
        got = read_source(source, skeleton=layout, fps=15, options={"fps": 30})
        assert (got.frames, got.fps) == (two_d.frames // 2, 15)
    assert read_source(two_d.positions, skeleton=name, options={"skeleton": "coco17"}).skeleton.name == name
    with pytest.raises(ConfigError, match="states 30 fps itself; leave read=.*25.* out"):
        kg.lift(two_d, read={"fps": 25})


def test_acclaim_joints_are_the_starts_of_bones_unless_told(shared_data: Path) -> None:
    clip = shared_data / "cmu_asfamc" / "02" / "02_01.amc"
    assert read_source(clip).rotations is not None
    assert read_source(clip, acclaim_joints="ends").rotations is None
    assert read_source(clip, options={"joints": "ends"}).rotations is None


def test_a_needless_layout_is_refused_by_the_name_it_was_given_with(tmp_path: Path) -> None:
    for name in ("walk.bvh", "walk.trc", "walk.c3d", "walk.json"):
        kg.save(walker(seconds=0.2), tmp_path / name)
        for called, said in ((Called(), "skeleton=h36m17"), (Called(skeleton="--layout "), "--layout h36m17")):
            with pytest.raises(ConfigError) as error:
                read_source(tmp_path / name, skeleton="h36m17", called=called)
            told = f"{tmp_path / name}: {name[5:]} files name their joints themselves; leave {said} out"
            assert str(error.value) == told


@pytest.mark.parametrize("name", ["walk.bvh", "walk.trc", "walk.c3d"])
def test_landmarks_of_ones_own_are_heard(tmp_path: Path, name: str) -> None:
    kg.save(walker(seconds=0.2), tmp_path / name)
    file = tmp_path / "mine.toml"
    file.write_text('[landmarks]\nnose = ["left_wrist"]\n')
    assert dict(read_source(tmp_path / name, skeleton=str(file)).skeleton.landmarks["nose"]) == {"left_wrist": 1}
    own = Skeleton(name="mine", joints=("left_wrist",), parents=(-1,), landmarks={"nose": {"left_wrist": 1}})
    assert dict(read_source(tmp_path / name, skeleton=own).skeleton.landmarks["nose"]) == {"left_wrist": 1}


def test_a_layout_that_a_reader_does_not_take_is_refused(
    two_d: kg.SkeletonSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a reader makes of it: a recording on other joints than were stated never goes on."""
    kg.save(two_d, tmp_path / "k.npz")
    assert read_source(tmp_path / "k.npz", skeleton=two_d.skeleton).skeleton == two_d.skeleton
    monkeypatch.setattr("kinegraph.formats.any_source.read_at_rate", lambda *_, **__: two_d)
    wanted = rf"k\.npz: says itself that its layout is '{two_d.skeleton.name}'; leave skeleton=coco17 out"
    with pytest.raises(ConfigError, match=wanted):
        read_source(tmp_path / "k.npz", skeleton="coco17")


def test_a_rate_that_is_none_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="^--fps -3 is no frame rate"):
        read_source(tmp_path / "nothing", fps=-3, called=Called(fps="--fps"))
