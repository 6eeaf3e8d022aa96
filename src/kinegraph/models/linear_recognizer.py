"""A linear classifier of resampled clips, fitted in closed form: what a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinegraph.layers.resample import resample_clips
from kinegraph.models.recognition_model import RecognitionModel, RecognizerConfig
from kinegraph.ranges import at_least, positive
from kinegraph.skeleton import Skeleton

__all__ = ["LinearRecognizer", "LinearRecognizerConfig"]


@dataclass(frozen=True, kw_only=True)
class LinearRecognizerConfig(RecognizerConfig):
    """Configuration of :class:`LinearRecognizer`."""

    frames: int = 64
    """Clips are resampled to so many frames."""
    strength: float = 0.1
    """Weight of the squared coefficients, in units of the variance of all features together, divided by the clips."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "frames")
        positive(self, "strength")


class LinearRecognizer(RecognitionModel):
    """Least squares on the actions' indicators, with squared coefficients penalised.

    With f the joints of all frames and people of a clip, in one row, minus their mean over the N training clips, and y
    1 for a clip's action and 0 for the others, minus its mean, it minimises ``1/N sum |y - f W|^2 + s v / N |W|^2``,
    v the sum of the features' variances. There are more features than clips: it is solved among the clips (float64).

    Scores between 0 and 1 make nearly flat probabilities. Coefficients and bias are multiplied by the one factor that
    gives the training clips, each scored by what the others teach, the best likelihood; the order of the actions stays.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    trains = "fit"
    weight: Tensor
    bias: Tensor

    def __init__(self, skeleton: Skeleton, config: LinearRecognizerConfig | None = None) -> None:
        config = config or LinearRecognizerConfig()
        super().__init__(skeleton, config)
        features = config.frames * self.people * skeleton.num_joints * self.channels
        self.register_buffer("weight", torch.zeros(features, self.classes))
        self.register_buffer("bias", torch.full((self.classes,), float("nan")))

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` was called, on this model or on the one its weights come from."""
        return not bool(self.bias.isnan().any())

    @property
    def num_parameters(self) -> int:
        """Number of fitted values."""
        return self.weight.numel() + self.bias.numel()

    def fit(self, x: Tensor, labels: Tensor, mask: Tensor | None = None) -> None:
        """Find the coefficients from (clips, people, frames, joints, channels).

        Arguments and errors of :meth:`kinegraph.models.nearest.Nearest.fit`.
        """
        self.check_training(x, labels, mask)
        with torch.no_grad():
            features = self._features(x, mask).double()
            mean = features.mean(dim=0)
            centred = features - mean
            wanted = torch.nn.functional.one_hot(labels.to(x.device), self.classes).double()
            share = wanted.mean(dim=0)
            products = centred @ centred.T
            variance = products.diagonal().mean().clamp(min=1e-30)
            products.diagonal().add_(self.config.strength * variance)
            inverse = torch.linalg.inv(products)
            solution = inverse @ (wanted - share)
            weight = centred.T @ solution
            # What the others say of a clip, with the same penalty: its residual over one minus its leverage.
            penalty = self.config.strength * variance
            free = (penalty * inverse.diagonal() - 1 / len(labels)).clamp(min=1e-9)
            alone = wanted - penalty * solution / free[:, None]
            sharpness = _sharpness(alone, wanted) if len(labels) > 1 else 1.0
            self.weight.copy_(sharpness * weight)
            self.bias.copy_(sharpness * (share - mean @ weight))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Recognise; see :meth:`RecognitionModel.forward`. NaN until it is fitted."""
        self.check_input(x, mask)
        return torch.addmm(self.bias, self._features(x, mask), self.weight)

    def _features(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(clips, people x frames x joints x channels), zero where there are fewer people than there may be."""
        found = resample_clips(x, mask, self.config.frames).flatten(1)
        return torch.nn.functional.pad(found, (0, self.weight.shape[0] - found.shape[1]))


def _sharpness(scores: Tensor, wanted: Tensor) -> float:
    """The factor of scores (N, classes) whose softmax gives the indicators `wanted` the best likelihood.

    One clip more is counted, of which nobody knows the action, so that scores that are all right ask for no infinite
    factor. The likelihood is concave in the factor; its slope is bisected.
    """
    clips, classes = wanted.shape
    targets = (clips * wanted + 1 / classes) / (clips + 1)
    low, high = 1e-3, 1e4
    for _ in range(60):
        middle = (low * high) ** 0.5
        slope = ((targets - torch.softmax(middle * scores, dim=1)) * scores).sum()
        low, high = (middle, high) if slope > 0 else (low, middle)
    return low
