"""Recognisers of clips: metres (or fractions of the image) in, scores out.

Pre-normalisation, resizing and streams of :class:`kinegraph.transforms.clips.ClipTransform` are part of the graph,
for clips in which whoever is there shows every joint. What :func:`kinegraph.inference.clip_window.encoded` does before
them is the caller's, and the sidecar says so: the network's joints, rate, axes and unit; so is choosing frames, where
frames are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.export.plan import Array, Case, ExportPlan, Measure, Part, Port
from kinegraph.inference.clip_window import ClipNetwork
from kinegraph.layers.clip_block import last_real
from kinegraph.models import RecognitionModel
from kinegraph.sequence import UNIT_NAMES
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import Y_TO_Z
from kinegraph.weights import LoadedWeights

__all__ = ["RecognizeGraph", "plan_recognizer"]


class RecognizeGraph(nn.Module):
    """A recogniser with its transform before it.

    Shapes: positions (batch, people, frames, joints, dims), present (batch, people, frames) bool and, where the
    network has it as a channel, confidence (batch, people, frames, joints) -> (batch, classes).
    """

    parents: Tensor

    def __init__(self, model: RecognitionModel, transform: ClipTransform) -> None:
        super().__init__()
        self.model, self.transform = model, transform
        skeleton, place = model.skeleton, transform.prenormalise
        parents = [p if p >= 0 else joint for joint, p in enumerate(skeleton.parents)]
        self.register_buffer("parents", torch.tensor(parents))
        for name in ("centre", "bottom", "top", "left", "right"):
            self.register_buffer(f"at_{name}", _weights(skeleton, getattr(place, name)))

    def forward(self, positions: Tensor, present: Tensor, confidence: Tensor | None = None) -> Tensor:
        """Scores, (batch, classes)."""
        x = torch.where(present[..., None, None], positions, 0.0)
        x = self._place(x, present)
        sure = None if confidence is None else confidence.unsqueeze(-1)
        if self.transform.sampling == "resize":
            sure = None if sure is None else self._resize(sure, torch.ones_like(present))[0]
            x, present = self._resize(x, present)
        x, seen = self._stream(x, present)
        x = torch.where(seen[..., None, None], x, 0.0)
        if sure is not None:
            x = torch.cat((x, self._sureness(torch.where(present[..., None, None], sure, 0.0))), dim=-1)
        return torch.softmax(self.model(x, present), dim=-1)

    def _sureness(self, sure: Tensor) -> Tensor:
        """The confidence of a stream: the mean of the two joints, or frames, that it is made from."""
        if self.transform.stream.startswith("bone"):
            sure = (sure + sure[..., self.parents, :]) / 2
        if self.transform.stream.endswith("motion"):
            sure = (sure + torch.cat((sure[:, :, 1:], sure[:, :, -1:]), dim=2)) / 2
        return sure

    def _point(self, person: Tensor, name: str) -> Tensor:
        return torch.einsum("btjc,j->btc", person, self.get_buffer(f"at_{name}"))

    def _place(self, x: Tensor, present: Tensor) -> Tensor:
        """Pre-normalisation by person 0, or by the first of whom anything is seen."""
        convention = self.transform.prenormalise.convention
        if convention == "none":
            return x
        if convention == "pyskl" and self.transform.dims == 2:
            return x * 2 - 1
        who = present.any(dim=2).to(torch.int64).argmax(dim=1)
        there = _of(present, who)
        first = there.to(torch.int64).argmax(dim=1)
        anybody = there.any(dim=1)
        path = self._point(_of(x, who), "centre")
        if convention == "2s-agcn":
            centre = path.gather(1, last_real(there)[..., None].expand(-1, -1, path.shape[-1]))[:, None, :, None]
        else:
            centre = _at(path, first)[:, None, None, None]
        x = x - torch.where(anybody[:, None, None, None, None], centre, 0.0)
        if convention != "ctr-gcn":
            level = convention == "upright"
            if level:
                x = x @ torch.from_numpy(Y_TO_Z.T.astype(np.float32))
            turns = (("bottom", "top", 2), ("left", "right", 0))
            for start, end, axis in turns[1:] if level else turns:
                person = _of(x, who)
                along = _at(self._point(person, end) - self._point(person, start), first)
                along = along * torch.tensor([1.0, 1.0, 0.0]) if level else along
                x = x @ _turn_to(along, axis).transpose(1, 2)[:, None, None]
        return x

    def _resize(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """:func:`kinegraph.transforms.clip_sampling.resize`: a frame that is not there is the other's."""
        frames, length = x.shape[2], self.transform.frames
        at = ((torch.arange(length) + 0.5) * frames / length - 0.5).clamp(min=0).minimum(_scalar(frames - 1))
        before = at.floor().to(torch.int64).minimum(_scalar(frames - 2).clamp(min=0).to(torch.int64))
        after = (before + 1).minimum(_scalar(frames - 1).to(torch.int64))
        same, index = _scalar(frames) == length, torch.arange(length)  # a clip of that length stays as it is
        before, after = torch.where(same, index, before), torch.where(same, index, after)
        share = (at - before)[:, None, None]
        a, b = x[:, :, before], x[:, :, after]
        has_a, has_b = present[:, :, before], present[:, :, after]
        mixed = a + share * (b - a)
        mixed = torch.where(has_a[..., None, None], torch.where(has_b[..., None, None], mixed, a), b)
        return mixed, has_a | has_b

    def _stream(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The stream, and where it has values."""
        name, seen = self.transform.stream, present
        if name.startswith("bone"):
            x = x - x[..., self.parents, :]
        if name.endswith("motion"):
            x = torch.cat((x[:, :, 1:] - x[:, :, :-1], torch.zeros_like(x[:, :, -1:])), dim=2)
            seen = torch.cat((present[:, :, 1:] & present[:, :, :-1], present[:, :, -1:]), dim=2)
        return x, seen


def _scalar(value: Any) -> Tensor:
    """A length that may be symbolic, as a tensor."""
    result: Tensor = torch.full((1,), 1.0) * value
    return result


def _weights(skeleton: Skeleton, name: str) -> Tensor:
    found = skeleton.landmark(name)
    return torch.zeros(skeleton.num_joints) if found is None else torch.from_numpy(np.asarray(found, dtype=np.float32))


def _of(x: Tensor, who: Tensor) -> Tensor:
    """One person of each clip, (batch, people, ...) -> (batch, ...)."""
    index = who.reshape(-1, *(1,) * (x.dim() - 1)).expand(-1, 1, *x.shape[2:])
    return x.gather(1, index).squeeze(1)


def _at(path: Tensor, frame: Tensor) -> Tensor:
    """(batch, frames, c) at one frame of each."""
    return path.gather(1, frame[:, None, None].expand(-1, 1, path.shape[-1])).squeeze(1)


def _turn_to(source: Tensor, axis: int) -> Tensor:
    """The smallest rotations (batch, 3, 3) that turn directions to an axis; the identity for those without length.

    Of what is opposite, half a turn about the same axis as :func:`kinegraph.transforms.prenormalise.turn_between`.
    """
    length = torch.linalg.vector_norm(source, dim=-1, keepdim=True)
    there = length > 1e-8
    target = torch.zeros(3)
    target[axis] = 1.0
    a = torch.where(there, source / torch.where(there, length, 1.0), target)
    cosine = a[:, axis, None, None]
    across = torch.linalg.cross(a, target.expand_as(a))
    x, y, z = across.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).reshape(-1, 3, 3)
    turn = torch.eye(3) + skew + skew @ skew / (1 + cosine).clamp(min=1e-6)
    half = torch.diag(torch.tensor([-1.0, -1.0, 1.0] if axis == 0 else [-1.0, 1.0, -1.0]))
    return torch.where(1 + cosine < 1e-7, half, turn)


def plan_recognizer(weights: LoadedWeights, clip: tuple[Array, str]) -> ExportPlan:
    """The graph of a recogniser of clips, and what it must answer.

    Args:
        weights: of task "recognition".
        clip: positions (people, frames, joints, dims) without gaps, prepared as the sidecar asks, and what they are.

    Raises:
        ConfigError: a model that is its training clips and no network.
    """
    model, transform = weights.model, weights.transform
    if not isinstance(model, RecognitionModel) or not isinstance(transform, ClipTransform):
        raise ConfigError(f"{weights.folder}: {weights.model_name} is no recogniser of clips")
    if weights.model_name == "nearest":
        raise ConfigError("nearest is its training clips and no network: there is nothing to export")
    if not getattr(model, "fitted", True):
        raise ConfigError(f"{weights.folder}: {weights.model_name} was never fitted: there is nothing to export")
    place = transform.prenormalise
    if place.convention != "none" and weights.skeleton.landmark(place.centre) is None:
        raise ConfigError(
            f"{weights.folder}: skeleton '{weights.skeleton.name}' has no '{place.centre}', which stands for another "
            "joint from clip to clip; such a network cannot be exported"
        )
    found, name = clip
    chosen = transform.sampling not in ("resize", "all")
    frames: str | int = transform.frames if chosen else "frames"
    # As many places as the network was trained with: fewer people leave some of them absent.
    network = ClipNetwork(model, weights.model_name, weights.skeleton, transform, weights.folder, weights)
    axes = ("batch", model.people, frames, weights.skeleton.num_joints, transform.dims)
    inputs: tuple[Port, ...] = (
        Port(
            name="positions",
            axes=axes,
            unit=network.unit,
            meaning=f"joints of each person, {'y up' if transform.dims == 3 else UNIT_NAMES[network.unit]}",
        ),
        Port(name="present", axes=axes[:3], unit="bool", meaning="who is there when; others' positions do not count"),
    )
    if transform.confidence:
        inputs += (Port(name="confidence", axes=axes[:4], unit="share", meaning="of the detector, 0 to 1"),)
    graph = RecognizeGraph(model, transform).eval()
    length = transform.frames if chosen else 20
    feed = _feed(found, batch=3, places=model.people, frames=length)
    facts: dict[str, Any] = {
        "fps": transform.fps,
        **_usual(network),
        "actions": list(transform.actions),
        "people": (
            "one: a clip of each person"
            if model.people == 1
            else f"up to {model.people}, who moves most first: the rest are not present"
        ),
        "prepare": _preparation(network),
        "normalisation": f"inside the graph: {place.convention}, stream {transform.stream}",
        "frames": f"choose {transform.frames} frames as '{transform.sampling}' does" if chosen else "any number",
        "gaps": "whoever is present shows every joint: fill gaps first",
    }
    return ExportPlan(
        parts=(
            Part(
                name="",
                module=graph,
                example=tuple(torch.from_numpy(feed[port.name]) for port in inputs),
                inputs=inputs,
                outputs=(
                    Port(
                        name="scores",
                        axes=("batch", model.classes),
                        unit="share",
                        meaning="of each action; they sum to 1",
                    ),
                ),
            ),
        ),
        cases=tuple(_cases(network, found, chosen)),
        measures=(Measure(output="scores", label="score", unit="%", factor=100.0),),
        facts=facts,
        checked_on=name,
    )


def _feed(
    clip: Array, *, batch: int, places: int, frames: int, people: int | None = None, gaps: bool = False
) -> dict[str, Array]:
    """Clips cut from one, rows from different moments, people half a metre apart; `people` of them are there."""
    there, people = places if people is None else people, places
    rows = (np.arange(batch)[:, None] * 7 + np.arange(people)[None] * 3)[..., None]
    at = (rows + np.arange(frames)) % clip.shape[1]  # (batch, people, frames)
    who = (np.arange(people) % len(clip))[None, :, None]
    positions = np.array(clip[who, at], dtype=np.float32)
    positions[..., 0] += np.arange(people, dtype=np.float32)[None, :, None, None] * 0.5
    present = np.ones(positions.shape[:3], dtype=bool)
    present[:, there:] = False
    if gaps:
        present[0, :, : frames // 4] = False  # nobody at first
        present[-1, -1, frames // 2 :] = False  # somebody leaves
        if there > 1 and batch > 2:
            present[1, 0] = False  # the first one never comes: the second places the clip
    confidence = np.linspace(0.5, 1.0, positions[..., 0].size, dtype=np.float32).reshape(positions.shape[:-1])
    return {"positions": positions, "present": present, "confidence": confidence}


def _usual(network: ClipNetwork) -> dict[str, Any]:
    """What clips are like: those of the training, as far as the network saw them."""
    transform, window = network.transform, network.window_frames()
    return {
        "unit": network.unit,
        **({"up": "y"} if transform.dims == 3 else {}),
        "window_frames": window,
        **({"window_s": window / transform.fps} if transform.fps else {}),
    }


def _preparation(network: ClipNetwork) -> list[str]:
    """What the package does before the graph begins, step by step."""
    fps, usual = network.transform.fps, _usual(network)
    if network.transform.dims == 3:
        axes = "metres, y up: of a world with z up take (x, z, -y), of a camera (y down, z forward) (x, -y, -z)"
    else:
        axes = "x / width, y / height" if network.unit == "normalized" else "pixels as they are"
    return [
        "the joints in 'joints', by name and in this order",
        f"resample linearly to {fps:g} frames a second"
        if fps
        else "the rate of the training clips is not known: as recorded",
        axes,
        f"{usual['window_frames']} frames at a time" + (f", {usual['window_s']:.3g} s" if fps else ""),
    ]


def _cases(network: ClipNetwork, clip: Array, chosen: bool) -> Iterator[Case]:
    transform, model = network.transform, network.model
    most, usual = model.people, min(network.window_frames(), max(20, clip.shape[1]))
    cases = [(1, 1, usual, False), (2, most, 33, False), (4, most, 50, True)]
    if transform.sampling == "resize" and transform.frames > 1:
        cases.append((3, most, transform.frames, True))  # which the package leaves as it is, gaps and all
    for batch, people, frames, gaps in cases:
        frames = transform.frames if chosen else frames
        feed = _feed(clip, batch=batch, places=most, people=people, frames=frames, gaps=gaps)
        encoded = []
        for positions, present, sure in zip(*feed.values(), strict=True):
            shown = np.where(present[..., None, None], positions, np.nan)
            encoded.append(transform.encode(shown, network.skeleton, sure))
        x, mask = (torch.from_numpy(np.stack(parts)) for parts in zip(*encoded, strict=True))
        with torch.inference_mode():
            scores = torch.softmax(model(x, mask).double(), dim=-1).numpy()
        label = f"batch {batch}, {people} people, {frames} frames" + (", some away" if gaps else "")
        yield Case(feed=feed, expected={"scores": scores}, label=label)
