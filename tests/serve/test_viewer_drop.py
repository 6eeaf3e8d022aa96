"""Which of the files that are dropped together travel as one recording: the page's own script, run by node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import nullcontext
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from kinegraph.errors import FormatError
from kinegraph.formats.motion.asf_amc import find_asf

FRAME = json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": [1.0, 2.0, 0.5] * 25}]})
NOBODY = json.dumps({"version": 1.3, "people": []})
MOTION = json.dumps({"format": "kinegraph-motion", "people": [{"positions": []}]})
COCO = json.dumps({"annotations": [], "images": []})


def part(beginning: str, before: str) -> str:
    """The page's script from one line up to another."""
    page = (files("kinegraph.serve") / "assets" / "app.js").read_text(encoding="utf-8")
    found = re.search(rf"^  {beginning}.*?(?=^  {before})", page, flags=re.M | re.S)
    assert found is not None
    return found.group()


def run(script: str) -> Any:
    """What a script prints, read as JSON."""
    if not shutil.which("node"):
        pytest.skip("no node to run the page's script with")
    told = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(told.stdout)


def sent(dropped: dict[str, str], label: str | None = None) -> dict[str, list[str]]:
    """Name of each upload -> the files in it, of files by name and content."""
    script = f"""{part("async function isFrame", "async function open")}
    const given = {json.dumps(list(dropped.items()))};
    const files = given.map(([name, text]) => Object.assign(new Blob([text]), {{ name }}));
    files.label = {json.dumps(label)};
    const told = (jobs) => jobs.map((job) => [job.name, job.files.map((file) => file.name)]);
    recordings(files).then((jobs) => console.log(JSON.stringify(told(jobs))));
    """
    jobs = run(script)
    assert len({name for name, _ in jobs}) == len(jobs)
    return dict(jobs)


def alone(names: list[str]) -> dict[str, list[str]]:
    return {name: [name] for name in names}


def test_frames_of_a_video_are_one_recording() -> None:
    names = [f"walk_{number:012d}_keypoints.json" for number in (0, 1, 3)]
    assert sent(dict.fromkeys(names, FRAME)) == {"walk.zip": names}
    assert sent(dict.fromkeys(names, FRAME), label="take") == {"take.zip": names}
    # nobody, or damaged, in one: the server says which
    assert sent(dict(zip(names, (FRAME, NOBODY, '{"people"'), strict=True))) == {"walk.zip": names}
    plain = [f"{number:03d}.json" for number in range(3)]
    assert sent(dict.fromkeys(plain, FRAME)) == {"frames.zip": plain}
    counted = [f"f{number}.json" for number in range(12)]
    assert sent(dict.fromkeys(counted, FRAME)) == {"f.zip": counted}


@pytest.mark.parametrize("content", [MOTION, COCO, "[]", "null", "{"])
def test_recordings_with_numbers_are_sent_one_by_one(content: str) -> None:
    names = ["take01.json", "take02.json"]
    assert sent(dict.fromkeys(names, content)) == alone(names)
    assert sent(dict.fromkeys(names, content), label="takes") == alone(names)


def test_a_name_of_frames_is_not_enough() -> None:
    names = ["run01_keypoints.json", "run02_keypoints.json"]
    assert sent(dict.fromkeys(names, COCO)) == alone(names)
    large = FRAME[:-1] + " " * 2**20 + "}"  # no frame has a megabyte
    assert sent(dict.fromkeys(names, large)) == alone(names)


def test_two_cameras_are_not_one_video() -> None:
    for names in (["cam1.json", "cam2.json"], ["cam1_keypoints.json", "cam2_keypoints.json"]):
        assert sent(dict.fromkeys(names, FRAME)) == alone(names)
    left, right = ([f"{side}_{number:03d}_keypoints.json" for number in range(2)] for side in ("left", "right"))
    mixed = [name for pair in zip(left, right, strict=True) for name in pair]
    assert sent(dict.fromkeys(mixed, FRAME), label="both") == {"left.zip": left, "right.zip": right}


