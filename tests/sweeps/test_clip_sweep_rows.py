"""Every row of the HCSF paper's supplementary Tables 4 to 7 learns: a step of each on clips of a few frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource
from kinegraph.store.memory import MemoryClips
from kinegraph.sweeps.hcsf_presets import RECOGNITION_PRESETS
from kinegraph.sweeps.runs import plan_sweep
from kinegraph.training.clip_data_module import ClipSplits
from kinegraph.training.recognition_setup import prepare

TINY = ["--model.width", "0.05", "--transform.frames", "8", "--trainer.batch", "2", "--data.held_out", "0"]
TINY += ["--trainer.keep", "last", "--trainer.precision", "fp32"]


class TwoClips(ClipSource):
    """One of one person, one of two, on the paper's skeleton."""

    dataset, fps, classes = "ntu60", 30.0, ("sit", "stand")
    skeleton = get_skeleton("ntu25")

    def __len__(self) -> int:
        return 2

    def name(self, index: int) -> str:
        return f"clip{index}"

    def stamp(self, index: int) -> str:
        return "1"

    def read(self, index: int) -> ActionClip:
        positions = np.random.default_rng(index).normal(size=(1 + index, 6, 25, 3)).astype(np.float32)
        return ActionClip(name=self.name(index), label=index, positions=positions)


@pytest.fixture(scope="module")
def splits() -> ClipSplits:
    return ClipSplits(MemoryClips(TwoClips(), Path("two")), np.arange(2), np.zeros(0, dtype=np.int64))


@pytest.mark.parametrize("table", RECOGNITION_PRESETS)
def test_every_row_learns(table: str, splits: ClipSplits) -> None:
    sweep = RECOGNITION_PRESETS[table]()
    plan = plan_sweep(sweep, "recognize_hcsf_ntu", TINY, protocol="ntu60-xview", data="somewhere", out="out")
    networks = set()
    for variant, _, recipe in plan.runs:
        prepared = prepare(recipe, splits)
        batch = prepared.data.batch_of(0)
        logits = prepared.model.train()(batch.inputs, batch.mask)
        assert logits.shape == (2, 2), variant.name
        torch.nn.functional.cross_entropy(logits, batch.labels).backward()
        learnt = [weight for weight in prepared.model.parameters() if weight.requires_grad]
        assert all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in learnt), variant.name
        networks.add((repr(prepared.model.config), str(prepared.transform.stream)))
    assert len(networks) == len(sweep.variants)  # what a row changes has come as far as the network
