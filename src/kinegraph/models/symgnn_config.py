"""What Sym-GNN is configured by: every one, and one that forecasts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kinegraph.errors import ConfigError
from kinegraph.models.symgnn_branch import BACKBONES
from kinegraph.ranges import at_least, positive, share

__all__ = ["STREAMS", "BranchConfig", "SymGNNConfig"]

_HEAD_WIDTH = 256  # hidden features of both heads (section 6.1.2)

STREAMS = {"joint": ("joint",), "bone": ("bone",), "dual": ("joint", "bone")}
"""Networks of each kind."""


@dataclass(frozen=True, kw_only=True)
class BranchConfig:
    """Backbone, actional graph and streams, for forecasts and for clips; the paper's values for Human3.6M and CMU.

    Raises:
        ConfigError: a value outside its range or choices, or no graph at all.
    """

    channels: int = 3
    """Features of a joint in a frame."""
    classes: int = 0
    """Actions; 0 leaves the recognition head out ("no recg")."""
    backbone: Literal["light", "deep"] = "light"
    """``light``: 4 J-GTC and 3 P-GTC blocks (Table 18); ``deep``: 9 and 8 (Table 17)."""
    width: float = 1.0
    """Every width of backbone and heads is the paper's times this."""
    gamma: int = 3
    """Orders of structural graphs (paper: 4 for recognition, 3 for prediction)."""
    lambda_act: float = 1.0
    """Weight of the actional graph in the joint-scale convolutions (paper: 0.5 on NTU and Kinetics)."""
    iterations: int = 2
    """K, how often features go from joints to edges and back before the actional graph is read off (0 to 4)."""
    agim_width: int = 128
    """Features inside the actional graph inference module; `width` does not scale it."""
    differences: tuple[int, ...] = (0, 1, 2)
    """Orders of motion differences, one branch each (Table 13). The prediction head always gets all three."""
    structural: bool = True
    """Joint-scale structural graphs."""
    actional: bool = True
    """Joint-scale actional graphs."""
    parts: bool = True
    """The part scale."""
    stream: Literal["joint", "bone", "dual"] = "joint"
    """``joint``: a network on joints ("no bone"); ``bone``: one on bones; ``dual``: both, fused."""
    fusion: tuple[float, float] = (0.5, 0.5)
    """Dual: weights of joint and bone network, in the sum of their scores and in the mean of their motions."""
    dropout: float = 0.125
    """Share of features dropped in training, wherever the paper's tables have dropout (it gives no figure)."""

    def __post_init__(self) -> None:
        at_least(self, 1, "channels", "gamma", "agim_width")
        at_least(self, 0, "classes", "iterations", "lambda_act")
        positive(self, "width")
        share(self, "dropout")
        orders = self.differences
        if not orders or len(set(orders)) != len(orders) or not set(orders) <= {0, 1, 2}:
            raise ConfigError(f"differences {orders}: expected one or more of 0, 1, 2, each once")
        if not (self.structural or self.actional or self.parts):
            raise ConfigError("structural, actional and parts are all off: a graph network needs a graph; set one")
        if self.backbone not in BACKBONES:
            raise ConfigError(f"backbone '{self.backbone}': expected {' or '.join(BACKBONES)}")
        if self.stream not in STREAMS:
            raise ConfigError(f"stream '{self.stream}': expected {', '.join(STREAMS)}")
        if len(self.fusion) != 2 or min(self.fusion) < 0 or not 0 < sum(self.fusion) < math.inf:
            raise ConfigError(f"fusion {self.fusion}: expected two weights, 0 or more, not both 0")

    def scaled(self, channels: int) -> int:
        """A width of the paper's backbone times the multiplier."""
        return max(1, round(channels * self.width))


@dataclass(frozen=True, kw_only=True)
class SymGNNConfig(BranchConfig):
    """Configuration of :class:`kinegraph.models.symgnn.SymGNN`.

    The defaults are the paper's for Human3.6M and CMU, without the bone net.

    Raises:
        ConfigError: as :class:`BranchConfig`, or a share outside 0 to 1.
    """

    observed: int = 50
    """Frames of an input."""
    horizon: int = 25
    """Frames forecast unless another number is asked for; 0 leaves the prediction head out ("no pred")."""
    head_width: float | None = None
    """The heads' own factor; null takes `width`. Heads cost less than the backbone, which sees every frame, so a narrow
    network gains by wider ones."""
    soft_label: bool = True
    """Feed the recognition head's softmax scores to the prediction head, where there are both."""
    label_dropout: float = 0.0
    """Share of training clips whose soft label is replaced by equal scores (not in the paper): a label that is right
    on every training clip and wrong on a tenth of new ones must not be all that the forecast goes by."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "head_width")
        if not 0 <= self.label_dropout <= 1:
            raise ConfigError(f"label_dropout {self.label_dropout}: expected a share from 0 to 1")

    @property
    def head_features(self) -> int:
        """Hidden features of both heads."""
        return max(1, round(_HEAD_WIDTH * (self.width if self.head_width is None else self.head_width)))
