"""The three chained, on the weights of the package, and the example that shows them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from clip_people import probe
from lifting_people import BODY, keypoints, motion

import kinegraph as kg
from kinegraph.errors import ConfigError, DataError
from kinegraph.inference import Forecaster, Lifter, Recognizer
from kinegraph.inference.live import Live, LiveInput, replay
from kinegraph.inference.live.forecaster import ForecastStream
from kinegraph.inference.live.motion import MotionStream
from kinegraph.inference.live.recognizer import ClipRecognizeStream

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def networks() -> dict[str, object]:
    return {
        "lifter": Lifter.from_pretrained(),
        "recognizer": Recognizer.from_pretrained("forecast"),  # it looks together with the forecast
        "forecaster": Forecaster.from_pretrained(),
    }


def pipeline(networks: dict[str, object], **options: object) -> Live:
    given = {"fps": 30, "image_size": (1000, 1000), "fast": False, **networks, **options}
    return kg.live(BODY, **given)


def crowd(frames: int) -> np.ndarray:
    """(frames, 2, 17, 2) px."""
    one, other = keypoints(motion(frames, walk_m=0.5)).positions[0], keypoints(motion(frames)).positions[0]
    return np.stack([one, other + np.array([250.0, 0])], axis=1)


def test_three_in_one(networks: dict[str, object]) -> None:
    own = pipeline(networks)
    results = list(own.run(replay(keypoints(motion(45)))))
    assert len(results) == 45
    first, last = results[0].people[0], results[-1].people[0]
    assert (first.actions, first.forecast) == ((), None)
    assert last.positions.shape == (17, 3)
    assert len(last.actions) == 3
    assert last.actions_time is not None
    assert last.forecast_time is not None
    assert last.forecast is not None
    assert results[-1].time - last.actions_time <= 0.24
    assert results[-1].time - last.forecast_time <= 0.28
    assert (last.forecast.frames, last.forecast.fps, last.forecast.up) == (15, 30.0, "y")
    heights = last.positions[:, 1]
    assert heights[BODY.index("head")] > 1.3
    assert -0.1 < heights.min() < 0.2
    # where the forecast begins, nothing jumps
    then = results[round(last.forecast_time * 30)].people[0].positions
    assert np.linalg.norm(last.forecast.positions[0, 0] - then, axis=-1).mean() < 0.08
    now = own.forecast(0.2)
    assert now.time == pytest.approx(44 / 30)
    assert any("camera looks" in note for note in own.notes)


def test_a_recogniser_of_its_own_looks_at_two_seconds(networks: dict[str, object]) -> None:
    own = pipeline(networks | {"recognizer": Recognizer.from_pretrained("recognize")})
    results = list(own.run(replay(keypoints(motion(80)))))
    told = [bool(result.people[0].actions) for result in results]
    assert not any(told[:59])
    assert all(told[60:])
    assert results[-1].people[0].forecast is not None


def test_a_frame_has_one_piece_of_work(networks: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' scores, fits, looks, answers and forecasts never fall on one frame, and nobody is kept waiting."""
    done: list[str] = []

    def counted(owner: type, name: str) -> None:
        real = getattr(owner, name)

        def call(self: object, *given: object, **more: object) -> object:
            done.append(name)
            return real(self, *given, **more)

        monkeypatch.setattr(owner, name, call)

    for owner, name in (
        (ClipRecognizeStream, "look"),
        (MotionStream, "prepare"),
        (MotionStream, "answer"),
        (ForecastStream, "of"),
    ):
        counted(owner, name)
    own = pipeline(networks | {"recognizer": Recognizer.from_pretrained("recognize")}, refit_s=1.0)
    told = 0
    for frame in np.concatenate([crowd(50), crowd(50)]):
        done.clear()
        result = own.push(frame, ids=["a", "b"])
        assert len(done) <= 1
        told += "look" in done
    assert told >= 4
    for person in result.people:
        assert person.actions_time is not None
        assert person.forecast_time is not None
        assert result.time - person.actions_time < 1.0
        assert result.time - person.forecast_time < 0.7


def test_two_people_together(networks: dict[str, object]) -> None:
    """A recogniser that looks at pairs says what two do together, and takes it back when one has gone."""
    own = pipeline(networks | {"recognizer": Recognizer(probe(people=2)), "forecaster": False})
    frames = crowd(50)
    for frame in frames:
        result = own.push(frame, ids=["a", "b"])
    assert list(result.together) == [("a", "b")]
    assert len(result.together["a", "b"]) == 3
    for frame in frames:
        result = own.push(frame[:1], ids=["a"])
    assert result.together == {}
    assert set(own._actions) == {"a"}


