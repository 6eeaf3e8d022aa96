"""`kinegraph forecast` and `kinegraph recognize`: what they write and say, and one line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from moving_people import bone_lengths, network, walker, with_a_stretching_shin
from PIL import Image

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.models import build
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained network that forecasts and recognises."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    made = network(actions=("walk", "run"))
    save_weights(folder, made.model, "symgnn", {}, transform=made.transform, task="motion")
    return folder


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "walk.bvh"
    path.parent.mkdir()
    kg.save(walker(), path)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


def failing(capsys: pytest.CaptureFixture[str], out: Path, *words: object) -> str:
    """The one line of an error; nothing may be left in `out`."""
    assert run(*words) == 2
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("kinegraph")]
    assert len(lines) == 1, err
    assert "bug" not in lines[0], err
    assert list(out.iterdir()) == []
    return lines[0]


def test_the_walk_goes_on(walk: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("forecast", walk, "--seconds", 0.5, "--out", out / "next.bvh", "--model", weights) == 0
    said = capsys.readouterr().out
    assert "30 frames at 60 fps" in said
    assert "forecast by symgnn" in said
    assert "person 1: of its " in said
    future, past = kg.load(out / "next.bvh"), kg.load(walk)
    assert future.frames == 30
    assert future.skeleton.joints == past.skeleton.joints
    expected = np.broadcast_to(bone_lengths(past)[:, :1], bone_lengths(future).shape)
    np.testing.assert_allclose(bone_lengths(future), expected, atol=1e-6)


@pytest.mark.parametrize(("words", "smoothed"), [([], True), (["--smooth", 0], False), (["--smooth", 0.1], True)])
def test_jitter_is_smoothed_unless_told(
    words: list[object], smoothed: bool, tmp_path: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = walker().replace(rotations=None, offsets=None)
    noise = np.random.default_rng(0).normal(scale=0.01, size=still.positions.shape)
    kg.save(still.replace(positions=still.positions + noise), tmp_path / "trembling.npz")
    options = ("--seconds", 0.2, "--out", out / "next.npz", "--model", weights)
    assert run("forecast", tmp_path / "trembling.npz", *options, *words) == 0
    said = capsys.readouterr().out
    assert ("before forecasting" in said) == smoothed
    assert ("jitter of 1" in said) == (not words)


@pytest.mark.parametrize("suffix", ["bvh", "trc", "npz", "csv", "json"])
def test_any_format_with_history(walk: Path, out: Path, suffix: str) -> None:
    target = out / f"next.{suffix}"
    words = ("--seconds", 0.25, "--from", 1.0, "--with-history", "--model", "zero-velocity")
    assert run("forecast", walk, "--out", target, *words) == 0
    whole = kg.load(target)
    assert whole.frames == 61 + 15
    # a TRC or CSV file may order its joints as it likes
    at, before = whole.skeleton.index("left_ankle"), kg.load(walk)
    there = before.positions[0, 60, before.skeleton.index("left_ankle")]
    np.testing.assert_allclose(whole.positions[0, 60, at], there, atol=1e-4)
    np.testing.assert_allclose(whole.positions[0, -1, at], there, atol=1e-4)


@pytest.mark.parametrize("suffix", ["bvh", "glb"])
def test_how_far_a_rig_puts_joints_from_where_they_were_is_told(
    suffix: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kg.save(with_a_stretching_shin(), tmp_path / "shin.npz")
    words = ("forecast", tmp_path / "shin.npz", "--seconds", 0.2, "--model", "zero-velocity")
    note = "note: bones keep one length here: joints are up to "
    assert run(*words, "--out", out / f"both.{suffix}", "--with-history") == 0
    told = capsys.readouterr().out
    assert run("convert", tmp_path / "shin.npz", out / f"alone.{suffix}") == 0
    off = [float(text.split(note)[1].split(" mm ")[0]) for text in (told, capsys.readouterr().out)]
    assert min(off) > 20
    assert abs(off[0] - off[1]) < 5
    assert run(*words, "--out", out / f"both.{suffix}", "--with-history", "--json") == 0
    assert any("joints are up to" in text for text in json.loads(capsys.readouterr().out)["notes"])
    assert run(*words, "--out", out / "both.npz", "--with-history") == 0
    assert note not in capsys.readouterr().out


def test_who_has_left_does_not_keep_the_others_from_a_bvh(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = walker(seconds=3.0, people=2)
    positions = pair.positions.copy()
    positions[0, 80:] = np.nan
    kg.save(pair.replace(positions=positions, confidence=None), tmp_path / "pair.npz")
    words = ("forecast", tmp_path / "pair.npz", "--seconds", 0.5, "--model", "zero-velocity")
    assert run(*words, "--out", out / "next.bvh") == 0
    said = capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["next_person2.bvh"]
    assert "person 1 is not seen at the end" in said
    assert "never seen" not in said  # once is enough
    away = "person 1 is away in frames 80-210 and stands still there"
    assert run(*words, "--out", out / "whole.bvh", "--with-history") == 0
    assert away in capsys.readouterr().out
    assert run(*words, "--out", out / "whole.bvh", "--with-history", "--json") == 0
    assert any(note.startswith(away) for note in json.loads(capsys.readouterr().out)["notes"])


def test_json_has_stable_keys(walk: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = out / "next.png"
    words = ("--seconds", 0.5, "--from", 1, "--model", weights, "--json", "--picture", picture)
    assert run("forecast", walk, "--out", out / "next.npz", *words) == 0
    report = json.loads(capsys.readouterr().out)
    wanted = {"input", "output", "format", "picture", "model", "weights", "people", "observed_frames", "frames"}
    wanted |= {"seconds", "fps", "layout", "with_history", "actions", "notes"}
    assert set(report) == wanted
    assert report["frames"] == 30
    assert report["observed_frames"] == 61
    assert set(report["actions"][0]) == {"walk", "run"}


@pytest.mark.parametrize("suffix", ["png", "gif", "html"])
def test_pictures(walk: Path, out: Path, suffix: str) -> None:
    words = ("--seconds", 0.3, "--from", 1.5, "--model", "zero-velocity")
    picture = out / f"p.{suffix}"
    assert run("forecast", walk, "--out", out / "next.npz", *words, "--picture", picture) == 0
    if suffix == "html":
        assert "recorded" in picture.read_text()
        return
    with Image.open(picture) as image:
        assert image.size[0] > 300
        assert getattr(image, "n_frames", 1) == (1 if suffix == "png" else round((61 + 18) / 60 * 25) - 1)


def test_a_picture_has_two_names(walk: Path, out: Path) -> None:
    words = ("--seconds", 0.3, "--model", "zero-velocity", "--view", out / "p.html")
    assert run("forecast", walk, "--out", out / "next.npz", *words) == 0
    assert "recorded" in (out / "p.html").read_text()


def test_the_truth_stands_pale_behind_the_forecast(walk: Path, out: Path) -> None:
    words = ("--seconds", 0.3, "--model", "zero-velocity", "--step", 0.1)
    assert run("forecast", walk, "--out", out / "a.npz", *words, "--from", 1.5, "--picture", out / "known.png") == 0
    cut = walk.with_name("cut.bvh")
    kg.save(walker().slice_frames(0, 91), cut)
    assert run("forecast", cut, "--out", out / "b.npz", *words, "--picture", out / "unknown.png") == 0
    pictures = [np.asarray(Image.open(out / name).convert("RGB")).astype(int) for name in ("known.png", "unknown.png")]
    assert pictures[0].shape == pictures[1].shape
    rows = slice(54 + 230, None)  # the forecast's row
    assert (np.abs(pictures[0] - pictures[1])[rows].max(axis=-1) > 20).sum() > 300


def test_amc_keeps_its_rotations(shared_data: Path, out: Path) -> None:
    source = shared_data / "cmu_asfamc" / "02" / "02_01.amc"
    words = ("--seconds", 0.25, "--from", 1, "--model", "constant-velocity")
    assert run("forecast", source, "--out", out / "next.npz", *words) == 0
    future = kg.load(out / "next.npz")
    assert future.rotations is not None
    assert future.skeleton.name == "cmu38"
    assert future.fps == 120


def test_recognize(walk: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("recognize", walk, "--model", weights, "--top", 1) == 0
    overall, *_ = capsys.readouterr().out.split("\n\n")
    assert overall.count("%") == 1
    timeline = out / "timeline.png"
    assert run("recognize", walk, "--model", weights, "--json", "--out", timeline, "--stride", 0.25) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"input", "model", "weights", "fused", "window_s", "actions", "people", "notes"}
    assert report["actions"] == ["walk", "run"]
    top = report["people"][0]["top"]
    assert sum(entry["score"] for entry in top) == pytest.approx(1)
    assert all(
        window["stop_s"] - window["start_s"] == pytest.approx(11 / 30) for window in report["people"][0]["windows"]
    )
    with Image.open(timeline) as image:
        assert image.size[0] > 300


# ---- one line for everything that is wrong ---------------------------------------------------------------------------

BAD = [
    (["--seconds", "0"], "above 0 s"),
    (["--seconds", "nan"], "above 0 s"),
    (["--seconds", "1e9"], "at most 60 s, because"),
    (["--seconds", "soon"], "seconds"),
    (["--seconds", "1", "--smooth", "soon"], "--smooth: 'soon': expected 'auto', 0 for none, or seconds"),
    (["--seconds", "1", "--smooth", "-1"], "smooth is -1.0; expected 'auto', 0 for none, or seconds up to 1"),
    (["--seconds", "1", "--from", "0.05"], "looks back"),
    (["--seconds", "1", "--from", "99"], "expected 0 to 2.00 s"),
    (["--seconds", "1", "--fps", "2"], "needs at least 6"),
    (["--seconds", "1", "--fps", "-3"], "no frame rate"),
    (["--seconds", "1", "--model", "nowhere"], "no such weights folder"),
    (["--seconds", "1", "--model", "ridge"], "no such weights folder"),
    (
        ["--seconds", "1", "--model", "zero-velocit"],
        "baselines: zero-velocity, constant-velocity; did you mean 'zero-velocity'?",
    ),
    (["--seconds", "1", "--picture", "p.docx"], "nothing is drawn"),
    (["--seconds", "1", "--picture", "p.png", "--step", "0"], "--step 0: expected seconds, above 0"),
    (["--seconds", "1", "--picture", "p.png", "--step", "inf"], "--step inf: expected seconds, above 0"),
    (["--seconds", "1", "--step", "0.3"], "--step 0.3 is of stills (.png, .jpg, .webp) in --picture; leave it out"),
    (["--seconds", "1", "--picture", "p.html", "--step", "0.3"], "--step 0.3 is of stills"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(b[0]) for b in BAD])
def test_wrong_words(
    words: list[str], message: str, walk: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = [] if "--model" in words else ["--model", weights]
    line = failing(capsys, out, "forecast", walk, "--out", out / "next.bvh", *model, *words)
    assert message in line, line


def test_wrong_files(tmp_path: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = tmp_path / "pictures.npz"
    positions = np.random.default_rng(0).uniform(0, 500, size=(1, 60, 17, 2))
    notes = ("the images are no video: 60 of them",)
    flat = kg.SkeletonSequence(positions, kg.get_skeleton("coco17"), fps=30, unit="px", space="image", notes=notes)
    kg.save(flat, pictures)
    dog = tmp_path / "dog.npz"
    skeleton = kg.Skeleton(name="dog", joints=("trunk", "tail", "paw"), parents=(-1, 0, 0))
    rng = np.random.default_rng(0)
    kg.save(kg.SkeletonSequence(rng.normal(size=(1, 90, 3, 3)), skeleton, fps=30, up="y"), dog)
    empty = tmp_path / "empty.npz"
    nobody = walker().replace(rotations=None, offsets=None)
    kg.save(nobody.replace(positions=np.full_like(nobody.positions, np.nan), confidence=None), empty)
    timeless = tmp_path / "timeless.npz"
    kg.save(walker().replace(fps=None), timeless)
    broken = tmp_path / "nan.bvh"
    kg.save(walker(), broken)
    broken.write_text(broken.read_text()[:-200] + "nan nan")
    for path, message in (
        (pictures, "holds single pictures; expected a video"),
        (dog, "'dog'"),
        (empty, "nobody is seen"),
        (timeless, "no frame rate"),
        (broken, "nan.bvh"),
        (tmp_path / "absent.bvh", "absent.bvh"),
    ):
        for command in (("forecast", path, "--seconds", 1, "--out", out / "x.npz"), ("recognize", path)):
            assert message in failing(capsys, out, *command, "--model", weights)


def test_keypoints_are_lifted_first(
    tmp_path: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a detector gave goes straight in, and what was assumed for it is said, in JSON too."""
    walk = walker()
    flat = np.stack([500 + 200 * walk.positions[..., 0], 900 - 200 * walk.positions[..., 1]], axis=-1)
    keypoints = walk.replace(positions=flat, unit="px", space="image", up=None, rotations=None, offsets=None)
    kg.save(keypoints.replace(fps=None), tmp_path / "k.npz")
    lifter = tmp_path / "lifter"
    save_weights(lifter, build("fcn", kg.get_skeleton("h36m17"), {"width": 8}), "fcn", {}, transform=LiftingTransform())
    words = (tmp_path / "k.npz", "--model", weights, "--lifter", lifter)
    assert run("forecast", *words, "--seconds", 0.5, "--from", 1, "--out", out / "x.npz") == 0
    said = capsys.readouterr().out
    assert "lifted by fcn" in said
    assert "lifted as a whole: smoothing, limbs and gravity know what follows the 1 s observed" in said
    future = kg.load(out / "x.npz")
    assert (future.dims, future.unit, future.up, future.frames) == (3, "m", "y", 15)
    assert run("recognize", *words, "--json") == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any("30 frames a second assumed" in note for note in notes)
    assert len(notes) == len(set(notes))


