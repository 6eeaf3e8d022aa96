"""Latency of `kinegraph.live` with the weights of the package: lifting, recognition and forecast, frame by frame."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch

import kinegraph as kg
from benchmarks.report import sections, table
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.inference import Forecaster, Lifter, Recognizer
from kinegraph.inference.live import Live
from kinegraph.shipped import default_weights

_FPS = 30.0
_INTRINSICS = np.array([1145.0, 1145.0, 500.0, 500.0])


def keypoints(people: int, seconds: float) -> np.ndarray:
    """(frames, people, 17, 3) of people who walk before a camera, on Human3.6M's joints, a few of them missing."""
    motion = SyntheticMotion(subjects=1, takes=1, seconds=seconds)
    body = motion.clip(0, "walking", 0).resample(_FPS).to_skeleton(kg.get_skeleton("h36m17"), minimum=0.4)
    up = 1 if body.up == "y" else 2
    placed = body.positions[0] - body.positions[0, :, :1].mean(axis=0)
    level = [axis for axis in (0, 1, 2) if axis != up]
    frames = np.stack([placed[..., level[0]], -placed[..., up], placed[..., level[1]] + 5.0], axis=-1)
    flat = frames[..., :2] / frames[..., 2:] * _INTRINSICS[:2] + _INTRINSICS[2:]
    rng = np.random.default_rng(0)
    crowd = np.stack([flat + np.array([260.0 * person, 0]) for person in range(people)], axis=1)
    sure = (rng.uniform(size=crowd.shape[:3]) > 0.05).astype(float)
    return np.concatenate([crowd + rng.normal(scale=2.0, size=crowd.shape), sure[..., None]], axis=-1)


def latencies(pipeline: Live, frames: np.ndarray) -> np.ndarray:
    """Milliseconds of every frame, the first second left out."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    spent = []
    for frame in frames:
        start = clock()
        pipeline.push(frame, ids=range(len(frame)))
        spent.append((clock() - start) * 1e3)
    return np.array(spent[round(_FPS) :])


def main(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    networks = {
        "lifter": Lifter.from_pretrained(default_weights("live")),
        "recognizer": Recognizer.from_pretrained(),
        "forecaster": Forecaster.from_pretrained(),
    }
    what = "weights of the package, 30 frames a second, a forecast of 0.5 s every 5 frames"
    for threads in sections(arguments, what, how=""):
        head = ("live, ms a frame", "p50", "p95", "p99", "largest", "goal")
        table(head, _rows(networks, 3 * arguments.seconds, threads))


def _rows(networks: dict[str, object], seconds: float, threads: int) -> Iterator[tuple[str, ...]]:
    cases = (
        ("lifting alone", 1, {"recognizer": False, "forecaster": False}),
        ("all three", 1, {}),
        ("all three, a forecast every 15 frames", 1, {"forecast_every": 15}),
        ("all three, networks not recorded", 1, {"fast": False}),
        ("all three, bones fitted at every look", 1, {"refit_s": 0.0}),
        ("all three, two people", 2, {}),
    )
    for name, people, options in cases:
        pipeline = kg.live("h36m17", fps=_FPS, image_size=(1000, 1000), threads=threads, **{**networks, **options})
        spent = latencies(pipeline, keypoints(people, max(seconds, 4.0)))
        goal = "all < 10" if name in ("all three", "all three, two people") else ""
        yield name, *(f"{np.percentile(spent, at):.1f}" for at in (50, 95, 99, 100)), goal
