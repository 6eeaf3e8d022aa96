"""Sym-GNN on one kind of nodes, joints or bones: backbone and heads (Fig. 1; sections 5.1 to 5.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kinegraph.layers.actional_graph import ActionalGraph
from kinegraph.layers.difference import differences
from kinegraph.layers.dropout import Dropout
from kinegraph.layers.joint_scale import JointGraphConv
from kinegraph.models.lifting_model import start_quietly
from kinegraph.models.symgnn_branch import BACKBONES, Block, Branch, Graphs
from kinegraph.models.symgnn_config import SymGNNConfig

__all__ = ["Backbone", "Network", "PredictionHead", "PredictionState"]

_CHANGE_GAINS = (1.0, 10.0, 20.0)
"""Factors on the initial GRU weights of pose, velocity and acceleration. From frame to frame a pose changes by a small
share of its spread; with equal weights the head would take thousands of steps to notice which way it is going."""


class Network(nn.Module):
    """Backbone and heads on one kind of node (Fig. 1)."""

    def __init__(self, graphs: Graphs, config: SymGNNConfig) -> None:
        super().__init__()
        head = config.head_features
        blocks = tuple(
            block._replace(spatial=config.scaled(block.spatial), out=config.scaled(block.out))
            for block in BACKBONES[config.backbone]
        )
        self.backbone = Backbone(graphs, config, blocks)
        observed = blocks[-1].out * len(config.differences)
        self.recognition: nn.ModuleDict | None = None
        if config.classes:
            self.recognition = nn.ModuleDict(
                {"mlp": _mlp(observed, head, config.dropout), "last": nn.Linear(head, config.classes)}
            )
        self.prediction: PredictionHead | None = None
        self.prediction_input: nn.Module | None = None
        if config.horizon:
            self.prediction_input = _mlp(observed, head, config.dropout)
            label = config.classes if config.soft_label else 0
            self.prediction = PredictionHead(graphs, config.channels, label, head)

    def recognise(self, features: Tensor) -> Tensor:
        """Scores before softmax, (batch, classes) (section 5.2)."""
        assert self.recognition is not None
        logits: Tensor = self.recognition["last"](self.recognition["mlp"](features).mean(dim=1))
        return logits

    def start(self, x: Tensor, features: Tensor, label: Tensor | None, graph: Tensor | None) -> PredictionState:
        """The prediction head's state at the last observed frame.

        Args:
            x: (batch, frames, nodes, channels).
            features: of the backbone, (batch, nodes, branches x width).
            label: action scores, (batch, classes), or None.
            graph: actional graph, (batch, nodes, nodes), or None.
        """
        assert self.prediction is not None
        assert self.prediction_input is not None
        pose, velocity, acceleration = (order[:, -1] for order in differences(x[:, -3:], (0, 1, 2)))
        return self.prediction.start(self.prediction_input(features), (pose, velocity, acceleration), label, graph)

    def advance(self, state: PredictionState) -> PredictionState:
        """The prediction head, one frame on."""
        assert self.prediction is not None
        after: PredictionState = self.prediction(state)
        return after


class Backbone(nn.Module):
    """What both heads share: the actional graph inference and one branch for each order of differences.

    One inference module serves the whole network. It sees the raw frames; all branches and the prediction head use
    its graph. The paper does not say how many there are; its figures and appendix B speak of one.
    """

    def __init__(self, graphs: Graphs, config: SymGNNConfig, blocks: tuple[Block, ...]) -> None:
        super().__init__()
        self.orders = config.differences
        self.agim: ActionalGraph | None = None
        if config.actional:
            self.agim = ActionalGraph(
                graphs.nodes,
                config.observed * config.channels,
                width=config.agim_width,
                iterations=config.iterations,
                dropout=config.dropout,
            )
        self.branches = nn.ModuleList(Branch(blocks, config.channels, graphs, config.dropout) for _ in self.orders)

    def infer(self, x: Tensor) -> Tensor | None:
        """The actional graph (batch, nodes, nodes) of (batch, frames, nodes, channels)."""
        return None if self.agim is None else self.agim(x.transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, graph: Tensor | None) -> Tensor:
        """[H_0, H_1, H_2], (batch, nodes, branches x width)."""
        branches = zip(self.branches, differences(x, self.orders), strict=True)
        # within the branches a node's frames stand together: see JointGraphConv.forward
        return torch.cat([branch(order.transpose(1, 2), graph) for branch, order in branches], dim=-1)


class PredictionState(NamedTuple):
    """What the prediction head carries from frame to frame. M nodes, C channels, D features."""

    hidden: Tensor
    """H, (batch, M, D)."""
    frame: Tensor
    """The pose reached, (batch, M, C)."""
    velocity: Tensor
    """Its first difference, (batch, M, C)."""
    acceleration: Tensor
    """Its second difference, (batch, M, C)."""
    context: Tensor
    """What the GRU's input layer makes of the action scores, the same in every frame, (batch, 1, 3 D)."""
    graphs: Tensor | None
    """All graphs of its JGC in one matrix, (batch, M x terms, M); None without a joint-scale graph."""


