"""What README and the documentation pages tell people to type works, in the order they tell it.

Training commands run with tiny settings appended; everything else runs as printed.
"""

from __future__ import annotations

import argparse
import glob
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from action_files import write_containers
from coco_results import write_results
from motion_files import TINY_CLIPS, TINY_FLOOR, TINY_RIDGE, TINY_RUN, TINY_TRAINER
from newer_torch import TOO_OLD

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.models import REGISTRY

ROOT = Path(__file__).parents[1]
NAMES = (
    *("detector-to-3d", "lifting", "forecasting", "recognition", "skeletons", "analyses", "data", "export", "live"),
    *("viewer", "index", "start", "your-data", "own-training", "api"),
)
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in NAMES)]
TINY = "--trainer.steps 2 --trainer.batch 32 --trainer.validate_poses 64 --trainer.tensorboard false --model.channels 8"
HELD_OUT = ["--data.held_out", "0.4"]  # a tenth of three clips is none
# setting up is what continuous integration does before it comes here; the viewer runs until Ctrl-C (tests/serve)
SKIPPED = ("pip ", "make ", "kinegraph serve")
# the beginnings of the commands whose files a page's Python reads
READ_BY_PYTHON = {
    "detector-to-3d.md": ("kinegraph convert keypoints/ detections/first.npz",),
    "export.md": ("kinegraph export lift lifter.onnx", "kinegraph export forecast walker.onnx"),
    "recognition.md": ("kinegraph data prepare folder", "kinegraph train recognize_folder"),
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def runnable(page: Path) -> list[str]:
    return [line for line in commands(page) if not line.startswith(SKIPPED)]


# each has something to run, or its test would say nothing
WITH_COMMANDS = [page for page in PAGES if runnable(page)]
WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


def run(line: str, page: str, shared_data: Path, done: set[str]) -> None:
    """One command of a page, in the current folder, unless it has been run; trainings with tiny settings."""
    if line in done:
        return
    here = shlex.split(line.replace("../shared/data", str(shared_data)), comments=True)
    words = [w for word in here for w in (sorted(glob.glob(word)) or [word])]
    if "--node_rank 1" in line:  # the second machine's: tests/training/test_two_machines.py starts both
        return
    if words[0] == "torchrun":  # alone here; tests/training/test_recognition_parallel.py starts two processes
        words = words[words.index("kinegraph") :]
    if words[0] == "srun":
        if "--trainer.devices" in words:  # one run of all tasks: tests/training/test_slurm.py starts two
            return
        words = shlex.split(words[-1].replace("$SLURM_PROCID", "0"))  # a run of its own in each
    assert words[0] == "kinegraph", f"{page}: what is '{line}'?"
    motion = any(word.startswith("symgnn_") for word in words)
    simlpe, ridge = (any(word.startswith(name) for word in words[:3]) for name in ("simlpe_", "ridge_"))
    clips = any(word.startswith("recognize_") for word in words)
    floor = any(word.startswith(("recognize_nearest", "recognize_linear")) for word in words)
    if words[1] == "train" or (words[1] == "analyze" and (motion or clips)):
        own = TINY_CLIPS if clips else TINY_RUN if motion else TINY_RIDGE if ridge else TINY.split()
        several = words[1] == "analyze"  # others beside the floor
        words += TINY_FLOOR if floor and not several else TINY_TRAINER if simlpe or floor else own
        words += HELD_OUT if clips and any(name in words[2] for name in ("_ntu", "_folder")) else []
    if words[1:3] == ["data", "generate"]:
        words += ["--clips", "12", "--actions", "2"]
    if words[1:3] == ["analyze", "missing-joints"] and "--shares" not in words:
        words += ["--shares", "0", "0.5"]  # each lifts the whole split
    assert main(words[1:]) == 0, f"{page}: '{line}' failed"
    done.add(line)


def keypoints(folder: Path) -> None:
    """Twelve OpenPose frames of somebody standing and waving a little."""
    from kinegraph.datasets.synthetic import SyntheticMotion

    clip = SyntheticMotion(subjects=1, takes=1, seconds=0.5).clip(0, "waving", 0).slice_frames(0, 12)
    body = clip.to_skeleton(kg.get_skeleton("body25"), minimum=0.4)
    flat = body.positions[..., [0, 2]] * [200, -200] + [500, 600]  # seen from the front, y down
    folder.mkdir()
    kg.save(
        body.replace(positions=flat, unit="px", space="image", up=None, image_size=(1000, 1000)), folder, "openpose"
    )


def own_clips(folder: Path) -> None:
    """Two classes of five clips, and a recording in which both are done."""
    from kinegraph.datasets.synthetic import SyntheticMotion

    motion = SyntheticMotion(subjects=5, takes=1, seconds=1.0)
    for action in ("kicking", "waving"):
        (folder / "my_clips" / action).mkdir(parents=True)
        for subject in range(5):
            kg.save(motion.clip(subject, action, 0), folder / "my_clips" / action / f"take{subject}.bvh")
    kg.save(SyntheticMotion(subjects=1, takes=1, seconds=4.0).clip(0, "kicking", 0), folder / "long.bvh")


def own_mocap(folder: Path) -> None:
    """Seven short walks of as many people."""
    from kinegraph.datasets.synthetic import SyntheticMotion

    motion = SyntheticMotion(subjects=7, takes=1, seconds=1.0)
    folder.mkdir()
    for subject in range(7):
        body = motion.clip(subject, "walking", 0).to_skeleton(kg.get_skeleton("h36m17"), minimum=0.4)
        kg.save(body, folder / f"walk{subject}.bvh")


def skip_exports(page: Path) -> None:
    """Leave out the pages whose networks a PyTorch as old as the installed one cannot export."""
    if TOO_OLD and page.name in ("export.md", "own-training.md"):
        pytest.skip("PyTorch is too old to export every network")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """A folder with the files the pages speak of."""
    folder = tmp_path_factory.mktemp("pages")
    keypoints(folder / "keypoints")
    write_results(folder / "results.json")
    shutil.copy(shared_data / "cmu_asfamc" / "02" / "02.asf", folder / "walk.asf")
    shutil.copy(shared_data / "cmu_asfamc" / "02" / "02_01.amc", folder / "walk.amc")
    shutil.copy(shared_data / "cmu_bvh" / "07" / "07_01.bvh", folder / "walk.bvh")
    mine = folder / "my_recordings"
    mine.mkdir()
    for clip in ("02_01.amc", "02_03.amc", "02.asf"):
        shutil.copy(shared_data / "cmu_asfamc" / "02" / clip, mine / clip)
    (folder / "other_recordings").mkdir()
    for clip in ("03_01.amc", "03.asf"):
        shutil.copy(shared_data / "cmu_asfamc" / "03" / clip, folder / "other_recordings" / clip)
    own_clips(folder)
    own_mocap(folder / "my_mocap")
    write_containers(folder)
    (folder / "work").mkdir()
    (folder / "detections").mkdir()
    return folder


@pytest.fixture(scope="module")
def done() -> set[str]:
    """The commands that have been run in `place`: some pages' Python needs a few of them, whichever test is first."""
    return set()


def test_every_block_of_every_page_is_run() -> None:
    """None is indented or of another language, where nobody would look at it; what has no language is output."""
    for page in PAGES:
        found = sum(len(blocks(page, language)) for language in ("bash", "python", "toml"))
        fences = re.findall(r"^\s*```\w", page.read_text(encoding="utf-8"), flags=re.M)
        assert len(fences) == found, page.name
        assert found, page.name
        assert blocks(page, "python") or not blocks(page, "toml"), page.name  # written where the Python runs
    assert sum(map(len, map(runnable, WITH_COMMANDS))) > 100


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda p: p.name)
def test_commands_run(
    page: Path, place: Path, done: set[str], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_exports(page)
    monkeypatch.chdir(place)
    for line in runnable(page):
        run(line, page.name, shared_data, done)


def test_the_table_of_recognisers_is_computed() -> None:
    from kinegraph.models import build

    page = (ROOT / "docs" / "recognition.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]+\| `(\{name: .*?\})` \| ([\d,]+) \|$", page, flags=re.M)
    found = {}
    for model, parameters in rows:
        config = yaml.safe_load(model)
        name = config.pop("name")
        network = build(name, kg.get_skeleton("ntu25"), {"classes": 60, "people": 2, **config})
        count = sum(weight.numel() for weight in network.parameters())
        assert f"{count:,}" == parameters, f"{model} has {count:,} parameters"
        found[name] = count
    trained = {name for name, entry in REGISTRY.items() if entry.task == "recognition"} - {"nearest", "linear"}
    assert set(found) == trained


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda p: p.name)
def test_python_runs(
    page: Path, place: Path, done: set[str], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_exports(page)
    monkeypatch.chdir(place)
    for beginning in READ_BY_PYTHON.get(page.name, ()):
        line = next(line for line in commands(page) if line.startswith(beginning))
        run(line, page.name, shared_data, done)
    for block in blocks(page, "toml"):
        name = re.match(r"# (\S+\.toml)", block)
        assert name is not None, "a TOML block begins with its file's name"
        Path(name[1]).write_text(block, encoding="utf-8")
    scope: dict[str, object] = {}  # a reader begins with nothing
    with patch.dict(REGISTRY):  # a page may register a model of its own, which no other test shall meet
        for block in blocks(page, "python"):
            exec(compile(block, page.name, "exec"), scope)
    if page.name == "README.md":
        assert (place / "person.bvh").is_file()


def test_every_page_is_in_the_navigation() -> None:
    known = re.findall(r"([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.M)
    assert sorted(known) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """As `make docs` builds it: every link leads somewhere, every docstring is understood."""
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site" / "mocap-lifting" / "index.html").is_file()


def test_every_public_name_has_its_reference() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = [name.rpartition(".") for name in re.findall(r"^::: (\S+)$", page, flags=re.M)]
    there = [getattr(import_module(module), name) for module, _, name in named]
    public = {name: getattr(kg, name) for name in kg.__all__ if name != "__version__"}
    assert [name for name, value in public.items() if not any(value is one for one in there)] == []


def test_the_commands_that_reproduce_are_commands() -> None:
    """Those of docs/reproduce.md take hours; what is checked is that there are such options, recipes and sections."""
    from kinegraph.cli import COMMANDS
    from kinegraph.training.recipe import load_recipe

    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    spans = re.findall(r"`((?:kinegraph|python -m) [^`]+)`", page)
    assert len(spans) > 30
    for span in spans:
        words = shlex.split(span.replace("MODEL", "hcsf").replace("TARGET", "metric"))
        if words[0] == "python":
            module = words[2] if words[2] != "benchmarks" else f"benchmarks.{words[3]}"
            assert module == "pytest" or (ROOT / f"{module.replace('.', '/')}.py").is_file(), span
            continue
        command = import_module(f"kinegraph.cli.{words[1]}")
        assert words[1] in COMMANDS
        parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
        command.add_arguments(parser)
        known, extra = parser.parse_known_args(words[2:])
        assert words[1] == "train" or not extra, span
        if words[1] == "train" and not known.list:
            load_recipe(extra[0], extra[1:])
