"""`kinegraph lift` end to end, with weights that answer something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kinegraph.cli import main
from kinegraph.formats import read, write
from kinegraph.models import REGISTRY, build
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights

BODY = get_skeleton("h36m17")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small network with a confidence channel: poses are nonsense, the road is real."""
    folder = tmp_path_factory.mktemp("weights") / "w"
    torch.manual_seed(0)
    config = REGISTRY["fcn"].config(width=32, in_channels=3)
    save_weights(folder, build("fcn", BODY, config), "fcn", {}, transform=LiftingTransform(confidence=True))
    return folder


def people(count: int = 1, frames: int = 20) -> SkeletonSequence:
    """2D people in COCO's layout who sway."""
    rng = np.random.default_rng(1)
    body = get_skeleton("coco17")
    pose = rng.uniform(0, 300, (count, 1, 17, 2)) + 350.0 * np.arange(count)[:, None, None, None]
    sway = 20 * np.sin(np.arange(frames) / 5)[None, :, None, None]
    return SkeletonSequence(pose + sway, body, fps=25, unit="px", space="image", image_size=(1920, 1080))


@pytest.fixture
def keypoints(tmp_path: Path) -> Path:
    path = tmp_path / "in.json"
    write(people(), path)
    return path


@pytest.mark.parametrize("to", [["o.npz"], ["folder", "--to", "npz"]])
def test_feet_are_planted_where_asked(to: list[str], shared_data: Path, tmp_path: Path) -> None:
    """One recording, and a folder of them; without a floor it is refused before anything is lifted."""
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "o.npz"
    write(read(shared_data / "openpose_json" / "clip_0").replace(fps=30.0).slice_frames(0, 90), source)
    target = [str(tmp_path / to[0]), *to[1:]]
    one = source if len(to) == 1 else source.parent
    found = {}
    for given in ([], ["--plant-feet"]):
        assert main(["lift", str(one), "--out", *target, *given]) == 0
        found[bool(given)] = read(tmp_path / to[0] if len(to) == 1 else tmp_path / to[0] / "o.npz")
    assert [any(n.startswith("feet planted: ") for n in found[key].notes) for key in (False, True)] == [False, True]
    assert not np.array_equal(found[True].positions, found[False].positions)
    assert main(["lift", str(one), "--out", *target, "--plant-feet", "--space", "camera"]) == 2


