"""Learning-rate schedules: the rate as a share of its peak, a pure function of the step."""

from __future__ import annotations

import math

from kinegraph.training.recipe_parts import ScheduleRecipe

__all__ = ["follows_length", "rate"]


def rate(schedule: ScheduleRecipe, step: int, steps: int, steps_per_epoch: int) -> float:
    """The share of the peak learning rate used at `step`, 0 <= step < `steps`.

    Args:
        schedule: which curve.
        step: optimiser steps already taken.
        steps: length of the run.
        steps_per_epoch: steps in a pass over the data; `exponential` falls once every so many, `milestones` count them.
    """
    rise = schedule.warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    if schedule.name == "constant":
        return 1.0
    if schedule.name == "exponential":
        return float(schedule.gamma ** (step // (schedule.every * steps_per_epoch)))
    if schedule.name == "steps":
        return float(schedule.gamma ** sum(step >= epoch * steps_per_epoch for epoch in schedule.milestones))
    progress = min(1.0, (step - rise) / max(1.0, steps - 1 - rise))
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * progress))


def follows_length(schedule: ScheduleRecipe) -> bool:
    """Whether the rate of a step hangs on how long the run is, so that a longer run differs from its first step on."""
    return schedule.name in ("cosine", "one-cycle") or schedule.warmup > 0