class PredictionHead(nn.Module):
    """The motion-prediction head (Eq. 10, Fig. 7): JGC on the state, GRU, displacement added to the pose.

    Without a joint-scale graph ("only P") the state meets a plain linear map in the place of the JGC.

    Args:
        graphs: of the network.
        channels: of a node.
        classes: action scores fed to the GRU; 0 for none.
        width: features D of the state.
    """

    def __init__(self, graphs: Graphs, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.graph: JointGraphConv | nn.Linear
        if graphs.joint_scale:
            self.graph = JointGraphConv(graphs.polynomials, width, width, lambda_act=graphs.lambda_act)
        else:
            self.graph = nn.Linear(width, width, bias=False)
        cell = nn.GRUCell(3 * channels + classes, width)  # its shapes and its way of drawing weights
        self.input_weight, self.input_bias = cell.weight_ih, cell.bias_ih
        self.hidden_weight, self.hidden_bias = cell.weight_hh, cell.bias_hh
        self.moving = 3 * channels
        with torch.no_grad():
            for order, gain in enumerate(_CHANGE_GAINS):
                self.input_weight[:, order * channels : (order + 1) * channels] *= gain
        last = nn.Linear(width, channels)
        start_quietly(last)  # an untrained head stands still
        self.displacement = nn.Sequential(nn.Linear(width, width), nn.ReLU(), last)

    def start(
        self, hidden: Tensor, frames: tuple[Tensor, Tensor, Tensor], label: Tensor | None, graph: Tensor | None
    ) -> PredictionState:
        """The state at the last observed frame.

        Args:
            hidden: H_pred, (batch, M, D).
            frames: pose, velocity, acceleration, (batch, M, C) each.
            label: action scores, (batch, classes), or None.
            graph: actional graph, (batch, M, M), or None.
        """
        if label is None:
            context = self.input_bias.expand(hidden.shape[0], 1, -1)
        else:
            context = torch.addmm(self.input_bias, label, self.input_weight[:, self.moving :].t()).unsqueeze(1)
        stacked = self.graph.stacked_graphs(hidden.shape[0], graph) if isinstance(self.graph, JointGraphConv) else None
        return PredictionState(hidden, *frames, context, stacked)

    def forward(self, state: PredictionState) -> PredictionState:
        """One frame on."""
        if isinstance(self.graph, JointGraphConv):
            assert state.graphs is not None
            hidden = self.graph.of_frame(state.hidden, state.graphs)
        else:
            hidden = self.graph(state.hidden)
        motion = torch.cat((state.frame, state.velocity, state.acceleration), dim=-1)
        given = motion @ self.input_weight[:, : self.moving].t() + state.context
        kept = nn.functional.linear(hidden, self.hidden_weight, self.hidden_bias)
        reset_in, update_in, new_in = given.chunk(3, dim=-1)
        reset_kept, update_kept, new_kept = kept.chunk(3, dim=-1)
        reset, update = torch.sigmoid(reset_in + reset_kept), torch.sigmoid(update_in + update_kept)
        new = torch.tanh(torch.addcmul(new_in, reset, new_kept))
        hidden = torch.lerp(new, hidden.to(new.dtype), update)
        velocity = self.displacement(hidden).to(state.frame.dtype)
        return PredictionState(
            hidden, state.frame + velocity, velocity, velocity - state.velocity, state.context, state.graphs
        )


def _mlp(in_channels: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_channels, width), nn.ReLU(inplace=True), Dropout(dropout), nn.Linear(width, width)
    )
