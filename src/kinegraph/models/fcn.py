"""FCN: a plain residual network on the flattened pose.

Martinez, Hossain, Romero, Little, *A simple yet effective baseline for 3d human pose estimation*, ICCV 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from kinegraph.layers.dropout import Dropout
from kinegraph.models.lifting_model import OUT_CHANNELS, LiftingModel, ResidualBlock, start_quietly
from kinegraph.ranges import at_least, share
from kinegraph.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class FCNConfig:
    """Configuration of :class:`FCN`."""

    in_channels: int = 2
    """2 (x, y) or 3 (x, y, confidence)."""
    width: int = 1024
    """Hidden units."""
    blocks: int = 2
    """Residual blocks of two linear layers."""
    dropout: float = 0.5
    """Share of hidden units dropped in training."""

    def __post_init__(self) -> None:
        at_least(self, 1, "width")
        at_least(self, 0, "blocks")
        share(self, "dropout")


class FCN(LiftingModel):
    """Linear layers of 1024 units with batch norm, ReLU and dropout; two residual blocks.

    Shapes: ``(batch, joints, in_channels) -> (batch, joints, 3)``.
    """

    def __init__(self, skeleton: Skeleton, config: FCNConfig | None = None) -> None:
        config = config or FCNConfig()
        super().__init__(skeleton, config)
        joints = skeleton.num_joints

        def layer(inputs: int) -> nn.Sequential:
            linear = nn.Linear(inputs, config.width)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            return nn.Sequential(linear, nn.BatchNorm1d(config.width), nn.ReLU(), Dropout(config.dropout))

        self.first = layer(joints * self.in_channels)
        self.blocks = nn.Sequential(
            *(ResidualBlock(layer(config.width), layer(config.width)) for _ in range(config.blocks))
        )
        self.last = nn.Linear(config.width, joints * OUT_CHANNELS)
        start_quietly(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """Lift 2D joints to 3D."""
        self.check_input(x)
        features = self.blocks(self.first(x.flatten(1)))  # (batch, width)
        result: Tensor = self.last(features).unflatten(1, (self.skeleton.num_joints, OUT_CHANNELS))
        return result
