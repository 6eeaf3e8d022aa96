"""What a recogniser of clips sees of a recording: windows of one person or a pair, as clips of its training.

Each window is brought to the network's frame rate, joints (by name), axes and unit, and then goes through the transform
that was stored with the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.axes import y_up
from kinegraph.errors import DataError, KinegraphError
from kinegraph.models.recognition_model import RecognitionModel
from kinegraph.sequence import UNIT_NAMES, SkeletonSequence, Unit
from kinegraph.skeleton import Skeleton, map_joints
from kinegraph.store.clip import liveliest
from kinegraph.transforms.clip_batches import Encoded
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.image_units import image_scale
from kinegraph.weights import LoadedWeights

__all__ = [
    "ClipNetwork",
    "Stretch",
    "assumptions",
    "clip_network",
    "cut",
    "encoded",
    "name_of",
    "snapped",
    "stretches_of",
    "unit_scale",
]

Array = NDArray[np.float64]
Stretch = tuple[int, int, int]
"""Number of a window, its first frame, the one after its last."""
_SEEN = 0.5  # of a window's frames, to be judged


@dataclass(frozen=True)
class ClipNetwork:
    """A recogniser of clips, ready for use."""

    model: RecognitionModel
    name: str
    skeleton: Skeleton
    transform: ClipTransform
    folder: Path | None
    weights: LoadedWeights | None = None

    @property
    def unit(self) -> Unit:
        """Unit of the clips it was trained on."""
        return self.transform.unit or ("m" if self.transform.dims == 3 else "normalized")

    def window_frames(self) -> int:
        """Frames, at its rate, of a window: what a training clip has, as far as the network sees it."""
        usual, seen = self.transform.clip_frames, self.transform.frames
        if usual is None or self.transform.sampling == "window":
            return seen
        return min(usual, seen) if self.transform.sampling == "repeat" else usual


def clip_network(weights: LoadedWeights) -> ClipNetwork:
    """The network of weights of task "recognition".

    Raises:
        KinegraphError: weights for something else, or with other classes than they name.
    """
    transform, model = weights.transform, weights.model
    if not isinstance(transform, ClipTransform) or not isinstance(model, RecognitionModel):
        raise KinegraphError(f"{weights.folder} holds a network for {weights.task}; expected one that recognises clips")
    found = {"classes": len(transform.actions), "channels": transform.channels, "people": transform.people}
    for name, value in found.items():
        if getattr(model, name) != value:
            raise KinegraphError(
                f"the network in {weights.folder} has {getattr(model, name)} {name} and its transform {value}; its "
                "weights are damaged"
            )
    return ClipNetwork(model.eval(), weights.model_name, weights.skeleton, transform, weights.folder, weights)


def stretches_of(seen: NDArray[np.bool_], window: int, stride: int) -> list[Stretch]:
    """Windows of one person, or of a pair: the number of each, its first frame in the recording, and the one after.

    They slide over the time from the first frame to the last in which `seen`, evenly, no further apart than `stride`;
    there is one window where that time is no longer than it. A window begins and ends with a frame in which they are
    seen, and is left out where they are seen in less than half of it.

    Args:
        seen: ``(frames,)`` bool.
        window: frames.
        stride: frames, at most, from the start of one window to that of the next.
    """
    there = np.flatnonzero(seen)
    if not len(there):
        return []
    first, after = int(there[0]), int(there[-1]) + 1
    return list(_cut_to_seen(there, first, after, window, stride))


def _cut_to_seen(there: NDArray[np.intp], first: int, after: int, window: int, stride: int) -> Iterator[Stretch]:
    spare = max(0, after - first - window)
    count = 1 + -(-spare // stride)
    for number, at in enumerate((first + np.linspace(0, spare, count).round().astype(int)).tolist()):
        found = snapped(there, at, min(at + window, after))
        if found is not None:
            yield number, *found


def snapped(there: NDArray[np.intp], start: int, stop: int) -> tuple[int, int] | None:
    """Frames `start` to before `stop` cut to those in which somebody is seen; None where that is in less than half.

    Args:
        there: ``(n,)`` numbers of all frames in which they are, in order.
        start, stop: of a window.
    """
    first, after = np.searchsorted(there, (start, stop)).tolist()
    if after - first < max(2, _SEEN * (stop - start)):
        return None
    return int(there[first]), int(there[after - 1]) + 1


def cut(sequence: SkeletonSequence, people: list[int], start: int, stop: int) -> SkeletonSequence:
    """A window of some people; a pair in the order of training clips, the livelier first."""
    piece = sequence.slice_frames(start, stop).select_people(people)
    return piece.select_people(liveliest(piece.positions)) if len(people) > 1 else piece


def encoded(network: ClipNetwork, piece: SkeletonSequence) -> Encoded:
    """A window as the network sees it: ``(people, frames, joints, channels)`` and its mask ``(people, frames)``."""
    transform = network.transform
    piece = piece.to_skeleton(network.skeleton)
    if transform.fps is not None:
        piece = piece.resample(transform.fps)
    positions = piece.positions
    if transform.dims == 3:
        positions = positions @ y_up(piece).T
    else:
        positions = positions * unit_scale(network, piece)
    # 3D clips hold no confidence: a joint is there or not.
    return transform.encode(positions, network.skeleton, piece.confidence if transform.dims == 2 else None)


def unit_scale(network: ClipNetwork, sequence: SkeletonSequence) -> Array | float:
    """What 2D keypoints are multiplied by, ``(2,)``, to be in the unit of the training clips; 1 for 3D joints.

    Raises:
        DataError: the size of the image is asked for and not known.
    """
    if sequence.dims == 3:
        return 1.0
    scale = image_scale(sequence, network.unit)
    if scale is None:
        raise DataError(
            f"{name_of(sequence)} is in {UNIT_NAMES[sequence.unit]} and states no image size, and {network.name} was "
            f"trained on {UNIT_NAMES[network.unit]}; state it (--read image_size=1280x720)"
        )
    return scale


def assumptions(network: ClipNetwork, sequence: SkeletonSequence) -> list[str]:
    """What was assumed for a network."""
    notes = []
    mapping = map_joints(sequence.skeleton, network.skeleton)
    missing = [
        joint for joint, status in zip(network.skeleton.joints, mapping.status, strict=True) if status == "missing"
    ]
    if missing:
        notes.append(f"{network.name} has to do without {', '.join(missing)}: the recording lacks them")
    if network.transform.fps is None:
        notes.append(
            f"the frame rate of the training clips of {network.name} is not known: frames were taken as they are"
        )
    if sequence.dims == 3 and sequence.space == "world" and sequence.up is None:
        notes.append("the recording does not say which axis is up: y was assumed")
    return notes


def name_of(sequence: SkeletonSequence) -> str:
    """What to call a recording in a message."""
    return sequence.source or "the sequence"
