"""`kinegraph info`: the text and the JSON say the same, and say what is true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_KEYS = [
    "file", "format", "people", "frames", "fps", "duration_s", "layout", "joints", "dims", "unit", "space", "up",
    "image_size", "rotations", "label", "frames_present", "frames_empty", "missing_share", "missing", "extent",
    "body_size", "bones", "notes",
]  # fmt: skip


def _walker() -> SkeletonSequence:
    """h36m17, 20 frames at 10 fps; right_wrist missing in 5 of them, everybody in frame 3; one bone that stretches."""
    layout = get_skeleton("h36m17_tree")
    positions = np.zeros((1, 20, 17, 3))
    for child, parent in enumerate(layout.parents):
        if parent >= 0:
            positions[..., child, :] = positions[..., parent, :] + [0.0, 0.1, 0.0]
    positions[..., 16, 1] += np.where(np.arange(20) % 2, 0.02, -0.02)
    confidence = np.ones((1, 20, 17))
    confidence[0, 10:15, 16] = 0
    confidence[0, 3] = 0
    return SkeletonSequence(positions, layout, 10, up="y", confidence=confidence, notes=("made up",))


def test_json_holds_true_numbers_under_stable_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(_walker(), tmp_path / "a.npz")
    assert main(["info", str(tmp_path / "a.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == _KEYS
    assert (found["people"], found["frames"], found["fps"], found["duration_s"]) == (1, 20, 10, 2)
    assert (found["frames_present"], found["frames_empty"]) == ([19], 1)
    np.testing.assert_allclose(found["missing"]["right_wrist"], 5 / 19)
    np.testing.assert_allclose(found["missing_share"], 5 / 19 / 17)
    assert found["missing"]["pelvis"] == 0
    bones = {(b["parent"], b["child"]): b for b in found["bones"]}
    assert len(bones) == 16
    np.testing.assert_allclose(bones["pelvis", "right_hip"]["mean_m"], 0.1)
    np.testing.assert_allclose(bones["pelvis", "right_hip"]["cv"], 0, atol=1e-12)
    lengths = 0.1 + np.where(np.arange(20) % 2, 0.02, -0.02)
    lengths = lengths[[t for t in range(20) if t != 3 and not 10 <= t < 15]]
    np.testing.assert_allclose(bones["right_elbow", "right_wrist"]["cv"], lengths.std() / lengths.mean())
    np.testing.assert_allclose(found["extent"][0], [0, 0])
    np.testing.assert_allclose(found["extent"][1], [0, 0.52])


def test_text_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(_walker(), tmp_path / "a.npz")
    assert main(["info", str(tmp_path / "a.npz")]) == 0
    text = capsys.readouterr().out
    for part in (
        "20 (10 fps, 2.00 s)",
        "h36m17_tree, 17 joints",
        "3D, m, world space, y up",
        "right_wrist                 26.3%",
        "1 frames with nobody",
        "pelvis - right_hip",
        "note: made up",
    ):
        assert part in text
    assert all(len(line) <= 120 for line in text.splitlines() if "a.npz" not in line)


@pytest.mark.parametrize(
    ("folder", "files"), [("openpose_json", 3), ("coco_json", 2), ("cmu_bvh", 17), ("cmu_asfamc/02", 4)]
)
def test_folders_are_listed(shared_data: Path, folder: str, files: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(shared_data / folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["folder", "files"]
    assert len(found["files"]) == files
    assert all(entry["error"] is None and entry["frames"] > 0 for entry in found["files"])


def test_a_folder_of_frames_is_one_recording(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(shared_data / "openpose_json" / "clip_2"), "--json", "--read", "min_frames=2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["people"], found["frames"], found["layout"]) == ("openpose", 1, 411, "body25")
    assert found["bones"] is None


def test_a_broken_file_in_a_folder_is_named_and_the_rest_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(_walker(), tmp_path / "good.npz")
    (tmp_path / "bad.bvh").write_text("HIERARCHY\nROOT")
    assert main(["info", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "bad.bvh   cannot be read:" in text
    assert "1 of 2 files can be read, 20 frames" in text


@pytest.mark.parametrize("method", ["iterdir", "stat"])  # a folder that may not be listed; one listed, not entered
def test_a_folder_that_cannot_be_read_is_named_and_the_rest_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """Refused by a stand-in: root, as whom tests may run, may enter every folder."""
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        write(_walker(), tmp_path / name / "a.npz")
    closed, real = tmp_path / "closed", getattr(Path, method)

    def refuses(self: Path, **options: bool) -> object:
        if (self if method == "iterdir" else self.parent) == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, **options)

    monkeypatch.setattr(Path, method, refuses)
    assert main(["info", str(tmp_path), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["files"]
    assert (first["file"], second["file"], second["error"]) == ("closed", str(Path("open/a.npz")), None)
    assert first["error"].startswith(f"{closed}: cannot be read (Permission denied); check ")
    assert main(["info", str(closed)]) == 2
    assert f"error: {closed}: cannot be read (Permission denied); check " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.bvh"], "no such file"),
        (["."], "no motion files in this folder"),
        (["a.json"], "JSON of an unknown kind"),
        (["a.json", "--format", "bhv"], "no format 'bhv'; did you mean 'bvh'"),
        (["a.json", "--format", "coco", "--read", "people"], "expected KEY=VALUE"),
        (["a.json", "--format", "coco", "--read", "people=1", "--read", "people=2"], "'people' twice"),
        (["a.json", "--format", "coco", "--read", "poeple=1"], "did you mean 'people'"),
        (["a.json", "--format", "coco", "--read", "people=one"], "expected a whole number"),
        (["a.json", "--format", "coco", "--read", "image_size=big"], "expected WIDTHxHEIGHT"),
    ],
)
def test_errors_are_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments != ["."]:
        (tmp_path / "a.json").write_text('{"a": 1}')
    assert main(["info", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("kinegraph: error: ")
    assert len(output.err.splitlines()) == 1
    assert message in output.err
