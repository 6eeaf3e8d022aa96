"""Bfloat16 where the machine has instructions for it that pay."""

from __future__ import annotations

import pytest
import torch

from kinegraph.training.precision import computed_in
from kinegraph.training.recipe import load_recipe
from kinegraph.training.recipe_parts import TrainerRecipe


@pytest.mark.parametrize("accelerator", ["cpu", "auto", "gpu"])
def test_without_a_gpu_it_is_float32_unless_bf16_is_said(monkeypatch: pytest.MonkeyPatch, accelerator: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert computed_in(TrainerRecipe(precision="auto", accelerator=accelerator)) == "fp32"
    for stated in ("fp32", "bf16"):
        assert computed_in(TrainerRecipe(precision=stated, accelerator=accelerator)) == stated


@pytest.mark.parametrize("hardware", [True, False])
def test_a_gpu_is_asked_for_instructions_not_for_emulation(monkeypatch: pytest.MonkeyPatch, hardware: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def supported(including_emulation: bool = True) -> bool:
        return hardware or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    for accelerator in ("gpu", "auto"):
        found = computed_in(TrainerRecipe(precision="auto", accelerator=accelerator))
        assert found == ("bf16" if hardware else "fp32")
    assert computed_in(TrainerRecipe(precision="auto", accelerator="cpu")) == "fp32"


@pytest.mark.parametrize(
    "name",
    ["symgnn_ntu", "symgnn_cmu", "symgnn_cmu_bone", "symgnn_cmu_norecg", "symgnn_h36m", "recognize_symgnn_ntu"],
)
def test_the_recipes_at_full_width_leave_it_to_the_machine(name: str) -> None:
    """Some were in float32 on every GPU, and others of the same network were not."""
    assert load_recipe(name, ["--data.source", "x"]).trainer.precision == "auto"
