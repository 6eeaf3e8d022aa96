"""The validation windows of a motion run and the errors of what a network answers on them.

The forecasting error is the protocols' (SPEC, Sym-GNN Table 7) on validation windows: for exponential maps the l2 norm
over the used Euler channels, for positions the mean joint distance in millimetres, each averaged over the frames that
the tables list, then over the windows of an action, then over the actions. Where the body's own path is forecast, it
counts among the channels, a metre like a radian.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.datasets.evenly import evenly_spaced
from kinegraph.datasets.motion_data import MotionData
from kinegraph.errors import DataError
from kinegraph.geometry.expmap_euler import expmap_to_protocol_euler
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.training.motion_view import WindowView
from kinegraph.transforms.motion import MotionTransform

__all__ = ["SCORED_FRAMES", "MotionValidation"]

Array = NDArray[np.float64]
SCORED_FRAMES = (1, 3, 7, 9, 13, 24)
"""Future frames, from 0, of the published tables ("80 to 1000 ms"); those beyond a network's horizon are left out."""


class MotionValidation:
    """Windows of a validation split, evenly spaced within each clip.

    Args:
        data: the split.
        transform: of the network.
        stride: frames between the windows of a clip.

    Raises:
        DataError: no clip is long enough, or recognition is validated on windows without an action.
    """

    def __init__(self, data: MotionData, transform: MotionTransform, *, stride: int = 5) -> None:
        length = transform.observed + transform.horizon
        table = data.windows(length, stride)
        if not len(table):
            raise DataError(
                f"{data.name}: no clip has the {length} frames of a window; lower transform.observed or .horizon"
            )
        actions = np.array([clip.action for clip in data.clips])[table[:, 0]]
        if transform.actions and (actions < 0).all():
            raise DataError(
                f"{data.name}: no clip of the {length} frames of a window has a known action to validate recognition "
                "on; hold out longer clips with an action, or set transform.recognise to false"
            )
        self.name = data.name
        self.transform = transform
        self.representation = data.representation
        self.frames = np.concatenate([clip.features for clip in data.clips])
        lengths = np.array([len(clip.features) for clip in data.clips])
        base = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.starts = base[table[:, 0]] + table[:, 1]
        self.actions = actions
        self.view = WindowView(transform.root, transform.observed, data.skeleton, data.representation)
        self.path = data.skeleton.index(TRAJECTORY) if self.view.moves else None
        self._known: tuple[bytes, Array] = (b"", np.empty(0))
        scored = tuple(frame for frame in SCORED_FRAMES if frame < transform.horizon)
        self.scored = np.array(scored or range(min(1, transform.horizon)), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self, most: int | None) -> NDArray[np.int64]:
        """(B,) numbers of all windows, or of `most` of them, evenly spaced.

        Where recognition is learned and some windows have no action, those that have one are half of them at least, as
        far as there are so many: a few among many would be missed, and the error rate would be of nothing.
        """
        count = len(self) if most is None else min(most, len(self))
        known = np.flatnonzero(self.actions >= 0)
        if not self.transform.actions or len(known) in (0, len(self)):
            return evenly_spaced(np.arange(len(self)), count)
        share = round(count * len(known) / len(self))
        share = min(max(share, (count + 1) // 2), len(known))
        others = np.flatnonzero(self.actions < 0)
        share = max(share, count - len(others))
        return np.sort(np.concatenate([evenly_spaced(known, share), evenly_spaced(others, count - share)]))

    def windows(self, rows: NDArray[np.int64]) -> Array:
        """(B, T + H, J, C) features of the windows, as the network is meant to see them; raw units."""
        key = rows.tobytes()
        if self._known[0] != key:  # every validation asks for the same ones
            index = self.starts[rows][:, None] + np.arange(self.transform.observed + self.transform.horizon)
            self._known = (key, self.view(self.frames[index]))
        return self._known[1]

    def inputs(self, rows: NDArray[np.int64]) -> Tensor:
        """(B, T, J, C) what the network sees."""
        return torch.from_numpy(self.transform.encode(self.windows(rows)[:, : self.transform.observed]))

    def targets(self, rows: NDArray[np.int64]) -> Tensor:
        """(B, H, J, C) what follows, normalised."""
        return torch.from_numpy(self.transform.encode(self.windows(rows)[:, self.transform.observed :]))

    def forecasting_error(self, motion: Tensor, rows: NDArray[np.int64]) -> float:
        """The error of forecasts (B, H, J, C), normalised, of the windows `rows`: Euler radians, or millimetres."""
        windows, observed = self.windows(rows), self.transform.observed
        found = self.transform.decode(motion.numpy()[:, self.scored], windows[:, observed - 1])
        truth = windows[:, observed + self.scored]
        used = self.transform.used
        if self.representation == "expmap":
            difference = expmap_to_protocol_euler(found) - expmap_to_protocol_euler(truth)
            if self.path is not None:  # no rotation: a metre counts as a radian
                difference[..., self.path, :] = found[..., self.path, :] - truth[..., self.path, :]
            errors = np.sqrt((difference**2 * used).sum(axis=(-2, -1)))
        else:
            lengths = np.linalg.norm(found - truth, axis=-1)
            errors = 1000.0 * lengths[..., used.any(axis=1)].mean(axis=-1)
        return self._over_actions(errors.mean(axis=1), rows)

    def error_rate(self, logits: Tensor, rows: NDArray[np.int64]) -> float:
        """Share in percent of the windows `rows` whose highest score (B, classes) is not their action's."""
        known = self.actions[rows] >= 0
        wrong = logits.argmax(dim=-1).numpy()[known] != self.actions[rows][known]
        return 100.0 * self._over_actions(wrong.astype(np.float64), rows[known])

    def labels(self, rows: NDArray[np.int64]) -> Tensor:
        """(B,) actions; -1 where unknown."""
        return torch.from_numpy(self.actions[rows])

    def _over_actions(self, values: Array, rows: NDArray[np.int64]) -> float:
        actions = self.actions[rows]
        return float(np.mean([values[actions == action].mean() for action in np.unique(actions)]))
