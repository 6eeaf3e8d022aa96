"""Speed of Sym-GNN: against its matrix products alone, over K, in training, and its memory over the horizon."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.report import ms, sections, table
from benchmarks.timing import matrix_products, race
from kinegraph.models import SymGNN, SymGNNConfig
from kinegraph.skeleton import contract, get_skeleton

_OBSERVED, _HORIZON, _CLASSES = 50, 25, 8
_CMU = get_skeleton("cmu38")
# As many joints as the CMU protocol's network sees; which ones does not matter for the time.
_SKELETON = contract(_CMU, [joint for joint in _CMU.joints if not joint.endswith(("thumb", "thumb_base", "tip"))][:27])


def main(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    what = f"float32, Sym-GNN on {_SKELETON.num_joints} joints, {_OBSERVED} frames in, {_HORIZON} out"
    for _ in sections(arguments, what):
        table(("forward, eval", "batch", "ms", "its matrix products ms", "ratio", "goal"), _forward(arguments))
        table(("K", "observe ms", "ms per frame", "frames per 20 ms", "with observing"), _iterations(arguments))
        table(("training step, batch 64", "parameters", "float32 ms", "bfloat16 ms"), _training(arguments))
    table(("frames forecast", "MB held by tensors"), _memory())


def _build(**options: Any) -> SymGNN:
    sizes = {"observed": _OBSERVED, "horizon": _HORIZON, "classes": _CLASSES}
    return SymGNN(_SKELETON, SymGNNConfig(**{**sizes, **options}))


def _input(batch: int) -> Tensor:
    return torch.randn(batch, _OBSERVED, _SKELETON.num_joints, 3)


def _forward(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    for name, width in (("light", 1.0), ("light, width 0.25", 0.25)):
        model = _build(width=width).eval()
        for batch in (1, 64):
            x = _input(batch)
            with torch.no_grad():  # under inference_mode the recorder sees linear and matmul undivided
                model(x)
                run = {"model": lambda x=x, m=model: m(x), "products": matrix_products(lambda x=x, m=model: m(x))}
                times = race(run, seconds=arguments.seconds, turns=7)
            ratio = times["products"].ratio(times["model"])
            goal = "<= 1.5x" if width == 1 else ""
            yield name, str(batch), ms(times["model"].median), ms(times["products"].median), f"{ratio:.2f}x", goal


def _iterations(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Fig. 8: K changes the time to observe; a frame more costs the same for every K."""
    x = _input(1)
    models = {k: _build(iterations=k).eval() for k in range(5)}
    with torch.no_grad():
        states = {k: model.encode(x) for k, model in models.items()}
        observe = race({str(k): lambda m=m: m.encode(x) for k, m in models.items()}, seconds=arguments.seconds)
        step = race({str(k): lambda k=k: models[k].step(states[k]) for k in models}, seconds=arguments.seconds)
    for k in map(str, models):
        first, each = observe[k].median, step[k].median
        yield k, ms(first), ms(each), str(_frames(0.02, each)), str(_frames(0.02 - first, each))


def _frames(seconds: float, each: float) -> int:
    """How many are ready within so many seconds: a frame begun counts for nothing."""
    return max(0, int(seconds / each))


def _training(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    x, target = _input(64), torch.randn(64, _HORIZON, _SKELETON.num_joints, 3)

    def step(model: SymGNN, low: bool) -> Callable[[], None]:
        def run() -> None:
            model.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
                out = model(x)
            ((out.motion.float() - target).abs().mean() + out.logits.float().logsumexp(-1).mean()).backward()

        return run

    for name, options in (
        ("light", {}),
        ("light, width 0.5", {"width": 0.5, "agim_width": 64}),
        ("light, width 0.25", {"width": 0.25, "agim_width": 32}),
        ("light, width 0.25, bone and joint", {"width": 0.25, "agim_width": 32, "stream": "dual"}),
    ):
        model = _build(**options)
        times = race({"full": step(model, False), "low": step(model, True)}, seconds=arguments.seconds, turns=3)
        yield name, f"{model.num_parameters / 1e6:.2f} M", ms(times["full"].median), ms(times["low"].median)


def _memory() -> Iterator[tuple[str, ...]]:
    model, x = _build(width=0.25).eval(), _input(64)
    with torch.no_grad():
        state = model.encode(x)
        for frame in range(1, 251):
            _, state = model.step(state)
            if frame in (2, 25, 250):
                gc.collect()
                held = {
                    t.data_ptr(): t.numel() * t.element_size() for t in gc.get_objects() if issubclass(type(t), Tensor)
                }
                yield str(frame), f"{sum(held.values()) / 1e6:.3f}"
