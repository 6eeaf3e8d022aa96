"""Forecasts: rates, horizons, people, seams; turned and moved recordings; every refusal."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from moving_people import LAYOUT, bone_lengths, network, turned, walker

import kinegraph as kg
from kinegraph.errors import DataError, FormatError, KinegraphError, SkeletonError
from kinegraph.formats.motion import asf_amc, bvh
from kinegraph.inference import horizon
from kinegraph.inference.forecaster import Forecaster, join
from kinegraph.inference.horizon import LONGEST_S
from kinegraph.inference.motion_window import MotionNetwork
from kinegraph.models.symgnn import SymGNN
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.rehang import rehung
from kinegraph.transforms.posed_body import at_rate


def jumps(history: SkeletonSequence, future: SkeletonSequence) -> tuple[float, float]:
    """Largest step (m) of any joint at the seam, and in the last observed half second."""
    points = np.concatenate([history.positions[0], future.positions[0]])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1).max(axis=-1)
    at, half = history.frames - 1, round(0.5 * (history.fps or 0))
    return float(steps[at]), float(steps[at - half : at].max())


def test_zero_velocity_holds_the_last_pose() -> None:
    history = walker()
    future = Forecaster("zero-velocity").forecast(history, 0.5)
    assert future.frames == 30
    assert future.fps == history.fps
    np.testing.assert_allclose(future.positions, np.repeat(history.positions[:, -1:], 30, axis=1), atol=1e-5)
    assert future.rotations is not None


def test_constant_velocity_goes_on() -> None:
    history = walker(speed=1.0, yaw=0.4)
    future = Forecaster("constant_velocity").forecast(history, 1.0)
    moved = future.positions[0, -1, 0] - history.positions[0, -1, 0]
    np.testing.assert_allclose(moved, [np.sin(0.4), 0, np.cos(0.4)], atol=1e-3)
    at, before = jumps(history, future)
    assert at < 1.1 * before


@pytest.mark.parametrize("fps", [30.0, 24.0, 100.0, 120.0])
@pytest.mark.parametrize("seconds", [0.1, 0.73])
def test_resampled_to_the_network_and_back(fps: float, seconds: float) -> None:
    history = walker(fps=fps)
    forecast = Forecaster(network()).predict(history, seconds)
    assert forecast.future.frames == round(seconds * fps)
    assert forecast.future.fps == fps
    np.testing.assert_allclose(
        bone_lengths(forecast.future),
        np.broadcast_to(bone_lengths(history)[:, -1:], bone_lengths(forecast.future).shape),
        atol=1e-9,
    )
    assert forecast.whole.frames == history.frames + forecast.future.frames


def test_the_last_frame_stays_a_frame() -> None:
    history = walker(fps=50.0).slice_frames(0, 87).replace(rotations=None)  # places alone move linearly
    slow = at_rate(history, 30.0)
    np.testing.assert_allclose(slow.positions[:, -1], history.positions[:, -1])
    times = 86 / 50 - np.arange(slow.frames)[::-1] / 30
    assert times[0] >= 0
    at = np.array([np.interp(times, np.arange(87) / 50, history.positions[0, :, 5, axis]) for axis in range(3)])
    np.testing.assert_allclose(slow.positions[0, :, 5], at.T, atol=1e-9)


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_a_turned_and_moved_recording_has_a_turned_and_moved_forecast(representation: str) -> None:
    history, yaw, shift = walker(), 1.9, np.array([3.0, 0.7, -5.0])
    forecaster = Forecaster(network(representation=representation))
    one = forecaster.forecast(history, 0.5)
    other = forecaster.forecast(turned(history, yaw, shift), 0.5)
    np.testing.assert_allclose(other.positions, turned(one, yaw, shift).positions, atol=2e-5)


@pytest.mark.parametrize("root", ["none", "heading"])
@pytest.mark.parametrize("representation", ["expmap", "positions"])
@pytest.mark.parametrize("kept", [True, False])
def test_every_kind_of_network_and_recording(root: str, representation: str, kept: bool) -> None:
    history = walker(speed=0.0) if kept else walker(speed=0.0).replace(rotations=None, offsets=None)
    made = network(model="zero_velocity", root=root, representation=representation)
    future = Forecaster(made).forecast(history, 0.4)
    np.testing.assert_allclose(future.positions[:, -1], history.positions[:, -1], atol=0.02)
    lengths = bone_lengths(future)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:, :1], lengths.shape), atol=1e-9)
    assert (future.rotations is not None) == (kept and representation == "expmap")
    if root == "none":
        assert any("does not forecast the path" in note for note in future.notes)


def test_beyond_the_horizon_the_window_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network(horizon=6)
    seen: list[np.ndarray] = []
    run = MotionNetwork.run

    def watched(self: MotionNetwork, features: np.ndarray, horizon: int) -> object:
        seen.append(features)
        answer = run(self, features, horizon)
        seen.append(np.asarray(answer[0]))
        return answer

    monkeypatch.setattr(MotionNetwork, "run", watched)
    future = Forecaster(made).forecast(walker(), 20 / 30)
    assert len(seen) == 2 * 4  # 20 frames in steps of 6
    for inputs, outputs, following in zip(seen[::2], seen[1::2], seen[2::2], strict=False):
        np.testing.assert_array_equal(following, np.concatenate([inputs, outputs])[-12:])
    assert any("trained to look 0.20 s ahead" in note for note in future.notes)


def test_people_are_forecast_each() -> None:
    crowd = walker(people=3)
    forecaster = Forecaster(network(actions=("walk", "run")))
    together = forecaster.predict(crowd, 0.3)
    assert together.future.people == 3
    for person in range(3):
        alone = forecaster.predict(crowd.select_people([person]), 0.3)
        np.testing.assert_allclose(together.future.positions[person], alone.future.positions[0])
        assert together.actions[person] == pytest.approx(alone.actions[0])
        assert sum(together.actions[person].values()) == pytest.approx(1)


def test_who_has_left_is_left_out() -> None:
    crowd = walker(people=2).replace(rotations=None, offsets=None)
    positions = crowd.positions.copy()
    positions[1, 30:] = np.nan
    future = Forecaster(network()).forecast(crowd.replace(positions=positions, confidence=None), 0.3)
    assert np.isnan(future.positions[1]).all()
    assert np.isfinite(future.positions[0]).all()
    assert any("person 2 is not seen at the end" in note for note in future.notes)


def test_gaps_in_the_history_are_bridged() -> None:
    history = walker().replace(rotations=None, offsets=None)
    positions = history.positions.copy()
    positions[:, -20:-12, 8] = np.nan
    future = Forecaster(network()).forecast(history.replace(positions=positions, confidence=None), 0.2)
    assert np.isfinite(future.positions).all()


def test_observed_until_hides_the_rest() -> None:
    recording = walker(seconds=3)
    forecaster = Forecaster(network())
    hidden = forecaster.predict(recording, 0.5, observed_until=1.5)
    cut = forecaster.predict(recording.slice_frames(0, 91), 0.5)
    assert hidden.history.frames == 91
    np.testing.assert_array_equal(hidden.future.positions, cut.future.positions)


def test_a_gap_is_not_filled_from_what_comes_later() -> None:
    """A joint lost from before the moment until after it, and one lost after it: neither tells of the future."""
    recording = walker(seconds=3)
    confidence = np.array(recording.confidence)
    confidence[:, 85:100, LAYOUT.index("left_wrist")] = 0
    crossing = recording.replace(confidence=confidence, rotations=None, offsets=None)
    moved = crossing.positions.copy()
    moved[:, 91:] += 0.5
    forecaster = Forecaster(network())
    cut = forecaster.predict(crossing.slice_frames(0, 91), 0.5)
    for given in (crossing, crossing.replace(positions=moved)):
        hidden = forecaster.predict(given, 0.5, observed_until=1.5)
        np.testing.assert_array_equal(hidden.history.positions, cut.history.positions)
        np.testing.assert_array_equal(hidden.future.positions, cut.future.positions)
    confidence = np.array(recording.confidence)
    confidence[:, 100:105, LAYOUT.index("left_wrist")] = 0
    after = forecaster.predict(recording.replace(confidence=confidence), 0.5, observed_until=1.5)
    assert after.future.rotations is not None
    np.testing.assert_array_equal(
        after.future.positions, forecaster.predict(recording, 0.5, observed_until=1.5).future.positions
    )


def test_what_is_no_motion_is_named_before_the_moment_is() -> None:
    with pytest.raises(DataError, match="states no frame rate"):
        Forecaster(network()).predict(walker().replace(fps=None), 0.5, observed_until=1.0)


@pytest.mark.parametrize(("scale", "found"), [(1000.0, r"\d{4}"), (100.0, r"\d{3}")])
def test_millimetres_said_to_be_metres_are_refused(scale: float, found: str) -> None:
    history = walker().replace(rotations=None, offsets=None)
    with pytest.raises(DataError, match=rf"span {found} m or more, expected a body, at most 20 m; is it in mill"):
        Forecaster(network()).forecast(history.replace(positions=history.positions * scale), 0.5)
    stray = history.positions.copy()
    stray[0, 50:60, 3] = 50.0  # a marker that was lost is no matter of units
    stray[0, 20] = np.nan
    assert Forecaster("zero-velocity").forecast(history.replace(positions=stray, confidence=None), 0.1).frames == 6


@pytest.mark.parametrize("fps", [30.0, 60.0, 24.0])
def test_who_left_more_than_half_a_second_ago_is_not_forecast(fps: float) -> None:
    """The live stream's rule, however long the recording."""
    recording = walker(4.0, fps).replace(rotations=None, offsets=None)
    half = round(0.5 * fps)
    for gone in (half, half + 1):
        confidence = np.array(recording.confidence)
        confidence[:, recording.frames - gone :, LAYOUT.root] = 0
        given = recording.replace(confidence=confidence)
        forecaster = Forecaster(network())
        stream = forecaster.stream("cmu38", fps=fps)
        for frame in range(given.frames):
            stream.push(np.concatenate([given.positions[:, frame], confidence[:, frame, :, None]], axis=-1))
        if gone == half:
            assert stream.ready() == (0,)
            assert np.isfinite(forecaster.forecast(given, 0.3).positions).all()
            continue
        assert stream.ready() == ()
        with pytest.raises(DataError, match="nobody is seen at the end of the observed part"):
            forecaster.forecast(given, 0.3)


