"""Ridge regression from the observed frames to the future ones: the linear forecaster, fitted in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from kinegraph.errors import ConfigError, DataError
from kinegraph.models.forecasting_model import ForecastingModel
from kinegraph.skeleton import Skeleton

__all__ = ["STRENGTHS", "Ridge", "RidgeConfig"]

STRENGTHS = tuple(10.0 ** (step / 2) for step in range(-16, 5))
"""What ``strength: auto`` tries: 1e-8 to 1e2, two to a factor of ten."""
CHUNK = 2048
"""Windows held in float64 at a time."""
Windows = tuple[Tensor, Tensor]
Chunks = Callable[[], Iterator[Windows]]


@dataclass(frozen=True, kw_only=True)
class RidgeConfig:
    """Configuration of :class:`Ridge`."""

    channels: int = 3
    """Features of a joint in a frame."""
    observed: int = 50
    """Frames of an input."""
    horizon: int = 25
    """Frames forecast at once."""
    classes: int = 0
    """0: it does not recognise."""
    frames: int | None = None
    """How many of the observed frames it looks at, the last ones; null for all."""
    scope: Literal["body", "joint"] = "body"
    """Each joint is forecast from the whole body, or from its own past alone."""
    pose: bool = False
    """Look at the last pose itself too, not only at how the frames before it differ from it."""
    strength: float | Literal["auto"] = 0.1
    """Weight of the squared coefficients, in units of the features' mean variance (see :class:`Ridge`); ``auto``
    chooses one for every future frame by the mean error of validation windows."""


class Ridge(ForecastingModel):
    """Every future frame's displacement from the last observed one, as a linear map of the frames before it.

    With f the frames before the last one minus the last one (and the last one itself, if asked) and y the displacement
    of a future frame, both with their means over the N training windows taken off, it minimises

        1/N sum |y - f W|^2 + strength v |W|^2

    over W in float64, by the eigenvectors of f's covariance; v is the mean variance of the features that vary, so that
    a strength means the same in any unit. The bias carries no penalty. Features that never vary have coefficients of
    0, and at strength 0 the shortest W is taken. Until it is fitted it forecasts zero velocity.
    A horizon beyond the built one goes on from the forecast.

    Shapes: ``(batch, observed, joints, channels) -> motion (batch, horizon, joints, channels)``.

    Attributes:
        weight: ``(groups, features, outputs)``; one group for the body, or one for each joint.
        bias: ``(groups, outputs)``.
        strengths: ``(horizon,)`` the strength in use for every future frame; NaN until it is fitted.

    Raises:
        ConfigError: frames that were not observed, or a negative strength.
    """

    trains = "fit"
    weight: Tensor
    bias: Tensor
    strengths: Tensor

    def __init__(self, skeleton: Skeleton, config: RidgeConfig | None = None) -> None:
        config = config or RidgeConfig()
        super().__init__(skeleton, config)
        self.frames = self.observed if config.frames is None else config.frames
        least = 1 if config.pose else 2
        if not least <= self.frames <= self.observed:
            raise ConfigError(f"frames {self.frames}: expected {least} to {self.observed}, the observed ones")
        if config.strength != "auto" and not 0 <= config.strength < float("inf"):
            raise ConfigError(f"strength {config.strength}: expected 0 or more, or auto")
        self.pose, self.strength = config.pose, config.strength
        joints = skeleton.num_joints
        self.groups = joints if config.scope == "joint" else 1
        width = joints * self.channels // self.groups
        features = (self.frames - 1 + self.pose) * width
        self.register_buffer("weight", torch.zeros(self.groups, features, self.horizon * width))
        self.register_buffer("bias", torch.zeros(self.groups, self.horizon * width))
        self.register_buffer("strengths", torch.full((self.horizon,), float("nan")))

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` was called, on this model or on the one its weights come from."""
        return not bool(self.strengths.isnan().any())

    @property
    def num_parameters(self) -> int:
        """Number of fitted values."""
        return self.weight.numel() + self.bias.numel()

    def block(self, x: Tensor) -> Tensor:
        """The next ``horizon`` frames: ``(batch, horizon, joints, channels)``."""
        last = x[:, -1:]
        parts = self._looked_at(x)
        features = parts.flatten(1)[None] if self.groups == 1 else parts.permute(2, 0, 1, 3).flatten(2)
        # (groups, batch, features) @ (groups, features, outputs)
        moved = torch.baddbmm(self.bias[:, None], features, self.weight)
        if self.groups == 1:
            return last + moved[0].view(-1, self.horizon, *last.shape[2:])
        moved = moved.view(self.groups, -1, self.horizon, self.channels)
        return last + moved.permute(1, 2, 0, 3)

    def fit(self, inputs: Tensor, targets: Tensor, validation: Windows | None = None) -> None:
        """Find the coefficients.

        Args:
            inputs: ``(windows, observed, joints, channels)``.
            targets: ``(windows, horizon, joints, channels)``, the frames that follow.
            validation: inputs and targets of other windows; needed by ``strength: auto``, which takes for every future
                frame the strength of :data:`STRENGTHS` with the least mean length of the body's error vector, and
                not used otherwise.

        Raises:
            DataError: wrong shapes, fewer than two windows, or values that are not finite.
            ConfigError: ``strength: auto`` without validation windows.
        """
        self._check_windows(inputs, targets, "training", 2)
        if self.strength == "auto":
            if validation is None:
                raise ConfigError("strength auto: found no validation windows to choose it on; give some, or a number")
            self._check_windows(*validation, "validation", 1)
            grid = torch.tensor(STRENGTHS, dtype=torch.float64, device=inputs.device)
        else:
            validation = None
            grid = torch.tensor([self.strength], dtype=torch.float64, device=inputs.device)
        with torch.no_grad():
            regressions = [_Regression(self._chunks(inputs, targets, group)) for group in range(self.groups)]
            if validation is None:
                strengths = grid.expand(self.horizon)
            else:
                strengths = grid[self._validate(regressions, grid, *validation).argmin(dim=0)]
            outputs = strengths.repeat_interleave(self.weight.shape[2] // self.horizon)
            for group, regression in enumerate(regressions):
                weight, bias = regression.coefficients(outputs)
                self.weight[group].copy_(weight)
                self.bias[group].copy_(bias)
            self.strengths.copy_(strengths)

    def _validate(self, regressions: list[_Regression], grid: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """``(strengths, horizon)`` mean length of the body's error vector."""
        squared = inputs.new_zeros((len(grid), len(inputs), self.horizon), dtype=torch.float64)
        for group, regression in enumerate(regressions):
            start = 0
            for features, moved in self._chunks(inputs, targets, group)():
                for row, answer in enumerate(regression.answers(features, grid)):
                    error = (answer - moved).view(len(moved), self.horizon, -1)
                    squared[row, start : start + len(moved)] += error.square().sum(dim=2)
                start += len(moved)
        return squared.sqrt().mean(dim=1)

    def _looked_at(self, x: Tensor) -> Tensor:
        """``(batch, frames, joints, channels)``: what the coefficients meet, of inputs with any joints."""
        seen = x[:, -self.frames :]
        relative = seen[:, :-1] - seen[:, -1:]
        return torch.cat((relative, seen[:, -1:]), dim=1) if self.pose else relative

    def _chunks(self, inputs: Tensor, targets: Tensor, group: int) -> Chunks:
        """Features and displacements of one group in float64, some windows at a time, as often as one asks."""
        joints = slice(None) if self.groups == 1 else slice(group, group + 1)

        def chunks() -> Iterator[Windows]:
            for x, y in zip(torch.split(inputs, CHUNK), torch.split(targets, CHUNK), strict=True):
                seen, future = x[:, :, joints].double(), y[:, :, joints].double()
                yield self._looked_at(seen).flatten(1), (future - seen[:, -1:]).flatten(1)

        return chunks

    def _check_windows(self, inputs: Tensor, targets: Tensor, kind: str, least: int) -> None:
        self.check_input(inputs)
        tail = (self.horizon, *inputs.shape[2:])
        if targets.dim() != 4 or tuple(targets.shape[1:]) != tail or len(targets) != len(inputs):
            raise DataError(
                f"{kind} targets of {len(inputs)} windows: found {tuple(targets.shape)}, expected "
                f"({len(inputs)}, {', '.join(map(str, tail))})"
            )
        if len(inputs) < least:
            raise DataError(f"found {len(inputs)} {kind} windows, expected {least} or more")
        if not (inputs.isfinite().all() and targets.isfinite().all()):
            raise DataError(f"the {kind} windows hold NaN or infinite values; fill the gaps first")


class _Regression:
    """One group's least squares problem in the basis of its features' covariance, where any strength is a division.

    Args:
        chunks: gives the windows, features ``(windows, features)`` and outputs ``(windows, outputs)``, chunk by chunk.
    """

    def __init__(self, chunks: Chunks) -> None:
        first = next(chunks())
        count, size = 0, first[0].shape[1]
        sums = [torch.zeros_like(part[0]) for part in first]
        for parts in chunks():
            count += len(parts[0])
            for total, part in zip(sums, parts, strict=True):
                total += part.sum(dim=0)
        self.mean, self.mean_output = (total / count for total in sums)
        # The means are taken off before the products are summed: subtracting them afterwards cancels digits.
        covariance, cross = first[0].new_zeros((size, size)), first[0].new_zeros((size, first[1].shape[1]))
        for features, outputs in chunks():
            centred = features - self.mean
            covariance.addmm_(centred.T, centred)
            cross.addmm_(centred.T, outputs - self.mean_output)
        # What never varies would only make the eigenvectors dearer.
        self.varies = covariance.diagonal() > 0
        values, self.basis = torch.linalg.eigh(covariance[self.varies][:, self.varies] / count)
        self.values = values.clamp(min=0)
        self.unit = self.values.sum() / max(len(self.values), 1)  # trace of the covariance: the mean variance
        self.cross = self.basis.T @ cross[self.varies] / count

    def shrunk(self, strengths: Tensor) -> Tensor:
        """The coefficients in the basis, ``(directions, outputs)``, for one strength or one of every output."""
        # At strength 0 a direction in which the windows differ by nothing but rounding is left alone.
        rounding = torch.finfo(self.values.dtype).eps * len(self.values) * self.values.max() if len(self.values) else 0
        seen = (self.values > rounding)[:, None]
        shrunk: Tensor = self.cross * torch.where(seen, 1 / (self.values[:, None] + strengths * self.unit), 0.0)
        return shrunk

    def answers(self, features: Tensor, grid: Tensor) -> Iterator[Tensor]:
        """``(windows, outputs)`` for each strength of the grid."""
        projected = (features - self.mean)[:, self.varies] @ self.basis
        for strength in grid:
            yield self.mean_output + projected @ self.shrunk(strength)

    def coefficients(self, strengths: Tensor) -> Windows:
        """Weight ``(features, outputs)`` and bias ``(outputs,)`` for a strength of every output."""
        weight = self.cross.new_zeros((len(self.varies), self.cross.shape[1]))
        weight[self.varies] = self.basis @ self.shrunk(strengths)
        return weight, self.mean_output - self.mean @ weight
