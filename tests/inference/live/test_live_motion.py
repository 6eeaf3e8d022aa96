"""Recognition and forecasting frame by frame against the same on the recording up to then."""

from __future__ import annotations

import re

import numpy as np
import pytest
from clip_people import probe, recording, waver
from moving_people import LAYOUT, network, walker

from kinegraph.errors import ConfigError, DataError, KinegraphError, SkeletonError
from kinegraph.geometry.posing import finished
from kinegraph.inference import Forecaster, Recognizer
from kinegraph.inference.live.frames import FrameBuffer, read_frame
from kinegraph.inference.live.recognizer import ClipRecognizeStream, LiveActions, MotionRecognizeStream
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton.contraction import contract

ACTIONS = ("walk", "run", "jump")


def positions_only(seconds: float, fps: float = 30.0, **options: object) -> SkeletonSequence:
    return walker(seconds, fps, **options).replace(rotations=None, offsets=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["symgnn", "simlpe"])
@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_a_forecast_is_the_recording_s(model: str, fps: float) -> None:
    forecaster = Forecaster(network(model=model))
    walk = positions_only(1.0, fps)
    stream = forecaster.stream("cmu38", fps=fps)
    for frame in range(walk.frames):
        stream.push(walk.positions[:, frame])
        if frame not in (walk.frames // 2, walk.frames - 1):
            continue
        upto = walk.slice_frames(0, frame + 1)
        for seconds in (0.1, 0.5, 0.3):  # beyond the horizon, and back: what was made is kept
            live = stream.forecast(seconds)
            expected = forecaster.forecast(upto, seconds)
            assert live.future is not None
            assert live.time == pytest.approx(frame / fps)
            assert np.abs(live.future.positions - expected.positions).max() < 1e-5
            assert live.future.fps == fps


def test_places_are_forecast_as_in_the_recording() -> None:
    forecaster = Forecaster(network(representation="positions"))
    walk = positions_only(1.0)
    stream = forecaster.stream("cmu38", fps=30)
    for frame in range(walk.frames):
        stream.push(walk.positions[:, frame])
    live = stream.forecast(0.3).future
    assert live is not None
    assert np.abs(live.positions - forecaster.forecast(walk, 0.3).positions).max() < 1e-5


@pytest.mark.parametrize("lost", [range(0), range(33, 36), range(37, 41), range(22, 37)])
def test_an_error_is_stated_as_of_the_recording(lost: range) -> None:
    """Made two frames after the moment, as the pipeline does; with a joint that was missing lately, or still is."""
    forecaster = Forecaster.from_pretrained()
    walk = positions_only(1.5)
    confidence = np.array(walk.confidence)
    confidence[:, list(lost), LAYOUT.index("left_wrist")] = 0
    walk = walk.replace(confidence=confidence)
    frames = np.concatenate([walk.positions[0], confidence[0, ..., None]], axis=-1)
    stream = forecaster.stream("cmu38", fps=30)
    for frame in frames[:39]:
        stream.push(frame)
    seen = stream.motion.prepare(0)
    stream.push(frames[39])
    observed = stream.motion.answer(seen)
    stream.push(frames[40])
    live = stream.of({0: observed}, 15).future
    expected = forecaster.forecast(walk.slice_frames(0, 39), 0.5)
    assert live is not None
    assert live.uncertainty is not None
    assert expected.uncertainty is not None
    assert np.abs(live.positions - expected.positions).max() < 1e-5
    np.testing.assert_array_equal(np.isnan(live.uncertainty), np.isnan(expected.uncertainty))
    assert np.nanmax(np.abs(live.uncertainty - expected.uncertainty)) < 1e-5


@pytest.mark.parametrize("fps", [30.0, 29.97])
def test_of_a_long_past_the_recording_and_the_stream_look_at_the_same(fps: float) -> None:
    """Bones and ground are those of the last ten seconds; measured ones differ from frame to frame."""
    forecaster = Forecaster(network())
    walk = positions_only(11.0, fps)
    noise = np.random.default_rng(0).normal(scale=0.01, size=walk.positions.shape)
    walk = walk.replace(positions=walk.positions + noise)
    stream = forecaster.stream("cmu38", fps=fps)
    for frame in range(walk.frames):
        stream.push(walk.positions[:, frame])
    live = stream.forecast(0.3).future
    assert live is not None
    assert np.abs(live.positions - forecaster.forecast(walk, 0.3).positions).max() < 1e-5


def test_scores_are_the_recording_s() -> None:
    recognizer = Recognizer(network(actions=ACTIONS))
    walk = positions_only(1.2, people=2)
    stream = recognizer.stream("cmu38", fps=30, hop_s=0.1)
    heard: list[LiveActions] = []
    for frame in range(walk.frames):
        got = stream.push(walk.positions[:, frame], ids=["ann", "bob"])
        if got is None:
            continue
        heard.append(got)
        whole = recognizer.recognize(walk.slice_frames(0, frame + 1))
        for name, person in zip(("ann", "bob"), whole.people, strict=True):
            assert np.abs(got.scores[name] - person.timeline[-1]).max() < 1e-5
    times = [one.time for one in heard]
    assert times[0] == pytest.approx(11 / 30)  # as soon as there is a window
    assert np.diff(times) == pytest.approx(0.1)
    assert heard[0].top("ann", 1)[0][0] in ACTIONS
    last = heard[-1].smooth["bob"]
    assert last.sum() == pytest.approx(1)
    assert min(o.scores["bob"].min() for o in heard) <= last.min() + 1e-9


@pytest.mark.parametrize("dims", [2, 3])
def test_scores_of_clips_are_the_recording_s(dims: int) -> None:
    recognizer = Recognizer(probe(dims=dims, unit="px" if dims == 2 else "m"))
    moves = waver(("sideways", 1.5), ("upwards", 1.5))[..., :dims]
    fields = {"unit": "px", "space": "image", "up": None} if dims == 2 else {}
    day = recording(moves, **fields)
    stream = recognizer.stream(day.skeleton, fps=30, hop_s=0.2)
    assert isinstance(stream, ClipRecognizeStream)
    heard = []
    for frame in range(day.frames):
        got = stream.push(day.positions[:, frame])
        if got is not None:
            heard.append(got)
            window = recognizer.recognize(day.slice_frames(frame - 29, frame + 1))
            assert np.abs(got.scores[0] - window.people[0].timeline[-1]).max() < 1e-5
    assert heard[0].time == pytest.approx(29 / 30)
    assert [heard[0].top(0)[0][0], heard[-1].top(0)[0][0]] == ["sideways", "upwards"]


def test_pairs_are_looked_at_together() -> None:
    recognizer = Recognizer(probe(people=2))
    stream = recognizer.stream("h36m17", fps=30)
    moves = np.stack([waver(("sideways", 1.1)), waver(("still", 1.1), place=1.0)])
    heard = [stream.push(moves[:, frame], ids=["a", "b"]) for frame in range(moves.shape[1])]
    first = next(one for one in heard if one is not None)
    assert set(first.scores) == {"a", "b", ("a", "b")}


@pytest.mark.parametrize("kind", ["clips", "motion"])
@pytest.mark.parametrize(("away", "said"), [(2.0, True), (2.0, False), (0.2, True)])
def test_who_is_forgotten_speaks_no_more(kind: str, away: float, said: bool) -> None:
    """After two seconds the mean of somebody's scores begins anew, whether those were told or not; after 0.2 it goes
    on, and nobody is heard sooner for having been lost for a moment."""
    if kind == "clips":
        recognizer = Recognizer(probe())
        before, after = (recording(waver((move, 1.5))) for move in ("sideways", "upwards"))
        stream = recognizer.stream("h36m17", fps=30, hop_s=0.2)
    else:
        recognizer = Recognizer(network(horizon=0, actions=ACTIONS))
        before, after = (positions_only(1.5, speed=speed) for speed in (0.2, 2.0))
        stream = recognizer.stream("cmu38", fps=30, hop_s=0.2)
    times = [frame / 30 for frame in range(45)]
    told = [stream.push(before.positions[:, frame], time, ids=["ann"]) for frame, time in enumerate(times)]
    last = [one for one in told if one is not None][-1]
    back = times[-1] + away
    for frame in range(1, round(away * 30) if said else 0):
        assert stream.push(None, times[-1] + frame / 30) is None
    told = [stream.push(after.positions[:, frame], back + frame / 30, ids=["ann"]) for frame in range(45)]
    heard = next(one for one in told if one is not None)
    fresh = np.allclose(heard.smooth["ann"], heard.scores["ann"])
    assert fresh == (away > 1)
    if away < 1:
        assert heard.time >= last.time + 0.2 - 1e-6


def test_irregular_times_are_brought_to_the_rate() -> None:
    """Somebody who moves evenly: the past is told at even moments, whenever it was seen."""
    buffer = FrameBuffer(3, 3, 30.0, 1.0)
    start, speed = np.arange(9.0).reshape(3, 3), np.array([1.0, -2.0, 0.5])
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.005, 0.08, size=100))
    for time in times:
        buffer.push(read_frame(float(time), start + speed * time, ["x"], 3, 3, "three"))
    told, sure = buffer.told("x", 0.5)
    moments = times[-1] - np.arange(15, -1, -1) / 30
    np.testing.assert_allclose(told, start + speed * moments[:, None, None], atol=1e-9)
    assert (sure == 1).all()
    assert buffer.reach_s("x") == pytest.approx(1.0, abs=0.09)


