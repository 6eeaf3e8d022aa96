"""Clips whose every coordinate is a number, and methods that answer by it: results that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from action_files import ListSource

from kinegraph.datasets.open_clips import synthetic_clips
from kinegraph.evaluation.clip_recognition import ClipMethod
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.store import ActionClip
from kinegraph.store.clip import Clips
from kinegraph.store.memory import MemoryClips
from kinegraph.transforms.clip_batches import pad_clips
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import PreNormalise
from kinegraph.weights import save_weights

PLAIN: dict[str, Any] = {"prenormalise": PreNormalise(convention="none"), "frames": 4, "people": 1}


def numbered(
    codes: Sequence[float],
    labels: Sequence[int],
    *,
    classes: int,
    splits: Sequence[str] = (),
    subjects: Sequence[str] = (),
    frames: int = 5,
) -> Clips:
    """Clips whose coordinates are all the same number."""
    clips = [
        ActionClip(
            name=f"clip {n}",
            label=label,
            positions=np.full((1, frames, 25, 3), code, dtype=np.float32),
            splits=(splits[n],) if splits else (),
            subject=subjects[n] if subjects else "",
        )
        for n, (code, label) in enumerate(zip(codes, labels, strict=True))
    ]
    return MemoryClips(ListSource(clips, classes), "made")


def says(
    answer: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    classes: int,
    label: str = "made",
    recipe: dict[str, Any] | None = None,
    skeleton: str = "ntu25",
    **transform: Any,
) -> ClipMethod:
    """A method that answers by the mean of what it sees; without `answer` 1 for the class of that number."""

    def logits(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        numbers = x.double().mean(dim=(1, 2, 3, 4)).numpy()
        if answer is not None:
            return torch.from_numpy(np.asarray(answer(numbers), dtype=np.float64))
        return torch.from_numpy(np.eye(classes)[numbers.round().astype(int)])

    settings = PLAIN | {"actions": tuple(f"action {n}" for n in range(classes))} | transform
    return ClipMethod(
        label=label,
        logits=logits,
        transform=ClipTransform(**settings),
        skeleton=get_skeleton(skeleton),
        recipe=recipe or {},
    )


def linear_weights(folder: Path, stream: str = "joint", seed: int = 0, **transform: Any) -> Path:
    """A linear classifier of the synthetic clips, fitted here, in ``<folder>/best``."""
    clips = synthetic_clips()
    rows = [row for row, parts in enumerate(clips.splits) if parts == ("train",)]
    seen = ClipTransform(**({"frames": 8, "people": 1, "stream": stream, "actions": clips.classes} | transform))
    x, mask = (
        torch.from_numpy(a) for a in pad_clips([seen.encode(clips[row].positions, clips.skeleton) for row in rows])
    )
    net = build("linear", clips.skeleton, {"classes": len(clips.classes), "frames": 8})
    net.fit(x, torch.from_numpy(clips.labels[rows]), mask)  # type: ignore[operator]
    recipe = {
        "model": {"name": "linear"},
        "seed": seed,
        "out": str(folder),
        "data": {"protocol": "synthetic-recognition", "fold": 0, "held_out": 0.1},
        "transform": {"stream": stream},
    }
    metadata = {"seed": seed, "recipe": recipe, "data": {"train": {"fingerprint": clips.fingerprint}}}
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "best", net, "linear", metadata, transform=seen, task="recognition")
    return folder / "best"
