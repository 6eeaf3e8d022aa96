"""A lifter fed frame by frame against the same lifter on the recording."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lifting_people import BODY, flat_person, keypoints, lifter, motion

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference import Lifter, LiftOptions
from kinegraph.inference.live.lifter import LiftStream, LiveLiftOptions
from kinegraph.inference.traced import traced
from kinegraph.skeleton import get_skeleton

PLAIN = {"rigid": False, "root": "relative", "framing": "image"}
RECORDED = LiftOptions(fill_s=0.0, smooth_s=0.0, **PLAIN)  # type: ignore[arg-type]
LIVE = LiveLiftOptions(hold_s=0.0, one_euro=False, **PLAIN)  # type: ignore[arg-type]


def mixed(x: torch.Tensor) -> torch.Tensor:
    """Every frame, joint and channel of what it sees has a say."""
    shares = torch.linspace(0.3, 1.0, x.shape[1]) if x.ndim == 4 else torch.ones(1)
    seen = (x * shares[:, None, None]).sum(dim=1) if x.ndim == 4 else x
    depth = torch.sin(3 * seen[..., :1] + torch.arange(17.0)[:, None] / 5) + seen.mean(dim=1, keepdim=True)[..., :1]
    return torch.cat([seen[..., :2], depth], dim=-1)


def run(stream: LiftStream, frames: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    """Positions (frames, joints, 3) of the only person."""
    found = []
    for index, frame in enumerate(frames):
        got = stream.push(frame, None if times is None else times[index])
        found.append(got.positions[0] if got.ids else np.full((17, 3), np.nan))
    return np.stack(found)


def flat(sequence) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.concatenate([sequence.positions[0], np.asarray(sequence.confidence)[0, ..., None]], axis=-1)


def causal(frames: int, **options: object) -> Lifter:
    own = lifter(mixed, frames=frames, **options)  # type: ignore[arg-type]
    own.target = frames - 1
    return own


@pytest.mark.parametrize("confidence", [False, True])
@pytest.mark.parametrize("normalise", ["screen", "box"])
@pytest.mark.parametrize("frames", [1, 5])
def test_a_stream_is_the_recording(frames: int, normalise: str, confidence: bool) -> None:
    own = causal(frames, normalise=normalise, confidence=confidence)
    given = keypoints(motion(40, walk_m=1.0))
    whole = own.lift(given, RECORDED).positions[0]
    live = run(own.stream("h36m17", fps=30, image_size=(1000, 1000), options=LIVE), flat(given))
    assert np.abs(live - whole).max() < 1e-5
    stated = own.stream("h36m17", fps=30, image_size=(1000, 1000), options=LIVE)
    assert np.abs(run(stated, flat(given), 7 + np.arange(40) / 30) - whole).max() < 1e-5


def test_missing_joints_as_in_the_recording_up_to_now() -> None:
    own = causal(1, normalise="box", confidence=False)
    given = keypoints(motion(30))
    confidence = np.ones((1, 30, 17))
    lost = [BODY.index("left_wrist"), BODY.index("left_elbow"), BODY.index("head")]
    confidence[:, 10:, lost] = 0
    confidence[:, 20:, BODY.index("pelvis")] = 0
    given = given.replace(confidence=confidence)
    live = run(own.stream(BODY, fps=30, image_size=(1000, 1000), options=LIVE), flat(given))
    assert np.isnan(live[12, lost]).all()
    for last in (9, 12, 25):
        upto = own.lift(given.slice_frames(0, last + 1), RECORDED).positions[0, -1]
        np.testing.assert_allclose(live[last], upto, atol=1e-5)


def test_lost_joints_are_held_and_then_missing() -> None:
    own = lifter(flat_person)
    given = flat(keypoints(motion(30)))
    wrist = BODY.index("left_wrist")
    given[10:, wrist] = 0
    stream = own.stream(BODY, fps=30, options=LiveLiftOptions(hold_s=0.2), image_size=(1000, 1000))
    found = [stream.push(frame) for frame in given]
    sure = np.array([one.confidence[0, wrist] for one in found])
    assert (sure[:10] == 1).all()
    assert ((sure[10:15] > 0) & (sure[10:15] < 1)).all()
    assert (sure[16:] == 0).all()
    assert np.isnan(found[20].positions[0, wrist]).all()


@pytest.mark.parametrize("people", [1, 2])
def test_the_origin_is_a_missing_joint_where_there_are_no_confidences(people: int) -> None:
    own, arm = lifter(flat_person), [BODY.index("left_elbow"), BODY.index("left_wrist")]
    given = np.stack([flat(keypoints(motion(20)))[:, :, :2] + 5 * person for person in range(people)], axis=1)
    lost = given.copy()
    lost[:, -1, arm] = np.nan
    given[:, -1, arm] = 0
    streams = [own.stream(BODY, fps=30, image_size=(1000, 1000)) for _ in range(2)]
    for zeros, gaps in zip(given, lost, strict=True):
        found, expected = streams[0].push(zeros), streams[1].push(gaps)
        np.testing.assert_array_equal(found.positions, expected.positions)
        np.testing.assert_array_equal(found.confidence, expected.confidence)
    assert not found.confidence[-1, arm].any()
    assert np.isnan(found.positions[-1, arm]).all()
    sure = np.concatenate([given[0], np.ones((people, 17, 1))], axis=-1)
    assert (
        own.stream(BODY, fps=30, image_size=(1000, 1000)).push(sure).confidence[-1, arm].all()
    )  # it is said to be seen


def test_the_one_euro_filter_is_the_recording_s() -> None:
    own = causal(1)
    given = keypoints(motion(40))
    options = LiftOptions(fill_s=0.0, one_euro=True, **PLAIN)  # type: ignore[arg-type]
    live = LiveLiftOptions(hold_s=0.0, **PLAIN)  # type: ignore[arg-type]
    whole = own.lift(given, options).positions[0]
    got = run(own.stream(BODY, fps=30, image_size=(1000, 1000), options=live), flat(given))
    np.testing.assert_allclose(got, whole, atol=1e-5)


def test_networks_that_look_ahead_hold_the_last_frame() -> None:
    own = lifter(mixed, frames=5)
    given = keypoints(motion(20))
    got = run(own.stream(BODY, fps=30, image_size=(1000, 1000), options=LIVE), flat(given))
    for last in (0, 3, 11):
        upto = own.lift(given.slice_frames(0, last + 1), RECORDED).positions[0, -1]
        np.testing.assert_allclose(got[last], upto, atol=1e-5)


def test_windows_are_in_time_whatever_the_frames() -> None:
    """Keypoints that move evenly: at any moment the window holds the places of its moments."""
    own = causal(5, normalise="screen")
    own.fps = 15.0
    start, speed = flat(keypoints(motion(1)))[0, :, :2], np.array([30.0, -10.0])

    def at(time: float) -> np.ndarray:
        return np.concatenate([start + speed * time, np.ones((17, 1))], axis=-1)

    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.09, size=60))
    times = np.delete(times, [20, 21, 22])  # dropped frames
    stream = own.stream(BODY, fps=30, image_size=(1000, 1000), options=LIVE)
    got = [stream.push(at(time), time).positions[0] for time in times]
    for index in (30, 55):
        window = np.stack([at(times[index] - back / 15) for back in (4, 3, 2, 1, 0)])[None]
        x = torch.from_numpy(own.transform.encode_inputs(window[..., :2], window[..., 2], np.array([1000, 1000])))
        answer = mixed(x), mixed(torch.cat([-x[..., own_mirror(), :1], x[..., own_mirror(), 1:]], dim=-1))
        back = answer[1][:, own_mirror()] * torch.tensor([-1.0, 1.0, 1.0])
        expected = own.transform.decode(((answer[0] + back) / 2).double().numpy())[0]
        np.testing.assert_allclose(got[index], expected, atol=1e-5)


def own_mirror() -> list[int]:
    return list(BODY.mirror)


def test_people_come_and_go() -> None:
    own = causal(3)
    one, other = flat(keypoints(motion(60))), flat(keypoints(motion(60, walk_m=1.0)))
    other[..., 0] += 250
    stream = own.stream(BODY, fps=30, image_size=(1000, 1000), options=LIVE)
    alone = run(own.stream(BODY, fps=30, image_size=(1000, 1000), options=LIVE), one)
    for frame in range(60):
        there = [("a", one)] + ([("b", other)] if 20 <= frame < 40 else [])
        there = there[::-1] if frame % 2 else there  # the order says nothing
        got = stream.push([person[frame] for _, person in there], ids=[name for name, _ in there])
        assert got.ids == tuple(name for name, _ in there)
        np.testing.assert_allclose(got.positions[got.ids.index("a")], alone[frame], atol=1e-6)
    fresh = run(own.stream(BODY, fps=30, image_size=(1000, 1000), options=LIVE), other[20:40])
    stream.reset()
    again = [stream.push(frame[None], ids=["b"]).positions[0] for frame in other[20:40]]
    np.testing.assert_allclose(again, fresh, atol=1e-6)


def test_a_tracker_says_who_is_who() -> None:
    own = causal(1)
    one = flat(keypoints(motion(20)))
    other = one + np.array([400, 0, 0])
    stream = own.stream(BODY, fps=30, image_size=(1500, 1000), options=LIVE)
    names = [stream.push([one[f], other[f]] if f % 2 else [other[f], one[f]]).ids for f in range(20)]
    assert names[::2] == [(0, 1)] * 10
    assert names[1::2] == [(1, 0)] * 10
    assert stream.push(None).ids == ()


def test_memory_is_bounded() -> None:
    own = causal(5)
    stream = own.stream(BODY, fps=30, image_size=(1000, 1000))
    frame = flat(keypoints(motion(1)))[0]
    for index in range(200):
        stream.push([frame], index / 50, ids=[index // 4])
    assert 1 < len(stream._people) <= 14  # a second's worth
    assert all(len(one.inputs) < 60 and len(one._limbs) <= 300 for one in stream._people.values())


@pytest.mark.parametrize(
    ("frames", "named"),
    [
        (np.zeros((1, 16, 2)), r"frame of shape \(1, 16, 2\); expected \(people, 17, 2\)"),
        (np.full((1, 17, 3), 2.0), r"confidence is outside 0..1"),
        (np.full((1, 17, 2), 1e12), r"a joint at 1e\+12; expected px or fractions of the image within 1e\+06"),
        ("abc", r"no array of numbers \(could not convert string to float: 'abc'\); expected \(people, 17, 2\)"),
        ([[[1.0, 2.0]], [[1.0]]], r"no array of numbers"),
        ({"people": 1}, r"no array of numbers"),
    ],
)
def test_frames_that_are_none_are_refused(frames: object, named: str) -> None:
    with pytest.raises(DataError, match=named):
        lifter(flat_person).stream(BODY).push(frames)  # type: ignore[arg-type]


def test_mistakes_are_named() -> None:
    stream = lifter(flat_person).stream("h36m17")
    stream.push(None, 1.0)
    with pytest.raises(DataError, match="times must go forward"):
        stream.push(None, 1.0)
    with pytest.raises(DataError, match="a different one for each"):
        stream.push(np.ones((2, 17, 2)), 2.0, ids=["a", "a"])
    with pytest.raises(DataError, match="positive number of frames"):
        lifter(flat_person).stream("h36m17", fps=0)
    with pytest.raises(DataError, match="need the image's size"):
        lifter(flat_person).stream("h36m17", unit="normalized")
    for size, found in (((0, 720), "0 x 720"), ((-1280, 720), "-1280 x 720"), ((1280,), "1280;"), (1280, "1280;")):
        with pytest.raises(DataError, match=f"stream: image_size is {found}.* expected width and height in px"):
            lifter(flat_person).stream("h36m17", image_size=size)
    assert lifter(flat_person).stream("h36m17", image_size=[1280, 720]).image_size == (1280, 720)
    with pytest.raises(ConfigError, match="field of view needs"):
        lifter(flat_person).stream("h36m17", options=LiveLiftOptions(fov_deg=60))
    with pytest.raises(ConfigError, match=r"framing is image, whose size is not stated; give image_size"):
        lifter(flat_person).stream("h36m17", options=LiveLiftOptions(framing="image"))
    with pytest.raises(ConfigError, match="give one"):
        LiveLiftOptions(focal_px=1000, fov_deg=60)
    for name in ("hold_s", "away_s"):
        with pytest.raises(ConfigError, match=f"live lift: {name} is -1; expected seconds"):
            LiveLiftOptions(**{name: -1})


def test_the_person_stands_where_the_recording_puts_them() -> None:
    """What is learnt on the way (limbs, view, distance) comes near what the whole clip tells."""
    own = Lifter.from_pretrained()
    truth = motion(45, walk_m=0.3)
    given = keypoints(truth).to_skeleton(get_skeleton("h36m17"))
    whole = own.lift(given).positions[0]
    stream = own.stream(BODY, fps=30, image_size=(1000, 1000))
    live = run(stream, flat(given))
    apart = np.linalg.norm(live - whole, axis=-1)[20:]
    assert apart.mean() < 0.12
    poses = [p - p[:, :1] for p in (live[20:], whole[20:])]
    assert np.linalg.norm(poses[0] - poses[1], axis=-1).mean() < 0.03
    unknown = own.stream(BODY, fps=30)
    assert np.isfinite(run(unknown, flat(given)[:5])).all()
    assert "people about 5 m away" in unknown.notes[0]


@pytest.mark.parametrize(
    ("fps", "away_s", "hidden_s", "known"),
    [(30, 1.0, 0.9, True), (30, 1.0, 1.2, False), (120, 1.0, 0.4, True), (240, 1.0, 0.4, True), (30, 3.0, 2.0, True)],
)
def test_who_is_away_is_known_for_seconds(fps: int, away_s: float, hidden_s: float, known: bool) -> None:
    given = flat(keypoints(motion(1)))
    stream = lifter(flat_person).stream(BODY, fps=fps, image_size=(1000, 1000), options=LiveLiftOptions(away_s=away_s))
    for _ in range(5):
        assert stream.push(given[0]).ids == (0,)
    for _ in range(round(hidden_s * fps)):
        stream.push(None)
    assert stream.push(given[0]).ids == ((0,) if known else (1,))


@pytest.mark.parametrize(("hidden_s", "expected"), [(0.75, 0), (1.5, 1)])
def test_who_is_away_is_forgotten_by_the_stated_time(hidden_s: float, expected: int) -> None:
    """A camera said to be at 30 fps that comes at 8."""
    given = flat(keypoints(motion(1)))
    stream = lifter(flat_person).stream(BODY, fps=30, image_size=(1000, 1000))
    for k in range(5):
        assert stream.push(given[0], k / 8).ids == (0,)
    for k in range(1, round(hidden_s * 8)):
        stream.push(None, 0.5 + k / 8)
    assert stream.push(given[0], 0.5 + hidden_s).ids == (expected,)


def test_a_stream_slower_than_that_keeps_its_people() -> None:
    given = flat(keypoints(motion(1)))
    stream = lifter(flat_person).stream(BODY, fps=0.5, image_size=(1000, 1000))
    assert [stream.push(given[0]).ids for _ in range(3)] == [(0,)] * 3


@pytest.mark.parametrize("target", ["pixel", "metric"])
def test_image_and_pixels(target: str) -> None:
    """A network in pixels sees the image itself while people are as large in it as in training."""
    own = causal(1, target=target)
    given = keypoints(motion(30))
    options = LiftOptions(fill_s=0.0, smooth_s=0.0, rigid=False, root="relative")
    whole = own.lift(given, options)
    assert "view of the image" in " ".join(whole.notes)
    live = LiveLiftOptions(hold_s=0.0, one_euro=False, rigid=False, root="relative")
    got = run(own.stream(BODY, fps=30, image_size=(1000, 1000), options=live), flat(given))
    assert np.abs(got - whole.positions[0])[10:].max() < (1e-5 if target == "metric" else 0.02)


def test_recording_a_network_changes_nothing() -> None:
    own = Lifter.from_pretrained()
    given = flat(keypoints(motion(5)))
    plain, fast = (run(own.stream(BODY, image_size=(1000, 1000), fast=fast), given) for fast in (False, True))
    assert np.abs(plain - fast).max() < 1e-5
    crowd = np.stack([given, given + np.array([300.0, 0, 0])], axis=1)
    for people in (1, 2):
        slow, quick = (own.stream(BODY, image_size=(1000, 1000), fast=fast) for fast in (False, True))
        for frame in crowd[:, :people]:
            one, other = slow.push(frame).positions, quick.push(frame).positions
            assert np.abs(one - other).max() < 1e-5


def test_what_cannot_be_recorded_runs_as_it_is() -> None:
    """Values that leave the graph would be frozen at the example's."""

    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.sort(x.numpy())) if len(x) == 3 else x.new_tensor(x.tolist()) * x

    x = torch.randn(3, 2)
    torch.testing.assert_close(traced(Broken().eval(), lambda m, v: m(v), (3, 2))(x), Broken()(x))
