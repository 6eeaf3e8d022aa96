"""The sequence: its invariant, its refusals, and what is derived from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph import SkeletonSequence, get_skeleton
from kinegraph.errors import DataError, SkeletonError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import expmap_to_quaternion

SKELETON = get_skeleton("coco17")
BODY = get_skeleton("h36m17")


def make(people: int = 2, frames: int = 7, dims: int = 2, **fields: object) -> SkeletonSequence:
    positions = np.random.default_rng(0).normal(size=(people, frames, 17, dims))
    return SkeletonSequence(positions, SKELETON, **{"fps": 30.0, **fields})  # type: ignore[arg-type]


def test_missing_joints_are_nan_and_never_the_origin() -> None:
    confidence = np.ones((2, 7, 17))
    confidence[1, 3, 5] = 0
    sequence = SkeletonSequence(np.zeros((2, 7, 17, 2)), SKELETON, confidence=confidence)
    assert np.isnan(sequence.positions[1, 3, 5]).all()
    assert np.isnan(sequence.positions).sum() == 2
    assert not sequence.seen[1, 3, 5]


def test_confidence_follows_from_nan() -> None:
    positions = np.zeros((7, 17, 3))
    positions[2, 4, 1] = np.nan
    sequence = SkeletonSequence(positions, SKELETON)
    assert sequence.people == 1
    assert sequence.seen.sum() == 7 * 17 - 1
    assert np.isnan(sequence.positions[0, 2, 4]).all()


def test_a_source_that_is_no_utf8_is_spelt_out() -> None:
    assert make(source="t\udcdc.csv").source == r"t\udcdc.csv"


def test_arrays_are_copied_and_frozen() -> None:
    positions = np.zeros((1, 2, 17, 2))
    sequence = SkeletonSequence(positions, SKELETON)
    positions[:] = 5
    assert (sequence.positions == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        sequence.positions[:] = 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"positions": np.zeros((2, 17))}, "expected .people, frames, joints"),
        ({"positions": np.zeros((1, 2, 18, 2))}, "have 18 joints, but layout 'coco17' has 17"),
        ({"positions": np.full((1, 2, 17, 2), np.inf)}, "'nose' of person 0 in frame 0 is not finite"),
        ({"positions": np.full((1, 2, 17, 2), np.nan), "confidence": np.ones((1, 2, 17))}, "not finite"),
        ({"confidence": np.full((1, 2, 17), 1.5)}, "outside 0..1"),
        ({"confidence": np.full((1, 2, 17), np.nan)}, "outside 0..1"),
        ({"confidence": np.ones((1, 2, 16))}, "confidence has shape"),
        ({"fps": 0}, "fps is 0"),
        ({"unit": "mm"}, "unit 'mm' is unknown"),
        ({"space": "screen"}, "space 'screen' is unknown"),
        ({"space": "camera", "up": "y"}, "only world space has an up axis"),
        ({"rotations": np.zeros((1, 2, 17, 3))}, "rotations have shape"),
        ({"rotations": np.full((1, 2, 17, 4), np.nan)}, "rotation is not finite"),
        ({"offsets": np.zeros((16, 3))}, "offsets must be"),
    ],
)
def test_bad_values_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SkeletonSequence(**{"positions": np.zeros((1, 2, 17, 2)), "skeleton": SKELETON, **fields})  # type: ignore[arg-type]


def test_slices_and_people() -> None:
    sequence = make()
    assert sequence.duration == pytest.approx(7 / 30)
    assert sequence.slice_frames(1, 6, 2).fps == 15
    np.testing.assert_array_equal(sequence.slice_frames(1, 6, 2).positions, sequence.positions[:, 1:6:2])
    np.testing.assert_array_equal(sequence.select_people([1]).positions[0], sequence.positions[1])
    with pytest.raises(DataError, match="no person"):
        sequence.select_people([2])
    with pytest.raises(DataError, match="are none"):
        sequence.slice_frames(7)


@given(st.integers(2, 30), st.floats(5, 240), st.floats(5, 240))
def test_resampling_is_linear_in_time(frames: int, old: float, new: float) -> None:
    # A joint in uniform motion is where the clock says it is, at any rate.
    times = np.arange(frames) / old
    positions = np.broadcast_to(times[:, None, None], (frames, 17, 2))
    result = SkeletonSequence(positions, SKELETON, fps=old).resample(new)
    expected = np.arange(result.frames) / new
    end = (frames - 1) / old
    np.testing.assert_allclose(result.positions[0, :, 0, 0], np.minimum(expected, end), atol=1e-6)
    assert -1e-5 < end - expected[-1] < 1 / new


@pytest.mark.parametrize(
    ("old", "new", "frames", "expected"),
    [
        (1 / 0.033333, 30.0, 20, 20),  # a frame time of six digits: the last frame falls 6 microseconds short
        (30.0, 1 / 0.033333, 20, 20),
        (120.0, 50.0, 77, 32),  # 31.67 frames: none is made of two thirds
        (30.0, 29.97, 1000, 999),
        (30.0, 29.9, 20, 19),  # a third of a millisecond is no rounding
        (9_500.0, 10_000.0, 19, 19),
    ],
)
def test_resampling_loses_no_frame_to_rounding_and_invents_none(
    old: float, new: float, frames: int, expected: int
) -> None:
    assert make(frames=frames).replace(fps=old).resample(new).frames == expected


def test_resampling_rotations_follow_the_arc() -> None:
    angles = np.array([0.0, 1.0])
    quaternion = np.stack([np.sin(angles / 2), 0 * angles, 0 * angles, np.cos(angles / 2)], axis=-1)
    rotations = np.broadcast_to(quaternion[None, :, None], (1, 2, 17, 4)).copy()
    rotations[0, 1] *= -1  # the same rotation, the other sign: the short arc must still be taken
    sequence = SkeletonSequence(np.zeros((1, 2, 17, 3)), SKELETON, fps=1, rotations=rotations).resample(4)
    assert sequence.rotations is not None
    sine = np.abs(sequence.rotations[0, :, 0, 0])  # q and -q are the same rotation
    np.testing.assert_allclose(2 * np.arcsin(sine), np.arange(5) / 4, atol=1e-9)


def _posed(people: int = 2, frames: int = 6) -> SkeletonSequence:
    """Bodies whose rotations and offsets make their positions."""
    rng = np.random.default_rng(3)
    turns = np.cumsum(rng.normal(scale=0.3, size=(people, frames, 17, 3)), axis=1)
    rotations = expmap_to_quaternion(turns)
    offsets = rng.normal(scale=0.3, size=(17, 3))
    offsets[BODY.root] = 0.0
    translations = np.tile(offsets, (people, frames, 1, 1))
    translations[:, :, BODY.root] = np.cumsum(rng.normal(scale=0.1, size=(people, frames, 3)), axis=1)
    positions = forward_kinematics(BODY.parents, rotations, translations)[0]
    return SkeletonSequence(positions, BODY, fps=30, rotations=rotations, offsets=offsets)


def test_resampling_keeps_rotations_and_positions_together() -> None:
    old = _posed()
    new = old.resample(75)
    assert new.rotations is not None
    translations = np.tile(old.offsets, (2, new.frames, 1, 1))
    times = np.arange(new.frames) / 75 * 30
    for person, axis in np.ndindex(2, 3):
        linear = np.interp(times, np.arange(old.frames), old.positions[person, :, BODY.root, axis])
        translations[person, :, BODY.root, axis] = linear
    expected = forward_kinematics(BODY.parents, new.rotations, translations)[0]
    np.testing.assert_allclose(new.positions, expected, atol=1e-9)
    np.testing.assert_array_equal(new.positions[:, ::5], old.positions[:, ::2])
    assert new.is_posed(0)
    assert new.is_posed(1)


def test_resampling_stays_linear_where_rotations_do_not_make_the_positions() -> None:
    old = _posed()
    positions = old.positions.copy()
    positions[1] *= [-1, 1, 1]
    old = old.replace(positions=positions)
    new = old.resample(60)
    assert [new.is_posed(person) for person in range(2)] == [True, False]
    np.testing.assert_allclose(new.positions[1, 1], (positions[1, 0] + positions[1, 1]) / 2, atol=1e-12)


def test_resampling_goes_round_with_joints_missing() -> None:
    whole = _posed()
    positions = whole.positions.copy()
    positions[0, 2, 4] = np.nan
    positions[1, 3] = np.nan
    new = whole.replace(positions=positions, confidence=None).resample(60)
    gone = np.zeros((2, new.frames, 17), dtype=bool)
    gone[0, 3:6, 4] = True
    gone[1, 5:8] = True
    np.testing.assert_array_equal(~new.seen, gone)
    np.testing.assert_allclose(
        new.positions, np.where(gone[..., None], np.nan, whole.resample(60).positions), atol=1e-9
    )
    assert new.is_posed(0)


def test_resampling_does_not_invent_missing_joints() -> None:
    confidence = np.ones((1, 3, 17))
    confidence[0, 1, 0] = 0
    result = SkeletonSequence(np.zeros((1, 3, 17, 2)), SKELETON, fps=10, confidence=confidence).resample(20)
    assert result.seen[0, :, 0].tolist() == [True, False, False, False, True]
    with pytest.raises(DataError, match="frame rate is unknown"):
        make(fps=None).resample(10)
    with pytest.raises(DataError, match="cannot resample"):
        make().resample(0)
    with pytest.raises(DataError, match="check the frame rate the file claims"):
        make(fps=1e-4).resample(10_000)


def test_to_skeleton_keeps_meaning() -> None:
    mapped = make().to_skeleton(get_skeleton("h36m17"))
    assert mapped.skeleton.name == "h36m17"
    assert any("coco17 -> h36m17" in note for note in mapped.notes)
    assert make().to_skeleton(SKELETON).notes == ()
    np.testing.assert_array_equal(make().to_skeleton("h36m17").positions, mapped.positions)
    with pytest.raises(SkeletonError, match="no skeleton 'h36m71'; did you mean 'h36m17'"):
        make().to_skeleton("h36m71")


def test_its_repr_is_one_line() -> None:
    plain = SkeletonSequence(positions=np.zeros((4000, 17, 3)), skeleton=get_skeleton("h36m17"))
    assert repr(plain) == "<SkeletonSequence 1 person, 4000 frames at an unknown rate, h36m17, 3D m (world)>"
    more = SkeletonSequence(
        positions=np.zeros((2, 5, 17, 3)),
        skeleton=get_skeleton("h36m17"),
        fps=30,
        up="y",
        source="walk.bvh",
        contact=np.zeros((2, 5, 17), dtype=bool),
        notes=("one", "two"),
    )
    assert repr(more) == (
        "<SkeletonSequence walk.bvh: 2 people, 5 frames at 30 fps, h36m17, 3D m (world, y up); with contact, 2 notes>"
    )


def test_shares_are_of_the_frames_in_which_a_person_is_there() -> None:
    """Somebody who leaves loses no joint and lifts no foot."""
    body = get_skeleton("h36m17")
    confidence = np.ones((2, 10, 17))
    confidence[0, :5, 3] = 0  # one joint of somebody who is there
    confidence[1, 2:] = 0  # the other goes after two frames
    contact = np.zeros((2, 10, 17), dtype=bool)
    contact[0, :4, [6, 7]] = True
    contact[1, :, 6] = True
    walk = SkeletonSequence(np.zeros((2, 10, 17, 3)), body, confidence=confidence, contact=contact)
    assert walk.present.sum(axis=1).tolist() == [10, 2]
    assert walk.missing_share == pytest.approx(5 / 17 / 12)
    assert walk.contact_share == pytest.approx((4 + 2) / 12)
    longer = np.concatenate([confidence, np.zeros((2, 10, 17))], axis=1)
    padded = walk.replace(
        positions=np.zeros((2, 20, 17, 3)), confidence=longer, contact=np.concatenate([contact, contact], axis=1)
    )
    assert (padded.missing_share, padded.contact_share) == (walk.missing_share, walk.contact_share)
    assert walk.replace(contact=None).contact_share is None
    nobody = walk.replace(confidence=np.zeros((2, 10, 17)))
    assert np.isnan([nobody.missing_share, nobody.contact_share]).all()
