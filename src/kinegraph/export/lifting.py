"""Lifters: pixels in, metres out, in one graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.export.lift_steps import AXES, joint_tables, steps_after, steps_before
from kinegraph.export.plan import Array, Case, ExportPlan, Measure, Part, Port
from kinegraph.inference.framing import FOCAL_PX, SIDE_PX
from kinegraph.models.lifting_model import LiftingModel, with_residual
from kinegraph.models.videopose3d import VideoPose3D
from kinegraph.transforms.lifting import BOX_M, LiftingTransform
from kinegraph.weights import LoadedWeights

__all__ = ["LiftClip", "LiftGraph", "plan_lifter"]


class LiftClip:
    """Keypoints to check a lifter by.

    Attributes:
        keypoints: (people, frames, joints, 2) px, finite.
        confidence: (people, frames, joints), 0 where a joint is missing.
        image_size: width and height, px.
        intrinsics: (4,) fx, fy, cx, cy, px.
        name: for the report.
    """

    def __init__(
        self, keypoints: Array, confidence: Array, image_size: tuple[int, int], intrinsics: Array, name: str
    ) -> None:
        self.keypoints = np.asarray(keypoints, dtype=np.float32)
        self.confidence = np.asarray(confidence, dtype=np.float32)
        self.image_size, self.intrinsics, self.name = image_size, np.asarray(intrinsics, dtype=np.float32), name


class LiftGraph(nn.Module):
    """A lifter with its transform around it: :class:`kinegraph.transforms.lifting.LiftingTransform` in torch.

    A network over a window of R frames answers for one of them, so ``frames`` keypoints give ``frames - R + 1``
    poses. It takes at least `fewest`. Shapes: see :meth:`ports`.
    """

    def __init__(self, model: LiftingModel, transform: LiftingTransform) -> None:
        super().__init__()
        self.model, self.transform = model, transform
        self.window = model.frames
        self.whole = isinstance(model, VideoPose3D)  # lifts sequences without cutting them into windows
        # A single answer of a whole sequence is a case of its own to the tracer, and so not one of the graph.
        self.fewest = model.frames + self.whole

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        """Inputs and outputs, in the order of :meth:`forward`."""
        joints, transform = self.model.skeleton.num_joints, self.transform
        meaning = _KEYPOINTS + (f"; {self.fewest} frames or more" if self.fewest > 1 else "")
        inputs = [Port(name="keypoints", axes=("batch", "frames", joints, 2), unit="px", meaning=meaning)]
        if transform.confidence:
            meaning = "0: missing, whatever its keypoint; else up to 1"
            inputs.append(Port(name="confidence", axes=("batch", "frames", joints), unit="share", meaning=meaning))
        if transform.normalise == "screen":
            inputs.append(Port(name="image_size", axes=("batch", 2), unit="px", meaning="width and height"))
        if transform.target == "pixel":
            inputs.append(Port(name="intrinsics", axes=("batch", 4), unit="px", meaning="fx, fy, cx, cy"))
            inputs.append(Port(name="root_depth", axes=("batch", "frames"), unit="m", meaning="of the root joint"))
        frames: str | int = "frames" if self.window == 1 else f"frames - {self.window - 1}"
        if transform.target == "pixel":
            where = "camera space"
        elif transform.normalise == "box":
            where = "from the root joint, in the axes of a camera that looks at it (see 'afterwards')"
        else:
            where = "from the root joint, camera axes"
        meaning = f"{where}: {AXES}"
        return tuple(inputs), (Port(name="positions", axes=("batch", frames, joints, 3), unit="m", meaning=meaning),)

    def forward(self, keypoints: Tensor, *others: Tensor) -> Tensor:
        """Lift (batch, frames, joints, 2) px to (batch, frames - R + 1, joints, 3) m; `others`: see :meth:`ports`."""
        rest = list(others)
        transform = self.transform
        confidence = rest.pop(0) if transform.confidence else None
        size = rest.pop(0) if transform.normalise == "screen" else None
        encoded = self._encode(keypoints, confidence, size)
        output = self._network(encoded)
        if transform.residual:
            output = with_residual(output, self._middle(encoded), self.model.target)
        if transform.target == "metric":
            root = transform.root
            return (output - output[..., root : root + 1, :]) * transform.scale
        assert size is not None
        return self._decode_pixel(output, rest[0], size, self._middle(rest[1]))

    def _encode(self, keypoints: Tensor, confidence: Tensor | None, size: Tensor | None) -> Tensor:
        seen = None if confidence is None else (confidence > 0).unsqueeze(-1)
        if seen is not None:  # a missing keypoint may be anything, NaN too
            keypoints = torch.where(seen, keypoints, 0.0)
        if size is not None:
            size = size[:, None, None]
            xy = (2.0 * keypoints - size) / size[..., :1]
        else:
            low, high = keypoints, keypoints
            if seen is not None:
                low, high = torch.where(seen, low, _FAR), torch.where(seen, high, -_FAR)
            low, high = low.amin(dim=-2, keepdim=True), high.amax(dim=-2, keepdim=True)
            half = ((high - low).amax(dim=-1, keepdim=True) / 2.0).clamp(min=1e-6)
            xy = (keypoints - (low + high) / 2.0) / half
        if seen is None or confidence is None:
            return xy
        return torch.cat((torch.where(seen, xy, 0.0), confidence.unsqueeze(-1)), dim=-1)

    def _network(self, x: Tensor) -> Tensor:
        batch, frames = x.shape[:2]
        if self.whole:
            result: Tensor = self.model.forward_sequence(x)  # type: ignore[operator]
            return result
        if self.window == 1:
            return self.model(x.flatten(0, 1)).unflatten(0, (batch, frames))  # type: ignore[no-any-return]
        count = frames - self.window + 1
        windows = torch.stack([x[:, first : first + count] for first in range(self.window)], dim=2)
        return self.model(windows.flatten(0, 1)).unflatten(0, (batch, count))  # type: ignore[no-any-return]

    def _middle(self, x: Tensor) -> Tensor:
        """The frames that are lifted."""
        count = x.shape[1] - self.window + 1
        return x[:, self.model.target : self.model.target + count]

    def _decode_pixel(self, output: Tensor, intrinsics: Tensor, size: Tensor, depth: Tensor) -> Tensor:
        fx, fy, cx, cy = intrinsics[:, None, None].unbind(-1)  # (batch, 1, 1)
        width, height = size[:, None, None].unbind(-1)
        depth = depth.unsqueeze(-1)
        rho = (fx * BOX_M / depth + 1.0) / BOX_M
        u = (output[..., 0] + 1) * width / 2
        v = (output[..., 1] + height / width) * width / 2
        z = output[..., 2] * width / 2 / rho + depth
        return torch.stack(((u - cx) * z / fx, (v - cy) * z / fy, z), dim=-1)


_FAR = 1e9  # px; no keypoint is that far out
_KEYPOINTS = "x to the right and y down from the top left corner; a row of the batch is one person"


def plan_lifter(weights: LoadedWeights, clip: LiftClip, fps: float | None) -> ExportPlan:
    """The graph of a lifter, and what it must answer on a clip.

    Args:
        weights: of task "lift".
        clip: on the network's skeleton, px.
        fps: moments a second in the windows of training; None for a single frame, or where it is not known.

    Raises:
        ConfigError: weights of another kind of network.
    """
    model, transform = weights.model, weights.transform
    if not isinstance(model, LiftingModel) or not isinstance(transform, LiftingTransform):
        raise ConfigError(f"{weights.folder}: {weights.model_name} is no lifting network")
    graph = LiftGraph(model, transform).eval()
    inputs, outputs = graph.ports()
    window, before = model.frames, model.target
    after = window - 1 - before
    cases = tuple(_cases(graph, inputs, clip))
    example = _feed(inputs, clip, people=3, frames=window + 3)
    facts: dict[str, Any] = {
        "frames_of_context": window,
        "fewest_frames": graph.fewest,
        "frames_before": before,
        "frames_after": after,
        "fps": fps if window > 1 else None,
        "normalisation": "inside the graph",
        "view": (
            "whole image"
            if transform.normalise == "screen"
            else "any: keypoints are scaled to the person's own box, so neither the image's size nor the place in it "
            "matters to the graph; it answers as a camera that looks at the root joint sees it: turn that by 'turn'"
        ),
        "training_camera": {"focal_px": FOCAL_PX, "image_px": SIDE_PX, "distance_m": [4, 6]},
        "missing_joints": (
            "confidence 0" if transform.confidence else "fill them in yourself: the network takes every joint as seen"
        ),
        "scale": "of an average adult; one camera cannot tell",
        "prepare": steps_before(transform, window, fps),
        "layouts": joint_tables(weights.skeleton),
        "afterwards": steps_after(transform),
    }
    if window > 1:
        facts["ends"] = (
            f"repeat the first frame {before} times"
            + (f" and the last {after} times" if after else "")
            + " to keep the length of a recording"
        )
    return ExportPlan(
        parts=(
            Part(
                name="",
                module=graph,
                example=tuple(torch.from_numpy(example[port.name]) for port in inputs),
                inputs=inputs,
                outputs=outputs,
            ),
        ),
        cases=cases,
        measures=(Measure(output="positions", label="joint position", unit="mm", factor=1000.0, distance=True),),
        facts=facts,
        checked_on=clip.name,
    )


def _feed(inputs: tuple[Port, ...], clip: LiftClip, *, people: int, frames: int, start: int = 0) -> dict[str, Array]:
    """Inputs cut from the clip, repeated where it is too short."""
    rows = np.arange(people) % len(clip.keypoints)
    # every row begins somewhere else, so that rows differ
    at = (start + 5 * np.arange(people)[:, None] + np.arange(frames)) % clip.keypoints.shape[1]
    depth = np.full((people, frames), 5.0, dtype=np.float32) + np.arange(people, dtype=np.float32)[:, None] / 4
    values: dict[str, Array] = {
        "keypoints": clip.keypoints[rows[:, None], at],
        "confidence": clip.confidence[rows[:, None], at],
        "image_size": np.tile(np.array(clip.image_size, dtype=np.float32), (people, 1)),
        "intrinsics": np.tile(clip.intrinsics, (people, 1)),
        "root_depth": depth,
    }
    return {port.name: values[port.name] for port in inputs}


def _cases(graph: LiftGraph, inputs: tuple[Port, ...], clip: LiftClip) -> Iterator[Case]:
    window = graph.window
    for people, frames in ((1, graph.fewest), (1, window + 24), (2, window + 7), (5, window + 1)):
        feed = _feed(inputs, clip, people=people, frames=frames, start=people)
        label = f"batch {people}, {frames} frame{'s' if frames > 1 else ''}"
        yield Case(feed=feed, expected={"positions": _expected(graph, feed)}, label=label)
    if graph.transform.confidence:
        feed = _feed(inputs, clip, people=3, frames=window + 2)
        confidence = feed["confidence"].copy()
        confidence[:, :, 1::5] = 0
        confidence[0, 0] = 0  # nobody there
        feed["confidence"] = confidence
        expected = {"positions": _expected(graph, feed)}
        yield Case(feed=feed, expected=expected, label=f"batch 3, {window + 2} frames, joints missing")


def _expected(graph: LiftGraph, feed: dict[str, Array]) -> Array:
    """What the package's own transform and the network answer."""
    transform, window = graph.transform, graph.window
    keypoints = feed["keypoints"]
    confidence = feed.get("confidence", np.ones(keypoints.shape[:-1], dtype=np.float32))
    size = feed.get("image_size", np.ones((len(keypoints), 2), dtype=np.float32))[:, None]
    encoded = transform.encode_inputs(keypoints, confidence, size)
    count = encoded.shape[1] - window + 1
    windows = np.stack([encoded[:, first : first + count] for first in range(window)], axis=2)
    flat = torch.from_numpy(windows.reshape(-1, *windows.shape[2:]))
    with torch.inference_mode():
        output = graph.model(flat if window > 1 else flat[:, 0]).numpy()
    output = output.reshape(len(encoded), count, *output.shape[1:])
    middle = slice(graph.model.target, graph.model.target + count)
    if transform.residual:
        output = np.concatenate([output[..., :2] + encoded[:, middle, :, :2], output[..., 2:]], axis=-1)
    if transform.target == "metric":
        return transform.decode(output)
    depth = feed["root_depth"][:, middle]
    return transform.decode(output, feed["intrinsics"][:, None], size, depth)
