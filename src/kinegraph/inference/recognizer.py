"""What is being done: class scores of a 3D recording, from windows slid over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.errors import DataError, KinegraphError
from kinegraph.hub import Pretrained
from kinegraph.inference.motion_window import (
    MotionNetwork,
    baseline_of,
    check_rate,
    ground,
    load_motion_network,
    person_window,
    ready,
    who,
)
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.heading import heading_relative

__all__ = ["PersonActions", "Recognition", "Recognizer"]

Array = NDArray[np.float64]
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class PersonActions:
    """What one person does.

    Attributes:
        person: index, from 0.
        scores: (classes,) mean over the windows; they sum to 1.
        times: (windows, 2) seconds where each window begins and ends.
        timeline: (windows, classes) scores of each.
    """

    person: int
    scores: Array
    times: Array
    timeline: Array


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """Scores of every person seen for long enough.

    Attributes:
        actions: class names.
        people: one entry a person.
        notes: what was assumed.
    """

    actions: tuple[str, ...]
    people: tuple[PersonActions, ...]
    notes: tuple[str, ...] = ()

    def top(self, count: int = 5, person: int = 0) -> list[tuple[str, float]]:
        """The best classes of the n-th entry of `people`, best first, with their scores."""
        scores = self.people[person].scores
        order = np.argsort(-scores, kind="stable")[:count]
        return [(self.actions[i], float(scores[i])) for i in order]


class Recognizer(Pretrained):
    """Recognise actions in 3D recordings.

    Args:
        network: trained with classes.

    Example:
        >>> recognizer = Recognizer.from_pretrained("runs/symgnn/best")                     # doctest: +SKIP
        >>> recognizer.recognize(kinegraph.load("walk.amc", joints="starts")).top(2)        # doctest: +SKIP
        [('walking', 0.97), ('running', 0.02)]
    """

    def __init__(self, network: MotionNetwork) -> None:
        if not network.model.classes or not network.transform.actions:
            raise KinegraphError(
                f"the network in {network.folder} forecasts and does not recognise (no classes); name another"
            )
        if len(network.transform.actions) != network.model.classes:
            raise KinegraphError(
                f"the network in {network.folder} has {network.model.classes} classes and names "
                f"{len(network.transform.actions)}; its weights are damaged"
            )
        self.weights = network.weights
        self.network, self.name, self.folder = network, network.name, network.folder
        self.actions = network.transform.actions

    @classmethod
    def from_pretrained(cls, folder: Path | str | None = None, *, revision: str | None = None) -> Recognizer:
        """Read a weights folder; without one, the network shipped with the package.

        Args:
            folder: a folder, or an id ``owner/name`` on the Hugging Face hub (extra `hub`).
            revision: branch, tag or commit on the hub.

        Raises:
            FormatError: the folder is missing or damaged, or holds a lifting network.
            KinegraphError: the network does not recognise, or none is given and this installation ships none.
        """
        if folder is not None and not Path(folder).exists() and baseline_of(str(folder)) is not None:
            raise KinegraphError(f"{folder} forecasts and does not recognise; name a trained network's folder")
        return cls(load_motion_network(folder, revision))

    def recognize(
        self,
        sequence: SkeletonSequence,
        *,
        stride_s: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Recognition:
        """Scores of every person: windows over the whole recording, their scores averaged.

        Args:
            sequence: 3D, in metres, at a known rate.
            stride_s: seconds from window to window; a quarter of a window if None.
            progress: called with (windows done, windows in all).

        Raises:
            DataError: no 3D motion, or shorter than a window.
            SkeletonError: a model for another skeleton.
        """
        network = self.network
        transform = network.transform
        sequence = ready(sequence)
        check_rate(sequence, network)
        assert sequence.fps is not None
        span = (sequence.frames - 1) / sequence.fps
        if span + 1e-6 < network.observed_s:
            raise DataError(
                f"{sequence.source or 'the sequence'}: {self.name} looks at {network.observed_s:.2f} s "
                f"({transform.observed} frames at {transform.fps:g} a second) and the recording has "
                f"{max(span, 0):.2f} s; give a longer one"
            )
        stride = max(1, round((stride_s if stride_s is not None else network.observed_s / 4) * transform.fps))
        floors = ground(sequence)
        people, notes = [], list[str]()
        for person in range(sequence.people):
            if not sequence.seen[person, :, sequence.skeleton.root].any():
                notes.append(f"{who(sequence, person)} is never seen and was left out")
                continue
            window = person_window(sequence, person, network, float(floors[person]))
            if window.codec.missing:
                notes.append(f"taken as average, because the recording lacks them: {', '.join(window.codec.missing)}")
            # counted from the end, because that is where a frame of the recording stands
            last = np.arange(len(window.features), transform.observed - 1, -stride)[::-1]
            timeline = self._scores(window.features, last, progress)
            end = (sequence.frames - 1) / sequence.fps
            stop = end - (len(window.features) - last) / transform.fps
            times = np.stack([stop - network.observed_s, stop], axis=1)
            people.append(PersonActions(person=person, scores=timeline.mean(axis=0), times=times, timeline=timeline))
        if not people:
            raise DataError(f"{sequence.source or 'the sequence'}: nobody is seen; expected a person")
        return Recognition(actions=self.actions, people=tuple(people), notes=tuple(dict.fromkeys(notes)))

    def _scores(self, features: Array, last: NDArray[np.int64], progress: Callable[[int, int], None] | None) -> Array:
        """Scores (windows, classes) of the windows that end before frames `last`."""
        network, transform = self.network, self.network.transform
        rows = []
        for start in range(0, len(last), _BATCH):
            ends = last[start : start + _BATCH]
            windows = features[ends[:, None] + np.arange(-transform.observed, 0)]
            if transform.root == "heading":
                windows, _ = heading_relative(windows, -1, network.skeleton, transform.representation)
            with torch.inference_mode():
                output = network.model(torch.from_numpy(transform.encode(windows)), 0)
            assert output.logits is not None
            rows.append(torch.softmax(output.logits.double(), dim=-1).numpy())
            if progress is not None:
                progress(min(start + _BATCH, len(last)), len(last))
        scores = np.concatenate(rows)
        if not np.isfinite(scores).all():
            raise KinegraphError(
                f"the network in {network.folder} gave values that are not finite; its weights are damaged"
            )
        return scores
