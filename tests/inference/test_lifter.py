"""The whole way from keypoints to 3D, with networks whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lifting_people import BODY, INTRINSICS, flat_person, keypoints, lifter, motion, project

import kinegraph as kg
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError, SkeletonError
from kinegraph.inference import Lifter, LiftOptions
from kinegraph.inference.quick import into_world
from kinegraph.models import REGISTRY, build
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights


@pytest.fixture
def truth() -> np.ndarray:
    return motion()


PLAIN = LiftOptions(flip=False, rigid=False, smooth_s=0.0, framing="image", root="relative")


def test_what_comes_out(truth: np.ndarray) -> None:
    got = lifter(flat_person).lift(keypoints(truth))
    assert (got.people, got.frames, got.joints, got.dims) == (1, 60, 17, 3)
    assert (got.space, got.unit, got.fps, got.up) == ("camera", "m", 30.0, None)
    assert got.seen.all()
    text = " ".join(got.notes)
    for word in ("focal length", "average adult", "oracle", "metric", "mapped", "limb"):
        assert word in text


def test_joints_are_followed_in_the_image(truth: np.ndarray) -> None:
    """Metres a second across the line of sight: of a walk to the side its own at every joint, of a stand none."""
    options = LiftOptions(flip=False, smooth_s=0, focal_px=1145)
    aside = truth[:1] + np.linspace(-1, 1, 60)[:, None, None] * [1.0, 0.0, 0.0]
    got, across = lifter(flat_person).lift_and_follow(keypoints(aside), options)
    assert across is not None
    assert across.shape == got.positions.shape[:3]
    scale = got.positions[0, :, 0, 2].mean() / truth[0, 0, 2]  # people of another size seem as much further away
    np.testing.assert_allclose(across[0, 3:-3], scale * 2 / 59 * 30, rtol=0.05)
    still, none = (lifter(flat_person).lift_and_follow(keypoints(truth[:frames]), options)[1] for frames in (60, 1))
    assert still is not None
    assert none is not None
    feet = [BODY.index("left_ankle"), BODY.index("right_ankle")]
    assert still[..., feet].max() < 1e-6 < 0.1 < still[..., BODY.index("left_wrist")].max()
    assert not none.any()
    assert lifter(flat_person).lift_and_follow(keypoints(truth), LiftOptions(stills=True))[1] is None


def test_the_path_is_as_smooth_as_the_pose(truth: np.ndarray) -> None:
    """Keypoints that tremble move the whole body sideways, frame by frame; who wants no smoothing keeps that."""
    aside = truth[:1] + np.linspace(-1, 1, 60)[:, None, None] * [1.0, 0.0, 0.0]
    given = keypoints(aside)
    trembling = given.replace(positions=given.positions + np.random.default_rng(0).normal(0, 5, (1, 60, 1, 2)))
    paths = {
        (name, smooth_s): lifter(flat_person).lift(source, LiftOptions(smooth_s=smooth_s)).positions[0, :, 0]
        for name, source in (("exact", given), ("trembling", trembling))
        for smooth_s in (0.0, 0.05)
    }
    np.testing.assert_allclose(paths["exact", 0.05], paths["exact", 0.0], atol=1e-3)
    rough, smooth = (np.linalg.norm(np.diff(paths["trembling", s], n=2, axis=0), axis=-1).mean() for s in (0.0, 0.05))
    assert smooth < 0.5 * rough
    off = np.linalg.norm(paths["trembling", 0.05] - paths["exact", 0.0], axis=-1).mean()
    assert off < 0.8 * np.linalg.norm(paths["trembling", 0.0] - paths["exact", 0.0], axis=-1).mean()


def test_a_metric_network_is_decoded_root_relative(truth: np.ndarray) -> None:
    fixed = torch.randn(17, 3, generator=torch.Generator().manual_seed(0))
    got = lifter(lambda x: fixed.expand(len(x), 17, 3), scale=0.25).lift(keypoints(truth), PLAIN)
    want = 0.25 * (fixed - fixed[:1]).double().numpy()
    np.testing.assert_allclose(got.positions[0], np.broadcast_to(want, (60, 17, 3)), atol=1e-6)


def test_a_pixel_network_that_knows_the_truth_gives_it_back(truth: np.ndarray) -> None:
    """Encode the truth as the pixel target at the assumed depth; lifting must return the same shape."""
    transform = LiftingTransform(target="pixel")
    targets = torch.from_numpy(transform.encode_targets(truth, INTRINSICS, np.array([1000, 1000])))

    def answer(x: torch.Tensor) -> torch.Tensor:
        z = targets[: len(x), :, 2:]
        return torch.cat([torch.zeros_like(x[..., :2]), z], dim=-1)  # xy is already right: the residual is 0

    options = LiftOptions(flip=False, rigid=False, smooth_s=0, framing="image", focal_px=1145)
    got = lifter(answer, target="pixel").lift(keypoints(truth), options)
    # The depth is a guess from the size in the image, so the body may be some per cent larger or smaller.
    a, b = got.positions[0] - got.positions[0][:, :1], truth - truth[:, :1]
    scale = (a * b).sum() / (a * a).sum()
    assert 0.85 < scale < 1.15
    np.testing.assert_allclose(scale * a, b, atol=0.02)
    np.testing.assert_allclose(project(got.positions[0]), project(truth), atol=2)


def test_the_flip_test_averages_the_mirrored_answer(truth: np.ndarray) -> None:
    weight = torch.randn(17 * 2, 17 * 3, generator=torch.Generator().manual_seed(1)) * 0.1

    def answer(x: torch.Tensor) -> torch.Tensor:
        return (x.reshape(len(x), -1) @ weight).reshape(len(x), 17, 3)

    given = keypoints(truth)
    got = lifter(answer).lift(given, LiftOptions(flip=True, rigid=False, smooth_s=0, framing="image", root="relative"))
    mirrored = given.replace(
        positions=np.stack([1000 - given.positions[..., 0], given.positions[..., 1]], -1)[:, :, list(BODY.mirror)]
    )
    one = lifter(answer).lift(given, PLAIN).positions
    two = lifter(answer).lift(mirrored, PLAIN).positions[:, :, list(BODY.mirror)] * [-1, 1, 1]
    np.testing.assert_allclose(got.positions, (one + two) / 2, atol=1e-5)


def test_batches_do_not_matter(truth: np.ndarray) -> None:
    one = lifter(flat_person).lift(keypoints(truth), LiftOptions(batch=7))
    two = lifter(flat_person).lift(keypoints(truth))
    np.testing.assert_allclose(one.positions, two.positions, atol=1e-9)


def test_temporal_windows_repeat_the_ends_and_never_cross_an_absence(truth: np.ndarray) -> None:
    confidence = np.ones((60, 17))
    confidence[20:50] = 0  # away for a second
    given = keypoints(truth, confidence=confidence)
    own = lifter(flat_person, frames=5)
    got = own.lift(given, PLAIN)
    assert not got.seen[0, 20:50].any()
    assert got.seen[0, :20].all()
    assert got.seen[0, 50:].all()
    encoded = own.transform.encode_inputs(given.positions[0], confidence, np.array([1000, 1000]))
    first, second = own.model.seen
    assert first.shape == (20, 5, 17, 2)
    for windows, start, stop in ((first, 0, 20), (second, 50, 60)):
        for row in range(stop - start):
            index = np.clip(np.arange(start + row - 2, start + row + 3), start, stop - 1)
            np.testing.assert_allclose(windows[row].numpy(), encoded[index], atol=1e-6)


@pytest.mark.parametrize(
    ("trained", "step", "offsets"),
    [(30.0, 1, [-2, -1, 0, 1, 2]), (60.0, 1, [-1, -0.5, 0, 0.5, 1]), (30.0, 2, [-4, -2, 0, 2, 4])],
)
def test_windows_keep_the_pace_of_training(truth: np.ndarray, trained: float, step: int, offsets: list[float]) -> None:
    metadata = {"data": {"train": {"fps": trained}}, "recipe": {"data": {"step": step}}}
    own = lifter(flat_person, frames=5, metadata=metadata)
    given = keypoints(truth)
    own.lift(given, PLAIN)
    encoded = own.transform.encode_inputs(given.positions[0], np.ones((60, 17)), np.array([1000, 1000]))
    window = own.model.seen[0][30].numpy()
    for k, offset in enumerate(offsets):
        low, share = int(np.floor(30 + offset)), offset - np.floor(offset)
        want = (1 - share) * encoded[low] + share * encoded[min(low + 1, 59)]
        np.testing.assert_allclose(window[k], want, atol=1e-6)


def test_short_gaps_are_bridged_and_long_ones_stay_missing(truth: np.ndarray) -> None:
    confidence = np.ones((60, 17))
    wrist, knee = BODY.index("left_wrist"), BODY.index("right_knee")
    confidence[10:15, wrist] = 0
    confidence[20:45, knee] = 0
    confidence[57:, knee] = 0
    got = lifter(flat_person).lift(keypoints(truth, confidence=confidence))
    assert got.seen[0, :, wrist].all()
    assert (got.confidence[0, 10:15, wrist] == 0.5).all()
    assert not got.seen[0, 20:45, knee].any()
    assert got.seen[0, [19, 45, 57, 59], knee].all()
    others = [j for j in range(17) if j != knee]
    assert got.seen[0][:, others].all()
    assert any("stay missing" in note for note in got.notes)


def test_a_network_with_a_confidence_channel_is_told_the_truth(truth: np.ndarray) -> None:
    confidence = np.full((60, 17), 0.8)
    knee = BODY.index("right_knee")
    confidence[20:45, knee] = 0
    given = keypoints(truth, confidence=confidence)
    told = lifter(flat_person, confidence=True)
    told.lift(given, PLAIN)
    x = told.model.seen[0].numpy()
    np.testing.assert_allclose(x[:20, :, 2], 0.8, atol=1e-6)
    np.testing.assert_array_equal(x[20:45, knee], 0)
    plain = lifter(flat_person)
    plain.lift(given, PLAIN)
    # Without the channel, the joint stands where it was last seen from its neighbour: never at (0, 0).
    guessed = plain.model.seen[0].numpy()[20:45, knee]
    exact = plain.transform.encode_inputs(
        given.replace(confidence=None, positions=project(truth)).positions[0], np.ones((60, 17)), np.array([1000, 1000])
    )
    assert np.abs(guessed - exact[20:45, knee]).max() < 0.05


def test_everybody_is_lifted_but_no_ghost(truth: np.ndarray) -> None:
    other = motion(60) + np.array([1.5, 0, 2.0])
    points = np.stack([project(other), project(truth), project(truth)])
    confidence = np.ones((3, 60, 17))
    confidence[2] = 0
    confidence[2, 30:32] = 1  # two frames: a ghost
    given = SkeletonSequence(
        points, BODY, fps=30, unit="px", space="image", confidence=confidence, image_size=(1000, 1000)
    )
    assert lifter(flat_person).lift(given).people == 2
    assert any("2 of 3" in note for note in lifter(flat_person).lift(given).notes)
    main = lifter(flat_person).lift(given, LiftOptions(people="main"))
    alone = lifter(flat_person).lift(given.select_people([1]))
    assert main.people == 1  # the nearer one is larger
    np.testing.assert_allclose(main.positions, alone.positions)


def test_limbs_are_steady_whatever_the_network_says(truth: np.ndarray) -> None:
    generator = torch.Generator().manual_seed(0)

    def shaky(x: torch.Tensor) -> torch.Tensor:
        return flat_person(x) + 0.3 * torch.randn(len(x), 17, 3, generator=generator)

    for options, low, high in ((LiftOptions(flip=False), 0.0, 1e-9), (LiftOptions(flip=False, rigid=False), 0.05, 1.0)):
        got = lifter(shaky).lift(keypoints(truth), options).positions[0]
        spread = [np.linalg.norm(got[:, c] - got[:, p], axis=-1) for p, c in BODY.bones]
        variation = max(v.std() / v.mean() for v in spread)
        assert low <= variation <= high


def test_any_framing_places_people_on_their_keypoints(truth: np.ndarray) -> None:
    aside = truth + np.array([1.0, 0.3, 0])
    for framing in ("image", "person"):
        got = lifter(flat_person).lift(keypoints(aside), LiftOptions(framing=framing, focal_px=1145, flip=False))
        error = np.linalg.norm(project(got.positions[0]) - project(aside), axis=-1)
        assert np.median(error) < 12


def test_a_view_that_follows_makes_distance_irrelevant(truth: np.ndarray) -> None:
    own = lifter(flat_person)
    far = motion(60, depth=11.0)
    shapes = [
        own.lift(keypoints(t), LiftOptions(framing="person", root="relative", focal_px=1145)).positions
        for t in (truth, far)
    ]
    assert np.abs(shapes[0] - shapes[1]).max() < 0.1
    # "auto" takes the image as it is where people stand as in training, and follows them elsewhere.
    notes = [own.lift(keypoints(t)).notes for t in (truth, far)]
    assert any("view of the image" in n for n in notes[0])
    assert any("view of the person" in n for n in notes[1])
    unknown = own.lift(keypoints(truth, image_size=None)).notes
    assert any("image size not stated" in n for n in unknown)


@pytest.mark.parametrize("layout", ["coco17", "body25", "openpose18", "halpe26", "mediapipe33"])
def test_detectors_layouts_are_mapped_by_name(layout: str) -> None:
    body = get_skeleton(layout)
    rng = np.random.default_rng(0)
    points = rng.uniform(200, 800, (1, 5, body.num_joints, 2))
    given = SkeletonSequence(points, body, fps=30, unit="px", space="image")
    own = lifter(flat_person)
    got = own.lift(given, LiftOptions(framing="image"))
    assert got.skeleton is own.skeleton
    assert got.seen.all()
    assert "left_knee" in own.report(body)


def test_joints_that_a_layout_lacks_are_guesses_of_low_confidence(truth: np.ndarray) -> None:
    from kinegraph.skeleton import Skeleton

    names = [j for j in BODY.joints if j not in ("head", "nose")]
    part = Skeleton(
        name="headless",
        joints=tuple(names),
        parents=tuple(
            names.index(BODY.joints[BODY.parents[BODY.index(j)]]) if BODY.parents[BODY.index(j)] >= 0 else -1
            for j in names
        ),
    )
    given = SkeletonSequence(
        project(truth)[:, [BODY.index(j) for j in names]],
        part,
        fps=30,
        unit="px",
        space="image",
        image_size=(1000, 1000),
    )
    got = lifter(flat_person).lift(given)
    assert (got.confidence[0, :, BODY.index("head")] == 0.25).all()
    assert (got.confidence[0, :, BODY.index("left_knee")] == 1).all()
    assert any("lacks" in note for note in got.notes)


def test_normalised_coordinates_and_field_of_view(truth: np.ndarray) -> None:
    pixels = keypoints(truth)
    fractions = SkeletonSequence(
        project(truth) / 1000, BODY, fps=30, unit="normalized", space="image", image_size=(1000, 1000)
    )
    one = lifter(flat_person).lift(pixels, LiftOptions(focal_px=1145))
    two = lifter(flat_person).lift(fractions, LiftOptions(fov_deg=float(2 * np.degrees(np.arctan(500 / 1145)))))
    np.testing.assert_allclose(one.positions, two.positions, atol=1e-6)


@pytest.mark.parametrize("stills", [False, True])
def test_a_field_of_view_needs_the_images_width(truth: np.ndarray, stills: bool) -> None:
    """What keypoints span is no image: a person in half of it would come twice as near."""
    own, options = lifter(flat_person), LiftOptions(fov_deg=47, stills=stills)
    with pytest.raises(ConfigError, match=r"47 degrees needs the width .*image_size=1280x720"):
        own.lift(keypoints(truth, image_size=None), options)
    assert np.isfinite(own.lift(keypoints(truth), options).positions).any()


@pytest.mark.parametrize("stills", [False, True])
@pytest.mark.parametrize(
    ("camera", "told"),
    [
        ({"focal_px": 1145}, "a focal length of 1145 px need"),
        ({"fov_deg": 47}, "a field of view of 47 degrees need"),
        ({"centre_px": (500, 500)}, "a centre in px need"),
        ({"focal_px": 1145, "centre_px": (500, 500)}, "a focal length of 1145 px and a centre in px need"),
    ],
)
def test_a_camera_of_normalised_keypoints_needs_the_images_size(
    truth: np.ndarray, camera: dict[str, Any], told: str, stills: bool
) -> None:
    """Taken as fractions of a made-up image, a camera's px would put the body at another place."""
    given = SkeletonSequence(project(truth) / 1000, BODY, fps=30, unit="normalized", space="image")
    own, options = lifter(flat_person), LiftOptions(stills=stills, **camera)
    with pytest.raises(ConfigError, match=f"with {told} .*image_size=1280x720.* or image_size to the extrinsics"):
        own.lift(given, options)
    assert np.isfinite(own.lift(given.replace(image_size=(1000, 1000)), options).positions).any()
    assert np.isfinite(own.lift(given, LiftOptions(stills=stills)).positions).any()  # nothing stated, and it says so


