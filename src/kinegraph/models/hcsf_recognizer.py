"""The HCSF recogniser.

Zeng, Sun, Yang, Zhao, Xu, *Learning Skeletal Graph Neural Networks for Hard 3D Pose Estimation*, ICCV 2021,
supplement 2. "Static-G", "Dynamic-M" and "Dynamic-A" of its tables 5 and 6 are ``dynamic`` = ``none``, ``m`` and
``m+alpha_o``; (F, 1) of Table 7 is ``dynamic_kernel``, with st. and di. ``dynamic_stride`` and ``dynamic_dilation``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kinegraph.errors import ConfigError
from kinegraph.layers.aggregation import Sharing
from kinegraph.layers.clip_block import ClipBlock, TemporalUnit, quiet_norm
from kinegraph.layers.dynamic_graph import DynamicMode
from kinegraph.layers.hcsf import HCSFOptions
from kinegraph.layers.hcsf_clips import ClipHCSF
from kinegraph.models.graph_recognizer import GraphRecognizer, GraphRecognizerConfig, scaled
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["NINE_BLOCKS", "HCSFRecognizer", "HCSFRecognizerConfig", "fitting_hops"]

NINE_BLOCKS: tuple[tuple[int, int], ...] = (
    *((64, 1),) * 3,
    *((128, 2), (128, 1), (128, 1)),
    *((256, 2), (256, 1), (256, 1)),
)
"""Width and stride of each block. The paper's "ten-layer network, including nine cascaded blocks" is these and the
fully connected layer. It does not print strides; they are where the width doubles, as in the networks it cites."""


@dataclass(frozen=True, kw_only=True)
class HCSFRecognizerConfig(HCSFOptions, GraphRecognizerConfig):
    """Configuration of :class:`HCSFRecognizer`: the options of its HCSF layers and those of the network.

    The layers' defaults are the paper's for recognition, with the learned graph that is the same for every input;
    its best figures are of ``dynamic="m+alpha_o", dynamic_kernel=3``, which costs more time than all the rest.

    Raises:
        ConfigError: a value outside its range, or weights that are not shared.
    """

    short_hops: int = 5
    """S: nodes within so many hops (self included) keep full width."""
    long_hops: int = 7
    """L: farthest hop; on a skeleton without one so far, the farthest that it has."""
    sharing: Sharing = "shared"
    """One weight for all pairs of a hop set; over frames there is no other."""
    dynamic: DynamicMode = "m"
    """Terms of the graph that gates the weights: none (Static-G), m (Dynamic-M), m+alpha_o (Dynamic-A), o, m+o."""
    kernel: int = 9
    """Frames under the temporal convolution of a block."""
    inner_residual: bool = False
    """A residual connection round each HCSF layer too, which then starts as nothing but it. The paper calls its
    framework "a common setting" of networks that have it (2s-AGCN, MS-AAGCN) and of one that has not (ST-GCN)."""
    dropout: float = 0.0
    """Share of features dropped after each temporal convolution (the paper mentions none)."""

    def __post_init__(self) -> None:
        HCSFOptions.__post_init__(self)
        GraphRecognizerConfig.__post_init__(self)
        at_least(self, 1, "kernel")
        if self.sharing != "shared":
            raise ConfigError(
                f"sharing '{self.sharing}': the recogniser's frames share their weights; leave it 'shared'"
            )


class HCSFRecognizer(GraphRecognizer):
    """Nine blocks: HCSF, norm, ReLU, 9 x 1 convolution, norm, residual connection, ReLU.

    Every block has a residual connection, the first one a map of its 3 channels. As in the networks the paper cites the
    second ReLU follows the sum. The first HCSF layer gives its output width to the short range and shares of it to
    the hops: shares of 3 channels would leave nothing to share.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: HCSFRecognizerConfig | None = None) -> None:
        config = config or HCSFRecognizerConfig()
        super().__init__(skeleton, config)
        distances = skeleton.hop_distances()
        options = fitting_hops(config, int(distances.max()))
        blocks, before = [], self.channels
        for index, (channels, stride) in enumerate(NINE_BLOCKS):
            out = scaled(channels, config.width)
            graph = ClipHCSF(distances, before, out, options, width=out if index == 0 else None)
            if config.inner_residual:
                graph.norm = quiet_norm(out)
            block = ClipBlock(
                graph,
                TemporalUnit(out, out, config.kernel, stride),
                before,
                out,
                out,
                stride=stride,
                inner=config.inner_residual,
                dropout=config.dropout,
            )
            blocks.append(block)
            before = out
        self.finish(list(blocks), before)


def fitting_hops(options: HCSFRecognizerConfig, farthest: int) -> HCSFRecognizerConfig:
    """The options with S and L no farther than the farthest two joints of a skeleton."""
    last = min(options.long_hops, max(farthest, 0))
    return replace(options, long_hops=last, short_hops=min(options.short_hops, last))
