"""What the graph networks for action recognition share: everything round their blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kinegraph.layers.clip_block import ClipBlock, ClipNorm, time_mean
from kinegraph.layers.dropout import Dropout
from kinegraph.layers.graph_gather import spatial_partitions
from kinegraph.models.people import mean_over_people, present_rows, put_back
from kinegraph.models.recognition_model import RecognitionModel, RecognizerConfig
from kinegraph.ranges import positive, share
from kinegraph.skeleton import Skeleton

__all__ = ["STAGES", "GraphRecognizer", "GraphRecognizerConfig", "scaled"]

STAGES: tuple[tuple[int, int], ...] = (
    *((64, 1),) * 4,
    *((128, 2), (128, 1), (128, 1)),
    *((256, 2), (256, 1), (256, 1)),
)
"""Width and stride of each of ten blocks, as in the published code of ST-GCN and of all that came after it. (The paper
of ST-GCN has nine, three of each width; 3.1 M parameters are those of the ten.)"""

CHUNK = 1 << 20
"""Values of the widest feature map (at 64 channels) that go through the network at a time when nothing is learned: so
many stay in a CPU's cache from layer to layer."""


def scaled(channels: int, width: float) -> int:
    """A width of the paper times a multiplier, a multiple of 8 where it is 16 or more."""
    value = round(channels * width)
    return max(1, value) if value < 16 else 8 * round(value / 8)


@dataclass(frozen=True, kw_only=True)
class GraphRecognizerConfig(RecognizerConfig):
    """What the graph networks over frames have in common."""

    width: float = 1.0
    """Every width is the paper's times this."""
    dropout: float = 0.0
    """Share of features dropped after each temporal convolution."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "width")
        share(self, "dropout")


class GraphRecognizer(RecognitionModel):
    """Batch norm of every joint's channels, blocks, mean over joints and frames, mean over people, linear.

    People are rows of their own until the end. Subclasses put their blocks (:class:`kinegraph.layers.clip_block`) in
    ``self.blocks`` with :meth:`finish`, which adds the rest.

    Args:
        skeleton: whose joints.
        config: of the network.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    blocks: nn.ModuleList

    def __init__(self, skeleton: Skeleton, config: GraphRecognizerConfig) -> None:
        super().__init__(skeleton, config)
        self.norm = ClipNorm(skeleton.num_joints * self.channels)

    def stack(self, modules: Callable[[int, int, int], tuple[nn.Module, nn.Module]], *, inner: bool = False) -> None:
        """Ten blocks of :data:`STAGES` and the classifier.

        Args:
            modules: features before and after, and the stride -> a block's graph and temporal module.
            inner: a residual connection round the graph module as well.
        """
        blocks: list[nn.Module] = []
        before = self.channels
        for index, (channels, stride) in enumerate(STAGES):
            out = scaled(channels, self.config.width)
            graph, temporal = modules(before, out, stride)
            outer, dropout = index > 0, self.config.dropout
            blocks.append(
                ClipBlock(graph, temporal, before, out, out, stride=stride, inner=inner, outer=outer, dropout=dropout)
            )
            before = out
        self.finish(blocks, before)

    def finish(self, blocks: list[nn.Module], features: int, head_dropout: float = 0.0) -> None:
        """Set the blocks and the classifier that follows their ``features``."""
        self.blocks = nn.ModuleList(blocks)
        self.features = features
        self.dropout = Dropout(head_dropout)
        self.classifier = nn.Linear(features, self.classes)
        nn.init.normal_(self.classifier.weight, std=(2.0 / self.classes) ** 0.5 / features**0.5)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Recognise; see :meth:`RecognitionModel.forward`."""
        result: Tensor = self.classifier(self.dropout(self.represent(x, mask)))
        return result

    def represent(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the classifier sees of each clip, (batch, features)."""
        self.check_input(x, mask)
        if mask is None:
            return mean_over_people(self._rows(x.flatten(0, 1), None), x.shape[:2], None)
        present = mask.any(dim=2)
        rows = self._present_rows(x.flatten(0, 1), mask.flatten(0, 1), present.flatten())
        return mean_over_people(rows, x.shape[:2], present)

    def _present_rows(self, x: Tensor, mask: Tensor, present: Tensor) -> Tensor:
        """:meth:`_rows`, without the work for people who are not there where asking costs nothing."""
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return self._rows(x, mask.to(x.dtype))
        if not self.training and not bool(present.any()):
            return x.new_zeros((len(x), self.features))
        index = present_rows(present)
        if index is None:
            return self._rows(x, None if bool(mask.all()) else mask.to(x.dtype))
        x, mask = x[index], mask[index]
        return put_back(self._rows(x, None if bool(mask.all()) else mask.to(x.dtype)), index, len(present))

    def _rows(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Features of each person, (rows, frames, joints, channels) -> (rows, features)."""
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling() or x.device.type != "cpu":
            return self._network(x, mask)
        size = max(1, CHUNK // (64 * x.shape[1] * x.shape[2]))
        masks = [None] * max(1, len(x)) if mask is None else list(torch.split(mask, size))
        parts = [self._network(part, masks[index]) for index, part in enumerate(torch.split(x, size))]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _network(self, x: Tensor, mask: Tensor | None) -> Tensor:
        rows, frames, joints, channels = x.shape
        x = self.norm(x.reshape(rows, 1, frames, joints * channels), mask)
        x = x.view(rows, frames, joints, channels).transpose(1, 2).contiguous()
        for block in self.blocks:
            x, mask = block(x, mask)
        return time_mean(x.mean(dim=1, keepdim=True), mask).squeeze(1)

    def partitions(self, centre: str | None) -> Any:
        """The three subsets of neighbours as seen from a joint (default: the root), (3, joints, joints)."""
        at = self.skeleton.root if centre is None else self.skeleton.index(centre)
        return spatial_partitions(self.skeleton.hop_distances(), at)