def test_a_single_frame(truth: np.ndarray) -> None:
    got = lifter(flat_person, frames=9).lift(keypoints(truth).slice_frames(0, 1).replace(fps=None))
    assert got.frames == 1
    assert got.seen.all()


def test_what_cannot_be_lifted(truth: np.ndarray) -> None:
    own = lifter(flat_person)
    with pytest.raises(DataError, match="clip: found 3D"):
        own.lift(SkeletonSequence(truth, BODY, space="camera", source="clip"))
    with pytest.raises(DataError, match="no person"):
        own.lift(keypoints(truth, confidence=np.zeros((60, 17))))
    few = np.zeros((60, 17))
    few[..., :3] = 1
    with pytest.raises(DataError, match="no frame shows"):
        own.lift(keypoints(truth, confidence=few))
    from kinegraph.skeleton import Skeleton

    foreign = Skeleton(name="dots", joints=("a", "b"), parents=(-1, 0))
    with pytest.raises(SkeletonError, match="dots"):
        own.lift(SkeletonSequence(np.zeros((4, 2, 2)), foreign, unit="px", space="image"))
    broken = lifter(lambda x: torch.full((len(x), 17, 3), torch.nan))
    with pytest.raises(KinegraphError, match="not finite"):
        broken.lift(keypoints(truth))


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"people": "some"}, "people"),
        ({"fill_s": -1}, "fill_s"),
        ({"smooth_s": float("nan")}, "smooth_s"),
        ({"focal_px": 0}, "focal"),
        ({"fov_deg": 200}, "field of view"),
        ({"fov_deg": 50, "focal_px": 900}, "both"),
        ({"batch": 0}, "batch"),
        ({"minimum_confidence": 1}, "minimum"),
    ],
)
def test_wrong_options(given: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        LiftOptions(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "target", "options"), [("fcn", "metric", {}), ("hcsf", "pixel", {}), ("hcsf", "metric", {"frames": 9})]
)
def test_weights_from_a_folder(
    truth: np.ndarray, tmp_path: Path, name: str, target: str, options: dict[str, int]
) -> None:
    torch.manual_seed(0)
    config = REGISTRY[name].config(**options)
    transform = LiftingTransform(target=target)  # type: ignore[arg-type]
    save_weights(tmp_path / "w", build(name, BODY, config), name, {"seed": 0}, transform=transform)
    own = Lifter.from_pretrained(tmp_path / "w")
    assert own.frames == options.get("frames", 1)
    got = own.lift(keypoints(truth))
    again = Lifter.from_pretrained(tmp_path / "w").lift(keypoints(truth))
    np.testing.assert_array_equal(got.positions, again.positions)
    assert np.isfinite(got.positions).all()