def test_a_lifting_network_is_refused(
    tmp_path: Path, walk: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lifting"
    save_weights(folder, build("fcn", kg.get_skeleton("h36m17"), {"width": 8}), "fcn", {}, transform=LiftingTransform())
    for command in (("forecast", walk, "--seconds", 1, "--out", out / "x.npz"), ("recognize", walk)):
        line = failing(capsys, out, *command, "--model", folder)
        assert "lift" in line


def test_a_network_of_another_task_is_refused(
    tmp_path: Path, walk: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for actions, horizon, command, message in (
        (("a", "b"), 0, ("forecast", walk, "--seconds", 1, "--out", out / "x.npz"), "does not forecast"),
        ((), 6, ("recognize", walk), "does not recognise"),
    ):
        made = network(actions=actions, horizon=horizon)
        folder = tmp_path / f"weights{horizon}"
        save_weights(folder, made.model, "symgnn", {}, transform=made.transform, task="motion")
        assert message in failing(capsys, out, *command, "--model", folder)


def test_output_that_cannot_be(walk: Path, out: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--seconds", 1, "--model", weights)
    assert "nowhere" in failing(capsys, out, "forecast", walk, *words, "--out", out / "nowhere" / "x.bvh")
    assert "never overwritten" in failing(capsys, out, "forecast", walk, *words, "--out", walk)
    assert ".amc" in failing(capsys, out, "forecast", walk, *words, "--out", out / "x.amc")
    assert "--top" in failing(capsys, out, "recognize", walk, "--model", weights, "--top", 0)
    assert "picture" in failing(capsys, out, "recognize", walk, "--model", weights, "--out", out / "x.bvh")
    assert "expected one of 1" in failing(
        capsys, out, "recognize", walk, "--model", weights, "--out", out / "x.png", "--person", 3
    )


def test_a_still_person_is_no_fault(tmp_path: Path, out: Path, weights: Path) -> None:
    """Constant columns: nobody moves, and nothing is divided by it."""
    still = walker().replace(rotations=None, offsets=None)
    positions = np.repeat(still.positions[:, :1], still.frames, axis=1)
    kg.save(still.replace(positions=positions), tmp_path / "still.npz")
    assert run("forecast", tmp_path / "still.npz", "--seconds", 1, "--out", out / "x.npz", "--model", weights) == 0
    assert np.isfinite(kg.load(out / "x.npz").positions).all()