def _seen_in(sequence: SkeletonSequence, frames: np.ndarray, *, person: int = -1) -> SkeletonSequence:
    """Places alone, and of one person only those of some frames."""
    confidence = np.array(sequence.confidence)
    confidence[person, ~np.isin(np.arange(sequence.frames), frames)] = 0
    return sequence.replace(confidence=confidence, rotations=None, offsets=None)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([-1], r"seen for 0\.00 s of the needed 0\.37 s at the end \(0\.37 s too little\)"),
        ([*range(40), -2, -1], r"seen for 0\.03 s of the needed 0\.37 s at the end \(0\.33 s"),
        ([*range(40), -14], r"seen for 0\.00 s of the needed"),  # one glimpse, and then gone for long enough to fill it
        (range(-11, 0), r"seen for 0\.33 s of the needed 0\.37 s at the end \(0\.033 s"),
    ],
)
def test_who_is_seen_too_shortly_is_left_out(frames: list[int], told: str) -> None:
    """What the network looks back is neither held from a glimpse nor drawn to it from where somebody left."""
    crowd = walker(6.0, 30.0, people=2)
    given = _seen_in(crowd, np.array(list(frames)) % crowd.frames)
    forecaster = Forecaster(network(actions=("walk", "run")))
    found = forecaster.predict(given, 0.3)
    assert np.isnan(found.future.positions[1]).all()
    assert found.actions[1] == {}
    assert any(re.search(f"person 2 was {told}.* and was left out$", note) for note in found.future.notes)
    alone = forecaster.forecast(given.select_people([0]), 0.3)
    np.testing.assert_allclose(found.future.positions[0], alone.positions[0])
    assert found.whole.frames == given.frames + found.future.frames
    unseen = ~given.seen[1]
    assert np.isnan(found.whole.positions[1, : given.frames][unseen]).all()  # as observed, nothing held
    with pytest.raises(DataError, match=f"as long as symgnn looks back: walker was {told}"):
        forecaster.forecast(given.select_people([1]), 0.3)


