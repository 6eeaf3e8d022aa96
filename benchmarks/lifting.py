"""Speed of the lifting networks: HCSF against a masked dense weight, against its matrix products, beside the rest."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from benchmarks.masked_dense import MaskedDenseHCSF
from benchmarks.report import ms, sections, table
from benchmarks.timing import matrix_products, race
from kinegraph import models
from kinegraph.layers import HCSF
from kinegraph.skeleton import get_skeleton

_CHANNELS = 128
_LAYERS = (
    *("HCSF layer, 128 channels", "batch", "layer ms", "masked at every call ms", "ratio", "goal"),
    *("masked once ms", "ratio"),
)
"""Columns. The goal is of the dense weight that is multiplied by its mask at every call, as one that learns must be."""
_SKELETON = get_skeleton("h36m17")
_LIFTERS: dict[str, tuple[str, dict[str, object]]] = {
    "FCN": ("fcn", {}),
    "GCN": ("gcn", {}),
    "SemGCN": ("semgcn", {}),
    "Pre-Agg GCN": ("pre_agg_gcn", {}),
    "Post-Agg GCN": ("post_agg_gcn", {}),
    "LCN": ("lcn", {}),
    "HCSF": ("hcsf", {}),
    "HCSF w/A": ("hcsf", {"dynamic": "m+alpha_o"}),
    "HCSF w/A, 9 frames": ("hcsf", {"dynamic": "m+alpha_o", "dynamic_kernel": 3, "frames": 9}),
    "VideoPose3D, 9 frames": ("videopose3d", {}),
}


def main(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    for _ in sections(arguments, "float32, skeleton h36m17"):
        table(_LAYERS, _layers(arguments))
        table(("HCSF lifter, eval", "batch", "ms", "its matrix products ms", "ratio", "goal"), _lifter(arguments))
        table(("lifter", "parameters", "ms at batch 1", "ms/pose at 1024", "training ms/pose at 256"), _all(arguments))


def _step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Forward and backward."""

    def run() -> None:
        model.zero_grad(set_to_none=True)
        model(x).square().mean().backward()

    return run


def _layers(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    layer = HCSF(_SKELETON.hop_distances(), _CHANNELS, _CHANNELS)
    rivals = {"every call": MaskedDenseHCSF(layer), "once": MaskedDenseHCSF(layer, once=True)}
    for name, batch, mode, goal in (
        ("forward, eval (folded)", 1, "eval", 10.0),
        ("forward, eval (folded)", 256, "eval", 2.0),
        ("forward, as in training", 1, "train", 10.0),
        ("forward, as in training", 256, "train", 2.0),
        ("forward and backward", 256, "step", 1.5),
    ):
        # what the layer may fold once for inference, a rival may too; in training neither may
        modules = {"layer": layer, **{key: rival for key, rival in rivals.items() if mode == "eval" or not rival.once}}
        x = torch.randn(batch, _SKELETON.num_joints, _CHANNELS, requires_grad=mode == "step")
        for module in modules.values():
            module.train(mode != "eval")
        with torch.set_grad_enabled(mode == "step"):
            for module in modules.values():
                torch.testing.assert_close(layer(x), module(x), rtol=1e-3, atol=1e-3)
            times = race(
                {key: _step(m, x) if mode == "step" else lambda m=m, x=x: m(x) for key, m in modules.items()},
                seconds=arguments.seconds,
            )
        told = [name, str(batch), ms(times["layer"].median)]
        for key in rivals:
            there = key in times
            told += [ms(times[key].median), f"{times['layer'].ratio(times[key]):.1f}x"] if there else ["", ""]
            told += [f">= {goal:g}x"] if key == "every call" else []
        yield tuple(told)


@contextmanager
def _products_of(precision: str) -> Iterator[None]:
    """PyTorch's precision of float32 products: one sample or two read weights of float16 where it is below highest."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _lifter(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    model = models.build("hcsf", _SKELETON).eval()
    for batch, precision, goal in ((1, "highest", "< 1 ms"), (1, "high", "< 1 ms"), (256, "", ""), (1024, "", "<= 2x")):
        x = torch.randn(batch, _SKELETON.num_joints, 2)
        with torch.inference_mode(), _products_of(precision or "highest"):
            model(x)
            times = race(
                {"model": lambda x=x: model(x), "products": matrix_products(lambda x=x: model(x))},
                seconds=arguments.seconds,
            )
        ratio = times["products"].ratio(times["model"])
        yield (
            "single frame, 128 channels" + (f", products of precision '{precision}'" if precision else ""),
            str(batch),
            f"{ms(times['model'].median)} (best {ms(times['model'].best)})",
            ms(times["products"].median),
            f"{ratio:.2f}x",
            goal,
        )


def _all(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    built = {name: models.build(key, _SKELETON, options) for name, (key, options) in _LIFTERS.items()}
    one, many = ({n: _input(m, batch) for n, m in built.items()} for batch in (1, 1024))
    with torch.inference_mode():
        for model in built.values():
            model.eval()
        seconds = arguments.seconds * 3
        single = race({n: lambda m=m, x=one[n]: m(x) for n, m in built.items()}, seconds=seconds)
        batched = race({n: lambda m=m, x=many[n]: m(x) for n, m in built.items()}, seconds=seconds, turns=5)
    training = race({n: _step(m.train(), _input(m, 256)) for n, m in built.items()}, seconds=seconds, turns=5)
    for name, model in built.items():
        yield (
            name,
            f"{model.num_parameters / 1e6:.2f} M",
            ms(single[name].median),
            ms(batched[name].median / 1024),
            ms(training[name].median / 256),
        )


def _input(model: models.LiftingModel, batch: int) -> Tensor:
    frames = () if model.frames == 1 else (model.frames,)
    return torch.randn(batch, *frames, _SKELETON.num_joints, 2)
