"""Bfloat16 where the machine has instructions for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kinegraph.training.precision import computed_in, has_bf16
from kinegraph.training.recipe_parts import TrainerRecipe


def on_a_cpu_with(monkeypatch: pytest.MonkeyPatch, **instructions: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"avx512_f": True}, "fp32"),
        ({"avx512_bf16": True, "amx_bf16": False}, "fp32"),
        ({"amx_bf16": True}, "bf16"),
        ({"neon": True, "bf16": True}, "fp32"),
    ],
)
def test_auto_is_what_the_cpu_has(
    monkeypatch: pytest.MonkeyPatch, instructions: dict[str, bool], expected: str
) -> None:
    on_a_cpu_with(monkeypatch, **instructions)
    for accelerator in ("cpu", "auto"):
        assert computed_in(TrainerRecipe(precision="auto", accelerator=accelerator)) == expected
    for stated in ("fp32", "bf16"):
        assert computed_in(TrainerRecipe(precision=stated)) == stated


@pytest.mark.parametrize("hardware", [True, False])
def test_a_gpu_is_asked_first(monkeypatch: pytest.MonkeyPatch, hardware: bool) -> None:
    on_a_cpu_with(monkeypatch, amx_bf16=not hardware)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def supported(including_emulation: bool = True) -> bool:
        return hardware or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert has_bf16("gpu") is has_bf16("auto") is hardware
    assert has_bf16("cpu") is not hardware


def test_an_apple_gpu_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_cpu_with(monkeypatch, amx_bf16=True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert not has_bf16("auto")
    assert not has_bf16("gpu")


def test_an_older_pytorch_is_asked_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_cpu_with(monkeypatch)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    for answer in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda answer=answer: answer, raising=False)
        assert has_bf16("cpu") is answer
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert not has_bf16("cpu")


def test_this_machine_has_an_answer() -> None:
    settings: dict[str, Any] = {"precision": "auto", "accelerator": "cpu"}
    assert computed_in(TrainerRecipe(**settings)) in ("fp32", "bf16")
