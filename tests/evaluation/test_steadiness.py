"""What lifted recordings show of themselves: measures against slow loops, and the command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import kinegraph as kg
from kinegraph.errors import DataError
from kinegraph.evaluation.steadiness import draw_steps, measure_steadiness, steadiness, steadiness_report
from kinegraph.sequence import SkeletonSequence

BODY = kg.get_skeleton("h36m17")


def recording(
    positions: np.ndarray, confidence: np.ndarray | None = None, fps: float | None = 25.0
) -> SkeletonSequence:
    return SkeletonSequence(
        positions=positions, skeleton=BODY, fps=fps, unit="m", space="camera", confidence=confidence
    )


def walk(people: int = 2, frames: int = 12) -> np.ndarray:
    rng = np.random.default_rng(3)
    pose = rng.normal(0, 0.4, (people, 1, 17, 3))
    return pose + np.cumsum(rng.normal(0, 0.01, (people, frames, 17, 3)), axis=1)


def test_measures_are_those_of_slow_loops() -> None:
    positions, confidence = walk(), np.ones((2, 12, 17))
    confidence[0, 4, 6] = 0
    confidence[1, 9:] = 0
    found = steadiness(recording(positions, confidence), recording="r", model="m", stage="lifted")
    seen = confidence > 0
    step, bends, variation = 0.0, [], 0.0
    for person in range(2):
        at = {
            (t, j): positions[person, t, j] - positions[person, t, 0]
            for t in range(12)
            for j in range(17)
            if seen[person, t, j]
        }
        for (t, j), place in at.items():
            if (t - 1, j) in at:
                step = max(step, math.dist(place, at[t - 1, j]))
            if (t - 1, j) in at and (t - 2, j) in at:
                bends.append(float(np.linalg.norm(place - 2 * at[t - 1, j] + at[t - 2, j])))
        for parent, child in BODY.bones:
            size = [math.dist(at[t, child], at[t, parent]) for t in range(12) if (t, child) in at and (t, parent) in at]
            variation = max(variation, float(np.std(size) / np.mean(size)))
    assert found.largest_step_mm == pytest.approx(1000 * step)
    assert found.acceleration == pytest.approx(np.mean(bends) * 25**2)
    assert found.limb_variation == pytest.approx(variation)
    assert found.poses == 12 + 9
    assert np.nanmax(found.steps_mm) == found.largest_step_mm
    assert len(found.steps_mm) == 12
    assert np.isnan(found.steps_mm[0])


def test_a_flip_is_counted_once_for_the_way_there_and_once_for_the_way_back() -> None:
    positions = np.repeat(walk(1, 1), 10, axis=1)
    assert steadiness(recording(positions), recording="r", model="m", stage="s").flips == 0
    wrist, elbow = BODY.index("left_wrist"), BODY.index("left_elbow")
    positions[0, 5, wrist] = 2 * positions[0, 5, elbow] - positions[0, 5, wrist]
    found = steadiness(recording(positions), recording="r", model="m", stage="s")
    assert found.flips == 2
    assert found.limb_variation == pytest.approx(0, abs=1e-9)
    assert int(np.nanargmax(found.steps_mm)) == 5


def test_the_body_as_a_whole_may_move() -> None:
    positions = np.repeat(walk(1, 1), 10, axis=1) + np.arange(10)[None, :, None, None] * 0.5
    found = steadiness(recording(positions), recording="r", model="m", stage="s")
    assert found.largest_step_mm == pytest.approx(0, abs=1e-9)
    assert found.acceleration == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("frames", [1, 2])
def test_what_a_few_frames_do_not_tell_is_a_dash(frames: int) -> None:
    found = steadiness(recording(walk(1, frames)), recording="r", model="m", stage="s")
    assert math.isnan(found.acceleration)
    assert len(found.steps_mm) == frames
    assert "-" in steadiness_report([found], markdown=True).splitlines()[-1].split(" | ")[-1]
    assert found.to_json()["acceleration"] is None


def test_only_lifted_recordings_are_measured() -> None:
    with pytest.raises(DataError, match="expected 3D in metres"):
        steadiness(recording(walk(), fps=None), recording="r", model="m", stage="s")


def test_pictures_are_no_video(tmp_path: Path) -> None:
    """Unrelated images leap from one to the next, whatever the network."""
    people = np.random.default_rng(0).uniform(100, 400, (3, 17, 3))
    people[..., 2] = 2
    coco = {
        "images": [{"id": k, "file_name": f"{k * 7919 % 97}.jpg", "width": 640, "height": 480} for k in range(3)],
        "annotations": [{"id": k, "image_id": k, "keypoints": people[k].ravel().tolist()} for k in range(3)],
        "categories": [{"id": 1, "keypoints": list(kg.get_skeleton("coco17").joints)}],
    }
    (tmp_path / "pictures.json").write_text(json.dumps(coco))
    pictures = kg.load(tmp_path / "pictures.json")
    assert not pictures.is_video
    with pytest.raises(DataError, match=r"^mine holds single pictures; expected a video"):
        measure_steadiness([("mine", pictures)], [])


def test_both_stages_of_each_network_are_measured(shared_data: Path, tmp_path: Path) -> None:
    keypoints = kg.load(shared_data / "openpose_json" / "clip_1", fps=30.0).slice_frames(0, 25)
    lifters = [(name, kg.Lifter.from_pretrained(name)) for name in ("lift", "lift-temporal")]
    done: list[int] = []
    found = measure_steadiness([("clip_1", keypoints)], lifters, progress=lambda: done.append(1))
    assert [(r.model, r.stage) for r in found] == [
        ("lift", "network"),
        ("lift", "lifted"),
        ("lift-temporal", "network"),
        ("lift-temporal", "lifted"),
    ]
    assert len(done) == 2
    assert found[0].limb_variation > 0.02
    assert found[1].limb_variation < 1e-6  # one length a limb
    assert found[1].acceleration < found[0].acceleration  # smoothed
    assert draw_steps(found, tmp_path)[0].stat().st_size > 10_000