def test_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="no such weights folder"):
        Lifter.from_pretrained(tmp_path / "none")
    monkeypatch.setattr("kinegraph.shipped.FOLDER", tmp_path / "none")
    with pytest.raises(KinegraphError, match="kinegraph train.*--model"):
        Lifter.from_pretrained()


@pytest.mark.parametrize("lost", ["legs", "sometimes"])
def test_a_root_that_is_never_seen_is_guessed_so_that_a_rig_hangs_on_it(lost: str, tmp_path: Path) -> None:
    """Somebody at a desk: no hips and no legs. Whose root is seen at times keeps the gaps."""
    given = keypoints(motion(60))
    confidence = np.ones((1, 60, 17))
    below = [i for i, joint in enumerate(BODY.joints) if any(w in joint for w in ("pelvis", "hip", "knee", "ankle"))]
    confidence[..., (0 if lost == "legs" else 30) :, below] = 0
    lifted = lifter(flat_person).lift(given.replace(confidence=confidence))
    trust = np.asarray(lifted.confidence)[0, :, BODY.root]
    guessed = "the pelvis is never seen: it is the network's guess, confidence 0.25"
    if lost == "sometimes":
        assert not trust[50:].any()
        assert guessed not in lifted.notes
        return
    assert (trust == 0.25).all()
    assert guessed in lifted.notes
    assert not np.asarray(lifted.confidence)[..., below[1:]].any()
    world = into_world(lifted)
    assert "no feet are seen: floor put under the lowest joint" in world.notes[-1]
    assert world.contact is None
    assert np.nanpercentile(np.nanmin(world.positions[0, ..., 1], axis=1), 20) == pytest.approx(0.06, abs=0.02)
    for name in ("desk.bvh", "desk.glb"):
        kg.save(world, tmp_path / name)
    again = kg.load(tmp_path / "desk.bvh")
    wrist = again.skeleton.index("left_wrist")
    off = again.positions[0, :, wrist] - world.positions[0, :, BODY.index("left_wrist")]
    assert np.abs(off - off[0]).max() < 0.01


def test_live_guesses_the_root_as_recordings_do() -> None:
    given = np.concatenate([keypoints(motion(20)).positions[0], np.ones((20, 17, 1))], axis=-1)
    below = [i for i, joint in enumerate(BODY.joints) if any(w in joint for w in ("pelvis", "hip", "knee", "ankle"))]
    given[:, below, 2] = 0
    stream = lifter(flat_person).stream(BODY, fps=30, image_size=(1000, 1000))
    last = [stream.push(frame) for frame in given][-1]
    assert last.confidence[0, BODY.root] == 0.25
    assert np.isfinite(last.positions[0, BODY.root]).all()
    assert not last.confidence[0, below[1:]].any()
