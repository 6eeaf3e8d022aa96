"""Speed of the recognisers of clips: milliseconds per clip of two people, forward and training step.

Beside each stands the time of its matrix products and convolutions alone, at rest, in the same process and with the
same allocator, and that of ST-GCN++ in the same turns. The products of a convolution along time that goes by way of
frequencies are those that it then does, its transforms among them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.report import ms, sections, table
from benchmarks.timing import products_and_convolutions, race
from kinegraph.models import RecognitionModel, build
from kinegraph.skeleton import get_skeleton

_BATCH, _PEOPLE, _CLASSES = 8, 2, 60
FRAMES = (64, 100, 300)
"""Lengths of the clips, one after the other."""
_SKELETON = get_skeleton("ntu25")
MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "HCSF, Static-G": ("hcsf_recognizer", {"dynamic": "none"}),
    "HCSF, Dynamic-M": ("hcsf_recognizer", {}),
    "HCSF, Dynamic-A": ("hcsf_recognizer", {"dynamic": "m+alpha_o", "dynamic_kernel": 3}),
    "ST-GCN++": ("stgcnpp", {}),
    "CTR-GCN": ("ctrgcn", {}),
    "ST-GCN": ("stgcn", {}),
    "2s-AGCN, one stream": ("agcn", {}),
    "MixHop": ("mixhop", {}),
    "MS-Hop": ("mshop", {}),
    "Sym-GNN, light": ("symgnn_recognizer", {"backbone": "light"}),
}
"""Rows of the table: name and options of each."""
_RIVAL = "ST-GCN++"


def main(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    joints = _SKELETON.num_joints
    what = f"float32, batch {_BATCH} x {_PEOPLE} people x {joints} joints, {_CLASSES} classes, ms per clip"
    for _ in sections(arguments, what):
        head = (
            "frames",
            "model",
            "parameters",
            "forward",
            "products alone",
            "ratio",
            f"of {_RIVAL}",
            "training step",
            "products alone",
            "ratio",
            f"of {_RIVAL}",
        )
        table(head, _rows(arguments))


def _rows(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    for frames in arguments.frames or FRAMES:
        x = torch.randn(_BATCH, _PEOPLE, frames, _SKELETON.num_joints, 3)
        rival = _build(_RIVAL)
        for title in arguments.models or MODELS:
            model = _build(title)
            cells = []
            for training in (False, True):
                # into training or eval mode once: that makes the folded weights anew
                steps = [(_training if training else _forward)(one.train(training), x) for one in (model, rival)]
                runs = {"model": steps[0], "alone": products_and_convolutions(steps[0]), "rival": steps[1]}
                times = race(runs, seconds=arguments.seconds, turns=3)
                cells += [ms(times["model"].median / _BATCH), ms(times["alone"].median / _BATCH)]
                cells += [f"{times[other].ratio(times['model']):.2f}x" for other in ("alone", "rival")]
            yield str(frames), title, f"{model.num_parameters / 1e6:.2f} M", *cells


def _build(title: str) -> RecognitionModel:
    name, options = MODELS[title]
    model = build(name, _SKELETON, {"classes": _CLASSES, "people": _PEOPLE, **options})
    assert isinstance(model, RecognitionModel)
    return model


def _forward(model: RecognitionModel, x: Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            model(x)

    return run


def _training(model: RecognitionModel, x: Tensor) -> Callable[[], None]:
    labels = torch.arange(len(x)) % _CLASSES

    def run() -> None:
        model.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(x), labels).backward()

    return run
