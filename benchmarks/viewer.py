"""``python -m benchmarks.viewer``: frames a second of the player in a browser, and what its pages weigh.

A clip of 1,000 frames, 2D and 3D beside each other with a forecast and a band of actions, plays in chromium (playwright
drives it; neither is an extra of the package). Frames are calls of requestAnimationFrame in which the player drew.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import table

#: width, height, pixels of the screen a CSS pixel
SCREENS = {"desktop": (1200, 760, 1), "desktop, fine": (1440, 900, 2), "phone": (390, 800, 2)}

_COUNT = """async (seconds) => {
  const from = +document.body.dataset.drawn, start = performance.now(), lapses = [];
  let last = start;
  await new Promise((done) => { const tick = (now) => {
    lapses.push(now - last); last = now;
    if (now - start < seconds * 1000) requestAnimationFrame(tick); else done(); };
    requestAnimationFrame(tick); });
  lapses.sort((a, b) => a - b);
  return [(+document.body.dataset.drawn - from) / (performance.now() - start) * 1000,
          lapses[Math.floor(lapses.length * 0.95)]]; }"""


def long_clip(path: Path) -> None:
    """A player of 1,000 frames: keypoints, the body, what comes next, and what it is."""
    from kinegraph.datasets.synthetic import SyntheticMotion
    from kinegraph.serve.sample import walking
    from kinegraph.skeleton import get_skeleton
    from kinegraph.visualize import write_player
    from kinegraph.visualize.motion import Band, Ghost

    clip = SyntheticMotion(subjects=1, takes=1, seconds=20.0).clip(0, "walking", 0)
    solid = clip.to_skeleton(get_skeleton("h36m17"), minimum=0.4)
    panels = [("2D keypoints", walking(20.0)), ("lifted to 3D", solid)]
    ghost = Ghost(panel=1, start=20.0, sequence=solid.slice_frames(0, 50))
    band = Band(who="person 1", label="walking", start=0, end=20, score=0.9, kind=0)
    write_player(path, panels, title="a thousand frames", ghosts=[ghost], bands=[band])


def weights(player: Path) -> list[tuple[str, str, str]]:
    """Name, kilobytes, kilobytes of it when a server compresses."""
    from kinegraph.serve import ServeSettings
    from kinegraph.serve.page import page

    served = page(ServeSettings())[0].encode()
    whole = player.read_bytes()
    rows = [("the served page: HTML, style, script, pictures, all in one request", served)]
    rows.append(("1,000 frames in one file, player included", whole))
    return [(name, f"{len(data) / 1000:.0f}", f"{len(gzip.compress(data)) / 1000:.0f}") for name, data in rows]


def rates(player: Path, seconds: float) -> list[tuple[str, str, str]]:
    """Screen, frames a second, ms that 95 in a hundred frames take at most."""
    from playwright.sync_api import sync_playwright

    rows = []
    options: dict[str, Any] = {"args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), **options)
        for name, (width, height, ratio) in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=ratio)
            page.goto(player.as_uri())
            page.wait_for_timeout(1500)  # what a page does at its beginning, and the player's choice of fineness
            rate, slow = page.evaluate(_COUNT, seconds)
            rows.append((f"{name}, {width} x {height} at {ratio}", f"{rate:.0f}", f"{slow:.0f}"))
            page.close()
        browser.close()
    return rows


def picture(recording: Path, target: Path) -> None:
    """The viewer with a recording (a file, or a folder of frames) and a forecast on its way, as a picture."""
    from playwright.sync_api import sync_playwright

    files = sorted(recording.iterdir()) if recording.is_dir() else [recording]
    command = [sys.executable, "-m", "kinegraph", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as driver:
        assert server.stdout is not None
        address = server.stdout.readline().split()[4]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 820}, reduced_motion="reduce")
        page.goto(address)
        page.locator("#file").set_input_files([str(file) for file in files])
        while not page.evaluate("document.querySelectorAll('#results li').length"):
            page.wait_for_timeout(100)
        page.evaluate("K.seek(0.35 * K.state.observed)")
        page.locator("#foresee").click()
        while page.evaluate("K.ghosts().length") < 2:
            page.wait_for_timeout(100)
        page.evaluate("K.play(false), K.seek(K.state.time + 0.25)")
        page.wait_for_timeout(400)
        page.screenshot(path=target)
        browser.close()
        server.send_signal(signal.SIGINT)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewer", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each screen plays")
    parser.add_argument("--of", type=Path, metavar="FILE", help="make a picture of the viewer with this recording")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="where to write it")
    arguments = parser.parse_args()
    if (arguments.of is None) is not (arguments.picture is None):
        parser.error("--of and --picture go together")
    if arguments.of is not None:
        picture(arguments.of, arguments.picture)
        return
    with tempfile.TemporaryDirectory() as folder:
        player = Path(folder) / "player.html"
        long_clip(player)
        table(("page", "kB", "kB compressed"), weights(player))
        table(("screen", "frames a second", "95 % of frames within, ms"), rates(player, arguments.seconds))


if __name__ == "__main__":
    main()