@pytest.mark.parametrize(("gap_s", "back"), [(5.0, False), (5.0, True), (0.8, True)])
def test_a_source_may_stop_in_the_middle_of_any_piece(networks: dict[str, object], gap_s: float, back: bool) -> None:
    """Whatever somebody's look has come to, they may be gone, or back with their past cut off."""
    frames = crowd(40)
    met = set()
    for stop in range(19, 38, 2):
        own = pipeline(networks, refit_s=1.0)
        for index, frame in enumerate(frames[:stop]):
            own.push(frame, index / 30, ids=["a", "b"])
        if own._next is None:
            continue
        met.add(own._next[1].func.__name__)
        now = stop / 30 + gap_s
        for index, frame in enumerate(frames[stop : stop + 2]):
            result = own.push(frame if back else None, now + index / 30, ids=["a", "b"] if back else None)
        assert len(result.people) == (2 if back else 0)
        assert back or not (own._looked or own._forecast_due or own._next)
        assert gap_s < 1 or not any(person.actions or person.forecast for person in result.people)
    assert met >= {"_fit", "_answer", "_forecast"}


def test_somebody_of_whom_a_trunk_is_seen_stops_nobody_else(networks: dict[str, object]) -> None:
    both = crowd(45)
    trunk = [BODY.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "knee")]
    hidden = np.setdiff1d(np.arange(17), [BODY.root, BODY.index("spine"), BODY.index("thorax"), *trunk])
    both[:, 1, hidden] = np.nan
    own = pipeline(networks)
    last = [own.push(people, ids=("whole", "trunk")) for people in both][-1]
    people = {person.id: person for person in last.people}
    assert people["whole"].forecast is not None
    assert people["whole"].actions
    assert people["trunk"].forecast is None


def test_people_take_turns_and_are_forgotten(networks: dict[str, object]) -> None:
    own = pipeline(networks)
    frames = crowd(50)
    for frame in frames:
        result = own.push(frame, ids=["a", "b"])
    assert all(person.forecast is not None and person.actions for person in result.people)
    assert {job.name for job in own._looked} == {"a", "b"}
    for frame in frames[:35]:
        result = own.push(frame[:1], ids=["a"])
    assert [person.id for person in result.people] == ["a"]
    assert set(own._actions) == set(own._futures) == {"a"}
    for _ in range(35):
        assert own.push(None).people == ()
    assert not own._actions
    assert not own.lift._people
    own.reset()
    again = own.push(frames[0], 0.0, ids=["a", "b"])
    assert again.time == 0.0
    assert again.people[0].forecast is None


def test_parts_can_be_left_out(networks: dict[str, object]) -> None:
    frames = crowd(40)[:, :1]
    lifts = pipeline({**networks, "recognizer": False, "forecaster": False})
    acts = pipeline({**networks, "forecaster": False})
    futures = pipeline({**networks, "recognizer": False}, forecast_s=0.2)
    ends = [[own.push(frame) for frame in frames][-1].people[0] for own in (lifts, acts, futures)]
    assert [bool(end.actions) for end in ends] == [False, True, False]
    assert [end.forecast is not None for end in ends] == [False, False, True]
    np.testing.assert_array_equal(ends[0].positions, ends[1].positions)
    with pytest.raises(ConfigError, match="without a forecaster"):
        lifts.forecast()


def test_mistakes_are_named(networks: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="forecast_every 0"):
        pipeline(networks, forecast_every=0)
    with pytest.raises(ConfigError, match="has no place in the world"):
        pipeline(networks, options=kg.inference.live.lifter.LiveLiftOptions(root="relative"))
    with pytest.raises(ConfigError, match="pitch_deg is 100"):
        pipeline(networks, pitch_deg=100)
    with pytest.raises(DataError, match="is 3D"):
        next(replay(kg.SkeletonSequence(motion(2), BODY)))


