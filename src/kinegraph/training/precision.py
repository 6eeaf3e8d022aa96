"""Which numbers a run computes in: bfloat16 pays where the machine multiplies matrices of it, and nowhere else.

Measured with one thread against float32: on a Xeon with AVX-512 BF16 whose AMX the virtual machine hides, products of
bfloat16 take twice as long, `lift_lcn_mocap_pixel` 1.5 and `recognize_hcsf_hdm05` 1.3 times. On an EPYC with neither
PyTorch emulates it, and `recognize_hcsf_hdm05` takes 4.5 times as long.
"""

from __future__ import annotations

from typing import Literal

import torch

from kinegraph.training.recipe_parts import TrainerRecipe

__all__ = ["computed_in", "has_bf16"]


def computed_in(trainer: TrainerRecipe) -> Literal["fp32", "bf16"]:
    """The precision of a run on this machine: the recipe's, or what 'auto' comes to here."""
    if trainer.precision != "auto":
        return trainer.precision
    return "bf16" if has_bf16(trainer.accelerator) else "fp32"


def has_bf16(accelerator: Literal["cpu", "gpu", "auto"]) -> bool:
    """Whether the machine multiplies matrices of bfloat16 in hardware.

    A CPU does with AMX. AVX-512 BF16 multiplies vectors, no faster than float32; AMD's and ARM's count as CPUs that do
    not, for want of measurements. A GPU does from NVIDIA's Ampere on; Apple's counts as one that does not.
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if accelerator == "gpu" or (accelerator == "auto" and torch.backends.mps.is_available()):
        return False
    return _cpu_has_bf16()


def _cpu_has_bf16() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return bool(found.get("amx_bf16"))
    # PyTorch before `get_capabilities` knows it under a name of its own.
    asked = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(asked()) if asked is not None else False