@pytest.mark.parametrize("representation", ["expmap", "positions"])
@pytest.mark.parametrize("refit_s", [0.0, 1.0])
@pytest.mark.parametrize("fps", [30.0, 50.0])
def test_a_past_as_long_as_the_network_looks_back(representation: str, refit_s: float, fps: float) -> None:
    """To a rounded digit more or less: nobody is ready whom the network then cannot look at."""
    forecaster = Forecaster(network(representation=representation))
    looks_back = forecaster.network.observed_s if forecaster.network is not None else 0.0
    walk = positions_only(0.5, fps)
    before = int(looks_back * fps - 1e-3)  # this many steps are not enough
    ready = []
    for short in (0.0, 5e-7, 1e-6, 1.1e-6, 9e-6, 1.5e-5, 1e-3, -1e-6, -1e-3):
        stream = forecaster.stream("cmu38", fps=fps, refit_s=refit_s)
        for frame in range(before + 1):
            stream.push(walk.positions[:, frame], time=frame / fps)
        assert not stream.ready()
        stream.push(walk.positions[:, before + 1], time=looks_back - short)
        if stream.ready():
            ready.append(short)
            assert stream.forecast(0.1).future is not None
    # at 50 frames a second the window's begin falls between two frames, of which a whole step is told
    assert ready == ([0.0, 5e-7, 1e-6, 1.1e-6, 9e-6, -1e-6, -1e-3] if fps == 30 else [])


