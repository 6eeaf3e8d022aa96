"""The networks in the package under onnxruntime, beside PyTorch in the same process."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.report import ms, table
from benchmarks.timing import race
from kinegraph.export.exporting import compare, find_weights, plan_export, trace
from kinegraph.export.onnx_file import load_run, reduce_precision, to_onnx
from kinegraph.export.plan import Array, ExportPlan, Feed
from kinegraph.models import SymGNN
from kinegraph.shipped import shipped

Models = dict[str, dict[str, Any]]
"""Precision -> name of the graph -> ONNX model."""


def main(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    import onnxruntime

    found = {name: _models(name) for name in shipped()}
    print(f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, the networks in the package\n")
    for name, (plan, models) in found.items():
        table(("network", "graph", "MB", "error beside PyTorch"), _agreement(name, plan, models))
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        print(f"## Exported, {threads} thread{'s' if threads > 1 else ''}\n")
        head = ("call", "batch", "PyTorch ms", "onnxruntime ms", "ratio", "int8 ms")
        table(head, _times(found, threads, arguments.seconds))


def _models(name: str) -> tuple[ExportPlan, Models]:
    plan = plan_export(find_weights(name))
    exact = {part.name: to_onnx(part, trace(part)) for part in plan.parts}
    return plan, {
        "fp32": exact,
        **{p: {k: reduce_precision(m, p) for k, m in exact.items()} for p in ("fp16", "bf16", "int8")},
    }


def _agreement(name: str, plan: ExportPlan, models: Models) -> Iterator[tuple[str, ...]]:
    for precision, parts in models.items():
        _, _, figures = compare(plan, {part: load_run(model) for part, model in parts.items()})
        size = sum(model.ByteSize() for model in parts.values()) / 1e6
        errors = "; ".join(f"{f.label} {f.mean:.2g} {f.unit} (largest {f.largest:.2g})" for f in figures)
        yield name, precision, f"{size:.2f}", errors


def _times(found: dict[str, tuple[ExportPlan, Models]], threads: int, seconds: float) -> Iterator[tuple[str, ...]]:
    for name, (_, models) in found.items():
        weights = find_weights(name)
        runs = {p: {k: load_run(m, threads) for k, m in models[p].items()} for p in ("fp32", "int8")}
        for label, batch, feed, torch_call, graph in _calls(weights.task, weights.model, runs["fp32"]):
            candidates: dict[str, Callable[[], object]] = {"torch": torch_call}
            candidates |= {p: partial(runs[p][graph], feed) for p in runs}
            with torch.inference_mode():
                times = race(candidates, seconds=seconds, turns=7)
            row = (ms(times["torch"].median), ms(times["fp32"].median), f"{times['fp32'].ratio(times['torch']):.2f}x")
            yield f"{name}: {label}", str(batch), *row, ms(times["int8"].median)


def _calls(task: str, model: Any, runs: dict[str, Any]) -> Iterator[tuple[str, int, Feed, Callable[[], object], str]]:
    """Label, batch, input of the graph, the same in PyTorch, and which graph; recognisers of clips are not timed."""
    random = np.random.default_rng(0)

    def draw(*shape: int) -> Array:
        return random.normal(size=shape).astype(np.float32)

    if task == "lift":
        window = () if model.frames == 1 else (model.frames,)
        for batch in (1, 256):
            x = draw(batch, *window, 17, 3)
            seen = x.reshape(batch, model.frames, 17, 3)
            feed = {"keypoints": 300 + 100 * seen[..., :2], "confidence": np.ones(seen.shape[:3], np.float32)}
            yield "lift a pose", batch, feed, partial(model, torch.from_numpy(x)), ""
    if not isinstance(model, SymGNN):
        return
    for batch in (1, 16):
        x = 0.1 * draw(batch, model.observed, model.skeleton.num_joints, 3)
        observed = torch.from_numpy(x)
        yield "observe", batch, {"motion": x}, partial(model.encode, observed), ""
        state = runs[""]({"motion": x})
        with torch.inference_mode():
            yield "one frame more", batch, state, partial(model.step, model.encode(observed)), "step"
