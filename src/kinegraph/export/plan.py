"""What is exported: graphs with named inputs and outputs, and inputs with known answers to check them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Array", "Case", "Feed", "Measure", "Part", "ExportPlan", "Port", "Run"]

Array = NDArray[Any]
Feed = Mapping[str, Array]
Run = Callable[[Feed], dict[str, Array]]


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of a graph.

    Attributes:
        name: of the tensor.
        axes: a name for each axis whose length is free, a number for each that is fixed.
        unit: ``"m"``, ``"px"``, ``"rad"``, ... as text.
        meaning: one line.
    """

    name: str
    axes: tuple[str | int, ...]
    unit: str
    meaning: str

    def describe(self) -> dict[str, Any]:
        """For the sidecar."""
        return {"name": self.name, "shape": list(self.axes), "unit": self.unit, "meaning": self.meaning}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One graph, and so one file.

    Attributes:
        name: "" for the main graph; another part's file gets its name as suffix (``OUT_step.onnx``).
        module: what is traced, in eval mode.
        example: its inputs, in order, of the shapes of `inputs`; free axes have different lengths of at least 3 where
            they may.
        inputs, outputs: their ports, in the same order.
    """

    name: str
    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How a difference between two answers is told.

    Attributes:
        output: which one.
        label: what it is.
        unit: and in which unit.
        factor: from the output's unit to this one.
        joints: indices along the joint axis, all if None.
        distance: of the last axis (joints in space), or value by value.
        rotation: exponential maps: the angle between the two.
    """

    output: str
    label: str
    unit: str
    factor: float = 1.0
    joints: tuple[int, ...] | None = None
    distance: bool = False
    rotation: bool = False

    def differences(self, found: Feed, expected: Feed) -> NDArray[np.float64]:
        """In the output's own unit: of the same shape, without the last axis for a distance or a rotation.

        Outputs of two shapes are infinitely far apart, (1,).
        """
        a, b = (np.asarray(feed[self.output], dtype=np.float64) for feed in (found, expected))
        if a.shape != b.shape:
            return np.array([np.inf])
        if self.joints is not None:
            a, b = a[..., list(self.joints), :], b[..., list(self.joints), :]
        if self.rotation:
            return angle_between(a, b)
        gap = np.abs(a - b)
        return np.asarray(np.linalg.norm(gap, axis=-1)) if self.distance else gap


def angle_between(a: Array, b: Array) -> NDArray[np.float64]:
    """Angle (...) in radians between the rotations of two exponential maps (..., 3)."""
    from kinegraph.geometry.rotations import (
        expmap_to_quaternion,
        quaternion_conjugate,
        quaternion_multiply,
        quaternion_to_expmap,
    )

    gap = quaternion_multiply(quaternion_conjugate(expmap_to_quaternion(a)), expmap_to_quaternion(b))
    return np.asarray(np.linalg.norm(quaternion_to_expmap(gap), axis=-1))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Inputs of the main graph, and what PyTorch with the package's own pre- and postprocessing answers.

    Attributes:
        feed, expected: inputs and answers by name, of the shapes of their ports.
        label: for people.
        frames: to forecast; 0 where nothing is.
    """

    feed: Feed
    expected: Feed
    label: str
    frames: int = 0


def main_alone(runs: Mapping[str, Run], case: Case) -> dict[str, Array]:
    """What a plan of one graph answers, of the shapes of its output ports."""
    return runs[""](case.feed)


@dataclass(frozen=True, kw_only=True)
class ExportPlan:
    """Everything about one export.

    Attributes:
        parts: the graphs.
        cases: what they are checked on.
        measures: how an error is told.
        facts: for the sidecar: what it takes and gives, and what the caller has to do.
        checked_on: the check clip, in words.
        answer: runs the parts as a user would: (name of part -> run, the case) -> outputs.
    """

    parts: tuple[Part, ...]
    cases: tuple[Case, ...]
    measures: tuple[Measure, ...]
    facts: dict[str, Any]
    checked_on: str
    answer: Callable[[Mapping[str, Run], Case], dict[str, Array]] = field(default=main_alone)