def test_a_recogniser_hears_times_in_microseconds() -> None:
    recognizer = Recognizer(network(horizon=0, actions=ACTIONS))
    walk = positions_only(1.0)
    stream = recognizer.stream("cmu38", fps=30)
    heard = [stream.push(walk.positions[:, k], time=round((k + 2) / 30, 6)) for k in range(walk.frames)]
    assert [one is not None for one in heard[10:12]] == [False, True]


def test_missing_joints_and_gaps() -> None:
    buffer = FrameBuffer(3, 3, 30.0, 1.0)
    body = np.ones((1, 3, 3))
    lost = body.copy()
    lost[0, 1] = np.nan
    for index, frame in enumerate([body, body, lost, body]):
        buffer.push(read_frame(index / 30, frame, ["x"], 3, 3, "three"))
    told, sure = buffer.told("x")
    assert sure[:, 1].tolist() == [1, 1, 0, 1]
    assert np.isnan(told[2, 1]).all()
    half, _ = buffer.told("x", fps=60.0)
    assert np.isnan(half[:, 1, 0]).tolist() == [False, False, False, True, True, True, False]
    buffer.push(read_frame(3 / 30 + 0.7, body, ["x"], 3, 3, "three"))
    assert buffer.reach_s("x") == 0  # too long a gap: anew
    assert buffer.push(read_frame(5.0, None, None, 3, 3, "three")) == ["x"]
    assert buffer.reach_s("x") < 0


