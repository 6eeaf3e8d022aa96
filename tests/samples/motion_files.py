"""Folders of recordings, those in the form of the CMU actions too, and small untrained networks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinegraph.datasets import cmu_actions
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.formats import write
from kinegraph.models import build
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import save_weights

TINY = {"width": 0.05, "agim_width": 8, "gamma": 2, "iterations": 1, "differences": (0,)}
TINY_FLOOR = ["--trainer.validate_poses", "8", "--trainer.tensorboard", "false", "--trainer.accelerator", "cpu"]
"""Options of floors that see every clip once."""
TINY_RIDGE = ["--trainer.steps", "2", "--trainer.batch", "4", *TINY_FLOOR]
TINY_TRAINER = ["--trainer.validate_every", "2", *TINY_RIDGE]
TINY_RUN = [*("--model.width", "0.05", "--model.agim_width", "8", "--model.differences", "[0]"), *TINY_TRAINER]
"""Options that make any motion recipe a matter of a second."""
TINY_CLIPS = ["--model.width", "0.1", "--transform.frames", "8", *TINY_TRAINER]
"""The same for recipes of recognisers, but for the fitted ones."""


def write_recordings(folder: Path, frames: int = 170) -> Path:
    """Two actions with a training, a validation and a test clip each; walking sways slowly, running quickly."""
    rng = np.random.default_rng(0)
    t = np.arange(frames)[:, None]
    for speed, action in ((0.05, "walking"), (0.25, "running")):
        for part, number in (("train", 1), ("train", 4), ("test", 1)):
            place = folder / part / action
            place.mkdir(parents=True, exist_ok=True)
            rows = np.zeros((frames, 117))
            size, phase = rng.uniform(0.1, 0.3, 64), rng.uniform(0, 6, 64)
            rows[:, list(cmu_actions.COLUMNS)] = size * np.sin(speed * t + phase)
            np.savetxt(place / f"{action}_{number}.txt", rows, delimiter=",", fmt="%.7g")
    return folder


def write_weights(place: Path, recordings: Path, name: str = "net", **options: Any) -> Path:
    """A Sym-GNN fresh from its initial weights in ``<place>/<name>/best``."""
    train = cmu_actions.load(recordings, "train")
    config = {"classes": 8, **TINY, **options}
    transform = MotionTransform.fit(
        [clip.features for clip in train.clips],
        fps=60.0,
        observed=config.get("observed", 50),
        horizon=config.get("horizon", 25),
        actions=train.actions if config["classes"] else (),
    )
    run = place / name
    run.mkdir(parents=True)
    torch.manual_seed(0)
    network = build("symgnn", train.skeleton, config)
    save_weights(run / "best", network, "symgnn", {"seed": 3}, transform=transform, task="motion")
    return run / "best"


def write_takes(folder: Path, count: int, people: int = 1, seconds: float = 1.5) -> None:
    """A folder of so many files, take00.npz and on: everybody walks, each in their own way."""
    motion = SyntheticMotion(subjects=people, takes=count, seconds=seconds, fps=30.0)
    folder.mkdir()
    for take in range(count):
        found = [motion.clip(person, "walking", take) for person in range(people)]
        together = np.concatenate([one.positions for one in found])
        whole = SkeletonSequence(together, found[0].skeleton, fps=30, unit="m", space="world", up="z")
        write(whole, folder / f"take{take:02d}.npz")
