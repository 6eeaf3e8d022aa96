"""Windows scored by recognisers of clips: a long recording is cut into clips as long as those of the training.

Each window is brought to the network's frame rate, joints (by name), axes and unit, and then goes through the transform
that was stored with the weights. Only the windows of one batch are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.datasets.clip_batches import Encoded, pad_clips
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.formats.export import y_up
from kinegraph.inference.recognition import ScoredWindows
from kinegraph.models.recognition_model import RecognitionModel
from kinegraph.sequence import SkeletonSequence, Unit
from kinegraph.skeleton import Skeleton, map_joints
from kinegraph.store.clip import liveliest
from kinegraph.transforms.clips import ClipTransform
from kinegraph.weights import LoadedWeights

__all__ = ["ClipNetwork", "ClipScores", "clip_network"]

Array = NDArray[np.float64]
_BATCH = 16
_SLOWEST = 0.2  # of the network's rate: under it, the motion between two frames is not in the recording
_LONGEST_S = 600.0
_MOST_WINDOWS = 1_000_000
_SEEN = 0.5  # of a window's frames, to be judged
_SHORT = 0.5  # of a training clip: under it, a note


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


class ClipScores:
    """Scores of windows by one network, or by several whose probabilities are added.

    Args:
        networks: trained on the same actions, all in 2D or all in 3D; skeleton, frame rate and stream may differ. The
            first says how long a window is and who is looked at together.
        shares: what each counts; scaled so that they sum to 1. All the same if None.

    Raises:
        ConfigError: networks that do not go together, or shares that are none.
    """

    def __init__(self, networks: Sequence[ClipNetwork], shares: Sequence[float] | None = None) -> None:
        first = networks[0]
        self.networks = tuple(networks)
        self.actions, self.dims = first.transform.actions, first.transform.dims
        self.people = min(network.transform.people for network in networks)
        for other in networks[1:]:
            if set(other.transform.actions) != set(self.actions):
                odd = sorted(set(other.transform.actions) ^ set(self.actions))
                raise ConfigError(
                    f"{other.folder} and {first.folder} know different actions ({', '.join(odd[:4])}"
                    f"{', ...' if len(odd) > 4 else ''}); fuse networks trained on the same"
                )
            if other.transform.dims != self.dims:
                raise ConfigError(
                    f"{other.folder} takes {other.transform.dims}D and {first.folder} {self.dims}D; fuse networks of "
                    "one kind"
                )
        given = [1.0] * len(networks) if shares is None else [float(share) for share in shares]
        if len(given) != len(networks):
            raise ConfigError(f"{len(given)} shares for {len(networks)} networks; give one for each")
        if not all(np.isfinite(share) and share >= 0 for share in given) or not sum(given) > 0:
            raise ConfigError(f"shares {', '.join(f'{s:g}' for s in given)}: expected numbers, 0 or more, not all 0")
        self.shares = tuple(share / sum(given) for share in given)

    def score(
        self,
        sequence: SkeletonSequence,
        window_s: float | None,
        stride_s: float | None,
        progress: Callable[[int, int], None] | None,
    ) -> tuple[list[ScoredWindows], list[str]]:
        """The windows of every person, and what was assumed. See :meth:`Recognizer.recognize`."""
        self._check(sequence)
        assert sequence.fps is not None
        notes: list[str] = []
        for network in self.networks:
            notes += _notes(network, sequence)
        # a copy without what windows would drag along
        sequence = sequence.replace(rotations=None, offsets=None, uncertainty=None, contact=None, notes=())
        window, stride = self._lengths(sequence, window_s, stride_s)
        seen = sequence.seen.any(axis=2)
        rows: list[tuple[list[int], list[tuple[int, int, int]]]] = []
        for person in range(sequence.people):
            stretches = _stretches(seen[person], window, stride)
            if stretches:
                rows.append(([person], stretches))
            else:
                times = int(seen[person].sum()) / sequence.fps
                notes.append(
                    f"person {person + 1} is seen for {times:.2f} s, too short to judge, and was left out"
                    if times
                    else f"person {person + 1} is never seen and was left out"
                )
        if not rows:
            raise DataError(
                f"{_name(sequence)}: nobody is seen long enough; expected a person in 2 frames or more"
                if seen.any()
                else f"{_name(sequence)}: nobody is seen in any frame; expected a person"
            )
        if self.people > 1 and len(rows) == 2:
            pair = [rows[0][0][0], rows[1][0][0]]
            together = _stretches(seen[pair].all(axis=0), window, stride)
            if together:
                rows.append((pair, together))
        elif self.people > 1 and len(rows) > 2:
            notes.append(f"{len(rows)} people are seen: each was looked at alone, and no two together")
        longest = max(stop - start for _, stretches in rows for _, start, stop in stretches)
        usual, shown = self.window_s(sequence.fps), longest / sequence.fps
        if shown < _SHORT * usual:
            notes.append(
                f"{self.networks[0].name} was trained on clips of about {usual:.2f} s and sees {shown:.2f} s at a time "
                "here: its scores say less"
            )
        total = sum(len(stretches) for _, stretches in rows)
        found, done = [], 0
        for people, stretches in rows:
            timeline = np.empty((len(stretches), len(self.actions)))
            for start in range(0, len(stretches), _BATCH):
                some = stretches[start : start + _BATCH]
                timeline[start : start + len(some)] = self._scores(sequence, people, some)
                done += len(some)
                if progress is not None:
                    progress(done, total)
            table = np.array(stretches)
            times = np.stack([table[:, 1], table[:, 2] - 1], axis=1) / sequence.fps
            partner = people[1] if len(people) > 1 else None
            found.append(ScoredWindows(people[0], partner, table[:, 0], times, timeline))
        return found, notes

    def window_s(self, fps: float) -> float:
        """Seconds of a window, if nothing else is said; `fps` is the recording's, where no other is known."""
        return self.networks[0].window_frames() / (self.networks[0].transform.fps or fps)

    def _check(self, sequence: SkeletonSequence) -> None:
        """Refuse what none of the networks can see."""
        name, model = _name(sequence), self.networks[0].name
        if sequence.dims != self.dims:
            raise DataError(
                f"{name} holds 2D keypoints and {model} was trained on 3D motion; lift it first (kinegraph lift)"
                if self.dims == 3
                else f"{name} holds 3D motion and {model} was trained on 2D keypoints; give it the keypoints, or name "
                "a network trained in 3D"
            )
        if sequence.fps is None:
            raise DataError(f"{name} states no frame rate; give it (--fps N, or fps= in Python)")
        if not sequence.frames or not sequence.people:
            raise DataError(f"{name} has no frames; expected a recording")
        if self.dims == 3 and sequence.unit != "m":
            raise DataError(f"{name} is in {sequence.unit}, expected metres; state the unit when reading it")
        for network in self.networks:
            rate = network.transform.fps
            if rate is not None and sequence.fps < _SLOWEST * rate:
                raise DataError(
                    f"{name} has {sequence.fps:g} frames a second; {network.name} works at {rate:g} and needs at least "
                    f"{_SLOWEST * rate:g}. State the right rate (--fps), if this is wrong"
                )
            _scale(network, sequence)
            map_joints(sequence.skeleton, network.skeleton)

    def _lengths(self, sequence: SkeletonSequence, window_s: float | None, stride_s: float | None) -> tuple[int, int]:
        """Frames of the recording in a window, and from one to the next."""
        fps, first = sequence.fps or 1.0, self.networks[0]
        usual = self.window_s(fps)
        length = usual if window_s is None else window_s
        if not (np.isfinite(length) and 0 < length <= _LONGEST_S):
            raise ConfigError(f"window {length:g} s: expected seconds, above 0 and at most {_LONGEST_S:g}")
        if window_s is not None and length * min(fps, first.transform.fps or fps) < 2 - 1e-6:
            raise ConfigError(
                f"window {length:g} s: that is no two frames at {min(fps, first.transform.fps or fps):g} a second; "
                f"{first.name} was trained on clips of about {usual:.2g} s"
            )
        step = length / 4 if stride_s is None else stride_s
        if not (np.isfinite(step) and step > 0):
            raise ConfigError(f"stride {step:g} s: expected seconds, above 0")
        window, stride = max(2, round(length * fps)), max(1, round(step * fps))
        if sequence.people * sequence.frames / stride > _MOST_WINDOWS:
            raise ConfigError(f"stride {step:g} s: that makes more than {_MOST_WINDOWS:,} windows; take a longer one")
        return window, stride

    def _scores(self, sequence: SkeletonSequence, people: list[int], windows: Sequence[tuple[int, int, int]]) -> Array:
        """Probabilities (windows, classes)."""
        total = np.zeros((len(windows), len(self.actions)))
        # who is looked at together is ordered as in training clips
        cuts = [_cut(sequence, people, start, stop) for _, start, stop in windows]
        for network, share in zip(self.networks, self.shares, strict=True):
            x, mask = pad_clips([_encoded(network, cut) for cut in cuts])
            with torch.inference_mode():
                logits = network.model(torch.from_numpy(x), torch.from_numpy(mask))
                found = torch.softmax(logits.double(), dim=-1).numpy()
            if not np.isfinite(found).all():
                raise KinegraphError(
                    f"the network in {network.folder} gave values that are not finite; its weights are damaged"
                )
            names = network.transform.actions
            total += share * found[:, [names.index(action) for action in self.actions]]
        return total


