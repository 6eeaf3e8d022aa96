"""The hierarchical channel-squeezing fusion layer.

Zeng, Sun, Yang, Zhao, Xu, *Learning Skeletal Graph Neural Networks for Hard 3D Pose Estimation*, ICCV 2021.

    h_S,i = sum over j within hop S       of  a_ij x_j W_ij                              (Eq. 3)
    h_k,i = sum over j at hop exactly k   of  a_ij x_j W_ij,  S < k <= L, C_k channels    (Eq. 4, 6)
    h_i   = F_a[ h_S,i , F_k(h_S+1,i ... h_L,i) ] W_a                                     (Eq. 5)
    C_k   = max(1, round(d^(k-S) C))                      (the printed exponent d^(k-L) would grow with k)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.aggregation import Aggregation, Sharing
from kinegraph.layers.dynamic_graph import DynamicGraph, DynamicMode, GraphInit, computed_graphs
from kinegraph.layers.feature_check import check_features
from kinegraph.layers.folding import FoldedPairs, Folds, GatedPairs, as_frames
from kinegraph.layers.node_linear import NodeLinear
from kinegraph.ranges import at_least

Fusion = Literal["concat", "add", "multiply"]
"""How features meet. Addition and multiplication first project to the widest of the widths, where they differ."""


@dataclass(frozen=True, kw_only=True)
class HCSFOptions:
    """Options of an HCSF layer (section 3; defaults: the paper's single-frame lifter without dynamic graph).

    Raises:
        ConfigError: hops that do not ascend, or a ratio outside its range.
    """

    short_hops: int = 1
    """S: nodes within so many hops (self included) keep full width."""
    long_hops: int = 2
    """L: farthest hop; each hop S < k <= L has its own, squeezed features. L = S leaves the short range alone."""
    squeeze: float = 0.125
    """d, channels kept from hop to hop beyond S; 1 switches squeezing off."""
    hop_aware: bool = True
    """False: all nodes with S < hop <= L are one set of width round(d C) ("hierarchy w/o hop-aware", Table 4)."""
    hop_fusion: Fusion = "concat"
    """F_k, among the long-range hops."""
    range_fusion: Fusion = "concat"
    """F_a, between short and long range."""
    sharing: Sharing = "pairwise"
    """Which weights there are: one per node pair, one for all, one per source or one per target node. W_a and the
    projections belong to each node where W depends on the target (pairwise, post_aggregation), else to all."""
    dynamic: DynamicMode = "none"
    """Terms of the graph that gates the weights: none, m, o, m+o, m+alpha_o (Table 5)."""
    dynamic_init: GraphInit = "physical"
    """How M starts. 'dense' needs dynamic_support 'dense'."""
    dynamic_support: Literal["hop", "dense"] = "hop"
    """Pairs that M and O may connect: the hop's own, or all. Under 'dense' every hop has weights for all pairs."""
    dynamic_kernel: int = 1
    """F, frames under the temporal convolutions of O; more than 1 needs sequences."""
    dynamic_stride: int = 1
    """Stride of those convolutions, in frames."""
    dynamic_dilation: int = 1
    """Dilation of those convolutions, in frames."""
    dynamic_channels: int | None = None
    """Width of theta and phi; null: an eighth of the features, at least 4."""

    def __post_init__(self) -> None:
        at_least(self, 1, "dynamic_kernel", "dynamic_stride", "dynamic_dilation", "dynamic_channels")
        if self.short_hops < 0 or self.long_hops < self.short_hops:
            raise ConfigError(
                f"short_hops {self.short_hops}, long_hops {self.long_hops}: expected 0 <= short_hops <= long_hops"
            )
        if not 0 < self.squeeze <= 1:
            raise ConfigError(f"squeeze {self.squeeze}: expected a ratio above 0 and at most 1 (1 = no squeezing)")
        self._refuse_options_without_effect()

    def _refuse_options_without_effect(self) -> None:
        without = []
        if self.dynamic == "none":
            without += ["dynamic_support"]
        if self.dynamic in ("none", "o"):
            without += ["dynamic_init"]
        if self.dynamic in ("none", "m"):
            without += ["dynamic_kernel", "dynamic_stride", "dynamic_dilation", "dynamic_channels"]
        for name in without:
            if getattr(self, name) != getattr(HCSFOptions, name):
                raise ConfigError(
                    f"{name} {getattr(self, name)!r} has no effect with dynamic {self.dynamic!r}; leave it out or "
                    "choose another mode of dynamic"
                )
        if self.dynamic_dilation > 1 and self.dynamic_kernel == 1:
            raise ConfigError(f"dynamic_dilation {self.dynamic_dilation} has no effect with dynamic_kernel 1")


def squeezed_channels(channels: int, squeeze: float, steps: int) -> int:
    """C_k = max(1, round(d^(k-S) C)) for ``steps = k - S``.

    >>> squeezed_channels(64, 1 / 8, 1), squeezed_channels(64, 1 / 8, 2)
    (8, 1)
    """
    return max(1, round(squeeze**steps * channels))


class HCSF(Folds):
    """One HCSF layer on a skeleton graph, without norm and activation.

    Args:
        distances: hop distances ``(nodes, nodes)``, :meth:`kinegraph.skeleton.Skeleton.hop_distances`.
        in_channels: width of the input features.
        out_channels: width of the output features.
        options: see :class:`HCSFOptions`.
        width: C in Eq. 6 and the width of h_S. Default ``in_channels``, as printed; a first layer on 2D keypoints
            gives its output width, or everything would pass through 2 channels.
        gain: standard deviation of ``h_S`` and ``h_k`` for independent inputs of unit variance.
        out_gain: standard deviation of the layer's output for ``h_S`` and ``h_k`` of unit variance.

    Shapes: ``(batch, nodes, in)`` -> ``(batch, nodes, out)`` or ``(batch, frames, nodes, in)`` ->
    ``(batch, frames, nodes, out)``, and so for further axes before the frames (people, say). Frames are independent but
    for the temporal kernel of the dynamic graph.

    Raises:
        ConfigError: the skeleton has no pair at one of the hops.
        DataError: features of another number of nodes or channels.
    """

    def __init__(
        self,
        distances: ArrayLike,
        in_channels: int,
        out_channels: int,
        options: HCSFOptions | None = None,
        *,
        width: int | None = None,
        gain: float = 1.0,
        out_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.options = options = options or HCSFOptions()
        hops = np.asarray(distances)
        self.nodes = len(hops)
        self.in_channels = in_channels
        width = in_channels if width is None else width
        masks = hop_sets(hops, options)
        self.widths = [width] + [squeezed_channels(width, options.squeeze, k) for k in range(1, len(masks))]
        dense = options.dynamic != "none" and options.dynamic_support == "dense"
        self.hops = nn.ModuleList(
            Aggregation(
                mask,
                in_channels,
                channels,
                sharing=options.sharing,
                support=np.ones_like(mask) if dense else None,
                gain=gain,
            )
            for mask, channels in zip(masks, self.widths, strict=True)
        )
        self.graphs = nn.ModuleList()
        if options.dynamic != "none":
            for mask, hop in zip(masks, self.hops, strict=True):
                graph = DynamicGraph(
                    mask,
                    in_channels,
                    mode=options.dynamic,
                    init=options.dynamic_init,
                    dense=dense,
                    kernel=options.dynamic_kernel,
                    stride=options.dynamic_stride,
                    dilation=options.dynamic_dilation,
                    embed_channels=options.dynamic_channels,
                )
                assert isinstance(hop, Aggregation)
                hop.reset_parameters(gain, graph.initial_adjacency())
                self.graphs.append(graph)
        self.hop_fusion = Fuse(self.nodes, tuple(self.widths[1:]), options.hop_fusion, self.per_node)
        ranges = (width, sum(self.hop_fusion.widths)) if len(masks) > 1 else (width,)
        self.range_fusion = Fuse(self.nodes, ranges, options.range_fusion, self.per_node)
        self.transform = NodeLinear(
            self.nodes, sum(self.range_fusion.widths), out_channels, per_node=self.per_node, bias=True, gain=out_gain
        )

    @property
    def per_node(self) -> bool:
        """Whether W_a and the projections are one matrix per node."""
        return self.options.sharing in ("pairwise", "post_aggregation")

    def folds(self) -> bool:
        """Whether the layer is one linear map for given gates once training is over."""
        linear = "multiply" not in (self.hop_fusion.fusion, self.range_fusion.fusion) or len(self.hops) == 1
        return self.options.sharing == "pairwise" and linear

    def fold(self, scale: Tensor | None = None, shift: Tensor | None = None) -> FoldedPairs | GatedPairs:
        """That map, followed by ``scale * y + shift`` (each ``(nodes, out)``) if given."""
        assert self.transform.bias is not None
        rows: Tensor = self.transform.weight
        bias: Tensor = self.transform.bias
        if scale is not None:
            rows, bias = rows * scale.unsqueeze(1), bias * scale
        if shift is not None:
            bias = bias + shift
        of_range = self.range_fusion.fold(rows)
        following = of_range[:1] + (self.hop_fusion.fold(of_range[1]) if len(of_range) > 1 else [])
        hops = [hop for hop in self.hops if isinstance(hop, Aggregation)]
        terms = list(zip(hops, following, strict=True))
        graphs = [graph for graph in self.graphs if isinstance(graph, DynamicGraph)]
        if self.options.dynamic in ("none", "m"):
            return FoldedPairs(terms, bias, [graph.fixed() for graph in graphs] or [None] * len(hops))

        def gates(frames: Tensor) -> list[Tensor]:
            offsets = computed_graphs(graphs, frames)
            return [graph.gate(one) for graph, one in zip(graphs, offsets, strict=True)]

        return GatedPairs(terms, bias, gates)

    def forward(self, x: Tensor) -> Tensor:
        """Update every node's features."""
        check_features(self, x, self.nodes, self.in_channels, ("batch", "..."))
        folded = self.folded_form(x)
        if folded is not None:
            return folded(x)
        flat = x.reshape(-1, self.nodes, x.shape[-1])  # (batch * frames, nodes, in)
        frames = as_frames(x)
        hops: list[Tensor] = []
        for index, hop in enumerate(self.hops):
            hops.append(hop(flat, self.graphs[index](frames)) if len(self.graphs) else hop(flat))
        long_range: tuple[Tensor, ...] = self.hop_fusion(tuple(hops[1:]))
        if not self.range_fusion.passes and len(long_range) > 1:
            long_range = (torch.cat(long_range, dim=-1),)
        result = self.transform.forward_parts(self.range_fusion((hops[0], *long_range)))
        return result if x.dim() == 3 else result.reshape(*x.shape[:-1], result.shape[-1])


class Fuse(nn.Module):
    """F_k and F_a of Eq. 5: several features of a node to one.

    A concatenation stays a tuple of parts, which the linear map that follows takes as it is; addition and
    multiplication give one part.

    Args:
        nodes: number of nodes.
        in_widths: widths of the features; may be empty.
        fusion: how they meet.
        per_node: own projection for each node.

    Attributes:
        widths: widths of the parts that come out.
        passes: the parts come out as they went in.
    """

    def __init__(self, nodes: int, in_widths: tuple[int, ...], fusion: Fusion, per_node: bool) -> None:
        super().__init__()
        self.fusion = fusion
        self.passes = fusion == "concat" or len(in_widths) < 2
        self.widths = in_widths if self.passes else (max(in_widths),)
        self.project = nn.ModuleList()
        if not self.passes:
            for width in in_widths:
                equal = width == max(in_widths)
                self.project.append(
                    nn.Identity() if equal else NodeLinear(nodes, width, max(in_widths), per_node=per_node)
                )

    def forward(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Fuse ``(batch, nodes, width)`` tensors."""
        if self.passes:
            return parts
        result, *others = (project(part) for project, part in zip(self.project, parts, strict=True))
        for other in others:
            result = result + other if self.fusion == "add" else result * other
        return (result,)

    def fold(self, following: Tensor) -> list[Tensor]:
        """What each part meets when the matrices ``(nodes, width, out)`` follow the fused result."""
        if self.passes or self.fusion == "concat":
            return list(torch.split(following, list(self.widths), dim=1))
        return [
            torch.matmul(project.weight, following) if isinstance(project, NodeLinear) else following
            for project in self.project
        ]


def hop_sets(distances: NDArray[np.int64], options: HCSFOptions) -> list[NDArray[np.bool_]]:
    """The masks ``(nodes, nodes)`` of a layer: within S first, then each long-range hop (or all of them as one).

    Raises:
        ConfigError: the graph has no pair at a hop.
    """
    short, last = options.short_hops, options.long_hops
    farthest = int(distances.max())
    if last > max(farthest, short):
        raise ConfigError(f"long_hops {last}: the farthest two joints of this skeleton are {farthest} hops apart")
    masks = [(distances >= 0) & (distances <= short)]
    if options.hop_aware:
        masks += [distances == hop for hop in range(short + 1, last + 1)]
    elif last > short:
        masks.append((distances > short) & (distances <= last))
    return masks
