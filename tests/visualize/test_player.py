"""The HTML player: its data, its size, that it asks nobody for anything, and a real browser that plays it."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import DataError, KinegraphError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize import player_html, write_player
from kinegraph.visualize.motion import MISSING, Band, Ghost, action_bands
from kinegraph.visualize.projection import to_display

Until = Callable[[Any, str], None]


def payload(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="motion">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found.group(1))


def decoded(panel: dict[str, Any]) -> np.ndarray:
    """(people, frames, joints, dims) as the page's own code reads them."""
    steps = np.frombuffer(base64.b64decode(panel["data"]), dtype="<i2").astype(float)
    steps = steps.reshape(panel["frames"], panel["people"], len(panel["joints"]), panel["dims"])
    points = np.asarray(panel["origin"]) + panel["step"] * steps
    points[steps[..., 0] == MISSING] = np.nan
    return np.moveaxis(points, 0, 1)


def test_the_data_comes_back_to_a_fraction_of_a_millimetre(world: SkeletonSequence, image: SkeletonSequence) -> None:
    page = player_html([("keypoints", image), ("lifted", world)], title="walk")
    flat, solid = payload(page)["panels"]
    np.testing.assert_allclose(decoded(solid), to_display(world), atol=1e-4)
    np.testing.assert_allclose(decoded(flat), image.positions, atol=0.02, equal_nan=True)
    assert flat["frame"] == [0, 0, 800, 600]
    trust = np.frombuffer(base64.b64decode(flat["confidence"]), dtype=np.uint8).reshape(20, 2, 17)
    np.testing.assert_allclose(np.moveaxis(trust, 1, 0) / 255, image.confidence, atol=1 / 255)
    assert "confidence" not in solid


@pytest.mark.parametrize("frames", [1, 20])
@pytest.mark.parametrize("far", [5000.0, -300.0])
def test_a_stray_joint_does_not_make_the_others_coarse(world: SkeletonSequence, far: float, frames: int) -> None:
    clip = world.slice_frames(0, frames)
    positions, joint = clip.positions.copy(), clip.skeleton.index("left_wrist")
    positions[0, frames - 1, joint, 0] += far
    given = clip.replace(positions=positions, confidence=None, notes=("as it came",))
    played = payload(player_html([("", given)], title="stray", start_s=4.0))
    expected = to_display(clip)
    expected[0, frames - 1, joint] = np.nan
    np.testing.assert_allclose(decoded(played["panels"][0]), expected, atol=1e-4, equal_nan=True)
    told = f"1 joint position is far from everything else and not shown (first: left wrist, frame {100 + frames - 1})"
    assert played["notes"] == ["as it came", told]


def test_who_goes_far_is_shown(world: SkeletonSequence) -> None:
    """A long way, two people far apart, and somebody who is there for a moment are no strays."""
    run = np.repeat(world.positions, 30, axis=1)
    run = run + np.linspace(0, 800, run.shape[1])[:, None, None] * [0, 0, 1.0]
    brief = np.full(run.shape, np.nan)
    brief[:, 590:592] = run[:, 590:592] + [300.0, 0, 0]
    for positions in (run, np.concatenate([run[:, :600], brief], axis=0)):
        given = world.replace(positions=positions, confidence=None)
        played = payload(player_html([("", given)], title="far"))
        assert played["notes"] == []
        np.testing.assert_allclose(decoded(played["panels"][0]), to_display(given), atol=0.02, equal_nan=True)


def test_a_thousand_frames_stay_under_a_megabyte(world: SkeletonSequence, image: SkeletonSequence) -> None:
    long3d = world.replace(positions=np.tile(world.positions, (1, 50, 1, 1)), confidence=None)
    long2d = image.replace(
        positions=np.tile(image.positions, (1, 50, 1, 1)), confidence=np.tile(image.confidence, (1, 50, 1))
    )
    page = player_html([("2D", long2d), ("3D", long3d)], title="long")
    assert payload(page)["panels"][0]["frames"] == 1000
    assert len(page.encode()) < 1_000_000


def test_fast_recordings_are_thinned_to_a_screens_rate(world: SkeletonSequence) -> None:
    (panel,) = payload(player_html([("", world.replace(fps=120.0))], title="fast"))["panels"]
    assert (panel["fps"], panel["stride"], panel["frames"]) == (60.0, 2, 10)


