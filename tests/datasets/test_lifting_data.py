"""The lifting data struct: what it refuses, what survives a file, and windows that stay inside a clip."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.datasets.lifting_data import LiftingData, concatenate
from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.skeleton import get_skeleton


def make(lengths=(3, 2), seed=0, **changes):
    rng = np.random.default_rng(seed)
    poses = sum(lengths)
    clip = np.repeat(np.arange(len(lengths)), lengths)
    camera = rng.normal(scale=0.3, size=(poses, 17, 3))
    camera[..., 2] += 5
    fields = {
        "name": "test",
        "skeleton": get_skeleton("h36m17"),
        "keypoints_px": rng.uniform(0, 1000, size=(poses, 17, 2)),
        "confidence": np.ones((poses, 17)),
        "camera_m": camera,
        "intrinsics": np.tile([1145.0, 1144.0, 512.0, 515.0], (poses, 1)),
        "image_size": np.tile([1000.0, 1000.0], (poses, 1)),
        "clip": clip,
        "action": clip % 2,
        "subject": np.zeros(poses),
        "clip_names": tuple(f"clip{i}" for i in range(len(lengths))),
        "action_names": ("walk", "sit"),
        "subject_names": ("A",),
        "fps": 50.0,
    }
    return LiftingData(**{**fields, **changes})


def test_dtypes_and_read_only():
    data = make()
    assert (data.keypoints_px.dtype, data.clip.dtype) == (np.float32, np.int32)
    with pytest.raises(ValueError, match="read-only"):
        data.camera_m[0] = 0


def test_round_trip_through_a_file(tmp_path):
    data = make()
    data.save(tmp_path / "d.npz")
    again = LiftingData.load(tmp_path / "d.npz")
    assert again.fingerprint == data.fingerprint
    assert again.skeleton == data.skeleton
    assert again.clip_names == data.clip_names
    np.testing.assert_array_equal(again.keypoints_px, data.keypoints_px)
    assert again.replace().fingerprint == data.fingerprint  # recomputed from the arrays, not only copied


@pytest.mark.parametrize(
    "change",
    [{"fps": 60.0}, {"name": "other"}, {"action_names": ("walk", "run")}, {"clip_names": ("a", "b")}],
)
def test_fingerprint_covers_the_labels(change):
    assert make(**change).fingerprint != make().fingerprint


def test_fingerprint_covers_every_array():
    data = make()
    seen = {data.fingerprint}
    for key in ("keypoints_px", "camera_m", "intrinsics", "image_size"):
        array = getattr(data, key).copy()
        array.flat[0] += 0.5
        seen.add(data.replace(**{key: array}).fingerprint)
    confidence = data.confidence.copy()
    confidence[0, 0] = 0.5
    seen.add(data.replace(confidence=confidence).fingerprint)
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints_px": np.zeros((5, 17, 3))}, "keypoints_px has shape"),
        ({"intrinsics": np.full((5, 4), np.nan)}, "intrinsics holds values"),
        ({"confidence": np.zeros((5, 17))}, "NaN where it is 0"),
        ({"camera_m": np.zeros((5, 17, 3))}, "behind its camera"),
        ({"action": np.full(5, 2)}, "but has 2 names"),
        ({"clip": np.array([0, 0, 1, 0, 0])}, "contiguous"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(DataError, match=message):
        make(**change)


def test_no_poses_is_an_error():
    with pytest.raises(DataError, match="no poses"):
        make().subset(np.zeros(5, dtype=bool))


def test_subset_and_clips():
    data = make((3, 2, 4))
    second = data.clips([False, True, False], name="second")
    assert second.name == "second"
    assert set(second.clip.tolist()) == {1}
    np.testing.assert_array_equal(second.camera_m, data.camera_m[3:5])
    np.testing.assert_array_equal(data.subset(np.array([0, 4])).clip, [0, 1])
    with pytest.raises(DataError, match="ascend"):
        data.subset(np.array([4, 0]))


def test_files_that_are_not_ours(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        LiftingData.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(FormatError, match="text.npz: not a prepared lifting file"):
        LiftingData.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(FormatError, match="not a prepared lifting file"):
        LiftingData.load(tmp_path / "other.npz")


def test_concatenate_merges_names_and_keeps_clips_apart():
    a = make((3, 2), name="a")
    b = make((2, 2), seed=1, name="b", action_names=("sit", "run"), subject_names=("B",))
    both = concatenate([a, b], "both")
    assert both.action_names == ("walk", "sit", "run")
    assert both.subject_names == ("A", "B")
    assert [both.action_names[i] for i in both.action[5:]] == ["sit", "sit", "run", "run"]
    assert both.clip.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    with pytest.raises(DataError, match="differ"):
        concatenate([a, make(fps=25.0)], "both")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damaged_file_escapes_as_another_error(tmp_path, choices):
    path = tmp_path / "d.npz"
    if not (tmp_path / "good.npz").exists():
        make().save(tmp_path / "good.npz")
    content = bytearray((tmp_path / "good.npz").read_bytes())
    kind = choices.draw(st.sampled_from(["cut", "flip", "header"]))
    if kind == "cut":
        content = content[: choices.draw(st.integers(0, len(content) - 1))]
    elif kind == "flip":
        for _ in range(choices.draw(st.integers(1, 4))):
            content[choices.draw(st.integers(0, len(content) - 1))] = choices.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    if kind == "header":
        with np.load(tmp_path / "good.npz") as archive:
            arrays = dict(archive)
        header = json.loads(str(arrays["header"]))
        key = choices.draw(st.sampled_from(sorted(header)))
        header[key] = choices.draw(st.sampled_from([None, 3, -1, "x", [], ["a"], {}, [[1]]]))
        arrays["header"] = np.array(json.dumps(header))
        np.savez(path, **arrays)
    with contextlib.suppress(KinegraphError):
        LiftingData.load(path)
