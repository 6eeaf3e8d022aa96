"""What the actional graphs of a trained Sym-GNN look like, action by action (Li et al. 2021, 6.4, Fig. 11, 12).

Nodes are joints; of a network that sees bones alone (``stream: bone``) they are bones, in the order of the joints that
they lead to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kinegraph.errors import ConfigError, DataError, require
from kinegraph.evaluation.labelled_windows import LabelledWindows
from kinegraph.evaluation.tables import text_table
from kinegraph.models.symgnn import SymGNN
from kinegraph.seeds import check_seed
from kinegraph.skeleton import Skeleton, graph
from kinegraph.transforms.motion import MotionTransform

__all__ = [
    "Edge",
    "GraphMap",
    "Stream",
    "actional_graphs",
    "edges_report",
    "graph_map",
    "map_report",
    "moving_nodes",
    "node_names",
    "stream_of",
    "strongest_edges",
    "with_nodes",
]

Array = NDArray[np.float64]
Stream = Literal["joint", "bone"]
"""What the nodes of a graph are."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One entry of a graph: `to` gathers from `source` with `weight`."""

    to: str
    source: str
    weight: float
    bone: bool
    """Whether the two are neighbours on the body: a bone joins the joints, or the bones share a joint."""


def stream_of(model: nn.Module) -> Stream:
    """What the graphs of :func:`actional_graphs` join: of two networks the joints' count."""
    return "bone" if isinstance(model, SymGNN) and "joint" not in model.networks else "joint"


def node_names(skeleton: Skeleton, stream: Stream) -> tuple[str, ...]:
    """Labels of the nodes; the root's, to which no bone leads, is the joint itself."""
    if stream == "joint":
        return skeleton.joints
    pairs = zip(skeleton.joints, skeleton.parents, strict=True)
    return tuple(joint if parent < 0 else f"bone to {joint}" for joint, parent in pairs)


def moving_nodes(moving: NDArray[np.bool_], skeleton: Skeleton, stream: Stream) -> NDArray[np.bool_]:
    """Which nodes ever move, (nodes,), of which joints do, (joints,): a bone does with either of its ends."""
    if stream == "joint":
        return moving
    ends = np.array([joint if parent < 0 else parent for joint, parent in enumerate(skeleton.parents)])
    found: NDArray[np.bool_] = moving | moving[ends]
    return found


def with_nodes(places: Array, body: Skeleton, skeleton: Skeleton, stream: Stream) -> tuple[Array, Skeleton]:
    """A pose to draw a graph on: where nodes are bones, the middle of each is a further joint named as the node is.

    Args:
        places: (joints of `body`, 3).
        body: whose joints they are, the network's among them.
        skeleton: the network's.
        stream: what its nodes are.
    """
    if stream == "joint":
        return places, body
    names = node_names(skeleton, stream)
    children = [joint for joint, parent in enumerate(skeleton.parents) if parent >= 0]
    ends = [[body.index(skeleton.joints[i]) for i in (joint, skeleton.parents[joint])] for joint in children]
    drawn = Skeleton(
        name=body.name,
        joints=(*body.joints, *(names[joint] for joint in children)),
        parents=(*body.parents, *(end for end, _ in ends)),
    )
    return np.concatenate([places, places[np.array(ends)].mean(axis=1)]), drawn


@torch.no_grad()
def actional_graphs(model: nn.Module, transform: MotionTransform, features: Array, batch: int = 256) -> Array:
    """A_act of every window, (N, nodes, nodes): row i says how much node i gathers from each; see :func:`stream_of`.

    Args:
        model: a Sym-GNN with actional graphs. Of two networks the joints' counts.
        transform: it was trained with.
        features: raw windows (N, observed, joints, 3).
        batch: windows at once.

    Raises:
        ConfigError: not such a network.
    """
    if not isinstance(model, SymGNN):
        raise ConfigError(f"actional graphs are Sym-GNN's; found a {type(model).__name__}")
    encoded = torch.from_numpy(transform.encode(features))
    parts = [model.eval().actional_graph(part) for part in torch.split(encoded, batch)]
    return np.asarray(torch.cat(parts).double().numpy())


def strongest_edges(
    weights: Array,
    skeleton: Skeleton,
    count: int = 15,
    *,
    moving: NDArray[np.bool_] | None = None,
    stream: Stream = "joint",
) -> list[Edge]:
    """The entries off the diagonal with the largest weights, strongest first.

    Args:
        weights: (nodes, nodes), a graph.
        skeleton: its joints.
        count: how many.
        moving: (joints,) which joints ever move; nodes that do not are not considered. The network sees nothing but
            zeros of a joint whose channels never move (the root, under the protocols), so its edges say nothing about
            the action. None considers all.
        stream: what the nodes are.

    Raises:
        ConfigError: more edges than there are, or none.
    """
    seen = np.ones(len(weights), dtype=bool) if moving is None else moving_nodes(moving, skeleton, stream)
    nodes = int(seen.sum())
    if not 1 <= count <= nodes * (nodes - 1):
        raise ConfigError(f"{count} edges: expected 1 to {nodes * (nodes - 1)} among {nodes} moving {stream}s")
    chosen = np.where(np.eye(len(weights), dtype=bool) | ~np.outer(seen, seen), -np.inf, weights)
    order = np.argsort(-chosen, axis=None, kind="stable")[:count]
    names, neighbours = node_names(skeleton, stream), _neighbours(skeleton, stream)
    return [
        Edge(to=names[i], source=names[j], weight=float(weights[i, j]), bone=bool(neighbours[i, j]))
        for i, j in zip(*np.unravel_index(order, weights.shape), strict=True)
    ]


