"""Recognisers of clips on recordings: windows, axes, joints, people, fusion, and every refusal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_people import ACTIONS, LAYOUT, Probe, probe, recording, waver
from moving_people import network

import kinegraph as kg
from kinegraph.errors import ConfigError, DataError, KinegraphError, SkeletonError
from kinegraph.inference.clip_window import ClipNetwork, encoded
from kinegraph.inference.recognizer import Recognizer
from kinegraph.models import build
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.weights import save_weights

DAY = (("sideways", 4.0), ("still", 3.0), ("upwards", 4.0))


def test_what_is_done_when() -> None:
    result = Recognizer(probe()).recognize(recording(waver(*DAY)))
    (person,) = result.people
    assert (person.person, person.partner, person.label) == (0, None, "person 1")
    assert [segment.action for segment in person.segments] == ["sideways", "still", "upwards"]
    np.testing.assert_allclose([s.stop_s for s in person.segments[:2]], [4.0, 7.0], atol=0.5)
    assert person.segments[0].start_s == 0
    assert person.segments[-1].stop_s == pytest.approx(11 - 1 / 30)
    assert all(0.5 < segment.score <= 1 for segment in person.segments)
    np.testing.assert_allclose(person.timeline.sum(axis=1), 1)
    np.testing.assert_allclose(person.smooth.sum(axis=1), 1)
    np.testing.assert_allclose(person.scores, person.timeline.mean(axis=0))
    assert [name for name, _ in result.top(4)] == [ACTIONS[i] for i in np.argsort(-person.scores)]
    # a second's windows, every quarter of one
    np.testing.assert_allclose(np.diff(person.times), 29 / 30)
    assert np.diff(person.times[:, 0]).max() <= 0.25 + 1 / 30


@pytest.mark.parametrize(("sampling", "convention"), [("resize", "ctr-gcn"), ("uniform", "pyskl"), ("all", "none")])
def test_a_window_is_a_clip_of_the_training(sampling: str, convention: str) -> None:
    """By hand: cut, every second frame, turn z up to y up, encode, run."""
    made = probe(sampling=sampling, convention=convention)
    rng = np.random.default_rng(3)
    fast = waver(*DAY, fps=60) + rng.normal(scale=0.01, size=(660, 17, 3))
    z_up = fast @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # (x, y, z) -> (x, -z, y)
    (person,) = Recognizer(made).recognize(recording(z_up, fps=60, up="z"), stride_s=2.0).people
    assert len(person.times) == 6
    for (start, stop), scores in zip(person.times, person.timeline, strict=True):
        first, last = round(start * 60), round(stop * 60)
        assert last - first + 1 == 60
        x, mask = made.transform.encode(fast[None, first : last + 1 : 2], LAYOUT)
        logits = made.model(torch.from_numpy(x)[None], torch.from_numpy(mask)[None])
        np.testing.assert_allclose(scores, torch.softmax(logits[0].double(), -1).numpy(), atol=1e-5)


def test_a_3d_network_sees_of_a_joint_that_it_is_there_or_not() -> None:
    """As in its training: clips of 3D hold no confidence, and recordings do, of inferred joints."""
    told = {}
    for dims, unit in ((3, "m"), (2, "px")):
        made = probe(dims=dims, unit=unit)
        network = replace(made, transform=replace(made.transform, confidence=True))
        fields = {} if dims == 3 else {"unit": "px", "space": "image", "up": None}
        moves = waver(("still", 1.0))[..., :dims]
        sure = np.where(np.arange(17) == 4, 0.0, np.linspace(0.2, 0.9, 17))
        piece = recording(moves, confidence=np.tile(sure, (1, len(moves), 1)), **fields)
        told[dims] = encoded(network, piece)[0][0, 0, :, dims]
    np.testing.assert_array_equal(told[3], np.arange(17) != 4)
    np.testing.assert_allclose(told[2], sure, rtol=1e-6)


def test_axes_are_those_of_the_training_whatever_the_file() -> None:
    y_up = waver(*DAY)
    cases = {
        "y": recording(y_up),
        "z": recording(y_up @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), up="z"),
        "camera": recording(y_up * [1, -1, -1], up=None, space="camera"),
    }
    found = {name: Recognizer(probe()).recognize(case) for name, case in cases.items()}
    for result in found.values():
        np.testing.assert_allclose(result.people[0].timeline, found["y"].people[0].timeline, atol=1e-6)
    unstated = Recognizer(probe()).recognize(recording(y_up, up=None))
    assert any("which axis is up" in note for note in unstated.notes)


def test_joints_by_name_and_missing_ones() -> None:
    positions = waver(*DAY)
    order = np.random.default_rng(1).permutation(17)
    names = tuple(LAYOUT.joints[i] for i in order)
    shuffled = Skeleton(name="mine", joints=names, parents=(-1, *[0] * 16))
    plain = Recognizer(probe()).recognize(recording(positions))
    other = SkeletonSequence(positions[None][:, :, order], shuffled, fps=30, up="y")
    np.testing.assert_allclose(
        Recognizer(probe()).recognize(other).people[0].timeline, plain.people[0].timeline, atol=1e-6
    )
    keep = [i for i, name in enumerate(LAYOUT.joints) if name not in ("nose", "left_ankle")]
    fewer = Skeleton(name="less", joints=tuple(LAYOUT.joints[i] for i in keep), parents=(-1, *[0] * 14))
    made = probe()
    result = Recognizer(made).recognize(SkeletonSequence(positions[:, keep], fewer, fps=30, up="y"))
    assert any("do without" in note and "left_ankle" in note for note in result.notes)
    assert isinstance(made.model, Probe)
    assert all((x[..., LAYOUT.index("left_ankle"), :] == 0).all() for x in made.model.seen)
    np.testing.assert_allclose(result.people[0].timeline, plain.people[0].timeline, atol=1e-6)


def test_each_person_does_their_own_thing_and_may_leave() -> None:
    one, other = waver(("sideways", 9.0)), waver(("upwards", 9.0), place=2.0)
    other[90:180] = np.nan
    result = Recognizer(probe()).recognize(recording(one, other))
    assert [entry.label for entry in result.people] == ["person 1", "person 2"]
    assert {segment.action for segment in result.people[0].segments} == {"sideways"}
    away = result.people[1].segments
    assert [segment.action for segment in away] == ["upwards", "upwards"]
    assert (away[0].stop_s, away[1].start_s) == pytest.approx((89 / 30, 6.0))


def test_a_pair_is_seen_together_the_livelier_first() -> None:
    quiet, lively = waver(("sideways", 3.0), size=0.1), waver(("upwards", 3.0), place=1.0, size=0.4)
    for people in ((quiet, lively), (lively, quiet)):
        made = probe(people=2)
        result = Recognizer(made).recognize(recording(*people))
        assert [(entry.person, entry.partner) for entry in result.people] == [(0, None), (1, None), (0, 1)]
        pair = result.people[2]
        assert pair.label == "persons 1 + 2"
        assert {segment.action for segment in pair.segments} == {"upwards"}
        assert isinstance(made.model, Probe)
        *alone, together = made.model.seen
        assert all((x[:, 1] == 0).all() for x in alone)
        assert (together[:, 1] != 0).any()
    three = Recognizer(probe(people=2)).recognize(recording(quiet, lively, quiet))
    assert [entry.partner for entry in three.people] == [None] * 3
    assert any("no two together" in note for note in three.notes)
    apart = recording(np.where(np.arange(90)[:, None, None] < 45, quiet, np.nan), lively).positions.copy()
    apart[1, :45] = np.nan
    never = Recognizer(probe(people=2)).recognize(recording(*apart))
    assert [entry.partner for entry in never.people] == [None] * 2


def test_short_recordings() -> None:
    result = Recognizer(probe(clip_frames=90)).recognize(recording(waver(("sideways", 0.5))))
    (person,) = result.people
    assert len(person.times) == len(person.segments) == 1
    assert any("trained on clips of about 3.00 s and sees 0.50 s" in note for note in result.notes)
    with pytest.raises(DataError, match=r"nobody is seen for long enough; expected a person in 2 frames"):
        Recognizer(probe()).recognize(recording(waver(("sideways", 0.5))[:1]))
    glimpse = np.full((90, 17, 3), np.nan)
    glimpse[5] = 1.0
    both = Recognizer(probe()).recognize(recording(waver(("sideways", 3.0)), glimpse))
    assert [entry.person for entry in both.people] == [0]
    assert any("person 2 is seen in 1 frames" in note for note in both.notes)


def test_lengths_of_windows() -> None:
    sequence = recording(waver(*DAY))
    for sampling, frames, clip_frames, expected in (
        ("resize", 32, 45, 45),
        ("window", 20, 45, 20),
        ("repeat", 300, 45, 45),
        ("repeat", 20, 45, 20),
        ("all", 64, 45, 45),
        ("resize", 32, None, 32),
    ):
        made = probe(sampling=sampling, frames=frames, clip_frames=clip_frames)
        times = Recognizer(made).recognize(sequence).people[0].times
        np.testing.assert_allclose(np.diff(times), (expected - 1) / 30, err_msg=f"{sampling} {clip_frames}")
    own = Recognizer(probe()).recognize(sequence, window_s=2.0, stride_s=1.0).people[0].times
    np.testing.assert_allclose(own[:, 0], np.arange(10))
    untimed = probe(fps=None)
    times = Recognizer(untimed).recognize(recording(waver(*DAY), fps=20)).people[0].times
    np.testing.assert_allclose(np.diff(times), 29 / 20)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"window_s": 0.0}, "expected seconds, above 0"),
        ({"window_s": float("nan")}, "expected seconds, above 0"),
        ({"window_s": 1e6}, "at most 600"),
        ({"window_s": 0.01}, "no two frames at 30 a second; probe was trained on clips of about 1 s"),
        ({"stride_s": 0.0}, "expected seconds, above 0"),
        ({"stride_s": float("inf")}, "expected seconds, above 0"),
    ],
)
def test_absurd_windows(words: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recognizer(probe()).recognize(recording(waver(*DAY)), **words)


def test_what_the_network_cannot_see() -> None:
    positions = waver(*DAY)
    flat = SkeletonSequence(positions[..., :2], LAYOUT, fps=30, unit="px", space="image", source="clip.json")
    with pytest.raises(
        DataError, match=r"clip.json holds 2D keypoints and probe was trained on 3D motion; lift it first"
    ):
        Recognizer(probe()).recognize(flat)
    with pytest.raises(DataError, match="holds 3D motion and probe was trained on 2D keypoints"):
        Recognizer(probe(dims=2)).recognize(recording(positions))
    with pytest.raises(DataError, match="states no frame rate"):
        Recognizer(probe()).recognize(recording(positions).replace(fps=None))
    with pytest.raises(DataError, match="needs at least 6"):
        Recognizer(probe()).recognize(recording(positions, fps=5))
    with pytest.raises(DataError, match="in normalized, expected metres"):
        Recognizer(probe()).recognize(recording(positions, unit="normalized"))
    with pytest.raises(DataError, match="nobody is seen in any frame"):
        Recognizer(probe()).recognize(recording(np.full_like(positions, np.nan)))
    dog = Skeleton(name="dog", joints=("trunk", "tail", "paw"), parents=(-1, 0, 0))
    with pytest.raises(SkeletonError, match=r"'h36m17' can be had from 'dog'"):
        Recognizer(probe()).recognize(SkeletonSequence(positions[:, :3], dog, fps=30, up="y"))


def test_2d_in_the_unit_of_the_training() -> None:
    positions = waver(*DAY)[..., :2]
    size = (640, 480)
    fractions = SkeletonSequence(positions, LAYOUT, fps=30, unit="normalized", space="image", image_size=size)
    pixels = fractions.replace(positions=fractions.positions * np.array(size), unit="px")
    want = Recognizer(probe(dims=2, unit="normalized")).recognize(fractions).people[0].timeline
    found = Recognizer(probe(dims=2, unit="normalized")).recognize(pixels).people[0].timeline
    np.testing.assert_allclose(found, want, atol=1e-5)
    in_px = probe(dims=2, unit="px", sharpness=0.5)
    back = Recognizer(in_px).recognize(fractions).people[0].timeline
    np.testing.assert_allclose(back, Recognizer(in_px).recognize(pixels).people[0].timeline, atol=1e-5)
    with pytest.raises(DataError, match=r"is in px and states no image size.*--read image_size"):
        Recognizer(probe(dims=2, unit="normalized")).recognize(pixels.replace(image_size=None))
    assert Recognizer(in_px).dims == 2


def test_the_one_line_api_gives_keypoints_to_a_network_of_keypoints() -> None:
    positions = waver(*DAY)[..., :2] * 100
    detected = np.concatenate([positions, np.full((*positions.shape[:-1], 1), 0.9)], axis=-1)
    recognizer = Recognizer(probe(dims=2, unit="px", sharpness=2.0))
    for read in (None, {"dims": 2}):
        found = kg.recognize(detected, skeleton="h36m17", fps=30, model=recognizer, read=read, window_s=1.5)
        assert [segment.action for segment in found.people[0].segments] == ["sideways", "still", "upwards"]
        assert not any("lifted" in note for note in found.notes)
        np.testing.assert_allclose(np.diff(found.people[0].times), 44 / 30)


def test_fused_probabilities() -> None:
    sequence = recording(waver(*DAY))
    swapped = ("still", "forwards", "sideways", "upwards")  # the same classes in another order, wrongly named
    made = [probe(sharpness=20), probe(sharpness=90, actions=swapped)]
    each = [Recognizer(one).recognize(sequence).people[0].timeline for one in made]
    aligned = each[1][:, [swapped.index(action) for action in ACTIONS]]
    for shares, (a, b) in (((0.6, 0.4), (0.6, 0.4)), ((3, 1), (0.75, 0.25)), (None, (0.5, 0.5))):
        fused = Recognizer(made, shares)
        assert fused.shares == pytest.approx((a, b))
        found = fused.recognize(sequence)
        assert found.actions == ACTIONS
        np.testing.assert_allclose(found.people[0].timeline, a * each[0] + b * aligned)
    assert fused.name == "probe + probe"
    with pytest.raises(KinegraphError, match="save each of them"):
        fused.save_pretrained("x")


def test_networks_that_do_not_go_together() -> None:
    with pytest.raises(ConfigError, match="know different actions \\(hop, still\\)"):
        Recognizer([probe(), probe(actions=("sideways", "upwards", "forwards", "hop"))])
    flat = probe(dims=2, actions=ACTIONS[:2] + ACTIONS[3:])
    with pytest.raises(ConfigError, match="takes 2D and probe 3D"):
        Recognizer([replace(flat, transform=replace(flat.transform, actions=ACTIONS)), probe()][::-1])
    for shares, message in (((1, 2, 3), "3 shares for 2"), ((0, 0), "not all 0"), ((-1, 2), "0 or more")):
        with pytest.raises(ConfigError, match=message):
            Recognizer([probe(), probe()], shares)
    with pytest.raises(ConfigError, match="is not fused"):
        Recognizer([probe(), network(actions=("a", "b"))])
    with pytest.raises(ConfigError, match="at least one"):
        Recognizer([])
    with pytest.raises(ConfigError, match="leave it out"):
        Recognizer(network(actions=("a", "b"))).recognize(recording(waver(*DAY)), window_s=1.0)


def test_memory_is_that_of_a_batch_and_progress_counts() -> None:
    made = probe()
    calls: list[tuple[int, int]] = []
    long = recording(np.tile(waver(*DAY), (10, 1, 1)))
    person = Recognizer(made).recognize(long, progress=lambda done, total: calls.append((done, total))).people[0]
    assert isinstance(made.model, Probe)
    assert max(len(x) for x in made.model.seen) <= 16
    assert sum(len(x) for x in made.model.seen) == len(person.times) == calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_weights_of_either_kind(tmp_path: Path) -> None:
    skeleton = get_skeleton("h36m17")
    model = build("linear", skeleton, {"channels": 3, "classes": 2, "people": 1, "frames": 16})
    model.fit(torch.randn(4, 1, 16, 17, 3), torch.tensor([0, 1, 0, 1]))  # type: ignore[operator]
    transform = ClipTransform(frames=16, people=1, fps=30, unit="m", clip_frames=40, actions=("a", "b"))
    save_weights(tmp_path / "clips", model, "linear", {}, transform=transform, task="recognition")
    recognizer = Recognizer.from_pretrained(tmp_path / "clips")
    assert (recognizer.actions, recognizer.dims, recognizer.name) == (("a", "b"), 3, "linear")
    times = recognizer.recognize(recording(waver(*DAY))).people[0].times
    np.testing.assert_allclose(np.diff(times), 39 / 30)
    recognizer.save_pretrained(tmp_path / "again")
    assert Recognizer.from_pretrained([tmp_path / "again", str(tmp_path / "clips")], shares=[1, 3]).shares == (
        0.25,
        0.75,
    )
    made = network(actions=("a", "b"))
    save_weights(tmp_path / "motion", made.model, "symgnn", {}, transform=made.transform, task="motion")
    assert Recognizer.from_pretrained(tmp_path / "motion").network.name == "symgnn"
    wrong = replace(transform, actions=("a", "b", "c"))
    save_weights(tmp_path / "wrong", model, "linear", {}, transform=wrong, task="recognition")
    with pytest.raises(KinegraphError, match="3 actions, the linear has 2 classes"):
        Recognizer.from_pretrained(tmp_path / "wrong")


def test_acclaim_clips_are_read_as_the_network_knows_them(shared_data: Path) -> None:
    """A network on the ends of bones (HDM05) and one on anatomical joints both find all of theirs.

    Where both ways show all, as of Human3.6M's joints, it is the one in which training reads clips.
    """
    walk = shared_data / "cmu_asfamc" / "02" / "02_01.amc"
    for layout, joints in (("cmu31", "ends"), ("cmu38", "starts"), ("h36m17", "ends")):
        skeleton = get_skeleton(layout)
        model = build("linear", skeleton, {"channels": 3, "classes": 2, "people": 1, "frames": 16})
        model.fit(torch.randn(4, 1, 16, skeleton.num_joints, 3), torch.tensor([0, 1, 0, 1]))  # type: ignore[operator]
        transform = ClipTransform(frames=16, people=1, fps=30, unit="m", clip_frames=40, actions=("a", "b"))
        recognizer = Recognizer(ClipNetwork(model, "linear", skeleton, transform, None))  # type: ignore[arg-type]
        assert recognizer.acclaim_joints == joints
        assert not any("do without" in note for note in kg.recognize(walk, model=recognizer).notes)
