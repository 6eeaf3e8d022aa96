"""How fast a network generates motion: frames within a frame period of the literature (Sym-GNN, Fig. 8)."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

__all__ = ["frames_generated_within"]


def frames_generated_within(
    model: Any, *, milliseconds: float = 20.0, frames: int = 10, batch: int = 1, repeats: int = 15
) -> float:
    """Frames generated in `milliseconds`, observing included, where `frames` are asked for at once.

    The paper counts "the generated frame numbers in each 20 ms when we predict up to 400 ms", which are ten frames of
    its 25 fps. Time depends on the machine and on what else it does: compare within one call's machine only.

    Args:
        model: a motion network that forecasts, in eval mode.
        milliseconds: the period.
        frames: asked for at once.
        batch: sequences at once; all of them count as one.
        repeats: the median of this many runs counts, after two that do not.
    """
    horizon = frames if model.any_horizon else min(frames, model.horizon)
    parameter = next(model.parameters(), None)
    device = "cpu" if parameter is None else parameter.device
    x = torch.randn(batch, model.observed, model.skeleton.num_joints, model.channels, device=device)
    times = []
    with torch.no_grad():
        for index in range(repeats + 2):
            start = time.perf_counter()
            answer = model(x, horizon).motion
            answer.sum().item()  # waits for a GPU
            if index >= 2:
                times.append(time.perf_counter() - start)
    return horizon * milliseconds / 1000.0 / statistics.median(times)
