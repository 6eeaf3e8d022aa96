"""The steps of `kinegraph demo`, one function each."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import write_text
from kinegraph.cli.threads import threads_that_help
from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.synthetic import SyntheticLifting, SyntheticMotion, load
from kinegraph.evaluation import hard_pose_pictures, hard_poses, tables
from kinegraph.evaluation.hard_poses import HardPoses
from kinegraph.evaluation.lifting import LiftingResult, evaluate_lifting
from kinegraph.evaluation.predict import LiftingMethod, load_lifting_method, predict
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize import Cell, write_grid, write_player
from kinegraph.visualize.projection import stage

PROTOCOL = "synthetic-lifting"
PICTURES = ("lifted.png", "hardest.png", "player.html", "lifted.bvh")
#: what the comparison picture shows, from the ordinary to the rare
SHOWN = ("walking", "throwing", "kicking", "sitting", "crawling", "cartwheel")


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """How much of everything."""

    data: SyntheticLifting
    models: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, int]
    lr: Mapping[str, float]
    batch: int
    #: every so many-th test clip is measured; not a multiple of the four cameras, so that all of them are
    every: int


@dataclass(frozen=True, kw_only=True)
class Data:
    """The three splits; ``test`` holds every so many-th clip of ``film``."""

    train: LiftingData
    val: LiftingData
    test: LiftingData
    film: LiftingData


# Networks of like size, small enough to learn something in a minute on two cores. Dropout is for long training.
_MODELS: dict[str, dict[str, Any]] = {
    "FCN": {"name": "fcn", "width": 512, "dropout": 0.0},
    "LCN": {"name": "lcn", "channels": 32, "dropout": 0.0},
    "HCSF": {"name": "hcsf", "channels": 64, "dropout": 0.0},
}
FULL = DemoPlan(
    data=SyntheticLifting(),
    models=_MODELS,
    steps={"FCN": 1500, "LCN": 1500, "HCSF": 1500},
    lr={"FCN": 2e-3, "LCN": 3e-3, "HCSF": 3e-3},
    batch=256,
    every=3,
)
QUICK = DemoPlan(
    data=SyntheticLifting(motion=SyntheticMotion(subjects=3, takes=1, seconds=1.0, fps=25.0), test=1),
    models={
        "FCN": {"name": "fcn", "width": 64, "dropout": 0.0},
        "LCN": {"name": "lcn", "channels": 8, "dropout": 0.0},
        "HCSF": {"name": "hcsf", "channels": 8, "dropout": 0.0},
    },
    steps={"FCN": 20, "LCN": 20, "HCSF": 20},
    lr={"FCN": 3e-3, "LCN": 3e-3, "HCSF": 3e-3},
    batch=64,
    every=3,
)


def make_data(plan: DemoPlan) -> Data:
    """Generate the embedded benchmark, or a small version of it."""
    film = load("test", plan.data)
    test = film.clips(np.arange(len(film.clip_names)) % plan.every == 0)
    return Data(train=load("train", plan.data), val=load("val", plan.data), test=test, film=film)


def train_network(
    plan: DemoPlan, label: str, model: Mapping[str, Any], data: Data, runs: Path, seed: int
) -> LiftingMethod:
    """Train one network into ``runs/<label>`` (or take up a run that is there) and return it ready to measure."""
    from kinegraph.training.lifting_splits import LiftingSplits
    from kinegraph.training.recipe import (
        LiftingRecipe,
        LiftingTransformRecipe,
        OptimRecipe,
        ScheduleRecipe,
        TrainerRecipe,
    )
    from kinegraph.training.run import train

    steps = plan.steps[label]
    runs.mkdir(exist_ok=True)
    # The folder's name says what the run depends on, so that another seed or length does not meet an old one.
    folder = runs / (label.lower() + ("" if plan is FULL and seed == 0 else f"_{steps}_{seed}"))
    recipe = LiftingRecipe(
        model=model,
        transform=LiftingTransformRecipe(target="metric"),
        optim=OptimRecipe(name="adamw", lr=plan.lr[label], weight_decay=1e-4, ema=0.99),
        schedule=ScheduleRecipe(name="one-cycle", warmup=0.2),
        trainer=TrainerRecipe(
            steps=steps,
            batch=plan.batch,
            validate_every=max(1, steps // 3),
            validate_poses=2048,
            tensorboard=False,
            accelerator="cpu",
        ),
        seed=seed,
        out=str(folder),
    )
    threads_that_help()
    result = train(recipe, resume=True, splits=LiftingSplits(data.train, data.val))
    if result.status == "interrupted":
        raise KeyboardInterrupt(f"stopped while training {label}; the same command goes on from there")
    return load_lifting_method(result.weights, label)


def measure(methods: Mapping[str, LiftingMethod], data: Data, seed: int) -> dict[str, LiftingResult]:
    """Every network on the held-out people, under the metric protocol."""
    notes = (f"short training on embedded synthetic motion, seed {seed}: no statement about the networks on real data",)
    return {label: evaluate_lifting(method, data.test, PROTOCOL, notes=notes) for label, method in methods.items()}


def write_tables(results: Mapping[str, LiftingResult], out: Path) -> tuple[str, HardPoses]:
    """Write ``table.txt``, ``table.json`` and ``hard_poses.txt``; return the table and the hard-pose analysis."""
    import json

    table = tables.lifting_comparison(list(results.values()))
    hard = hard_poses.from_results(list(results.values()))
    write_text(out / "table.txt", table + "\n")
    write_text(out / "table.json", json.dumps([r.to_json() for r in results.values()], indent=2) + "\n")
    write_text(out / "hard_poses.txt", hard_poses.report(hard) + "\n")
    return table, hard


def draw_everything(
    methods: Mapping[str, LiftingMethod], results: Mapping[str, LiftingResult], data: Data, hard: HardPoses, out: Path
) -> None:
    """The pictures, the player, the BVH and the page that shows them."""
    test = data.test
    truth = test.camera_m - test.camera_m[:, test.root, None]
    poses = {label: predict(method, test) for label, method in methods.items()}
    facts = f"{PROTOCOL}, people held out, target metric: root-relative MPJPE in mm; the truth stands pale behind"
    _grid(out / "lifted.png", _typical(test, results), test, truth, poses, results, "2D keypoints lifted to 3D", facts)
    first = next(iter(results))
    worst = _spread(hard_poses.hardest(results[first].errors_mm, 5.0), test, len(SHOWN))
    _grid(out / "hardest.png", worst, test, truth, poses, results, f"among {first}'s hardest 5 %", facts)
    hard_pose_pictures.draw(hard, out, title=f"{PROTOCOL}, people held out")
    _clip(methods, data, out)
    _page(out, tables.lifting_comparison(list(results.values())), hard_poses.report(hard))


def _typical(test: LiftingData, results: Mapping[str, LiftingResult]) -> list[int]:
    """For each action shown, the pose with the median error of the last method: neither luck nor bad luck."""
    errors = list(results.values())[-1].errors_mm
    rows = []
    for action in SHOWN:
        of_action = np.flatnonzero(test.action == test.action_names.index(action))
        if len(of_action):
            rows.append(int(of_action[np.argsort(errors[of_action])[len(of_action) // 2]]))
    return rows


def _spread(rows: np.ndarray[Any, np.dtype[np.int64]], test: LiftingData, count: int) -> list[int]:
    """The hardest poses, at most one of a clip and two of an action: neighbours in time look alike."""
    chosen: list[int] = []
    for row in rows:
        same = [r for r in chosen if test.action[r] == test.action[row]]
        if len(same) < 2 and all(test.clip[r] != test.clip[row] for r in chosen):
            chosen.append(int(row))
        if len(chosen) == count:
            break
    return chosen or [int(rows[0])]


def _grid(
    path: Path,
    rows: Sequence[int],
    test: LiftingData,
    truth: Any,
    poses: Mapping[str, Any],
    results: Mapping[str, LiftingResult],
    title: str,
    subtitle: str,
) -> None:
    """A column a pose: its 2D on top, then the truth, then every method with its error."""
    lines: list[list[Cell]] = [[], [], *([] for _ in poses)]
    for row in rows:
        flat = SkeletonSequence(
            test.keypoints_px[row][None].astype(np.float64),
            test.skeleton,
            unit="px",
            space="image",
            confidence=test.confidence[row][None].astype(np.float64),
        )
        real = _camera(truth[row][None], test)
        shared = stage(real)
        lines[0].append(
            Cell(sequence=flat, caption=test.action_names[int(test.action[row])].replace("_", " "), note="2D input")
        )
        lines[1].append(Cell(sequence=real, stage=shared, note="truth"))
        for line, (label, found) in zip(lines[2:], poses.items(), strict=True):
            note = f"{label}: {results[label].errors_mm[row]:.0f} mm"
            line.append(Cell(sequence=_camera(found[row][None], test), stage=shared, ghost=real, note=note))
    write_grid(path, lines, title=title, subtitle=subtitle, cell_size=(200, 220))


def _camera(points: Any, test: LiftingData, fps: float | None = None) -> SkeletonSequence:
    return SkeletonSequence(points, test.skeleton, fps=fps, unit="m", space="camera")


def _clip(methods: Mapping[str, LiftingMethod], data: Data, out: Path) -> None:
    """One whole test clip through the whole of ``kinegraph lift``: player and BVH."""
    from kinegraph.formats import write
    from kinegraph.inference import Lifter, upright

    label = list(methods)[-1]
    whole = data.film
    name = next((n for n in whole.clip_names if "/throwing/" in n), whole.clip_names[0])
    rows = np.flatnonzero(whole.clip == whole.clip_names.index(name))
    size = whole.image_size[rows[0]]
    keypoints = SkeletonSequence(
        whole.keypoints_px[rows].astype(np.float64),
        whole.skeleton,
        fps=whole.fps,
        unit="px",
        space="image",
        confidence=whole.confidence[rows].astype(np.float64),
        image_size=(int(size[0]), int(size[1])),
        source=name,
    )
    lifter = Lifter.from_pretrained(methods[label].info["weights"])
    lifted = upright(lifter.lift(keypoints))
    truth = upright(_camera(whole.camera_m[rows], whole, whole.fps))
    write(lifted, out / "lifted.bvh")
    panels = [("2D keypoints", keypoints), ("truth", truth), (f"lifted by {label}", lifted)]
    write_player(out / "player.html", panels, title=f"{name}, lifted by {label}")


def _page(out: Path, table: str, hard: str) -> None:
    """``index.html``: everything on one page, files beside it."""
    style = (
        ":root { color-scheme: light dark; } body { font: 15px/1.5 system-ui, sans-serif; max-width: 84rem; "
        "margin: 2rem auto; padding: 0 1rem; } img { max-width: 100%; height: auto; } pre { overflow-x: auto; } "
        "iframe { width: 100%; height: 34rem; border: 0; }"
    )
    pictures = "\n".join(
        f'<p><img src="{name}" alt="{words}"></p>'
        for name, words in (
            ("hardest.png", "the hardest poses, with each network's answer"),
            ("error_histogram.png", "histogram of the errors"),
            ("hardest_poses.png", "errors on each network's hardest poses"),
        )
    )
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kinegraph demo</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head><body>
<h1>Kinegraph: 2D keypoints lifted to 3D</h1>
<p>Three networks, each trained for about a minute on motion made by this program, tested on people they never saw.</p>
<pre>{html.escape(table)}</pre>
<p><img src="lifted.png" alt="2D keypoints, truth and lifted poses with errors in mm"></p>
<iframe src="player.html" title="a clip to turn and play"></iframe>
<p>The same clip as <a href="lifted.bvh">BVH</a>.</p>
<h2>Hard poses</h2>
{pictures}
<pre>{html.escape(hard)}</pre>
</body></html>
"""
    write_text(out / "index.html", body)
