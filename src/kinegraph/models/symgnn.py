"""Sym-GNN: one network that recognises the action and forecasts the motion.

Li, Chen, Chen, Zhang, Wang, Tian, *Symbiotic Graph Neural Networks for 3D Skeleton-based Human Action Recognition and
Motion Prediction*, TPAMI 2021. Equations and tables in the comments are the paper's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.part_scale import part_table
from kinegraph.models.motion_model import MotionModel, MotionOutput
from kinegraph.models.symgnn_branch import Graphs
from kinegraph.models.symgnn_config import STREAMS, SymGNNConfig
from kinegraph.models.symgnn_network import Network, PredictionState
from kinegraph.skeleton import Skeleton, graph

__all__ = ["SymGNN", "SymGNNState"]


class SymGNNState(NamedTuple):
    """Everything a forecast needs to go on."""

    logits: Tensor | None
    """Action scores before softmax, (batch, classes); None without a recognition head."""
    networks: tuple[PredictionState, ...]
    """The prediction head's state in the joint network, the bone network, or both."""


class SymGNN(MotionModel):
    """The symbiotic graph neural network, on joints, on bones, or on both (sections 5, 5.5).

    The bone network sees each joint minus its parent, and the root's own feature in place of the root's bone, which
    it lacks: with it the change from joints to bones has an inverse, and forecasts come back as joints. Bones are
    neighbours when they share a joint; the root's node is a neighbour of the bones that leave the root. A bone
    belongs to the part of its child joint.

    Shapes: (batch, observed, joints, channels) -> motion (batch, horizon, joints, channels), logits (batch, classes).
    """

    any_horizon = True

    def __init__(self, skeleton: Skeleton, config: SymGNNConfig | None = None) -> None:
        config = config or SymGNNConfig()
        super().__init__(skeleton, config)
        parts = part_table(skeleton) if config.parts else None
        parents = np.asarray(skeleton.parents)
        self.networks = nn.ModuleDict()
        for name in STREAMS[config.stream]:
            adjacency = skeleton.adjacency() if name == "joint" else graph.bone_nodes(skeleton.parents)
            normalised = graph.normalise(adjacency + np.eye(len(parents)), "row")
            graphs = Graphs(
                nodes=len(parents),
                polynomials=graph.powers(normalised, config.gamma) if config.structural else None,
                lambda_act=config.lambda_act if config.actional else None,
                parts=parts,
            )
            self.networks[name] = Network(graphs, config)
        to_bones = np.eye(len(parents))
        children = np.flatnonzero(parents >= 0)
        to_bones[children, parents[children]] = -1
        to_joints = np.round(np.linalg.inv(to_bones))  # zeros and ones: a joint is the sum of the bones that lead to it
        for key, matrix in (("to_bones", to_bones), ("to_joints", to_joints)):
            self.register_buffer(key, torch.from_numpy(matrix).to(torch.get_default_dtype()), persistent=False)
        total = sum(config.fusion)
        self._shares = tuple(w / total for w in config.fusion) if len(self.networks) == 2 else (1.0,)

    # ---- forward --------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, horizon: int | None = None) -> MotionOutput:
        """Recognise and forecast.

        Args:
            x: (batch, observed, joints, channels), normalised.
            horizon: frames to forecast; any number. By default the configured one.

        Raises:
            DataError: wrong shape, negative horizon, or a horizon from a network without a prediction head.
        """
        return self.answer(x, self.represent(x), horizon)

    def represent(self, x: Tensor) -> tuple[Tensor, ...]:
        """What both tasks share, of (batch, observed, joints, channels).

        For each network the backbone's features [H_0, H_1, H_2] (batch, nodes, features), then for each the actional
        graph (batch, nodes, nodes), where there are actional graphs.
        """
        self.check_input(x)
        seen = [self._seen_by(name, x) for name in self.networks]
        networks = [self._network(name) for name in self.networks]
        graphs = [network.backbone.infer(one) for network, one in zip(networks, seen, strict=True)]
        features = [net.backbone(one, found) for net, one, found in zip(networks, seen, graphs, strict=True)]
        return (*features, *(found for found in graphs if found is not None))

    def answer(self, x: Tensor, representation: Sequence[Tensor], horizon: int | None = None) -> MotionOutput:
        """Recognise and forecast what :meth:`represent` found in x, (batch, observed, joints, channels).

        Arguments and errors of :meth:`forward`.
        """
        frames = self.check_input(x, horizon)
        state = self._start(x, representation, predict=frames > 0)
        if frames == 0:
            return MotionOutput(None, state.logits)
        if torch.is_grad_enabled():
            steps = []
            for _ in range(frames):
                frame, state = self.step(state)
                steps.append(frame)
            return MotionOutput(torch.stack(steps, dim=1), state.logits)
        motion = x.new_empty((x.shape[0], frames, *x.shape[2:]))
        for index in range(frames):
            motion[:, index], state = self.step(state)
        return MotionOutput(motion, state.logits)

    def encode(self, x: Tensor) -> SymGNNState:
        """Observe (batch, observed, joints, channels): action scores, and the state from which :meth:`step` goes on."""
        return self._start(x, self.represent(x), predict=self.horizon > 0)

    def step(self, state: SymGNNState) -> tuple[Tensor, SymGNNState]:
        """One frame on: the next pose (batch, joints, channels) and the state after it. Constant work and memory."""
        frame: Tensor | None = None
        after = []
        for name, share, before in zip(self.networks, self._shares, state.networks, strict=True):
            one = self._network(name).advance(before)
            after.append(one)
            pose = one.frame if name == "joint" else _exactly(self.get_buffer("to_joints"), one.frame)
            if len(self._shares) == 1:
                frame = pose
            else:
                frame = share * pose if frame is None else frame + share * pose
        assert frame is not None
        return frame, SymGNNState(state.logits, tuple(after))

    def actional_graph(self, x: Tensor, network: Literal["joint", "bone"] | None = None) -> Tensor:
        """The inferred graph A_act (Eq. 2), (batch, nodes, nodes), rows sum to 1.

        Args:
            x: (batch, observed, joints, channels), normalised.
            network: which network's, by default the first (joints, where there is a joint network).

        Raises:
            ConfigError: no actional graphs, or no such network.
        """
        self.check_input(x)
        name: str = network or next(iter(self.networks.keys()))
        if name not in self.networks:
            raise ConfigError(f"there is no {name} network here, only: {', '.join(self.networks)}")
        found = self._network(name).backbone.infer(self._seen_by(name, x))
        if found is None:
            raise ConfigError("this network was built without actional graphs (actional: false)")
        return found

    def _start(self, x: Tensor, representation: Sequence[Tensor], *, predict: bool) -> SymGNNState:
        networks = [self._network(name) for name in self.networks]
        features = representation[: len(networks)]
        graphs = representation[len(networks) :] or (None,) * len(networks)
        logits: Tensor | None = None
        if self.classes:
            scores = [network.recognise(one) for network, one in zip(networks, features, strict=True)]
            logits = scores[0]
            if len(scores) == 2:
                logits = self.config.fusion[0] * scores[0] + self.config.fusion[1] * scores[1]
        if not predict:
            return SymGNNState(logits, ())
        label = self._soft_label(logits) if logits is not None and self.config.soft_label else None
        seen = [self._seen_by(name, x) for name in self.networks]
        states = [
            network.start(one, features_, label, found)
            for network, one, features_, found in zip(networks, seen, features, graphs, strict=True)
        ]
        return SymGNNState(logits, tuple(states))

    def _soft_label(self, logits: Tensor) -> Tensor:
        label = torch.softmax(logits, dim=-1)
        if self.training and self.config.label_dropout:
            unknown = torch.rand(len(label), 1, device=label.device) < self.config.label_dropout
            label = torch.where(unknown, 1 / self.classes, label)
        return label

    def _network(self, name: str) -> Network:
        network = self.networks[name]
        assert isinstance(network, Network)
        return network

    def _seen_by(self, name: str, x: Tensor) -> Tensor:
        return x if name == "joint" else _exactly(self.get_buffer("to_bones"), x)

    # ---- parameters both tasks train (for MGDA, section 5.4) --------------------------------------------------------

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """What both tasks share: the actional graph inference and the branches."""
        return chain.from_iterable(self._network(name).backbone.parameters() for name in self.networks)


def _exactly(exchange: Tensor, x: Tensor) -> Tensor:
    """Joints to bones or back, in the precision of ``x``.

    Autocast would round poses to eight bits, and the velocities and accelerations taken from them are of that size.
    """
    if not torch.is_autocast_enabled(x.device.type):
        return exchange @ x
    with torch.autocast(x.device.type, enabled=False):
        return exchange.to(x.dtype) @ x