@pytest.mark.parametrize("model", ["constant-velocity", "symgnn"])
def test_a_bystander_of_two_joints_stops_nobody(model: str) -> None:
    both = walker(people=2)
    confidence = np.array(both.confidence)
    confidence[1, :, [joint for joint in range(both.joints) if joint not in (0, 10)]] = 0
    both = both.replace(confidence=confidence, rotations=None, offsets=None)
    forecaster = Forecaster(model if model == "constant-velocity" else network())
    future = forecaster.forecast(both, 0.2)
    np.testing.assert_array_equal(future.positions[0], forecaster.forecast(both.select_people([0]), 0.2).positions[0])
    assert not future.seen[1].any()
    told = "2 joints are seen; expected a body with its root and limbs"
    assert f"walker, person 2 was left out: {told}" in future.notes
    with pytest.raises(DataError, match=f"^walker: {told}"):
        forecaster.forecast(both.select_people([1]), 0.2)


def test_a_baseline_needs_two_frames_of_everybody() -> None:
    walk = walker(2.0, 30.0)
    with pytest.raises(DataError, match=r"seen for 0\.00 s of the needed 0\.03 s at the end \(0\.033 s too little\)"):
        Forecaster("constant-velocity").forecast(_seen_in(walk, np.array([60])), 0.3)
    two = Forecaster("constant-velocity").forecast(_seen_in(walk, np.array([59, 60])), 0.3)
    assert np.isfinite(two.positions).all()


