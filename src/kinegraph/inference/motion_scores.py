"""Windows scored by a motion network that has classes: as long as the network looks back, at its rate."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.axes import ground
from kinegraph.errors import DataError, KinegraphError, SkeletonError
from kinegraph.inference.clip_window import snapped
from kinegraph.inference.motion_window import MotionNetwork, check_rate, left_out, person_window, ready, who
from kinegraph.inference.recognition import ScoredWindows
from kinegraph.sequence import SkeletonSequence, frames_within
from kinegraph.transforms.heading import heading_relative

__all__ = ["MotionScores"]

Array = NDArray[np.float64]
_BATCH = 64


class MotionScores:
    """Scores of fixed windows.

    Args:
        network: trained with classes.

    Raises:
        KinegraphError: it has none.
    """

    dims = 3

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
        self.network = network
        self.actions = network.transform.actions

    def score(
        self,
        sequence: SkeletonSequence,
        window_s: float | None,
        stride_s: float | None,
        progress: Callable[[int, int], None] | None,
    ) -> tuple[list[ScoredWindows], list[str]]:
        """The windows of every person, and what was assumed. See :meth:`Recognizer.recognize`.

        Raises:
            DataError: no 3D motion in metres, too slow or too short a recording, or nobody is seen for long enough.
            SkeletonError: it lacks too many of the network's joints.
        """
        network = self.network
        transform = network.transform
        sequence = ready(sequence)
        check_rate(sequence, network)
        assert sequence.fps is not None
        span = (sequence.frames - 1) / sequence.fps
        if frames_within(span, transform.fps) < transform.observed:
            raise self._too_short(sequence, span)
        step = network.observed_s / 4 if stride_s is None else stride_s
        stride = max(1, round(step * transform.fps))
        floors = ground(sequence)
        found, notes = [], list[str]()
        refused: list[DataError | SkeletonError] = []
        for person in range(sequence.people):
            if not sequence.seen[person, :, sequence.skeleton.root].any():
                notes.append(f"{who(sequence, person)} is never seen and was left out")
                continue
            try:
                window = person_window(sequence, person, network, float(floors[person]))
            except (DataError, SkeletonError) as error:
                refused.append(error)
                notes.append(left_out(sequence, person, error))
                continue
            # counted from the end, because that is where a frame of the recording stands
            last = np.arange(len(window.features), transform.observed - 1, -stride)[::-1]
            if not len(last):
                raise self._too_short(sequence, span)
            stop = span - (len(window.features) - last) / transform.fps
            there = np.flatnonzero(sequence.seen[person].any(axis=1))
            numbers, times = _while_seen(there, stop - network.observed_s, stop, sequence.fps)
            if not len(numbers):
                notes.append(
                    f"{who(sequence, person)} is seen in half of no {network.observed_s:.2f} s and was left out"
                )
                continue
            if window.codec.missing:
                notes.append(f"taken as average, because the recording lacks them: {', '.join(window.codec.missing)}")
            shown = None if progress is None else _share(progress, person, sequence.people, len(last))
            timeline = self._scores(window.features, last[numbers], shown)
            found.append(ScoredWindows(person, None, numbers, times, timeline))
        if not found:
            if refused:
                raise refused[0]
            raise DataError(
                f"{sequence.source or 'the sequence'}: nobody is seen for long enough; expected a person in half of "
                f"{network.observed_s:.2f} s"
            )
        return found, notes

    def _too_short(self, sequence: SkeletonSequence, span: float) -> DataError:
        network, transform = self.network, self.network.transform
        return DataError(
            f"{sequence.source or 'the sequence'}: {network.name} looks at {network.observed_s:.2f} s "
            f"({transform.observed} frames at {transform.fps:g} a second) and the recording has {max(span, 0):.2f} s, "
            f"{network.observed_s - max(span, 0):.2g} s too little; give a longer one"
        )

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
        network.check(scores)
        return scores


def _while_seen(there: NDArray[np.intp], starts: Array, stops: Array, fps: float) -> tuple[NDArray[np.int64], Array]:
    """Which windows somebody is seen in for half of the frames, and when these begin and end: while they are seen.

    Args:
        there: numbers of the frames in which they are, at `fps`.
        starts, stops: of all windows, seconds.
    """
    numbers, times = [], []
    for number, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        # a window may begin and end between two frames of the recording; both are in it then
        first, after = math.floor(start * fps + 1e-6), math.ceil(stop * fps - 1e-6) + 1
        seen = snapped(there, first, after)
        if seen is not None:
            numbers.append(number)
            begin = max(0.0, start) if seen[0] == first else seen[0] / fps  # by a rounding, before the first
            times.append((begin, stop if seen[1] == after else (seen[1] - 1) / fps))
    return np.array(numbers, dtype=np.int64), np.array(times, dtype=np.float64).reshape(-1, 2)


def _share(progress: Callable[[int, int], None], person: int, people: int, windows: int) -> Callable[[int, int], None]:
    """One person's progress as a part of all people's, who have as many windows each, if they are seen."""
    return lambda done, total: progress(person * windows + done * windows // total, people * windows)