def test_what_else_is_dropped_with_them() -> None:
    frames = ["f_00.json", "f_01.json"]
    others = ["02.asf", "02_01.amc", "walk.bvh", "take01.json"]
    found = sent({**dict.fromkeys(frames, FRAME), **dict.fromkeys(others, MOTION)})
    assert found == {"f.zip": frames, "02_01.zip": ["02.asf", "02_01.amc"], **alone(["walk.bvh", "take01.json"])}


@pytest.mark.parametrize(
    ("bodies", "clip", "own"),
    [
        (["13.asf", "131.asf"], "131_01.amc", "131.asf"),
        (["1.asf", "131.asf"], "131_01.amc", "131.asf"),
        (["HDM.asf", "HDM_bk.asf"], "HDM_bk_kick_001_120.amc", "HDM_bk.asf"),
        (["HDM_BK.ASF", "hdm_mm.asf"], "hdm_bk_kick.AMC", "HDM_BK.ASF"),
        (["walk.v2.asf", "walk.asf"], "walk.v2_01.amc", "walk.v2.asf"),
        (["body.asf"], "03_01.amc", "body.asf"),
        (["01.asf", "02.asf"], "03_01.amc", None),
        (["1.asf", "3.asf"], "13_01.amc", None),
    ],
)
def test_a_clip_travels_with_its_own_body(tmp_path: Path, bodies: list[str], clip: str, own: str | None) -> None:
    """The ASF of another subject means limbs of other lengths; the page and the reader choose the same."""
    for name in bodies:
        (tmp_path / name).touch()
    with pytest.raises(FormatError) if own is None else nullcontext():
        assert find_asf(tmp_path / clip).name == own
    (files,) = [files for files in sent(dict.fromkeys([*bodies, clip], "")).values() if clip in files]
    assert files == ([own, clip] if own else [clip])


def said(*drops: list[str]) -> list[list[Any]]:
    """What the status line says, one after the other, when files are dropped at once; those called bad are refused."""
    return run(f"""let busy = 0; const said = [];
    const say = (text, bad = false) => said.push([text, bad]);
    const document = {{ body: {{ classList: {{ add() {{}}, remove() {{}}, toggle() {{}} }} }} }};
    const recordings = async (files) => files.map((name) => ({{ name, files: [name] }}));
    const send = async (name) => {{ if (name.startsWith("bad")) throw new Error(`${{name}}: no BVH`); return {{}}; }};
    const add = async () => {{}};
    {part("const failed", "const pause")}
    {part("async function open", "async function add")}
    Promise.all({json.dumps(drops)}.map(open)).then(() => console.log(JSON.stringify(said)));""")


def test_no_file_hides_the_refusal_of_another() -> None:
    assert said(["walk.bvh"])[-1] == ["", False]
    assert said(["bad.bvh", "walk.bvh", "bad too.bvh", "run.bvh"])[-1] == ["bad.bvh: no BVH\nbad too.bvh: no BVH", True]
    assert said(["bad.bvh"], ["walk.bvh", "run.bvh", "jump.bvh"])[-1] == ["bad.bvh: no BVH", True]
    many = said([f"bad {number}.bvh" for number in range(9)])[-1]
    assert many[0].splitlines()[4:] == ["bad 4.bvh: no BVH", "bad 5.bvh: no BVH", "and 3 more"]


def test_a_body_that_no_clip_takes_is_a_recording_of_one_pose() -> None:
    assert sent({"01.asf": ""}) == alone(["01.asf"])
    assert sent({"01.asf": "", "02.asf": "", "walk.bvh": ""}) == alone(["walk.bvh", "01.asf", "02.asf"])
    found = sent({"01.asf": "", "02.asf": "", "02_01.amc": "", "02_03.amc": ""})
    assert found == {"02_01.zip": ["02.asf", "02_01.amc"], "02_03.zip": ["02.asf", "02_03.amc"], "01.asf": ["01.asf"]}
