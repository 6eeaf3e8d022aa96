"""Batches drawn ahead: from the right step on, whoever draws them, without end and without leftovers."""

from __future__ import annotations

import multiprocessing
from itertools import islice
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from kinegraph.training import read_ahead
from kinegraph.training.read_ahead import MOST, Reader, drawn_ahead, on_device, without_trainer

CPU = torch.device("cpu")


class Batch(NamedTuple):
    step: int
    values: Tensor
    none: Tensor | None


def draw(step: int) -> Batch:
    return Batch(step, torch.tensor([step, 2 * step]), None)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_from_the_first_step_on(workers: int) -> None:
    before = set(multiprocessing.active_children())
    batches = drawn_ahead(draw, Reader(first=5, rank=0, world=1, device=CPU, here=1), workers)
    found = list(islice(batches, 7))
    assert [batch.step for batch in found] == list(range(5, 12))
    assert all(type(batch) is Batch and batch.none is None for batch in found)
    assert all(batch.values.tolist() == [batch.step, 2 * batch.step] for batch in found)
    batches.close()  # type: ignore[attr-defined]
    assert set(multiprocessing.active_children()) == before


def test_how_many_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "cores", lambda here: 24 // here)
    cpu = Reader(first=0, rank=0, world=1, device=CPU, here=1)
    gpu = cpu._replace(device=torch.device("cuda"))
    assert [cpu.workers(given) for given in (None, 0, 3)] == [0, 0, 3]
    assert [gpu.workers(given) for given in (None, 0, 3)] == [MOST, 0, 3]
    assert gpu._replace(here=4).workers(None) == 6


def test_a_trainer_does_not_travel() -> None:
    module = SimpleNamespace(trainer=object(), seed=3)
    alone = without_trainer(module)
    assert (alone.trainer, alone.seed) == (None, 3)
    assert module.trainer is not None


def test_a_cpu_tensor_stays_where_it_is() -> None:
    tensor = torch.arange(3)
    assert on_device(tensor, CPU) is tensor