@pytest.mark.parametrize("suffix", [".bvh", ".trc", ".csv", ".npz", ".json"])
def test_every_format(
    keypoints: Path, model: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out{suffix}"
    assert main(["lift", str(keypoints), "--out", str(out), "--model", str(model)]) == 0
    said = capsys.readouterr().out
    assert str(out) in said
    assert "note:" in said
    back = read(out)
    assert (back.dims, back.frames, back.people) == (3, 20, 1)
    assert back.fps == pytest.approx(25)
    assert back.unit == "m"


def test_json_says_what_was_done(
    keypoints: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, view = tmp_path / "out.npz", tmp_path / "out.html"
    assert main(["lift", str(keypoints), "--out", str(out), "--model", str(model), "--json", "--view", str(view)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["output"] == [str(out)]
    assert (said["frames"], said["people"], said["layout"], said["unit"], said["space"], said["up"]) == (
        20,
        1,
        "h36m17",
        "m",
        "world",
        "y",
    )
    assert said["mapping"]["left_knee"] == "exact"
    assert said["mapping"]["pelvis"] == "derived"
    assert said["limb_variation"] < 1e-6
    assert said["missing_share"] == 0
    assert said["model"] == "fcn"
    assert {"input", "format", "view", "weights", "fps", "joints", "root", "notes"} <= set(said)
    assert '"dims":2' in view.read_text()
    assert '"dims":3' in view.read_text()


def test_a_picture_has_two_names(keypoints: Path, model: Path, tmp_path: Path) -> None:
    picture = tmp_path / "out.html"
    words = ["lift", str(keypoints), "--out", str(tmp_path / "out.npz"), "--model", str(model)]
    assert main([*words, "--picture", str(picture)]) == 0
    assert '"dims":3' in picture.read_text()


def test_limbs_are_steady_in_the_file(keypoints: Path, model: Path, tmp_path: Path) -> None:
    main(["lift", str(keypoints), "--out", str(tmp_path / "a.csv"), "--model", str(model)])
    back = read(tmp_path / "a.csv")
    for parent, child in BODY.bones:
        a, b = (back.skeleton.index(BODY.joints[j]) for j in (parent, child))
        length = np.linalg.norm(back.positions[0, :, a] - back.positions[0, :, b], axis=-1)
        assert length.std() / length.mean() < 0.05


def test_several_people_get_a_file_each_where_one_holds_one(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "two.json"
    write(people(2), source)
    assert main(["lift", str(source), "--out", str(tmp_path / "o.bvh"), "--model", str(model), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["people"] == 2
    assert len(said["output"]) == 2
    assert all(Path(p).is_file() for p in said["output"])
    assert (
        main(
            ["lift", str(source), "--out", str(tmp_path / "m.bvh"), "--model", str(model), "--json", "--people", "main"]
        )
        == 0
    )
    assert len(json.loads(capsys.readouterr().out)["output"]) == 1


def test_who_is_away_is_told_where_the_file_cannot_show_it(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = people(2)
    leaves = two.positions.copy()
    leaves[1, two.frames // 3 :] = np.nan
    source = tmp_path / "two.json"
    write(two.replace(positions=leaves, confidence=None, fps=2.0 * two.frames / 3), source)  # a second is away
    for suffix, told in ((".bvh", True), (".npz", False)):
        assert main(["lift", str(source), "--out", f"{tmp_path / 'o'}{suffix}", "--model", str(model)]) == 0
        assert ("person 2 is away in frames" in capsys.readouterr().out) is told


def test_shares_are_of_those_who_are_there_and_the_same_in_info(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = people(1)
    gone = np.concatenate([whole.positions, np.full_like(whole.positions, np.nan)], axis=1)
    confidence = np.concatenate([np.asarray(whole.confidence), np.zeros(whole.positions.shape[:3])], axis=1)
    said = []
    for name, sequence in (("whole", whole), ("gone", whole.replace(positions=gone, confidence=confidence))):
        write(sequence.replace(fps=30.0), tmp_path / f"{name}.npz")
        out = str(tmp_path / f"{name}_3d.npz")
        assert main(["lift", str(tmp_path / f"{name}.npz"), "--out", out, "--model", str(model), "--json"]) == 0
        lifted = json.loads(capsys.readouterr().out)
        assert main(["info", out, "--json"]) == 0
        assert lifted["missing_share"] == json.loads(capsys.readouterr().out)["missing_share"] == 0
        said.append(lifted["contact_share"])
    assert said[0] > 0
    # smoothing may tell a frame beside the end otherwise
    assert said[1] == pytest.approx(said[0], abs=2 / whole.frames)


def test_options_reach_the_lifter(keypoints: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.npz"
    base = ["lift", str(keypoints), "--out", str(out), "--model", str(model)]
    given = "--space camera --root relative --smooth 0 --no-constant-limbs --no-flip --fov 60"
    main([*base, *given.split()])
    back = read(out)
    assert back.space == "camera"
    np.testing.assert_allclose(back.positions[:, :, BODY.root], 0, atol=1e-12)
    text = " ".join(back.notes)
    assert "smoothed" not in text
    assert "flip test" not in text
    assert "60 degrees" in text
    main([*base, "--fps", "50", "--focal", "1000"])
    assert read(out).fps == 50
    assert read(out).frames == 39


def test_an_openpose_folder_with_gaps(
    shared_data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real recording, of which some frames are lost."""
    source = shared_data / "openpose_json" / "clip_1"
    kept = tmp_path / "frames"
    kept.mkdir()
    for number, file in enumerate(sorted(source.iterdir())):
        text = '{"version": 1.2, "people": []}' if number in (10, 11, 40) else file.read_text()
        (kept / file.name).write_text(text)
    assert main(["lift", str(kept), "--out", str(tmp_path / "o.bvh"), "--model", str(model), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["frames"] == 81
    assert said["missing_share"] == 0
    text = " ".join(said["notes"])
    assert "30 frames a second assumed; state it with --fps (fps= in Python)" in text
    assert "image size not stated" in text


def test_coco_annotations_are_pictures_not_a_video(
    shared_data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shared_data / "coco_json" / "test_coco.json"
    assert main(["lift", str(source), "--out", str(tmp_path / "o.npz"), "--model", str(model), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    text = " ".join(said["notes"])
    assert "one by one" in text
    assert "interpolation" not in text


@pytest.mark.parametrize("clip", ["clip_0", "clip_1", "clip_2"])
def test_the_real_clips_with_the_networks_own_weights(shared_data: Path, tmp_path: Path, clip: str) -> None:
    """Steady limbs and no flips, with the weights that the package ships."""
    from kinegraph.shipped import default_weights

    if default_weights("lift") is None:
        pytest.skip("this checkout ships no weights yet")
    out = tmp_path / "o.npz"
    source = shared_data / "openpose_json" / clip
    assert main(["lift", str(source), "--out", str(out), "--fps", "30", "--people", "main"]) == 0
    got = read(out)
    flat = read(source).to_skeleton(BODY)
    person = int(flat.seen.sum(axis=(1, 2)).argmax())
    flips, steps = 0, []
    for parent, child in got.skeleton.bones:
        bone = got.positions[0, :, child] - got.positions[0, :, parent]
        length = np.linalg.norm(bone, axis=-1)
        seen = np.isfinite(length)
        assert length[seen].std() / length[seen].mean() < 0.05
        unit = bone / length[:, None]
        turn = np.degrees(np.arccos(np.clip((unit[1:] * unit[:-1]).sum(-1), -1, 1)))
        shown = flat.positions[person, :, child] - flat.positions[person, :, parent]
        moved = np.linalg.norm(np.diff(shown, axis=0), axis=-1) / np.nanpercentile(np.linalg.norm(shown, axis=-1), 95)
        # A flip: the limb turns round in space while it hardly moves in the image.
        flips += int(((turn > 50) & (moved < 0.25)).sum())
        steps.append(turn[np.isfinite(turn)])
    assert flips == 0
    assert np.percentile(np.concatenate(steps), 99) < 30
    # Upright for most of the time: head above hips above feet.
    body = got.skeleton
    head, hips, foot = (got.positions[0, :, body.index(n), 1] for n in ("head", "pelvis", "left_ankle"))
    assert np.nanmean((head > hips) & (hips > foot)) > 0.9
    assert 1.2 < np.nanmedian(head - foot) < 2.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--out": "o.xyz"}, "nothing is written"),
        ({"--out": "none/o.bvh"}, "does not exist"),
        ({"--out": "in.json"}, "IN and OUT are both in.json; the input is never overwritten"),
        ({"--view": "o.avi"}, "nothing is drawn"),
        ({"--view": "none/o.png"}, "does not exist"),
        ({"--model": "none"}, "none"),
        ({"--fps": "0"}, "frame rate"),
        ({"--smooth": "-1"}, "smooth"),
        ({"--fov": "190"}, "field of view"),
        ({"--layout": "coco71"}, "in.json: json files name their joints themselves; leave --layout coco71 out"),
        ({"--fps": "-3"}, "--fps -3 is no frame rate"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    keypoints: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"--out": "o.bvh", "--model": str(model), **change}
    assert main(["lift", str(keypoints), *(text for pair in options.items() for text in pair)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("kinegraph: error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert said.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.json"]


def test_3d_where_2d_is_needed(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "solid.npz"
    write(SkeletonSequence(np.random.default_rng(0).normal(size=(5, 17, 3)), BODY, fps=30, space="camera"), source)
    assert main(["lift", str(source), "--out", str(tmp_path / "o.bvh"), "--model", str(model)]) == 2
    said = capsys.readouterr().err
    assert str(source) in said
    assert "expected 2D" in said
    assert not (tmp_path / "o.bvh").exists()


def test_an_unwritable_folder(
    keypoints: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the system is stood in for.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert main(["lift", str(keypoints), "--out", str(tmp_path / "o.csv"), "--model", str(model)]) == 2
    assert "not writable" in capsys.readouterr().err
    assert not (tmp_path / "o.csv").exists()


def test_no_shipped_weights(
    keypoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinegraph.shipped.FOLDER", tmp_path / "none")
    assert main(["lift", str(keypoints), "--out", str(tmp_path / "o.csv")]) == 2
    said = capsys.readouterr().err
    assert "kinegraph train" in said
    assert "--model" in said
