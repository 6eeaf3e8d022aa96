"""Every way through the viewer in a browser: drop, play, scrub, orbit, compare, forecast, download, keys, touch."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer_hands import data, drop, shown

from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize import write_player
from kinegraph.visualize.motion import Band, Ghost

pytestmark = pytest.mark.browser

Until = Callable[[Any, str], None]


def test_drop_play_scrub_orbit_and_keys(page: Any, until: Until, keypoints_npz: Path) -> None:
    assert page.locator("#hero").is_visible()
    drop(page, keypoints_npz)
    shown(page, until)
    assert not page.locator("#hero").is_visible()
    assert page.locator("figcaption").all_inner_texts() == ["2D keypoints", "lifted to 3D"]
    assert "lifted" in page.locator("#results li").inner_text()
    assert page.locator("#actions li").count() >= 1
    # play and pause, with the button and with a key
    page.locator("#play").click()
    until(page, "document.body.dataset.frame > 3")
    page.locator("#play").click()
    assert data(page, "playing") == "false"
    page.locator("body").press("Home")
    assert data(page, "frame") == "0"
    page.keyboard.press("ArrowRight")
    assert data(page, "frame") == "1"
    # the timeline: the hand at its end sees the ghost
    box = page.locator("#timeline").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 16, box["y"] + 10)
    until(page, "document.body.dataset.ghost === '1'")
    assert "forecast +" in page.locator("#clock").inner_text()
    page.keyboard.press("o")
    until(page, "document.body.dataset.ghost === '0'")
    # orbit, zoom, views
    spot = page.locator("canvas.orbit").bounding_box()
    x, y = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2
    before = float(data(page, "azimuth"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=3)
    page.mouse.up()
    assert float(data(page, "azimuth")) == pytest.approx(before - 0.4, abs=0.02)
    page.mouse.wheel(0, -300)
    assert float(data(page, "zoom")) > 1.2
    page.keyboard.press("3")
    assert float(data(page, "elevation")) == 1.5
    page.keyboard.press("r")
    assert float(data(page, "azimuth")) == pytest.approx(before, abs=1e-3)
    page.keyboard.press("h")
    assert page.locator("#help").is_visible()
    assert page.locator("#notes li").count() > 2
    page.keyboard.press("h")
    assert not page.locator("#help").is_visible()


def test_compare_forecast_here_and_download(
    page: Any, until: Until, walk_bvh: Path, keypoints_npz: Path, tmp_path: Path
) -> None:
    page.locator("#file").set_input_files(str(keypoints_npz))
    shown(page, until)
    page.locator("#file").set_input_files(str(walk_bvh))
    shown(page, until, 2)
    # side by side, then one over the other
    page.locator(".versus:visible").click()
    until(page, "document.body.dataset.panels === '2'")
    assert page.locator("figcaption").all_inner_texts() == ["walk.bvh · 3D", "keypoints.npz · lifted to 3D"]
    point = "(() => { K.pointed = { panel: K.motions[0].panels[0], track: %s, person: 0, joint: 0 }; K.tell(); })()"
    page.evaluate(point % "K.motions[1].panels[0]")
    own = page.locator("#tip").inner_text()
    page.locator("#overlay").click()
    until(page, "document.body.dataset.panels === '1'")
    # what is laid over another is moved there, and says where it is in its own recording
    assert page.evaluate("Math.hypot(...K.motions[0].panels[0].others[0].offset)") > 0.1
    assert page.evaluate("K.state.duration >= K.motions[0].panels[0].others[0].end")  # and plays to its own end
    page.evaluate(point % "K.motions[0].panels[0].others[0]")
    assert page.locator("#tip").inner_text() == own
    assert page.locator(".legend .other").inner_text() == "keypoints.npz"
    page.locator(".versus:visible").click()
    assert not page.locator("#pair").is_visible()
    # a forecast from a moment stands beside what really came
    page.evaluate("K.seek(0.9)")
    page.locator("#foresee").click()
    until(page, "K.ghosts().length === 2")
    until(page, "document.body.dataset.ghost === '1'")
    assert float(data(page, "time")) < 1.5
    page.evaluate("K.seek(1e9)")  # from the end too, the last asked for takes the place of the one before
    for _ in range(2):
        page.locator("#foresee").click()
        until(page, "!document.getElementById('foresee').disabled && K.ghosts().length === 2")
    # downloads
    for kind, beginning in (("bvh", b"HIERARCHY"), ("glb", b"glTF"), ("trc", b"PathFileType"), ("csv", b"# ")):
        page.locator("#save summary").click()
        with page.expect_download() as loading:
            page.locator(f"#links a[data-kind={kind}]").click()
        assert loading.value.suggested_filename == f"walk.{kind}"
        target = tmp_path / kind
        loading.value.save_as(target)
        assert target.read_bytes().startswith(beginning)
    # what is removed is gone, and a reload brings back the rest
    page.locator("#results li.shown .gone").click()
    until(page, "document.querySelectorAll('#results li').length === 1")
    page.reload()
    shown(page, until)
    assert page.locator("#title").inner_text() == "keypoints.npz"


def test_the_keyboard_stays_where_it_is(page: Any, until: Until, walk_bvh: Path, keypoints_npz: Path) -> None:
    for count, path in enumerate((keypoints_npz, walk_bvh), start=1):
        page.locator("#file").set_input_files(str(path))
        shown(page, until, count)

    def held() -> str:
        at = "document.activeElement"
        return str(page.evaluate(f"{at}.closest('li')?.querySelector('b').textContent + ' ' + {at}.className"))

    page.locator("#results .pick").nth(1).focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#results .pick')[1].getAttribute('aria-current') === 'true'")
    assert held() == "keypoints.npz pick"
    page.locator("#results .versus").nth(0).focus()
    for pressed in ("true", "false"):
        page.keyboard.press("Enter")
        assert page.locator("#results .versus").nth(0).get_attribute("aria-pressed") == pressed
        assert held() == "walk.bvh versus"
    page.locator("#save summary").click()
    page.locator("#whole").focus()
    for checked in (True, False):
        page.keyboard.press("Space")
        assert page.locator("#whole").is_checked() is checked
        assert page.evaluate("document.activeElement.id") == "whole"
    page.keyboard.press("Escape")
    # a result that goes leaves its place to the next
    page.locator("#results .gone").nth(1).focus()
    page.keyboard.press("Enter")
    assert held() == "walk.bvh gone"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "file"


def test_frames_and_refusals(page: Any, until: Until, tmp_path: Path) -> None:
    from kinegraph.serve.sample import walking

    write(walking(1.2), tmp_path / "frames", format="openpose")
    drop(page, *sorted((tmp_path / "frames").iterdir()))
    shown(page, until)
    assert "60 frames" in page.locator("#results li").inner_text()
    bad = tmp_path / "bad.bvh"
    bad.write_text("HIERARCHY\nnonsense")
    drop(page, bad)
    until(page, "document.getElementById('status').classList.contains('bad')")
    assert page.locator("#status").inner_text().startswith("bad.bvh: ")
    large = tmp_path / "large.csv"
    large.write_bytes(b"1" * (2**20 + 5))
    drop(page, large)
    until(page, "document.getElementById('status').textContent.startsWith('large.csv')")
    assert "the viewer takes 1" in page.locator("#status").inner_text()
    assert page.locator("#results li").count() == 1


def test_our_zip_is_a_zip(page: Any, tmp_path: Path) -> None:
    packed = page.evaluate(
        """async () => { const files = [new File(['one'], 'a.asf'), new File(['zwei'], 'ü.amc')];
        const data = new Uint8Array(await (await K.pack(files)).arrayBuffer());
        return btoa(String.fromCharCode(...data)); }"""
    )
    (tmp_path / "x.zip").write_bytes(base64.b64decode(packed))
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {"a.asf": b"one", "ü.amc": b"zwei"}


def test_a_phone(browser: Any, viewer: Any, until: Until) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.goto(viewer.address)
    page.locator("#sample").tap()
    shown(page, until)
    page.locator("#play").tap()  # it plays by itself; the tap halts it
    until(page, "document.body.dataset.playing === 'false'")
    # nothing is wider than the phone, everything to press is in sight, the body is upright above its 2D
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("#play", "#speed", "#foresee", "#save summary", "#timeline"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= 390, name
        assert box["y"] + box["height"] <= 800, name
        assert box["height"] >= 30, name
    solid, flat = (page.locator(f"figure.{kind}").bounding_box() for kind in ("solid", "flat"))
    assert solid["y"] < flat["y"]
    assert solid["height"] > flat["height"] > 80
    session = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    x, y = solid["x"] + solid["width"] / 2, solid["y"] + solid["height"] / 2
    before = float(data(page, "azimuth"))
    touch("touchStart", (x, y))
    touch("touchMove", (x + 60, y))
    touch("touchEnd")
    assert float(data(page, "azimuth")) < before - 0.4
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchEnd")
    assert float(data(page, "zoom")) > 1.8
    line = page.locator("#timeline").bounding_box()
    touch("touchStart", (line["x"] + 20, line["y"] + 20))
    touch("touchMove", (line["x"] + line["width"] / 2, line["y"] + 20))
    touch("touchEnd")
    total = float(page.evaluate("K.state.duration"))
    assert float(data(page, "time")) == pytest.approx(total / 2, rel=0.05)
    context.close()


def test_every_control_has_a_name(page: Any, until: Until) -> None:
    page.locator("#sample").click()
    shown(page, until)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a, canvas, summary')]
        .filter((e) => e.offsetParent !== null && e.getAttribute('aria-hidden') !== 'true')
        .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.title || e.labels?.length))
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    # Without any result the page is as it was.
    page.locator("#results .gone").click()
    until(page, "document.body.classList.contains('empty')")
    assert page.locator("#hero").is_visible()
    assert not page.locator("#transport").is_visible()
    assert page.locator("#sample").is_enabled()


def test_a_thousand_frames_play_from_one_small_file(
    browser: Any, until: Until, long_walk: SkeletonSequence, tmp_path: Path
) -> None:
    from kinegraph.serve.sample import walking

    flat, solid = walking(20.0), long_walk
    assert flat.frames == solid.frames == 1000
    ghost = Ghost(panel=1, start=20.0, sequence=solid.slice_frames(0, 50))
    band = Band(who="person 1", label="walking", start=0, end=20, score=0.9, kind=0)
    write_player(tmp_path / "p.html", [("2D", flat), ("3D", solid)], title="long", ghosts=[ghost], bands=[band])
    assert (tmp_path / "p.html").stat().st_size < 2_000_000
    page = browser.new_page(viewport={"width": 1200, "height": 760})
    page.set_default_timeout(180_000)
    page.goto((tmp_path / "p.html").as_uri())
    until(page, "document.body.dataset.playing === 'true' && document.body.dataset.drawn > 20")
    page.close()


def test_weight(browser: Any, viewer: Any, until: Until) -> None:
    page = browser.new_page()
    page.set_default_timeout(180_000)
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())))
    page.goto(viewer.address)
    page.locator("#sample").click()
    shown(page, until)
    assert len(sizes) >= 3
    assert sum(sizes) < 2_000_000
    about = json.loads(page.locator("#about-server").text_content())
    assert about["limit"] == 2**20
    assert np.isin("coco17", about["layouts"])
    page.close()