def test_nothing_outside_is_asked_for_and_words_cannot_break_out(world: SkeletonSequence) -> None:
    nasty = world.replace(notes=("</script><script>alert(1)</script>",))
    page = player_html([("a </script> caption", nasty)], title="<b>@MOTION@ & </title>", notes=["@SCRIPT@"])
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert page.count("<script") == 2
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy.group(1)
    assert "unsafe" not in policy.group(1)
    assert "&lt;b&gt;@MOTION@" in page
    assert payload(page)["notes"] == ["@SCRIPT@", "</script><script>alert(1)</script>"]


def test_a_title_that_is_no_utf8_can_be_written(world: SkeletonSequence, tmp_path: Path) -> None:
    name = os.fsdecode(b"t\xdc.csv")
    page = player_html([(name, world)], title=name, notes=(name,))
    assert r"<title>t\udcdc.csv" in page
    written = tmp_path / os.fsdecode(b"\xdc.html")
    write_player(written, [(name, world)], title=name, notes=(name,))
    assert written.read_text(encoding="utf-8") == page


def test_errors(world: SkeletonSequence, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least one"):
        player_html([], title="")
    with pytest.raises(DataError, match="no joint"):
        player_html([("", world.replace(confidence=np.zeros(world.confidence.shape)))], title="")
    with pytest.raises(KinegraphError, match="does not exist"):
        write_player(tmp_path / "none" / "p.html", [("", world)], title="")


# ---- in a browser -------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_it_plays_scrubs_orbits_and_zooms(
    browser: Any, until: Until, world: SkeletonSequence, image: SkeletonSequence, tmp_path: Path
) -> None:
    write_player(tmp_path / "p.html", [("2D", image), ("3D", world)], title="walk & wave", notes=["a note"])
    page = browser.new_page(viewport={"width": 900, "height": 600}, color_scheme="light", reduced_motion="reduce")
    faults: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "p.html").as_uri())

    def data(key: str) -> str:
        page.wait_for_timeout(60)
        return str(page.evaluate(f"document.body.dataset.{key}"))

    def ink() -> int:
        """Pixels of the 3D canvas in the left side's colour, or near."""
        return int(
            page.evaluate(
                """() => { const c = document.querySelector('canvas.orbit');
                const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
                const near = (i) => Math.abs(d[i] - 52) + Math.abs(d[i + 1] - 120) + Math.abs(d[i + 2] - 216) < 12;
                for (let i = 0; i < d.length; i += 4) if (near(i) && d[i + 3] > 200) n++;
                return n; }"""
            )
        )

    # Where calm is asked for it waits; then it plays and obeys.
    assert data("playing") == "false"
    page.keyboard.press("Space")
    until(page, "document.body.dataset.frame > 2")
    page.keyboard.press("Space")
    assert data("playing") == "false"
    page.keyboard.press("Home")
    assert data("frame") == "0"
    page.keyboard.press("ArrowRight")
    assert data("frame") == "1"
    page.keyboard.press("End")
    assert data("frame") == "19"
    page.locator("#scrub").fill("500")
    assert data("frame") in ("9", "10")
    assert ink() > 100
    # The mouse orbits and zooms the 3D view.
    box = page.locator("canvas.orbit").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = float(data("azimuth"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 20, steps=4)
    page.mouse.up()
    assert float(data("azimuth")) == pytest.approx(before - 0.8, abs=0.02)
    page.mouse.wheel(0, -400)
    assert float(data("zoom")) > 1.3
    page.locator("#reset").click()
    assert float(data("azimuth")) == pytest.approx(before, abs=1e-3)
    page.select_option("#speed", "0.25")
    assert data("speed") == "0.25"
    # Dark and light.
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("#about").click()
    assert page.locator("#notes li").all_inner_texts() == ["a note"]
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    # A joint under the pointer says what it is and where.
    page.locator("#reset").click()
    page.keyboard.press("Home")
    page.wait_for_timeout(80)
    x, y = page.evaluate(
        """() => { const panel = K.motions[0].panels[1], box = panel.canvas.getBoundingClientRect();
        const j = panel.joints.indexOf('left_wrist'), at = panel.screen[0];
        return [box.left + at[j * 4], box.top + at[j * 4 + 1]]; }"""
    )
    page.mouse.move(x, y)
    assert page.locator("#tip").inner_text().splitlines()[0] == "left wrist"
    assert " m" in page.locator("#tip").inner_text()
    assert page.title() == "walk & wave"
    assert faults == []
    assert len(asked) == 1
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("space", ["y up", "z up", "camera", "image"])
def test_a_joints_place_is_the_files(
    browser: Any, until: Until, world: SkeletonSequence, image: SkeletonSequence, tmp_path: Path, space: str
) -> None:
    x, y, z = np.moveaxis(world.positions, -1, 0)
    given = {
        "y up": world,
        "z up": world.replace(positions=np.stack([x, -z, y], -1), up="z"),
        "camera": world.replace(positions=np.stack([x, -y, 5 - z], -1), space="camera", up=None),
        "image": image,
    }[space]
    write_player(tmp_path / "p.html", [("", given)], title="where")
    page = browser.new_page(reduced_motion="reduce")
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.frame === '0'")
    for name in ("left_wrist", "right_ankle", "head"):
        joint = given.skeleton.index(name)
        page.evaluate(
            """(joint) => { const panel = K.motions[0].panels[0];
            K.pointed = { panel, track: panel, person: 0, joint }; K.tell(); }""",
            joint,
        )
        told = re.findall(r"([xyz]) (-?[0-9.]+)", page.locator("#tip").inner_text().splitlines()[1])
        assert "".join(axis for axis, _ in told) == "xyz"[: given.dims]
        np.testing.assert_allclose(
            [float(value) for _, value in told], given.positions[0, 0, joint], atol=0.51 if given.dims == 2 else 0.0051
        )
    page.close()


@pytest.mark.browser
def test_two_fingers_zoom_and_one_orbits(browser: Any, until: Until, world: SkeletonSequence, tmp_path: Path) -> None:
    write_player(tmp_path / "p.html", [("3D", world)], title="touch")
    context = browser.new_context(
        viewport={"width": 400, "height": 700}, has_touch=True, color_scheme="dark", reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.zoom !== undefined")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    session = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": a, "y": b, "id": i} for i, (a, b) in enumerate(points)]},
        )

    azimuth = float(page.evaluate("document.body.dataset.azimuth"))
    touch("touchStart", (200, 300))
    touch("touchMove", (260, 300))
    touch("touchEnd")
    page.wait_for_timeout(80)
    assert float(page.evaluate("document.body.dataset.azimuth")) == pytest.approx(azimuth - 0.48, abs=0.02)
    touch("touchStart", (180, 300), (220, 300))
    touch("touchMove", (140, 300), (260, 300))
    touch("touchEnd")
    page.wait_for_timeout(80)
    assert float(page.evaluate("document.body.dataset.zoom")) > 1.8
    context.close()