def _neighbours(skeleton: Skeleton, stream: Stream) -> NDArray[np.bool_]:
    """(nodes, nodes) joints that a bone joins, or bones that share a joint."""
    bones = stream == "bone"
    near = graph.bone_nodes(skeleton.parents) if bones else graph.adjacency(skeleton.num_joints, skeleton.bones)
    return np.asarray(near > 0)


def edges_report(edges: Mapping[str, list[Edge]], *, stream: Stream = "joint", markdown: bool = False) -> str:
    """A list of edges for each action; neighbours on the body are marked."""
    parts = []
    near = {"joint": "bone", "bone": "share a joint"}[stream]
    for action, found in edges.items():
        rows = [[f"{e.to} <- {e.source}", f"{e.weight:.4f}", near if e.bone else ""] for e in found]
        parts.append(
            f"{action}: the {len(found)} strongest edges of the mean actional graph (a {stream} <- whom it hears)"
        )
        parts.append(text_table(["edge", "weight", ""], rows, markdown=markdown))
    return "\n".join(parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphMap:
    """A plane on which similar actional graphs lie close (t-SNE).

    Attributes:
        points: (N, 2).
        labels: (N,) index into `actions`.
        actions: names.
        silhouette: of the graphs themselves by action, -1 to 1; 0 where actions are not told apart.
        silhouette_map: of the points.
        per_action: action -> mean silhouette of its graphs.
        nearest: action -> the action whose mean graph is closest to its own.
        info: perplexity, seed, data.
    """

    points: Array
    labels: NDArray[np.int64]
    actions: tuple[str, ...]
    silhouette: float
    silhouette_map: float
    per_action: dict[str, float]
    nearest: dict[str, str]
    info: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "analysis": "tsne",
            "actions": list(self.actions),
            "silhouette": self.silhouette,
            "silhouette_map": self.silhouette_map,
            "per_action": self.per_action,
            "nearest": self.nearest,
            "points": [
                {"action": self.actions[label], "x": float(x), "y": float(y)}
                for label, (x, y) in zip(self.labels, self.points, strict=True)
            ],
            "info": self.info,
        }


def graph_map(
    graphs: Array, windows: LabelledWindows, *, perplexity: float = 30.0, seed: int = 0, label: str = ""
) -> GraphMap:
    """Lay actional graphs, as vectors, out on a plane with t-SNE, and say how well actions stand apart.

    Args:
        graphs: (N, nodes, nodes) of the windows.
        windows: their actions.
        perplexity: about how many neighbours a graph has.
        seed: of the layout.
        label: the network's name.

    Raises:
        MissingExtraError: scikit-learn is not installed (extra `analysis`).
        DataError: one action only, or too few graphs for the perplexity.
        ConfigError: a seed that is none.
    """
    check_seed(seed, "seed")
    manifold = require("sklearn.manifold", extra="analysis", purpose="the t-SNE map of actional graphs")
    metrics = require("sklearn.metrics", extra="analysis", purpose="the silhouette score")
    counts = np.bincount(windows.labels, minlength=len(windows.actions))
    if len(windows.actions) < 2 or counts.min() < 2:
        raise DataError(
            f"t-SNE by action: found {dict(zip(windows.actions, counts.tolist(), strict=True))} windows; expected two "
            "actions or more with two windows or more each"
        )
    if not 1 <= perplexity < len(graphs):
        raise DataError(
            f"perplexity {perplexity:g} with {len(graphs)} graphs: expected 1 or more, and fewer than graphs"
        )
    vectors = graphs.reshape(len(graphs), -1)
    points = manifold.TSNE(
        n_components=2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed
    ).fit_transform(vectors.astype(np.float32))
    each = metrics.silhouette_samples(vectors, windows.labels)
    means = np.stack([vectors[windows.labels == index].mean(axis=0) for index in range(len(windows.actions))])
    distance = np.linalg.norm(means[:, None] - means[None], axis=-1) + np.diag(np.full(len(means), np.inf))
    return GraphMap(
        points=np.asarray(points, np.float64),
        labels=windows.labels,
        actions=windows.actions,
        silhouette=float(each.mean()),
        silhouette_map=float(metrics.silhouette_score(points, windows.labels)),
        per_action={name: float(each[windows.labels == i].mean()) for i, name in enumerate(windows.actions)},
        nearest={name: windows.actions[int(distance[i].argmin())] for i, name in enumerate(windows.actions)},
        info={"model": label, "perplexity": perplexity, "seed": seed, "graphs": len(graphs), "data": windows.data},
    )


def map_report(found: GraphMap, *, markdown: bool = False) -> str:
    """One row per action."""
    counts = np.bincount(found.labels, minlength=len(found.actions))
    rows = [
        [name, str(counts[i]), f"{found.per_action[name]:.3f}", found.nearest[name]]
        for i, name in enumerate(found.actions)
    ]
    rows.append(["all", str(len(found.labels)), f"{found.silhouette:.3f}", ""])
    data = found.info["data"]
    return "\n".join(
        [
            f"{found.info['model']}: actional graphs by action | {data['name']}, {found.info['graphs']} windows",
            text_table(["action", "windows", "silhouette", "nearest mean graph"], rows, markdown=markdown),
            f"silhouette of the graphs {found.silhouette:.3f}, of the t-SNE map {found.silhouette_map:.3f} "
            "(1: actions apart, 0: mixed)",
        ]
    )
