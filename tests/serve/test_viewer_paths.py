"""Further ways through the viewer in a browser: every format, what a file does not say, speed, keys, offline."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer_hands import Until, data, drop, shown

from kinegraph.formats import formats, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def recordings(
    tmp_path_factory: pytest.TempPathFactory, long_walk: SkeletonSequence, shared_data: Path
) -> dict[str, tuple[list[Path], int]]:
    """Format -> the files that a person drops together, and how many panels there are then (2D and 3D, or 3D)."""
    from kinegraph.serve.sample import walking

    folder = tmp_path_factory.mktemp("formats")
    solid, flat = long_walk.slice_frames(0, 60), walking(1.2)
    found: dict[str, tuple[list[Path], int]] = {}
    for name in ("bvh", "trc", "npz", "csv", "json"):
        write(solid, folder / f"walk.{name}", format=name)
        found[name] = [folder / f"walk.{name}"], 1
    for name, layout in (("coco", "coco17"), ("mediapipe", "mediapipe33")):
        write(flat.to_skeleton(get_skeleton(layout), minimum=0.3), folder / f"{name}.json", format=name)
        found[name] = [folder / f"{name}.json"], 2
    write(flat.to_skeleton(get_skeleton("body25"), minimum=0.3), folder / "frames", format="openpose")
    found["openpose"] = sorted((folder / "frames").iterdir()), 2
    cmu = shared_data / "cmu_asfamc" / "02"
    found["asf_amc"] = [cmu / "02.asf", cmu / "02_01.amc"], 1
    line = next((shared_data / "cmu_mocap_8actions").rglob("*.txt")).read_text().splitlines()[:60]
    (folder / "actions.txt").write_text("\n".join(line))
    found["expmap_text"] = [folder / "actions.txt"], 1
    points = np.nan_to_num(flat.positions[0])
    scores = [1.0] * 17
    boxes = {"box": {"x1": 0, "y1": 0, "x2": 100, "y2": 200}, "class": 0, "name": "person", "confidence": 0.9}
    theirs: dict[str, object] = {
        "alphapose": [
            {"image_id": f"{i}.jpg", "keypoints": np.c_[p, scores].ravel().tolist(), "score": 3, "category_id": 1,
             "box": [0, 0, 9, 9], "idx": 1}
            for i, p in enumerate(points)
        ],
        "mmpose": {
            "meta_info": {},
            "instance_info": [
                {"frame_id": i, "instances": [{"keypoints": p.tolist(), "keypoint_scores": scores}]}
                for i, p in enumerate(points)
            ],
        },
        "ultralytics": [
            [{**boxes, "keypoints": {"x": p[:, 0].tolist(), "y": p[:, 1].tolist(), "visible": scores}}] for p in points
        ],
        "kinetics": {
            "data": [
                {"frame_index": i + 1, "skeleton": [{"pose": (p / 1300).ravel().tolist(), "score": [1.0] * 18}]}
                for i, p in enumerate(np.nan_to_num(flat.to_skeleton(get_skeleton("openpose18")).positions[0]))
            ],
            "label": "walking",
            "label_index": 1,
        },
    }  # fmt: skip
    for name, content in theirs.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
        found[name] = [folder / f"{name}.json"], 2
    kinect = long_walk.slice_frames(0, 60).to_skeleton(get_skeleton("ntu25"), minimum=0.3)
    (folder / "S001C001P001R001A001.skeleton").write_text(ntu(np.nan_to_num(kinect.positions[0])))
    found["ntu_skeleton"] = [folder / "S001C001P001R001A001.skeleton"], 1
    if find_spec("ezc3d"):  # writing takes an extra; reading does not
        write(solid, folder / "walk.c3d")
        found["c3d"] = [folder / "walk.c3d"], 1
    return found


def ntu(points: np.ndarray) -> str:
    """Frames (frames, 25, 3) in the text of NTU RGB+D, somebody 3 m away."""
    lines = [str(len(points))]
    for frame in points:
        lines += ["1", "72057594037931101 0 1 1 1 1 0 0.1 0.1 2", "25"]
        lines += [f"{x:.5f} {y:.5f} {z + 3:.5f} 200 200 900 500 0 0 0 1 2" for x, y, z in frame]
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_every_format_is_dropped_and_shown(
    page: Any, until: Until, recordings: dict[str, tuple[list[Path], int]]
) -> None:
    readable = {info.name for info in formats() if info.reads}
    assert readable - set(recordings) <= {"c3d"}
    for count, (name, (paths, panels)) in enumerate(recordings.items(), start=1):
        drop(page, *paths)
        until(
            page,
            f"document.querySelectorAll('#results li').length === {count} || "
            "document.getElementById('status').classList.contains('bad')",
        )
        assert page.locator("#status").inner_text() == "", name
        until(page, f"document.body.dataset.panels === '{panels}'")
        assert page.locator("figure.solid").count() == 1, name
        assert page.locator("figure.flat").count() == panels - 1, name


def test_the_first_picture_is_the_first_moment(page: Any, until: Until, walk_bvh: Path) -> None:
    page.locator("#file").set_input_files(str(walk_bvh))
    shown(page, until)
    # What is asked along the way (the path over the floor) must not move who is on stage.
    apart = """() => { const panel = K.motions[0].panels[0], now = Array.from(panel.poses[0]);
        K.pose(panel, 0, K.state.time); return Math.max(...panel.poses[0].map((v, i) => Math.abs(v - now[i]))); }"""
    assert page.evaluate("K.state.time") == 0
    assert page.evaluate(apart) == 0


def test_what_the_file_does_not_say(page: Any, until: Until, tmp_path: Path, long_walk: SkeletonSequence) -> None:
    np.save(tmp_path / "mine.npy", long_walk.positions[0, :60])
    drop(page, tmp_path / "mine.npy")
    until(page, "document.getElementById('status').classList.contains('bad')")
    assert "no skeleton" in page.locator("#status").inner_text()
    page.locator("#told summary").click()
    page.locator("#layout").select_option("h36m17")
    page.locator("#rate").fill("25")
    drop(page, tmp_path / "mine.npy")
    shown(page, until)
    assert "25 fps" in page.locator("#results li").inner_text()
    assert "h36m17" in page.locator("#results li").inner_text()


def test_speed_loops_and_more_keys(page: Any, until: Until, keypoints_npz: Path) -> None:
    chosen: list[Any] = []
    page.on("filechooser", lambda chooser: chosen.append(chooser))
    page.evaluate("0")  # the browser's answer: from now on it asks us for files, which a click at once may forestall
    page.locator("#pick").click()
    for _ in range(600):
        page.wait_for_timeout(0 if chosen else 50)
    chosen[0].set_files(str(keypoints_npz))
    shown(page, until)

    def seconds_played(ms: int) -> float:
        page.evaluate("K.seek(0)")
        return float(
            page.evaluate(
                """async (ms) => { K.play(true); const from = K.state.time, start = performance.now();
            await new Promise((done) => setTimeout(done, ms)); K.play(false);
            return (K.state.time - from) / (performance.now() - start) * 1000; }""",
                ms,
            )
        )

    page.locator("#speed").select_option("0.25")
    slow = seconds_played(600)
    assert 0.1 < slow < 0.3
    page.locator("body").click(position={"x": 3, "y": 3})
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert data(page, "speed") == "1"
    assert page.locator("#speed").input_value() == "1"
    assert seconds_played(600) > 2 * slow
    page.keyboard.press("ArrowDown")
    assert data(page, "speed") == "0.5"
    # play, ends, ten frames
    page.keyboard.press("End")
    assert float(data(page, "time")) == pytest.approx(float(page.evaluate("K.state.duration")), abs=1e-3)
    page.keyboard.press("Home")
    page.keyboard.press(".")
    assert data(page, "frame") == "10"
    page.keyboard.press(",")
    assert data(page, "frame") == "0"
    page.keyboard.press("Space")
    assert data(page, "playing") == "true"
    page.keyboard.press("Space")
    assert data(page, "playing") == "false"
    # looks
    for key, name in (("f", "follow"), ("g", "ground"), ("p", "trail")):
        before = page.evaluate(f"K.state.{name}")
        page.keyboard.press(key)
        assert page.evaluate(f"K.state.{name}") is not before
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") != theme
    azimuth, elevation, zoom = (float(data(page, name)) for name in ("azimuth", "elevation", "zoom"))
    for key in "dw+":
        page.keyboard.press(key)
    assert float(data(page, "azimuth")) > azimuth
    assert float(data(page, "elevation")) > elevation
    assert float(data(page, "zoom")) > zoom
    page.keyboard.press("1")
    front = float(data(page, "azimuth"))
    page.keyboard.press("2")
    assert float(data(page, "azimuth")) == pytest.approx(front + np.pi / 2, abs=2e-3)
    # moving the picture, and a joint's name under the pointer
    spot = page.locator("canvas.orbit").bounding_box()
    x, y = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2
    page.keyboard.down("Shift")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert page.evaluate("K.camera.panX") > 0
    assert page.evaluate("K.camera.panY") < 0
    knee = page.evaluate(
        """() => { const panel = K.motions[0].panels.at(-1), j = panel.joints.indexOf('left_knee'), s = panel.screen[0];
        return [s[j * 4], s[j * 4 + 1]]; }"""
    )
    page.mouse.move(spot["x"] + knee[0], spot["y"] + knee[1])
    until(page, "!document.getElementById('tip').hidden")
    assert "knee" in page.locator("#tip").inner_text()
    with page.expect_file_chooser():
        page.keyboard.press("u")


def test_a_forecast_travels_and_the_saved_page_works_offline(
    page: Any, browser: Any, until: Until, keypoints_npz: Path, tmp_path: Path
) -> None:
    page.locator("#file").set_input_files(str(keypoints_npz))
    shown(page, until)
    page.locator("#save summary").click()
    page.locator("#whole").check()
    with page.expect_download() as loading:
        page.locator("#links a[data-kind=csv]").click()
    assert loading.value.suggested_filename == "keypoints_whole.csv"
    page.locator("#save summary").click()
    with page.expect_download() as loading:
        page.locator("#links a[data-kind=html]").click()
    saved = tmp_path / loading.value.suggested_filename
    loading.value.save_as(saved)
    context = browser.new_context(offline=True)
    alone = context.new_page()
    alone.set_default_timeout(180_000)
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(saved.as_uri())
    until(alone, "document.body.dataset.frame > 2")
    assert asked == [saved.as_uri()]
    assert alone.locator("figcaption").all_inner_texts() == ["2D keypoints", "lifted to 3D"]
    context.close()


def test_two_people_are_numbered(page: Any, until: Until, tmp_path: Path, long_walk: SkeletonSequence) -> None:
    one = long_walk.slice_frames(0, 60)
    both = np.concatenate([one.positions, one.positions + np.array([0.8, 0, 0])])
    write(SkeletonSequence(both, one.skeleton, fps=one.fps, up=one.up), tmp_path / "two.npz")
    drop(page, tmp_path / "two.npz")
    shown(page, until)
    assert "2 people" in page.locator("#results li").inner_text()
    who = page.locator("#actions li").all_inner_texts()
    assert any("2" in text for text in who)
    page.locator("#save summary").click()
    with page.expect_download() as loading:
        page.locator("#links a[data-kind=bvh]").click()
    assert loading.value.suggested_filename == "two_bvh.zip"


def test_a_folder_of_frames_in_an_archive(page: Any, until: Until, tmp_path: Path) -> None:
    from kinegraph.serve.sample import walking

    (tmp_path / "clip").mkdir()
    write(walking(1.2), tmp_path / "clip" / "frames", format="openpose")
    archive = shutil.make_archive(str(tmp_path / "clip"), "zip", tmp_path / "clip")
    page.locator("#file").set_input_files(archive)
    shown(page, until)
    assert "60 frames" in page.locator("#results li").inner_text()