# ---- the example ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def webcam() -> ModuleType:
    spec = importlib.util.spec_from_file_location("webcam_example", ROOT / "examples" / "webcam.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_replays_a_file(webcam: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kg.save(keypoints(motion(30)), tmp_path / "person.npz")
    assert webcam.main(["--source", str(tmp_path / "person.npz"), "--no-wait", "--every", "29"]) == 0
    shown = capsys.readouterr().out
    assert "30 frames" in shown
    assert "person 0 at" in shown
    assert "in 0.5 s at" in shown


def test_the_example_replays_fractions_of_the_image(
    webcam: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = keypoints(motion(30))
    kg.save(pixels, tmp_path / "px.npz")
    kg.save(pixels.replace(positions=pixels.positions / 1000, unit="normalized"), tmp_path / "fractions.npz")
    shown = []
    for name in ("px", "fractions"):
        assert webcam.main(["--source", str(tmp_path / f"{name}.npz"), "--no-wait", "--every", "29"]) == 0
        shown.append([line.split("person 0 at")[1] for line in capsys.readouterr().out.splitlines() if "at (" in line])
    assert shown[0] == shown[1] != []


def test_the_example_takes_any_detector(webcam: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    points = iter(keypoints(motion(5)).to_skeleton(kg.get_skeleton("coco17"), minimum=0.4).positions[0])

    def detector(image: np.ndarray) -> np.ndarray:
        assert image.shape == (1000, 1000, 3)
        found = next(points)
        return np.concatenate([found, np.isfinite(found[:, :1])], axis=-1)[None]

    images = iter([np.zeros((1000, 1000, 3), dtype=np.uint8)] * 6)  # the first is for their size
    assert webcam.main(["--every", "1"], detector=detector, images=images) == 0
    shown = capsys.readouterr().out
    assert shown.count("person 0") == 5
    assert "focal length 1145 px" in shown  # of the pictures' size, not of what the keypoints span
    assert webcam.main([], detector=detector, images=iter([])) == 2
    assert "no picture came" in capsys.readouterr().err
    assert webcam.main([]) == 2
    assert "need a detector" in capsys.readouterr().err
    assert webcam.main(["--source", "nowhere"]) == 2


def test_a_picture_is_of_when_it_was_taken(webcam: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of when the detector was done with it, which comes later by as long as that takes."""
    now = [100.0]
    monkeypatch.setattr(webcam.time, "monotonic", lambda: now[0])

    def slow(image: np.ndarray) -> np.ndarray:
        now[0] += 0.25
        return np.zeros((1, 17, 3))

    pictures = iter([np.zeros((4, 6, 3), dtype=np.uint8)] * 3)
    assert [moment.time for moment in webcam.detected(pictures, slow)] == [100.0, 100.25, 100.5]


def test_a_recording_is_replayed_at_its_rate(webcam: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(webcam.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(webcam.time, "sleep", lambda wait: now.__setitem__(0, now[0] + wait))
    times = []
    for moment in webcam.paced(LiveInput(None, frame / 25) for frame in range(4)):
        times.append((now[0] - 100, moment.time))
        now[0] += 0.01  # what a frame takes
    assert np.allclose(*zip(*times, strict=True))


def test_simcc_is_decoded(webcam: ModuleType) -> None:
    x, y = np.zeros((2, 384)), np.zeros((2, 512))
    x[0, 101], y[0, 300], x[1, 7], y[1, 0] = 0.9, 0.7, 1.3, 1.1
    places, scores = webcam.decode_simcc(x, y)
    assert places.tolist() == [[50.5, 150.0], [3.5, 0.0]]
    assert scores.tolist() == [0.7, 1.0]


def test_a_box_is_cut_out(webcam: ModuleType) -> None:
    """A picture whose colours are its coordinates: the crop shows where each of its pixels comes from."""
    y, x = np.mgrid[:120, :90]
    image = np.stack([x, y, np.full_like(x, 50)], axis=-1).astype(np.uint8)
    piece, (left, top, scale) = webcam.crop(image, np.array([30.0, 20.0, 60.0, 90.0]), (24, 32))
    assert scale == pytest.approx(70 / 32 * 1.25)
    centre = np.array([12.0, 16.0]) * scale + [left, top]
    assert centre.tolist() == pytest.approx([45.0, 55.0])
    inside = piece[8, 12, :2]
    assert inside.tolist() == pytest.approx([12.5 * scale + left - 0.5, 8.5 * scale + top - 0.5])
    outside, _ = webcam.crop(image, np.array([-300.0, 0.0, -200.0, 100.0]), (24, 32))
    assert not outside.any()
