"""Learning-rate schedules against the values one computes by hand."""

from __future__ import annotations

import math

import pytest

from kinegraph.training.recipe import ScheduleRecipe
from kinegraph.training.schedule import rate


def curve(schedule: ScheduleRecipe, steps: int = 100, per_epoch: int = 10) -> list[float]:
    return [rate(schedule, step, steps, per_epoch) for step in range(steps)]


def test_exponential_falls_once_an_epoch() -> None:
    found = curve(ScheduleRecipe(name="exponential", gamma=0.95))
    assert found == pytest.approx([0.95**epoch for epoch in range(10) for _ in range(10)])


def test_exponential_falls_every_so_many_epochs() -> None:
    found = curve(ScheduleRecipe(name="exponential", gamma=0.1, every=3))
    assert found == pytest.approx([0.1 ** (epoch // 3) for epoch in range(10) for _ in range(10)])


def test_steps_fall_at_their_epochs() -> None:
    found = curve(ScheduleRecipe(name="steps", gamma=0.1, milestones=(3, 7)))
    assert found == pytest.approx([1.0] * 30 + [0.1] * 40 + [0.01] * 30)
    for wrong in ({"name": "steps"}, {"name": "cosine", "milestones": (3,)}):
        with pytest.raises(ValueError, match="go with the schedule `steps`"):
            ScheduleRecipe(**wrong)  # type: ignore[arg-type]
    for milestones in ((7, 3), (0, 3), (3, 3)):
        with pytest.raises(ValueError, match="in rising order"):
            ScheduleRecipe(name="steps", milestones=milestones)


def test_cosine_goes_from_the_peak_to_its_end() -> None:
    found = curve(ScheduleRecipe(name="cosine", final=0.1))
    assert (found[0], found[-1]) == pytest.approx((1.0, 0.1))
    assert found == sorted(found, reverse=True)
    assert found[33] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 3)))  # a third of the 99 intervals


def test_one_cycle_rises_then_falls() -> None:
    found = curve(ScheduleRecipe(name="one-cycle", warmup=0.3))
    assert found[:30] == pytest.approx([(step + 1) / 31 for step in range(30)])
    assert found[30] == pytest.approx(1.0)
    assert found[30:] == sorted(found[30:], reverse=True)
    assert found[-1] == pytest.approx(0.0)


def test_constant_stays_after_its_warmup() -> None:
    found = curve(ScheduleRecipe(name="constant", warmup=0.1))
    assert found[10:] == [1.0] * 90
    assert found[0] < found[9] < 1