@pytest.mark.browser
def test_the_clock_of_a_part_is_the_recordings(
    browser: Any, until: Until, world: SkeletonSequence, tmp_path: Path
) -> None:
    fast = world.replace(fps=100.0)  # shown at 50 a second
    band = Band(who="person 1", label="walking", start=0.0, end=0.1, score=0.9, kind=0)
    write_player(tmp_path / "p.html", [("", fast)], title="part", bands=[band], start_s=1.5)
    page = browser.new_page(reduced_motion="reduce")
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.frame === '0'")
    assert page.locator("#clock").inner_text() == "1.50 / 1.68 s · frame 150"
    assert page.locator("#actions li").all_inner_texts() == ["walking, 90 %, 1.5 to 1.6 s"]
    page.keyboard.press("End")
    until(page, "document.body.dataset.frame === '9'")
    assert page.locator("#clock").inner_text() == "1.68 / 1.68 s · frame 168"
    page.close()


@pytest.mark.browser
def test_a_single_pose_has_no_clock(browser: Any, until: Until, world: SkeletonSequence, tmp_path: Path) -> None:
    write_player(tmp_path / "p.html", [("3D", world.slice_frames(0, 1))], title="still")
    page = browser.new_page()
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.frame === '0'")
    assert not page.locator("#play").is_visible()
    assert page.locator("#clock").inner_text() == "1 frame"
    page.close()


def ahead(world: SkeletonSequence, seconds: float = 0.4) -> SkeletonSequence:
    """The walk goes on."""
    frames = round(seconds * 25)
    moved = world.positions[:, -1:] + np.linspace(0.02, 0.3, frames)[None, :, None, None] * np.array([0, 0, 1.0])
    return world.replace(positions=moved, confidence=None)


def test_ghosts_and_bands_travel(world: SkeletonSequence) -> None:
    ghost = Ghost(panel=0, start=0.8, sequence=ahead(world))
    band = Band(who="person 1", label="walking", start=0.0, end=0.8, score=0.9, kind=6)
    played = payload(player_html([("walk", world)], title="t", ghosts=[ghost], bands=[band]))
    (track,) = played["panels"][0]["ghosts"]
    assert (track["start"], track["frames"], track["fps"]) == (0.8, 10, 25)
    like = {**track, "people": 1, "joints": played["panels"][0]["joints"], "dims": 3}
    np.testing.assert_allclose(decoded(like), to_display(ahead(world)), atol=1e-4)
    assert played["bands"] == [
        {"who": "person 1", "label": "walking", "start": 0.0, "end": 0.8, "score": 0.9, "kind": 6},
    ]
    turned = Ghost(panel=0, start=0.8, sequence=ahead(world).replace(up="z"))
    with pytest.raises(DataError, match="joints, people and space"):
        player_html([("walk", world)], title="t", ghosts=[turned])


