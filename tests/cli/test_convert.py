"""`kinegraph convert`: between formats, layouts, rates and units, and what it refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.formats import read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton


def _solid(fps: float | None = 60) -> SkeletonSequence:
    rng = np.random.default_rng(0)
    rest = rng.uniform(-0.5, 0.5, (1, 1, 17, 3))
    path = np.cumsum(rng.normal(scale=0.01, size=(1, 9, 1, 3)), axis=1)
    return SkeletonSequence(rest + path, get_skeleton("h36m17"), fps, up="y")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", ["npz", "csv", "tsv", "json", "trc", "bvh", "c3d"])
def test_positions_survive_every_format(tmp_path: Path, suffix: str) -> None:
    if suffix == "c3d":
        pytest.importorskip("ezc3d")
    write(_solid(), tmp_path / "a.npz")
    assert main(["convert", str(tmp_path / "a.npz"), str(tmp_path / f"b.{suffix}")]) == 0
    assert main(["convert", str(tmp_path / f"b.{suffix}"), str(tmp_path / "c.npz")]) == 0
    first, last = read(tmp_path / "a.npz"), read(tmp_path / "c.npz")
    assert last.fps == pytest.approx(60, abs=1e-3)
    own = [last.skeleton.index(joint) for joint in first.skeleton.joints]
    turned = last.positions[:, :, own]
    if last.up == "z":  # C3D is written z up
        turned = turned[..., [0, 2, 1]] * [1, 1, -1]
    # TRC and C3D hold rounded numbers; BVH holds rotations found from the positions of this random body.
    tolerance = {"trc": 2e-5, "c3d": 2e-5, "bvh": 1e-3}.get(suffix, 0)
    np.testing.assert_allclose(turned, first.positions, rtol=0, atol=tolerance)


def test_openpose_to_h36m_csv(tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.csv"
    clip = shared_data / "openpose_json" / "clip_1"
    assert main(["convert", str(clip), str(out), "--skeleton", "h36m17", "--fps", "25"]) == 0
    sequence = read(out)
    assert (sequence.skeleton.name, sequence.frames, sequence.fps, sequence.unit) == ("h36m17", 81, 25, "px")
    expected = read(clip).to_skeleton(get_skeleton("h36m17"))
    np.testing.assert_array_equal(sequence.positions, expected.positions)
    text = capsys.readouterr().out
    assert f"{out}: 81 frames, h36m17, csv" in text
    assert "note: mapped body25 -> h36m17: 15 exact, 2 derived, 0 missing" in text


def test_fps_states_an_unknown_rate_and_resamples_a_known_one(tmp_path: Path) -> None:
    write(_solid(None), tmp_path / "unknown.npz")
    write(_solid(60), tmp_path / "known.npz")
    for name, frames in (("unknown", 9), ("known", 5)):
        assert main(["convert", str(tmp_path / f"{name}.npz"), str(tmp_path / "o.npz"), "--fps", "30"]) == 0
        assert (read(tmp_path / "o.npz").frames, read(tmp_path / "o.npz").fps) == (frames, 30)


def _offsets(path: Path) -> dict[str, list[float]]:
    sequence = read(path)
    assert sequence.offsets is not None
    return {joint: offset.tolist() for joint, offset in zip(sequence.skeleton.joints, sequence.offsets, strict=True)}


def test_another_rate_keeps_the_hierarchy(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shared_data / "cmu_bvh" / "02" / "02_03.bvh"
    assert main(["convert", str(source), str(tmp_path / "o.bvh"), "--fps", "50"]) == 0
    assert "got new ones" not in capsys.readouterr().out
    before, after = _offsets(source), _offsets(tmp_path / "o.bvh")
    assert list(after) == list(before)
    np.testing.assert_allclose(np.array(list(after.values())), np.array(list(before.values())), atol=1e-6)


def test_rotations_that_stay_behind_are_told(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence = read(shared_data / "cmu_bvh" / "02" / "02_03.bvh").slice_frames(0, 20)
    write(sequence.replace(positions=sequence.positions * [-1, 1, 1]), tmp_path / "mirrored.npz")
    for to in ("bvh", "glb"):
        assert main(["convert", str(tmp_path / "mirrored.npz"), str(tmp_path / f"o.{to}")]) == 0
        assert (
            f"note: the recording's rotations do not make its positions: {to} got new ones" in capsys.readouterr().out
        )


def test_units_of_both_sides(tmp_path: Path) -> None:
    write(_solid(), tmp_path / "a.npz")
    sizes = {}
    for unit in ("m", "mm"):
        assert main(["convert", str(tmp_path / "a.npz"), str(tmp_path / f"{unit}.bvh"), "--unit", unit]) == 0
        target = tmp_path / f"from_{unit}.npz"
        assert main(["convert", str(tmp_path / f"{unit}.bvh"), str(target), "--in-unit", unit]) == 0
        sizes[unit] = np.ptp(read(target).positions)
    assert _digest(tmp_path / "m.bvh") != _digest(tmp_path / "mm.bvh")
    np.testing.assert_allclose(sizes["m"], sizes["mm"], atol=1e-5)


def test_to_a_folder_of_openpose_frames(tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = shared_data / "openpose_json" / "clip_1"
    assert main(["convert", str(clip), str(tmp_path / "frames"), "--to", "openpose", "--fps", "30"]) == 0
    assert "openpose files hold no frame rate" in capsys.readouterr().out
    np.testing.assert_array_equal(read(tmp_path / "frames").positions, read(clip).positions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flat.json", "out.bvh"], "2D and bvh holds 3D; lift it first"),
        (["solid.npz", "solid.npz"], "the input is never overwritten"),
        (["solid.npz", "./solid.npz"], "the input is never overwritten"),
        (["solid.npz", "link.npz"], "the input is never overwritten"),
        (["solid.npz", "out.xyz"], "nothing is written to .xyz"),
        (["solid.npz", "out.amc"], "nothing is written to .amc"),
        (["solid.npz", "no/out.npz"], "the folder no does not exist"),
        (["solid.npz", "out.json", "--to", "mmpose"], "only read"),
        (["solid.npz", "out.json", "--to", "jsn"], "did you mean 'json'"),
        (["solid.npz", "out.npz", "--skeleton", "h36m71"], "did you mean 'h36m17'"),
        (["solid.npz", "out.npz", "--skeleton", "mediapipe33"], "only"),
        (["solid.npz", "out.npz", "--fps", "0"], "--fps 0 is no frame rate"),
        (["slow.npz", "out.npz", "--fps", "10000"], "check the frame rate"),
        (["solid.npz", "out.npz", "--fps", "fast"], "invalid float value"),
        (["solid.npz", "out.csv", "--unit", "mm"], "csv states its own unit"),
        (["solid.npz", "out.bvh", "--unit", "mm", "--write", "unit=cm"], "--write unit=cm: the unit is given twice"),
        (["solid.bvh", "out.npz", "--in-unit", "mm", "--read", "unit=cm"], "--read unit=cm: the unit is given twice"),
        (["solid.npz", "out.bvh", "--unit", "furlong"], "unit 'furlong' is unknown"),
        (["flat.json", "out.csv", "--in-unit", "mm"], "coco says its unit itself"),
        (["solid.npz", "out.csv", "--write", "wide=maybe"], "expected true or false"),
        (["solid.npz", "out.csv", "--write", "tall=true"], "there is no option 'tall'"),
        (["timeless.npz", "out.bvh"], "state it with --fps N"),
        (["broken.npz", "out.npz"], "not a readable npz"),
        (["empty.json", "out.npz"], "the file is empty"),
        (["missing.npz", "out.npz"], "no such file"),
    ],
)
def test_refusals_leave_nothing_and_change_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(_solid(), "solid.npz")
    write(_solid(), "solid.bvh")
    write(_solid(None), "timeless.npz")
    write(_solid(1e-4), "slow.npz")
    flat = SkeletonSequence(np.ones((1, 2, 17, 2)) * 9, get_skeleton("coco17"), unit="px", space="image")
    write(flat, "flat.json", format="coco")
    Path("broken.npz").write_bytes(Path("solid.npz").read_bytes()[:300])
    Path("empty.json").touch()
    Path("link.npz").symlink_to("solid.npz")
    before = {p.name: _digest(p) for p in tmp_path.iterdir()}
    assert main(["convert", *arguments]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("kinegraph: error: ")
    assert len(output.err.splitlines()) == 1
    assert message in output.err
    assert {p.name: _digest(p) for p in tmp_path.iterdir()} == before


def test_an_unwritable_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(_solid(), tmp_path / "a.npz")
    for target in ("/proc/kinegraph.npz", "/proc/kinegraph.bvh"):
        assert main(["convert", str(tmp_path / "a.npz"), target]) == 2
        assert f"cannot write {target}" in capsys.readouterr().err


def test_people_who_leave_or_are_never_there_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = np.tile(_solid().positions[:, :1], (3, 200, 1, 1))
    points[1, 80:] = np.nan
    points[2] = np.nan
    write(SkeletonSequence(points, get_skeleton("h36m17"), 60, up="y"), tmp_path / "three.npz")
    for to, does in (("bvh", "stands still there"), ("glb", "is hidden there")):
        assert main(["convert", str(tmp_path / "three.npz"), str(tmp_path / f"o.{to}")]) == 0
        said = capsys.readouterr().out
        assert "note: person 3 is never seen and was left out" in said
        assert f"note: person 2 is away in frames 80-199 and {does}" in said
    assert {path.name for path in tmp_path.glob("o*")} == {"o.bvh", "o_person2.bvh", "o.glb"}
    assert main(["convert", str(tmp_path / "three.npz"), str(tmp_path / "o.npz")]) == 0
    assert "person" not in capsys.readouterr().out
    posed = read(tmp_path / "o.bvh")
    assert posed.rotations is not None
    pair = posed.replace(
        positions=np.concatenate([posed.positions, np.full_like(posed.positions, np.nan)]),
        rotations=np.concatenate([posed.rotations] * 2),
        confidence=None,
    )
    write(pair, tmp_path / "pair.npz")
    assert main(["convert", str(tmp_path / "pair.npz"), str(tmp_path / "p.bvh")]) == 0
    said = capsys.readouterr().out
    assert "person 2 is never seen and was left out" in said
    assert "got new ones" not in said  # of somebody who is not there


@pytest.mark.parametrize("to", ["bvh", "glb"])
def test_a_layout_whose_root_a_recording_lacks_is_refused_with_others(
    to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(_solid(), tmp_path / "in.npz")
    words = ["convert", str(tmp_path / "in.npz"), str(tmp_path / f"out.{to}"), "--skeleton", "cmu31"]
    assert main(words) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kinegraph")]
    assert (
        "'root' is never seen, on which 'cmu31' hangs and which rigs (BVH, GLB) need: map it to a layout whose" in said
    )
    assert "(no --skeleton), or write npz, CSV, TRC or C3D, which hold gaps" in said
    assert [path.name for path in tmp_path.iterdir()] == ["in.npz"]
    named = said.split("can be had (")[1].split(")")[0].split(", ")
    for other in (*named, None):
        assert main([*words[:3], *(["--skeleton", other] if other else [])]) == 0
    assert main([*words[:2], str(tmp_path / "out.trc"), *words[3:]]) == 0
