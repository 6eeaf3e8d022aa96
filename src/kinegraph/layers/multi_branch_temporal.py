"""Temporal convolution in branches: dilated convolutions, a maximum over frames, and a plain map, side by side.

The temporal module of CTR-GCN (Chen et al., ICCV 2021, section 3.4 and Fig. 4) and of ST-GCN++ (Duan, Wang, Chen, Lin,
*PYSKL: Towards Good Practices for Skeleton Action Recognition*, 2022), after that of MS-G3D (Liu et al., CVPR 2020).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.errors import ConfigError
from kinegraph.layers.clip_block import ClipNorm, Constants, blank, strided_mask

__all__ = ["MultiBranchTemporal"]


class _Folded(NamedTuple):
    heads: tuple[Tensor, Tensor]
    plain: tuple[Tensor, Tensor]
    convolutions: list[tuple[Tensor, Tensor | None]]
    pool: tuple[Tensor, Tensor]
    merge: tuple[Tensor, Tensor] | None


class MultiBranchTemporal(Constants):
    """A map to few channels, norm and ReLU before each dilated convolution and before the maximum; a plain map.

    The branches stand side by side. With ``merge`` (ST-GCN++) a norm, ReLU, a linear map over all of them and a norm
    follow; without (CTR-GCN) each ends in a norm of its own, which over channels side by side is one norm.

    Args:
        channels: in and out. Each of the ``len(dilations) + 2`` branches has an equal share; the first takes what is
            left over.
        kernel: frames under each dilated convolution; odd.
        dilations: of each, frames.
        stride: frames.
        merge: mix the branches at the end.
        pool: frames under the maximum; odd.

    Shapes: (rows, nodes, frames, channels), zero where padded -> (rows, nodes, ceil(frames / stride), channels).

    Raises:
        ConfigError: fewer channels than branches.
    """

    def __init__(
        self, channels: int, *, kernel: int, dilations: tuple[int, ...], stride: int, merge: bool, pool: int = 3
    ) -> None:
        super().__init__()
        share = channels // (len(dilations) + 2)
        if not share:
            raise ConfigError(f"{channels} features do not fill {len(dilations) + 2} temporal branches; raise width")
        first = channels - share * (len(dilations) + 1)
        self.widths = (first, *(share,) * (len(dilations) - 1))
        self.share, self.stride, self.pool = share, stride, pool
        self.kernel, self.dilations = kernel, dilations
        before = sum(self.widths) + share
        self.heads = nn.Linear(channels, before, bias=False)
        self.heads_norm = ClipNorm(before)
        self.plain = nn.Linear(channels, share, bias=False)
        self.convolutions = nn.ParameterList(
            torch.randn(width, width, 1, kernel) / math.sqrt(kernel * width) for width in self.widths
        )
        self.norm = ClipNorm(before + share)
        self.merge: nn.Linear | None = None
        if merge:
            self.merge = nn.Linear(before + share, channels, bias=False)
            self.merge_norm = ClipNorm(channels)

    def fold(self) -> _Folded:
        """Every norm in the weights of the map before it; that of the maximum stays a scale and a shift."""
        scale, shift = self.heads_norm.scale_and_shift()
        heads = (self.heads.weight * scale.unsqueeze(1), shift)
        scale, shift = self.norm.scale_and_shift()
        sizes = [*self.widths, self.share, self.share]
        scales, shifts = torch.split(scale, sizes), torch.split(shift, sizes)
        convolutions: list[tuple[Tensor, Tensor | None]] = [
            (weight * scale.view(-1, 1, 1, 1), shift)
            for weight, scale, shift in zip(self.convolutions, scales, shifts, strict=False)
        ]
        plain = (self.plain.weight * scales[-1].unsqueeze(1), shifts[-1])
        merge = None
        if self.merge is not None:
            scale, shift = self.merge_norm.scale_and_shift()
            merge = (self.merge.weight * scale.unsqueeze(1), shift)
        return _Folded(heads, plain, convolutions, (scales[-2], shifts[-2]), merge)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve; the mask is that of the frames that come in."""
        after = strided_mask(mask, self.stride)
        kept = x if self.stride == 1 else x[:, :, :: self.stride]
        folded: _Folded | None = self.constants(x)
        if folded is not None:
            y = functional.relu_(functional.linear(x, *folded.heads))
            branches = self._along_time(blank(y, mask), folded.convolutions)
            branches[-1] = torch.addcmul(folded.pool[1], branches[-1], folded.pool[0])
            joined = torch.cat([*branches, functional.linear(kept, *folded.plain)], dim=-1)
            return joined if folded.merge is None else functional.linear(functional.relu_(joined), *folded.merge)
        y = functional.relu_(self.heads_norm(self.heads(x), mask))
        branches = self._along_time(blank(y, mask), [(weight, None) for weight in self.convolutions])
        joined = self.norm(torch.cat([*branches, self.plain(kept)], dim=-1), after)
        if self.merge is not None:
            joined = self.merge_norm(self.merge(functional.relu_(joined)), after)
        result: Tensor = joined
        return result

    def _along_time(self, x: Tensor, convolutions: list[tuple[Tensor, Tensor | None]]) -> list[Tensor]:
        """What becomes of each share of the channels but the plain map's."""
        *inputs, pooled = (
            part.permute(0, 3, 1, 2) for part in torch.split(x, [*self.widths, self.share], dim=-1)
        )  # images of nodes x frames with channels last
        images = [
            functional.conv2d(
                image,
                weight,
                bias,
                stride=(1, self.stride),
                padding=(0, dilation * (self.kernel // 2)),
                dilation=(1, dilation),
            )
            for image, (weight, bias), dilation in zip(inputs, convolutions, self.dilations, strict=True)
        ]
        # features are not negative here: a padded frame's zero never beats one
        images.append(
            functional.max_pool2d(pooled, (1, self.pool), stride=(1, self.stride), padding=(0, self.pool // 2))
        )
        return [image.permute(0, 2, 3, 1) for image in images]
