"""Motion networks: metres and radians in and out. Sym-GNN as an encoder and a step, the others as one graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.export.plan import Array, Case, ExportPlan, Measure, Part, Port, Run, main_alone
from kinegraph.export.turning import Heading
from kinegraph.models import MotionModel, SymGNN
from kinegraph.models.symgnn import SymGNNState
from kinegraph.models.symgnn_network import PredictionState
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.transforms.heading import heading_absolute, heading_relative
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import LoadedWeights

__all__ = ["EncodeGraph", "ForecastGraph", "CheckMotion", "StepGraph", "plan_motion"]

_NAMES = {name: "pose" if name == "frame" else name for name in PredictionState._fields}
"""Fields of the state -> names of tensors; 'frame' is what a step puts out."""
_MOVING = ("hidden", "frame", "velocity", "acceleration")  # fields that change from frame to frame
_NEXT = "_next"


class CheckMotion:
    """World features (frames, joints, 3) of the network to check it by, and a name for the report."""

    def __init__(self, features: Array, name: str) -> None:
        self.features, self.name = np.asarray(features, dtype=np.float32), name


class Features(nn.Module):
    """What stands between a person's features and the network's: heading and normalisation, both ways.

    Attributes:
        mean, scale: (joints, 3) of each feature; the scale of one that never moves is 1.
        moving: (joints, 3) bool, which features ever move.
    """

    mean: Tensor
    scale: Tensor
    moving: Tensor

    def __init__(self, weights: LoadedWeights) -> None:
        super().__init__()
        transform = weights.transform
        assert isinstance(transform, MotionTransform)
        self.heading = Heading(weights.skeleton, transform.representation) if transform.root == "heading" else None
        scale = torch.tensor(transform.scale)
        self.register_buffer("mean", torch.tensor(transform.mean))
        self.register_buffer("moving", scale > 0)
        self.register_buffer("scale", torch.where(scale > 0, scale, 1.0))
        self.all_move = bool((scale > 0).all())

    def encode(self, motion: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Network input (batch, frames, joints, 3) of `motion`, and what :meth:`decode` needs to bring answers back."""
        kept: dict[str, Tensor] = {}
        if self.heading is not None:
            motion, kept["place"], kept["turn"] = self.heading(motion)
        if not self.all_move:
            kept["last"] = motion[:, -1]
        return torch.where(self.moving, (motion - self.mean) / self.scale, 0.0), kept

    def decode(self, output: Tensor, kept: Mapping[str, Tensor]) -> Tensor:
        """Features (batch, frames, joints, 3) in the world."""
        future = output * self.scale + self.mean
        if not self.all_move:
            future = torch.where(self.moving, future, kept["last"].unsqueeze(1))
        return future if self.heading is None else self.heading.back(future, kept["place"], kept["turn"])


class ForecastGraph(nn.Module):
    """A network without recurrent state, or one that only recognises: all answers at once."""

    def __init__(self, model: MotionModel, features: Features) -> None:
        super().__init__()
        self.model, self.features = model, features

    def forward(self, motion: Tensor) -> tuple[Tensor, ...]:
        """Future frames (batch, horizon, joints, 3) and scores (batch, classes), as far as the network has them.

        Of `motion`, (batch, observed, joints, 3) in the world.
        """
        x, kept = self.features.encode(motion)
        answer = self.model(x)
        found = []
        if answer.motion is not None:
            found.append(self.features.decode(answer.motion, kept))
        if answer.logits is not None:
            found.append(torch.softmax(answer.logits, dim=-1))
        return tuple(found)


class EncodeGraph(nn.Module):
    """Observe: scores of the actions, and the state from which :class:`StepGraph` goes on."""

    def __init__(self, model: SymGNN, features: Features) -> None:
        super().__init__()
        self.model, self.features = model, features

    def forward(self, motion: Tensor) -> tuple[Tensor, ...]:
        """The tensors of :meth:`answers`, in their order, for `motion` (batch, observed, joints, 3)."""
        return tuple(self.answers(motion).values())

    def answers(self, motion: Tensor) -> dict[str, Tensor]:
        """By name: scores (batch, classes), if there are classes, and what a step or its way back to the world needs.

        That is a :class:`PredictionState` for each network, and what :meth:`Features.encode` keeps of `motion`,
        (batch, observed, joints, 3).
        """
        x, kept = self.features.encode(motion)
        state = self.model.encode(x)
        found = {} if state.logits is None else {"scores": torch.softmax(state.logits, dim=-1)}
        for prefix, one in zip(_prefixes(self.model), state.networks, strict=True):
            found |= {f"{prefix}{_NAMES[name]}": value for name, value in one._asdict().items() if value is not None}
        return found | kept


