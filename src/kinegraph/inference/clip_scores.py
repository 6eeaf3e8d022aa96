"""Windows scored by recognisers of clips: a long recording is cut into clips as long as those of the training.

Only the windows of one batch are in memory at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.answers import finite
from kinegraph.inference.clip_window import (
    ClipNetwork,
    Stretch,
    assumptions,
    cut,
    encoded,
    name_of,
    stretches_of,
    unit_scale,
)
from kinegraph.inference.motion_window import check_rate
from kinegraph.inference.recognition import ScoredWindows
from kinegraph.inference.traced import traced
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import map_joints
from kinegraph.transforms.clip_batches import pad_clips
from kinegraph.transforms.posed_body import check_video

__all__ = ["ClipScores"]

Array = NDArray[np.float64]
_Forward = Callable[[Tensor, Tensor], Tensor]
_BATCH = 16
_LONGEST_S = 600.0
_MOST_WINDOWS = 1_000_000
_SHORT = 0.5  # of a training clip: under it, a note


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
        self._forwards: tuple[_Forward, ...] = tuple(network.model for network in self.networks)

    def for_live(self) -> ClipScores:
        """The same scores, had faster where one window is looked at at a time; see :func:`traced`."""
        quick = copy.copy(self)
        quick._forwards = tuple(_recorded(network) for network in self.networks)
        return quick

    def score(
        self,
        sequence: SkeletonSequence,
        window_s: float | None,
        stride_s: float | None,
        progress: Callable[[int, int], None] | None,
    ) -> tuple[list[ScoredWindows], list[str]]:
        """The windows of every person, and what was assumed. See :meth:`Recognizer.recognize`."""
        check_video(sequence)
        fps = self._check(sequence)
        notes = [note for network in self.networks for note in assumptions(network, sequence)]
        # a copy without what windows would drag along
        sequence = sequence.replace(rotations=None, offsets=None, uncertainty=None, contact=None, notes=())
        rows, more = self._rows(sequence, *self._lengths(sequence, fps, window_s, stride_s))
        longest = max(stop - start for _, stretches in rows for _, start, stop in stretches)
        usual, shown = self.window_s(fps), longest / fps
        if shown < _SHORT * usual:
            more.append(
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
            table = np.array(stretches, dtype=np.int64)
            times: Array = np.stack([table[:, 1], table[:, 2] - 1], axis=1) / fps
            partner = people[1] if len(people) > 1 else None
            found.append(ScoredWindows(people[0], partner, table[:, 0], times, timeline))
        return found, [*notes, *more]

    def of_window(self, sequence: SkeletonSequence, people: list[int]) -> Array | None:
        """Probabilities (classes,) of a recording that is one window, of one person or of two together.

        None where they are not seen in enough of it.
        """
        self._check(sequence)
        seen: NDArray[np.bool_] = np.asarray(sequence.seen[people].any(axis=2).all(axis=0))
        stretches = stretches_of(seen, sequence.frames, sequence.frames)
        return self._scores(sequence, people, stretches[-1:])[0] if stretches else None

    def _rows(
        self, sequence: SkeletonSequence, window: int, stride: int
    ) -> tuple[list[tuple[list[int], list[Stretch]]], list[str]]:
        """Who is looked at together, and when; each person alone, then the pair."""
        seen: NDArray[np.bool_] = np.asarray(sequence.seen.any(axis=2))
        rows: list[tuple[list[int], list[Stretch]]] = []
        notes = []
        for person in range(sequence.people):
            stretches = stretches_of(seen[person], window, stride)
            if stretches:
                rows.append(([person], stretches))
                continue
            frames = int(seen[person].sum())
            why = f"seen in {frames} frames here and there, too few to judge," if frames else "never seen"
            notes.append(f"person {person + 1} is {why} and was left out")
        if not rows:
            raise DataError(
                f"{name_of(sequence)}: nobody is seen for long enough; expected a person in 2 frames or more"
                if seen.any()
                else f"{name_of(sequence)}: nobody is seen in any frame; expected a person"
            )
        if self.people > 1 and len(rows) == 2:
            pair = [rows[0][0][0], rows[1][0][0]]
            together = stretches_of(np.asarray(seen[pair].all(axis=0)), window, stride)
            if together:
                rows.append((pair, together))
        elif self.people > 1 and len(rows) > 2:
            notes.append(f"{len(rows)} people are seen: each was looked at alone, and no two together")
        return rows, notes

    def window_s(self, fps: float) -> float:
        """Seconds of a window, if nothing else is said; `fps` is the recording's, where no other is known."""
        return self.networks[0].window_frames() / (self.networks[0].transform.fps or fps)

    def checked_window_s(self, fps: float, window_s: float | None) -> float:
        """Seconds of a window of a recording at `fps`: those asked for, or :meth:`window_s`.

        Raises:
            ConfigError: a window that is none, or holds no two frames.
        """
        usual, first = self.window_s(fps), self.networks[0]
        length = usual if window_s is None else float(window_s)
        if not 0 < length <= _LONGEST_S:
            raise ConfigError(f"window {length:g} s: expected seconds, above 0 and at most {_LONGEST_S:g}")
        if window_s is not None and length * min(fps, first.transform.fps or fps) < 2 - 1e-6:
            raise ConfigError(
                f"window {length:g} s: that is no two frames at {min(fps, first.transform.fps or fps):g} a second; "
                f"{first.name} was trained on clips of about {usual:.2g} s"
            )
        return length

    def _check(self, sequence: SkeletonSequence) -> float:
        """The frame rate; what the networks cannot see is refused."""
        name, model = name_of(sequence), self.networks[0].name
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
            check_rate(sequence, network)
            unit_scale(network, sequence)
            map_joints(sequence.skeleton, network.skeleton)
        return sequence.fps

    def _lengths(
        self, sequence: SkeletonSequence, fps: float, window_s: float | None, stride_s: float | None
    ) -> tuple[int, int]:
        """Frames of the recording in a window, and from one to the next."""
        length = self.checked_window_s(fps, window_s)
        step = length / 4 if stride_s is None else stride_s
        window, stride = max(2, round(length * fps)), max(1, round(step * fps))
        if sequence.people * sequence.frames / stride > _MOST_WINDOWS:
            raise ConfigError(f"stride {step:g} s: that makes more than {_MOST_WINDOWS:,} windows; take a longer one")
        return window, stride

    def _scores(self, sequence: SkeletonSequence, people: list[int], windows: Sequence[Stretch]) -> Array:
        """Probabilities (windows, classes)."""
        total = np.zeros((len(windows), len(self.actions)))
        cuts = [cut(sequence, people, start, stop) for _, start, stop in windows]
        for network, forward, share in zip(self.networks, self._forwards, self.shares, strict=True):
            x, mask = pad_clips([encoded(network, cut) for cut in cuts])
            with torch.inference_mode():
                logits = forward(torch.from_numpy(x), torch.from_numpy(mask))
                found = finite(torch.softmax(logits.double(), dim=-1).numpy(), network.folder or network.name)
            names = network.transform.actions
            total += share * found[:, [names.index(action) for action in self.actions]]
        return total


def _recorded(network: ClipNetwork) -> _Forward:
    """The network for one window in which everybody is there; for others it runs as it is."""
    transform, model = network.transform, network.model
    if transform.sampling == "all":  # windows of any length
        return model
    shape = (1, transform.people, transform.frames, network.skeleton.num_joints, transform.channels)
    whole = torch.ones(shape[:3], dtype=torch.bool)
    run = traced(model, lambda network, x: network(x, whole), shape)

    def forward(x: Tensor, mask: Tensor) -> Tensor:
        found: Tensor = run(x) if x.shape == shape and bool(mask.all()) else model(x, mask)
        return found

    return forward
