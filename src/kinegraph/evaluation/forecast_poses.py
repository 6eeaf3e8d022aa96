"""Forecast and true poses of one window as joint positions (Sym-GNN, Fig. 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, nearest
from kinegraph.evaluation.forecasting import ActionWindows, ForecastMethod, ForecastProtocol, predict_windows
from kinegraph.evaluation.labelled_windows import body_positions
from kinegraph.evaluation.tables import text_table
from kinegraph.skeleton import Skeleton

__all__ = ["PoseStrip", "pose_strip", "strip_report"]

Array = NDArray[np.float64]
_RIGS = {"cmu": "cmu38", "h36m": "h36m32"}


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseStrip:
    """One window's truth and forecasts at the same instants.

    Attributes:
        protocol, action, window: which window.
        labels_ms: what the literature calls the instants.
        elapsed_ms: the true time since the last observed frame.
        skeleton: of the positions.
        observed: (joints, 3) the last observed pose, metres.
        truth: (instants, joints, 3).
        methods: label -> (instants, joints, 3).
        fps: of the protocol.
        info: what else belongs beside the numbers.
    """

    protocol: str
    action: str
    window: int
    labels_ms: tuple[int, ...]
    elapsed_ms: tuple[float, ...]
    skeleton: Skeleton
    observed: Array
    truth: Array
    methods: dict[str, Array]
    fps: float
    info: dict[str, Any]

    def errors_mm(self, label: str) -> Array:
        """Mean distance of the method's joints from the true ones at every instant, (instants,) mm."""
        return np.asarray(1000.0 * np.linalg.norm(self.methods[label] - self.truth, axis=-1).mean(axis=-1))

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "analysis": "poses",
            "protocol": self.protocol,
            "action": self.action,
            "window": self.window,
            "labels_ms": list(self.labels_ms),
            "elapsed_ms": list(self.elapsed_ms),
            "joints": list(self.skeleton.joints),
            "error_mm": {label: self.errors_mm(label).tolist() for label in self.methods},
            "positions_m": {
                "truth": self.truth.tolist(),
                **{label: poses.tolist() for label, poses in self.methods.items()},
            },
            "info": self.info,
        }


def pose_strip(
    methods: Sequence[ForecastMethod],
    protocol: ForecastProtocol,
    action: str,
    *,
    window: int = 0,
    every_ms: int = 80,
) -> PoseStrip:
    """Forecast one window of a protocol with several methods.

    Args:
        methods: all of the protocol's representation.
        protocol: whose window.
        action: one of its actions.
        window: number of the window.
        every_ms: step between instants, by the literature's labels.

    Raises:
        ConfigError: no such action, window or step, two methods of one name, or a method that does not fit.
    """
    if action not in protocol.actions:
        there = ", ".join(protocol.actions)
        raise ConfigError(f"no windows of '{action}'{nearest(action, protocol.actions)} (there are: {there})")
    labels = [method.label for method in methods]
    if len(set(labels)) != len(labels):
        raise ConfigError(f"two models are called the same ({', '.join(labels)}); rename a folder")
    windows = protocol.actions[action]
    if not 0 <= window < len(windows.inputs):
        raise ConfigError(f"window {window} of {action}: there are 0 to {len(windows.inputs) - 1}")
    frame_ms = 1000 / protocol.fps  # and where the labels are of another rate than the data, theirs
    if any(round(frame_ms * (frame + 1)) != ms for frame, ms in zip(protocol.frames, protocol.times_ms, strict=True)):
        frame_ms = protocol.times_ms[0] / (protocol.frames[0] + 1)
    step = round(every_ms / frame_ms)
    if not 1 <= step <= protocol.horizon:
        raise ConfigError(
            f"every {every_ms} ms: expected {frame_ms:g} to {frame_ms * protocol.horizon:g} (a frame counts as "
            f"{frame_ms:g} ms here)"
        )
    frames = list(range(step - 1, protocol.horizon, step))
    one = ActionWindows(inputs=windows.inputs[window : window + 1], truth=windows.truth[window : window + 1])
    rig = _RIGS.get(protocol.name.partition("-")[0]) if protocol.representation == "expmap" else None
    truth, skeleton = _true_positions(one, protocol, rig)
    found = {
        method.label: body_positions(predict_windows(method, protocol, one.inputs)[0, frames], protocol.skeleton, rig)[
            0
        ]
        for method in methods
    }
    return PoseStrip(
        protocol=protocol.name,
        action=action,
        window=window,
        labels_ms=tuple(round(frame_ms * (frame + 1)) for frame in frames),
        elapsed_ms=tuple(1000.0 * (frame + 1) / protocol.fps for frame in frames),
        skeleton=skeleton,
        observed=truth[protocol.observed - 1],
        truth=truth[[protocol.observed + frame for frame in frames]],
        methods=found,
        fps=protocol.fps,
        info={"data": protocol.data, "methods": {method.label: method.info for method in methods}},
    )


def _true_positions(one: ActionWindows, protocol: ForecastProtocol, rig: str | None) -> tuple[Array, Skeleton]:
    """Positions of all frames of the window, (observed + horizon, joints, 3), on the joints a method answers for."""
    truth = one.truth[0]
    if rig is not None and truth.ndim == 2:  # rows of the file: root path, then exponential maps
        from kinegraph.skeleton import get_skeleton

        whole = get_skeleton(rig)
        turns = truth[:, 3:].reshape(len(truth), whole.num_joints, 3)
        return body_positions(turns[:, [whole.index(j) for j in protocol.skeleton.joints]], protocol.skeleton, rig)
    joints = protocol.skeleton.num_joints
    if truth.shape[1] == joints or rig is not None:
        return truth, protocol.skeleton if rig is None else body_positions(one.inputs[0], protocol.skeleton, rig)[1]
    from kinegraph.skeleton import get_skeleton

    whole = get_skeleton(_RIGS[protocol.name.partition("-")[0]])
    return truth[:, [whole.index(joint) for joint in protocol.skeleton.joints]], protocol.skeleton


def strip_report(strip: PoseStrip, *, markdown: bool = False) -> str:
    """Mean joint distance of every method at every instant."""
    rows = [[label, *(f"{value:.0f}" for value in strip.errors_mm(label))] for label in strip.methods]
    header = ["mm", *map(str, strip.labels_ms)]
    truly = ", ".join(f"{time:.0f}" for time in strip.elapsed_ms)
    return "\n".join(
        [
            f"{strip.action}, window {strip.window} of {strip.protocol}: mean distance of joints from the true ones",
            text_table(header, rows, markdown=markdown),
            f"note: labels of the literature; truly {truly} ms after the last observed frame. One window is a picture, "
            "no measurement: use evaluate for that",
        ]
    )