class StepGraph(nn.Module):
    """One frame on: the next frame in the world and the state after it.

    Args:
        model: the network.
        features: back to the world.
        names: of the state's tensors, in the order in which they come in.
    """

    def __init__(self, model: SymGNN, features: Features, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.features, self.names = model, features, names

    @property
    def moving(self) -> tuple[str, ...]:
        """Names of what changes; the rest of the state goes in again as it is."""
        return tuple(f"{prefix}{_NAMES[field]}" for prefix in _prefixes(self.model) for field in _MOVING)

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """The frame (batch, joints, 3), then the new value of each name of :attr:`moving`."""
        given = dict(zip(self.names, values, strict=True))
        networks = tuple(
            PredictionState(**{field: given.get(f"{prefix}{name}") for field, name in _NAMES.items()})  # type: ignore[arg-type]
            for prefix in _prefixes(self.model)
        )
        frame, after = self.model.step(SymGNNState(None, networks))
        world = self.features.decode(frame.unsqueeze(1), given).squeeze(1)
        return (world, *(getattr(one, field) for one in after.networks for field in _MOVING))


def _prefixes(model: SymGNN) -> tuple[str, ...]:
    names = tuple(model.networks)
    return ("",) if len(names) == 1 else tuple(f"{name}_" for name in names)


def plan_motion(weights: LoadedWeights, clip: CheckMotion) -> ExportPlan:
    """The graphs of a motion network, and what they must answer on a clip.

    Raises:
        ConfigError: a baseline without weights.
    """
    model, transform = weights.model, weights.transform
    if not isinstance(model, MotionModel) or not isinstance(transform, MotionTransform):
        raise ConfigError(f"{weights.folder}: {weights.model_name} is no motion network")
    if model.trains == "nothing":
        raise ConfigError(f"{weights.model_name} has no weights: there is nothing to export")
    if not getattr(model, "fitted", True):
        raise ConfigError(f"{weights.folder}: {weights.model_name} was never fitted: there is nothing to export")
    features = Features(weights)
    windows = np.stack([_window(clip, transform.observed, start) for start in (0, 3, 7)])
    example = torch.from_numpy(windows)
    parts: tuple[Part, ...]
    recurrent = isinstance(model, SymGNN) and model.horizon > 0
    if recurrent:
        assert isinstance(model, SymGNN)
        parts = _encoder_and_step(model, features, weights, example)
    else:
        parts = (_one_graph(model, features, weights, example),)
    facts: dict[str, Any] = {
        "representation": transform.representation,
        "fps": transform.fps,
        "observed_frames": transform.observed,
        "horizon_frames": transform.horizon,
        "normalisation": "inside the graph",
        "root": _ROOT[transform.root],
        "features": _FEATURES[transform.representation],
        "actions": list(transform.actions),
    }
    if recurrent:
        state = [port.name for port in parts[-1].inputs]
        moving = [port.name.removesuffix(_NEXT) for port in parts[-1].outputs[1:]]
        facts["state"] = {name: f"{name}{_NEXT}" if name in moving else name for name in state}
        facts["how"] = (
            "run the main graph once on the observed frames; then the step graph once for each future frame, each time "
            "with the state as 'state' tells: from its own last answer where the name ends in _next, else as before"
        )
    return ExportPlan(
        parts=parts,
        cases=tuple(_cases(weights, clip)),
        measures=tuple(_measures(weights)),
        facts=facts,
        checked_on=clip.name,
        answer=_rollout if recurrent else main_alone,
    )


_ROOT = {
    "none": "the root's own motion is left out: its features are zeros",
    "heading": (
        f"the joint '{TRAJECTORY}' is the root's place in metres (world, y up, ground at 0), the root's own feature "
        "its orientation; the graph itself takes place and heading of the last observed frame out and puts them back"
    ),
}
_FEATURES = {
    "expmap": (
        "minus the rotation vector (radians) of each joint's rotation relative to its parent, against the rest pose of "
        "kinegraph.transforms.rig_match; rotations come back as at most half a turn for the root"
    ),
    "positions": "metres from the root",
}


def _unit(transform: MotionTransform) -> str:
    unit = "rad" if transform.representation == "expmap" else "m"
    return f"{unit}, {TRAJECTORY} m" if transform.root == "heading" and unit == "rad" else unit


def _motion_port(weights: LoadedWeights) -> Port:
    transform = weights.transform
    assert isinstance(transform, MotionTransform)
    axes = ("batch", transform.observed, weights.skeleton.num_joints, 3)
    return Port(name="motion", axes=axes, unit=_unit(transform), meaning="the observed frames; a row is one person")


def _scores_port(classes: int) -> Port:
    return Port(name="scores", axes=("batch", classes), unit="share", meaning="of each action; they sum to 1")


def _one_graph(model: MotionModel, features: Features, weights: LoadedWeights, example: Tensor) -> Part:
    transform = weights.transform
    assert isinstance(transform, MotionTransform)
    outputs = []
    if model.horizon:
        axes = ("batch", model.horizon, weights.skeleton.num_joints, 3)
        outputs.append(Port(name="future", axes=axes, unit=_unit(transform), meaning="the frames that follow"))
    if model.classes:
        outputs.append(_scores_port(model.classes))
    return Part(
        name="",
        module=ForecastGraph(model, features).eval(),
        example=(example,),
        inputs=(_motion_port(weights),),
        outputs=tuple(outputs),
    )


def _encoder_and_step(model: SymGNN, features: Features, weights: LoadedWeights, example: Tensor) -> tuple[Part, Part]:
    transform = weights.transform
    assert isinstance(transform, MotionTransform)
    encoder = EncodeGraph(model, features).eval()
    with torch.no_grad():
        found = encoder.answers(example)
    scores = found.pop("scores", None)
    state = tuple(
        Port(name=name, axes=("batch", *value.shape[1:]), unit="", meaning="state") for name, value in found.items()
    )
    step = StepGraph(model, features, tuple(found)).eval()
    frame = Port(
        name="frame",
        axes=("batch", weights.skeleton.num_joints, 3),
        unit=_unit(transform),
        meaning="the next frame",
    )
    moving = tuple(
        Port(name=f"{port.name}{_NEXT}", axes=port.axes, unit="", meaning=f"'{port.name}' of the next step")
        for port in state
        if port.name in step.moving
    )
    first = () if scores is None else (_scores_port(model.classes),)
    return (
        Part(
            name="",
            module=encoder,
            example=(example,),
            inputs=(_motion_port(weights),),
            outputs=(*first, *state),
        ),
        Part(
            name="step",
            module=step,
            # rows of their own: an expanded tensor would be taken for one that never differs
            example=tuple(value.clone(memory_format=torch.contiguous_format) for value in found.values()),
            inputs=state,
            outputs=(frame, *moving),
        ),
    )


def _rollout(runs: Mapping[str, Run], case: Case) -> dict[str, Array]:
    """Encoder, then a step for each frame."""
    state = runs[""](case.feed)
    answer = {"scores": state.pop("scores")} if "scores" in state else {}
    frames = []
    for _ in range(case.frames):
        found = runs["step"](state)
        frames.append(found.pop("frame"))
        state = {**state, **{name.removesuffix(_NEXT): value for name, value in found.items()}}
    return {**answer, "future": np.stack(frames, axis=1)}


# ---- check ---------------------------------------------------------------------------------------------------------


def _window(clip: CheckMotion, frames: int, start: int) -> Array:
    """Consecutive frames, the clip run back and forth where it is too short."""
    count = len(clip.features)
    at = np.abs((start + np.arange(frames) + count - 1) % max(1, 2 * count - 2) - (count - 1))
    window: Array = clip.features[at]
    return window


def _cases(weights: LoadedWeights, clip: CheckMotion) -> Iterator[Case]:
    transform, model = weights.transform, weights.model
    assert isinstance(transform, MotionTransform)
    assert isinstance(model, MotionModel)
    longer = isinstance(model, SymGNN) and model.horizon > 0
    for batch, times in ((1, 1), (2, 2), (7, 1)):
        starts = 1 + 4 * np.arange(batch) + batch
        motion = np.stack([_window(clip, transform.observed, int(start)) for start in starts])
        horizon = model.horizon * (times if longer else 1)
        expected = _expected(weights, motion, horizon)
        label = f"batch {batch}, {horizon} frames" if horizon else f"batch {batch}"
        yield Case(feed={"motion": motion}, expected=expected, label=label, frames=horizon)


def _expected(weights: LoadedWeights, motion: Array, horizon: int) -> dict[str, Array]:
    """What the package's own transform and the network answer."""
    transform = weights.transform
    assert isinstance(transform, MotionTransform)
    window, frame = motion.astype(np.float64), None
    if transform.root == "heading":
        window, frame = heading_relative(window, -1, weights.skeleton, transform.representation)
    with torch.inference_mode():
        output = weights.model(torch.from_numpy(transform.encode(window)), horizon)
    found: dict[str, Array] = {}
    if output.logits is not None:
        found["scores"] = torch.softmax(output.logits.double(), dim=-1).numpy()
    if output.motion is not None:
        future = transform.decode(output.motion.double().numpy(), window[:, -1])
        if frame is not None:
            future = heading_absolute(future, frame, weights.skeleton, transform.representation)
        found["future"] = future
    return found


def _measures(weights: LoadedWeights) -> Iterator[Measure]:
    transform, model = weights.transform, weights.model
    assert isinstance(transform, MotionTransform)
    assert isinstance(model, MotionModel)
    if model.horizon:
        joints = range(weights.skeleton.num_joints)
        path = weights.skeleton.index(TRAJECTORY) if transform.root == "heading" else None
        others = tuple(joint for joint in joints if joint != path)
        if transform.representation == "expmap":
            degrees = 180 / np.pi
            yield Measure(
                output="future", label="joint rotation", unit="degrees", factor=degrees, joints=others, rotation=True
            )
        else:
            yield Measure(
                output="future", label="joint position", unit="mm", factor=1000.0, joints=others, distance=True
            )
        if path is not None:
            yield Measure(output="future", label="path", unit="mm", factor=1000.0, joints=(path,), distance=True)
    if model.classes:
        yield Measure(output="scores", label="score", unit="%", factor=100.0)
