"""Which numbers a run computes in: bfloat16 on GPUs that multiply matrices of it, float32 on CPUs.

Measured on one core of a Xeon with AMX, a training step in bfloat16 against float32: `recognize_ctrgcn_hdm05` 1.35
times as long, `lift_lcn_mocap_pixel` 1.5, `lift_hcsf_dynamic_mocap_pixel` 1.3, `recognize_hcsf_hdm05` 1.0. Matrices
of a few channels gain nothing there, and every cast costs. Large ones gain (FCN 0.6, HCSF's recogniser at full width
0.6, `symgnn_cmu_cpu` 0.65): for those `bf16` can be said. On CPUs without AMX it costs up to 4.5 times as long.
"""

from __future__ import annotations

from typing import Literal

import torch

from kinegraph.training.recipe_parts import TrainerRecipe

__all__ = ["computed_in"]


def computed_in(trainer: TrainerRecipe) -> Literal["fp32", "bf16"]:
    """The precision of a run on this machine: the recipe's, or what 'auto' comes to here.

    'auto' is float32 on every CPU, so that a recipe computes the same on all of them; bfloat16 on NVIDIA's GPUs from
    Ampere on, and float32 on Apple's.
    """
    if trainer.precision != "auto":
        return trainer.precision
    on_gpu = trainer.accelerator != "cpu" and torch.cuda.is_available()
    return "bf16" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