def test_the_segments_of_a_recognition_are_bands() -> None:
    from kinegraph.inference.recognition import PersonActions, Recognition, Segment

    none = np.zeros((0, 2))
    segments = (
        Segment(start_s=-0.1, stop_s=1.5, action="sit", score=0.8),
        Segment(start_s=1.5, stop_s=2, action="wave", score=0.6),
    )
    person = PersonActions(
        person=1, scores=np.array([0.7, 0.3]), times=none, timeline=none, cells=none, smooth=none, segments=segments
    )
    bands = action_bands(Recognition(actions=("wave", "sit"), people=(person,)))
    assert bands == [
        Band(who="person 2", label="sit", start=0.0, end=1.5, score=0.8, kind=1),
        Band(who="person 2", label="wave", start=1.5, end=2, score=0.6, kind=0),
    ]


@pytest.mark.browser
def test_the_forecast_goes_on_as_a_ghost(browser: Any, until: Until, world: SkeletonSequence, tmp_path: Path) -> None:
    ghost = Ghost(panel=0, start=0.8, sequence=ahead(world))
    band = Band(who="person 1", label="walking", start=0.0, end=0.8, score=0.9, kind=0)
    write_player(tmp_path / "p.html", [("3D", world)], title="ghost", ghosts=[ghost], bands=[band])
    page = browser.new_page(viewport={"width": 700, "height": 500}, reduced_motion="reduce", color_scheme="light")
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.ghost === '0'")

    def violet() -> int:
        return int(
            page.evaluate(
                """() => { const c = document.querySelector('canvas.orbit');
                const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
                for (let i = 0; i < d.length; i += 4)
                  if (d[i + 3] > 180 && d[i + 2] > d[i + 1] * 1.5 && d[i] > d[i + 1] * 1.2) n++;
                return n; }"""
            )
        )

    assert violet() == 0
    page.keyboard.press("End")
    until(page, "document.body.dataset.ghost === '1'")
    assert violet() > 500
    assert "forecast +" in page.locator("#clock").inner_text()
    page.locator("#ghosts").click()
    until(page, "document.body.dataset.ghost === '0'")
    assert violet() == 0
    # The hand drags along the timeline; a reader hears the bands.
    box = page.locator("#timeline").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 14, box["y"] + 12, steps=3)
    page.mouse.up()
    until(page, "document.body.dataset.time === '0.000'")
    assert page.locator("#actions li").all_inner_texts() == ["walking, 90 %, 0.0 to 0.8 s"]
    page.close()


@pytest.mark.browser
def test_the_view_coasts_to_rest(browser: Any, until: Until, world: SkeletonSequence, tmp_path: Path) -> None:
    write_player(tmp_path / "p.html", [("3D", world)], title="coast")
    page = browser.new_page(viewport={"width": 500, "height": 500})
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.drawn > 2")
    page.evaluate("K.glide.azimuth = 3")
    until(page, "K.glide.azimuth === 0")
    rested = float(page.evaluate("document.body.dataset.azimuth"))
    start = float(page.evaluate("K.home.azimuth"))
    assert 0.3 < start - rested < 0.9
    page.close()


@pytest.mark.browser
def test_people_beyond_the_rows_are_counted_and_read_aloud(
    browser: Any, until: Until, world: SkeletonSequence, tmp_path: Path
) -> None:
    bands = [Band(who=f"person {n + 1}", label="walking", start=0.0, end=0.5, score=0.9, kind=0) for n in range(9)]
    drawn = []
    for count in (6, 9):
        write_player(tmp_path / "p.html", [("3D", world)], title="crowd", bands=bands[:count])
        page = browser.new_page(reduced_motion="reduce")
        page.add_init_script(
            """window.words = []; const put = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
              window.words.push(text); put.call(this, text, ...at); }"""
        )
        page.goto((tmp_path / "p.html").as_uri())
        until(page, "document.body.dataset.drawn > 0")
        assert page.locator("#actions li").count() == count
        assert page.locator("#actions li").last.inner_text().startswith(f"person {count}: walking")
        drawn.append([word for word in page.evaluate("words") if word.startswith("+")])
        page.close()
    assert not drawn[0]
    assert set(drawn[1]) == {"+3 more"}
