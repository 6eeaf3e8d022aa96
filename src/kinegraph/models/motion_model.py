"""What every motion network has in common: some observed frames in; future frames, action scores, or both, out."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from kinegraph.errors import ConfigError, DataError
from kinegraph.skeleton import Skeleton

__all__ = ["MotionModel", "MotionOutput"]


class MotionOutput(NamedTuple):
    """What a motion network answers. B sequences, H future frames, J joints, C channels."""

    motion: Tensor | None
    """(B, H, J, C), in the units of the input; None from a recogniser alone, or where a horizon of 0 was asked."""
    logits: Tensor | None
    """(B, classes); None from a forecaster alone."""


class MotionModel(nn.Module):
    """Base of the networks that recognise and forecast.

    Attributes:
        skeleton: whose joints, in which order.
        config: the configuration it was built from; has ``channels``, ``observed``, ``horizon`` and ``classes``.
        channels: features of a joint in a frame.
        observed: frames of an input.
        horizon: frames it was built to forecast (an autoregressive network can be asked for more); 0 for none.
        classes: number of actions; 0 for none.
        any_horizon: whether `forward` takes a longer horizon than the built one.
        trains: how it gets its weights: by ``"gradient"`` descent; by ``"fit"``, its method ``fit(inputs, targets)`` in
            closed form; or it has ``"nothing"`` to learn and needs no weights.

    Raises:
        ConfigError: a number below its least, or neither frames to forecast nor classes.
    """

    any_horizon = False
    trains: ClassVar[Literal["gradient", "fit", "nothing"]] = "gradient"

    def __init__(self, skeleton: Skeleton, config: Any) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.config = config
        self.channels: int = config.channels
        self.observed: int = config.observed
        self.horizon: int = config.horizon
        self.classes: int = config.classes
        for name, least in (("channels", 1), ("observed", 2), ("horizon", 0), ("classes", 0)):
            value = getattr(config, name)
            if value < least:
                raise ConfigError(f"{name} {value}: expected {least} or more")
        if not (self.horizon or self.classes):
            raise ConfigError("horizon 0 and classes 0: there is nothing to learn; set one of them")

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def check_input(self, x: Tensor, horizon: int | None = None) -> int:
        """Refuse an input that is not ``(batch, observed, joints, channels)``, and say how many frames to forecast.

        Raises:
            DataError: the shape, or a horizon the network cannot reach.
        """
        if not isinstance(x, Tensor):
            raise DataError(
                f"{type(self).__name__} takes a tensor; found {type(x).__name__}: use torch.as_tensor(..., dtype="
                "torch.float32)"
            )
        tail = (self.observed, self.skeleton.num_joints, self.channels)
        if x.dim() != 4 or tuple(x.shape[1:]) != tail:
            raise DataError(
                f"{type(self).__name__} on skeleton '{self.skeleton.name}' takes (batch, frames, joints, channels) = "
                f"(batch, {', '.join(map(str, tail))}); found {tuple(x.shape)}"
            )
        if horizon is None:
            return self.horizon
        if horizon < 0 or (horizon > self.horizon and not (self.any_horizon and self.horizon)):
            raise DataError(f"{type(self).__name__} forecasts 0 to {self.horizon} frames; found {horizon}")
        return horizon