def _stretches(seen: NDArray[np.bool_], window: int, stride: int) -> list[tuple[int, int, int]]:
    """Windows of one person: number, first frame, the one after the last.

    They slide over the time from the first frame to the last in which `seen`, evenly, no further apart than `stride`;
    there is one window where that time is no longer than it. A window begins and ends with a frame in which they are
    seen, and is left out where they are seen in less than half of it.
    """
    there = np.flatnonzero(seen)
    if not len(there):
        return []
    first, after = int(there[0]), int(there[-1]) + 1
    return list(_cut_to_seen(seen, there, first, after, window, stride))


def _cut_to_seen(
    seen: NDArray[np.bool_], there: NDArray[np.intp], first: int, after: int, window: int, stride: int
) -> Iterator[tuple[int, int, int]]:
    spare = max(0, after - first - window)
    count = 1 + -(-spare // stride)
    total = np.concatenate([[0], np.cumsum(seen)])
    for number, at in enumerate((first + np.linspace(0, spare, count).round().astype(int)).tolist()):
        stop = min(at + window, after)
        if total[stop] - total[at] < max(2, _SEEN * (stop - at)):
            continue
        start = int(there[np.searchsorted(there, at)])
        stop = int(there[np.searchsorted(there, stop) - 1]) + 1
        yield number, start, stop


def _cut(sequence: SkeletonSequence, people: list[int], start: int, stop: int) -> SkeletonSequence:
    piece = sequence.slice_frames(start, stop).select_people(people)
    return piece.select_people(liveliest(piece.positions)) if len(people) > 1 else piece


def _encoded(network: ClipNetwork, piece: SkeletonSequence) -> Encoded:
    """A window as the network sees it."""
    transform = network.transform
    piece = piece.to_skeleton(network.skeleton)
    if transform.fps is not None:
        piece = piece.resample(transform.fps)
    positions = piece.positions
    if transform.dims == 3:
        positions = positions @ y_up(piece).T
    else:
        positions = positions * _scale(network, piece)
    return transform.encode(positions, network.skeleton, piece.confidence)


def _scale(network: ClipNetwork, sequence: SkeletonSequence) -> Array | float:
    """What 2D keypoints are multiplied by to be in the unit of the training clips.

    Raises:
        DataError: the size of the image is asked for and not known.
    """
    if sequence.dims == 3 or sequence.unit == network.unit:
        return 1.0
    if sequence.image_size is None:
        wanted = "fractions of the image" if network.unit == "normalized" else "px"
        found = "px" if sequence.unit == "px" else "fractions of the image"
        raise DataError(
            f"{_name(sequence)} is in {found} and states no image size, and {network.name} was trained on {wanted}; "
            "state it (--read image_size=1280x720)"
        )
    size = np.array(sequence.image_size, dtype=np.float64)
    return 1 / size if network.unit == "normalized" else size


def _notes(network: ClipNetwork, sequence: SkeletonSequence) -> list[str]:
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


def _name(sequence: SkeletonSequence) -> str:
    return sequence.source or "the sequence"