def test_buffers_are_bounded() -> None:
    buffer = FrameBuffer(2, 3, 30.0, 0.5)
    for index in range(3000):
        buffer.push(read_frame(index / 1000, np.ones((2, 3)), [index // 100], 2, 3, "two"))
    assert len(buffer._past) <= 12
    assert max(len(past) for past in buffer._past.values()) <= 122


@pytest.mark.parametrize(("fps", "times"), [(250.0, None), (300.0, None), (30.0, 1000.0)])
def test_fast_streams_are_heard_of_whole_windows(fps: float, times: float | None) -> None:
    """Frames faster than a buffer holds are thinned: the window stays as long, and the last frame is always there."""
    stream = Recognizer(probe()).stream("h36m17", fps=fps)
    rate = times or fps
    body = waver(("sideways", 1.5), fps=rate)
    heard = [stream.push(frame, None if times is None else k / rate) for k, frame in enumerate(body)]
    found = [one for one in heard if one is not None]
    assert found[0].time == pytest.approx(stream.window_s, abs=2 / fps)
    assert found[0].top(0, 1)[0][0] == "sideways"
    assert len(found) > 1


def test_known_bones_come_near_the_fit() -> None:
    """Between two fits the poses are found for the bones of the last one."""
    forecaster = Forecaster(network())
    walk = positions_only(2.5)
    exact = forecaster.stream("cmu38", fps=30)
    quick = forecaster.stream("cmu38", fps=30, refit_s=10.0)
    for frame in range(walk.frames):
        for stream in (exact, quick):
            stream.push(walk.positions[:, frame])
        if frame % 10 == 9 and frame > 20:
            near = [stream.forecast(0.2).future for stream in (exact, quick)]
            assert near[0] is not None
            assert near[1] is not None
            apart = np.linalg.norm(near[0].positions - near[1].positions, axis=-1)
            assert apart.mean() < 0.01
            assert apart.max() < 0.05
    assert 1 < quick.motion._rigs[0].step <= 10


def test_bones_are_fitted_in_pieces() -> None:
    """Pieces taken over several moments give what one piece gives, and nothing changes before the last."""
    walk = positions_only(2.5)
    forecaster = Forecaster(network())
    whole, pieces = (forecaster.stream("cmu38", fps=30, refit_s=10.0).motion for _ in range(2))
    for frame in range(walk.frames):
        for stream in (whole, pieces):
            stream.push(walk.positions[:, frame], ids=["a"])
    finished(whole.fit("a"))
    parts, count = pieces.fit("a"), 0
    for _ in parts:
        count += 1
        assert "a" not in pieces._rigs
    assert count >= 3
    one, other = whole._rigs["a"], pieces._rigs["a"]
    assert (one.step, one.due, one.floor) == (other.step, other.due, other.floor)
    np.testing.assert_array_equal(one.rig.body.offsets, other.rig.body.offsets)
    lost = pieces.fit("a")
    next(lost)
    pieces.push(None, 30.0)
    finished(lost)
    assert "a" not in pieces._rigs


def test_who_is_not_ready_is_left_out() -> None:
    stream = Forecaster(network()).stream("cmu38", fps=30)
    walk = positions_only(1.0, people=2)
    for frame in range(walk.frames):
        there = [0, 1] if frame >= 25 else [0]
        stream.push(walk.positions[there, frame], ids=there)
    assert stream.ready() == (0,)
    assert stream.forecast(0.2).ids == (0,)
    with pytest.raises(DataError, match=r"only \(0,\) are seen"):
        stream.forecast(0.2, ids=[1])
    stream.push(walk.positions[[1], -1], 3.0, ids=[1])
    assert stream.forecast(0.2).future is None
    stream.reset()
    assert stream.ready() == ()


def with_bystander(seen: list[str]) -> SkeletonSequence:
    """Two who walk; of the second only these joints are seen."""
    walk = positions_only(1.0, people=2)
    positions = walk.positions.copy()
    positions[1, :, [joint for joint, name in enumerate(walk.skeleton.joints) if name not in seen]] = np.nan
    return walk.replace(positions=positions, confidence=None)


HIPS = [
    LAYOUT.joints[LAYOUT.root],
    *(name for name in LAYOUT.joints if "hip" in name.lower() or "spine" in name.lower()),
]


@pytest.mark.parametrize(
    ("seen", "why"), [(HIPS[:1], "1 joints are seen"), (HIPS, "joints that the network turns .* show more of the body")]
)
def test_a_bystander_of_few_joints_stops_nobody_else(seen: list[str], why: str) -> None:
    both = with_bystander(seen)
    alone = Forecaster(network()).stream("cmu38", fps=30)
    stream = Forecaster(network()).stream("cmu38", fps=30)
    heard = Recognizer(network(actions=ACTIONS)).stream("cmu38", fps=30)
    said = []
    for frame in range(both.frames):
        alone.push(both.positions[:1, frame])
        stream.push(both.positions[:, frame])
        said.append(heard.push(both.positions[:, frame]))
    assert stream.ready() == (0, 1)
    found, expected = stream.forecast(0.2), alone.forecast(0.2)
    assert found.ids == (0,)
    assert found.future is not None
    assert expected.future is not None
    np.testing.assert_array_equal(found.future.positions, expected.future.positions)
    assert re.search(f"person 1 was left out: .*{why}", found.future.notes[-1])
    with pytest.raises(KinegraphError, match=why):
        stream.forecast(0.2, ids=[1])
    assert {name for actions in said if actions is not None for name in actions.scores} == {0}


def test_a_layout_without_the_network_s_joints_is_refused() -> None:
    walk = positions_only(1.0)
    few = contract(walk.skeleton, HIPS)
    at = [walk.skeleton.index(name) for name in few.joints]
    stream = Forecaster(network()).stream(few, fps=30)
    for frame in range(walk.frames):
        stream.push(walk.positions[:, frame, at])
    with pytest.raises(SkeletonError, match="joints that the network turns"):
        stream.forecast(0.2)


def test_mistakes_are_named() -> None:
    with pytest.raises(KinegraphError, match="zero-velocity has no network to stream with"):
        Forecaster("zero-velocity").stream("cmu38")
    forecaster = Forecaster(network())
    with pytest.raises(DataError, match="needs at least 6"):
        forecaster.stream("cmu38", fps=2)
    with pytest.raises(DataError, match="at least a frame"):
        forecaster.stream("cmu38").forecast(0.0)
    with pytest.raises(DataError, match="refit_s -1"):
        forecaster.stream("cmu38", refit_s=-1)
    recognizer = Recognizer(network(actions=ACTIONS))
    assert isinstance(recognizer.stream("cmu38"), MotionRecognizeStream)
    with pytest.raises(ConfigError, match="always looks at 0.37 s"):
        recognizer.stream("cmu38", window_s=1.0)
    with pytest.raises(ConfigError, match="hop of 0 s"):
        recognizer.stream("cmu38", hop_s=0)
    with pytest.raises(DataError, match="takes metres, found px"):
        recognizer.stream("cmu38", unit="px")
    with pytest.raises(DataError, match="states no image size"):
        Recognizer(probe(dims=2, unit="normalized")).stream("h36m17", fps=30)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"fps": 0}, "fps is 0.0; expected a positive number"),
        ({"fps": float("nan")}, "fps is nan; expected a positive number"),
        ({"window_s": -3}, "window -3 s: expected seconds, above 0"),
        ({"window_s": 0}, "window 0 s: expected seconds, above 0"),
        ({"window_s": float("nan")}, "window nan s: expected seconds, above 0"),
        ({"window_s": 1e4}, "window 10000 s: expected seconds, above 0 and at most 600"),
        ({"window_s": 0.03}, "window 0.03 s: that is no two frames at 30 a second"),
        ({"hop_s": 0}, "a hop of 0 s; expected seconds, above 0"),
        ({"away_s": -1}, "away_s is -1; expected seconds, above 0"),
    ],
)
def test_settings_without_sense_are_refused_at_the_start(settings: dict[str, float], told: str) -> None:
    with pytest.raises((ConfigError, DataError), match=told):
        Recognizer(probe()).stream("h36m17", **settings)
    if "window_s" not in settings:
        with pytest.raises((ConfigError, DataError), match=told):
            Recognizer(network(actions=ACTIONS)).stream("cmu38", **settings)


def test_before_the_first_frame_nobody_is_due() -> None:
    for recognizer, layout in ((Recognizer(probe()), "h36m17"), (Recognizer(network(actions=ACTIONS)), "cmu38")):
        stream = recognizer.stream(layout)
        assert stream.due() == []
        assert stream.hear({}) is None
        with pytest.raises(DataError, match="'x' is nobody who was seen for long enough"):
            stream.look("x")