def test_who_came_back_is_forecast_from_then_on() -> None:
    """As if the recording had begun there, as live, however far away they left."""
    walk = walker(6.0, 30.0)
    back = np.arange(walk.frames - 12, walk.frames)
    given = _seen_in(walk, np.r_[np.arange(80), back])
    elsewhere = given.positions.copy()
    elsewhere[:, :80] += 4
    forecaster = Forecaster(network())
    alone = forecaster.forecast(_seen_in(walk, back).slice_frames(back[0], None), 0.3)
    for one in (given, given.replace(positions=elsewhere)):
        np.testing.assert_array_equal(forecaster.forecast(one, 0.3).positions, alone.positions)
    stream = forecaster.stream("cmu38", fps=30.0)
    for frame, there in enumerate(given.seen[0].any(axis=-1)):
        stream.push(given.positions[:, frame] if there else None)
        assert bool(stream.ready()) == (there and (11 <= frame < 80 or frame == walk.frames - 1))
    live = stream.forecast(0.3).future
    assert live is not None
    np.testing.assert_allclose(live.positions, alone.positions, atol=1e-6)


def test_progress_ends_at_the_whole() -> None:
    told: list[tuple[int, int]] = []
    Forecaster(network()).predict(walker(people=2), 1.0, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (120, 120)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_join_keeps_rotations_where_both_have_them() -> None:
    history = walker()
    assert join(history, history).rotations is not None
    assert join(history, history.replace(rotations=None)).rotations is None


@pytest.mark.parametrize(
    ("seconds", "until", "message"),
    [
        (0.0, None, "above 0 s"),
        (-1.0, None, "above 0 s"),
        (float("nan"), None, "above 0 s"),
        (LONGEST_S + 1, None, "at most 60 s, because"),
        (0.001, None, "less than one frame"),
        (1.0, 0.1, r"looks back 0\.37 s \(12 frames at 30 a second\) and the observed part has 0\.10 s"),
        (1.0, 9.0, r"expected 0 to 2\.00 s"),
        (1.0, float("nan"), "expected 0 to"),
    ],
)
def test_times_without_sense(seconds: float, until: float | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Forecaster(network()).predict(walker(), seconds, observed_until=until)


def test_a_past_that_is_short_by_a_rounded_digit() -> None:
    """12 frames are what the network looks back; 0.033333 s a frame is 30 a second, 0.0333 s is not quite."""
    forecaster = Forecaster(network())
    walk = walker(fps=30.0).slice_frames(0, 12)
    for rate in (30.0, 1 / 0.0333333, 1 / 0.033333):
        assert forecaster.forecast(walk.replace(fps=rate), 0.5).frames == 15
    with pytest.raises(DataError, match=r"looks back 0\.37 s .* has 0\.37 s, 0\.00037 s too little"):
        forecaster.forecast(walk.replace(fps=1 / 0.0333), 0.5)


def test_a_recording_that_is_too_slow() -> None:
    with pytest.raises(DataError, match="needs at least 6"):
        Forecaster(network()).forecast(walker(seconds=5, fps=3.0), 1.0)


def test_another_skeleton() -> None:
    skeleton = Skeleton(name="dog", joints=("trunk", "tail", "paw"), parents=(-1, 0, 0))
    positions = np.random.default_rng(0).normal(size=(1, 90, 3, 3))
    with pytest.raises(SkeletonError, match="'dog'"):
        Forecaster(network()).forecast(SkeletonSequence(positions, skeleton, fps=30, up="y"), 1.0)


def test_markers_without_a_hierarchy(shared_data: Path, tmp_path: Path) -> None:
    """A TRC of a BVH's joints names them and joins none: it is forecast as the BVH is, from places."""
    recording = bvh.read(shared_data / "cmu_bvh" / "07" / "07_01.bvh").slice_frames(0, 150)
    kg.save(recording, tmp_path / "walk.trc")
    markers = kg.load(tmp_path / "walk.trc")
    assert set(markers.skeleton.parents) == {-1, 0}
    for forecaster in (Forecaster(network(model="zero_velocity")), Forecaster("zero-velocity")):
        future = forecaster.forecast(markers, 0.3)
        assert future.skeleton == markers.skeleton
        np.testing.assert_allclose(future.positions[0, -1], markers.positions[0, -1], atol=0.03)
    hung = rehung(markers.skeleton, markers.positions[0])
    above = {joint: hung.joints[p] for joint, p in zip(hung.joints, hung.parents, strict=True) if p >= 0}
    assert above["lFoot"] == "lShin"
    assert above["lShin"] == "lThigh"
    assert above["rHand"] == "rForeArm"
    assert above["rPinky2"] == "rPinky1"  # no name for that: their distance changes least


def test_damaged_weights() -> None:
    made = network()
    assert isinstance(made.model, SymGNN)
    for parameter in made.model.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(KinegraphError, match="its weights are damaged"):
        Forecaster(made).forecast(walker(), 0.2)


def test_what_cannot_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KinegraphError, match="recognises and does not forecast"):
        Forecaster(network(actions=("a", "b"), horizon=0))
    with pytest.raises(KinegraphError, match="no baseline"):
        Forecaster("ridge")
    with pytest.raises(FormatError, match="no such weights folder"):
        Forecaster.from_pretrained(tmp_path / "nowhere")
    monkeypatch.setattr("kinegraph.shipped.FOLDER", tmp_path)
    with pytest.raises(KinegraphError, match="ships no weights.*--model"):
        Forecaster.from_pretrained()
    assert Forecaster.from_pretrained("constant-velocity").name == "constant-velocity"
    assert horizon.LONGEST_S == 60


CLIPS = {
    "amc": ("cmu_asfamc/02/02_01.amc", 1.2),
    "bvh": ("cmu_bvh/07/07_01.bvh", 1.2),
    "hdm05": ("hdm05/test/9/HDM_mm_sneak2StepsLStart_011_120.amc", 0.7),
}


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("model", ["zero-velocity", "constant-velocity", "symgnn"])
def test_real_recordings(shared_data: Path, clip: str, model: str) -> None:
    """Limbs keep their length, and baselines do not jump where the forecast begins."""
    name, until = CLIPS[clip]
    path = shared_data / name
    recording = bvh.read(path) if path.suffix == ".bvh" else asf_amc.read(path, joints="starts")
    forecaster = Forecaster(network() if model == "symgnn" else model)
    forecast = forecaster.predict(recording, 0.5, observed_until=until)
    lengths = bone_lengths(forecast.future)
    np.testing.assert_allclose(lengths, np.broadcast_to(bone_lengths(recording)[:, :1], lengths.shape), atol=1e-9)
    assert forecast.future.rotations is not None
    if model != "symgnn":
        at, before = jumps(forecast.history, forecast.future)
        assert at <= before


@pytest.mark.parametrize("clip", CLIPS)
def test_the_network_in_the_package_lets_recordings_go_on(shared_data: Path, clip: str) -> None:
    """Limbs of one length, no jump at the seam, and nearer to the truth than somebody who stands still."""
    name, until = CLIPS[clip]
    path = shared_data / name
    recording = bvh.read(path) if path.suffix == ".bvh" else asf_amc.read(path, joints="starts")
    found, errors = {}, {}
    for model in (None, "zero-velocity"):
        found[model] = Forecaster.from_pretrained(model).predict(recording, 0.5, observed_until=until)
        start = found[model].history.frames
        truth = recording.positions[0, start : start + found[model].future.frames]
        errors[model] = np.linalg.norm(found[model].future.positions[0, : len(truth)] - truth, axis=-1).mean()
    lengths = bone_lengths(found[None].future)
    np.testing.assert_allclose(lengths, np.broadcast_to(bone_lengths(recording)[:, :1], lengths.shape), atol=1e-9)
    at, before = jumps(found[None].history, found[None].future)
    assert at <= before
    assert errors[None] < 0.7 * errors["zero-velocity"]
