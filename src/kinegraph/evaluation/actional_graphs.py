"""What the actional graphs of a trained Sym-GNN look like, action by action (Li et al. 2021, 6.4, Fig. 11, 12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kinegraph.errors import ConfigError, DataError, require
from kinegraph.evaluation.labelled_windows import LabelledWindows
from kinegraph.evaluation.tables import text_table
from kinegraph.models.symgnn import SymGNN
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.motion import MotionTransform

__all__ = [
    "Edge",
    "GraphMap",
    "actional_graphs",
    "edges_report",
    "graph_map",
    "map_report",
    "strongest_edges",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One entry of a graph: `to` gathers from `source` with `weight`."""

    to: str
    source: str
    weight: float
    bone: bool
    """Whether a bone joins the two."""


@torch.no_grad()
def actional_graphs(model: nn.Module, transform: MotionTransform, features: Array, batch: int = 256) -> Array:
    """A_act of every window, (N, joints, joints): row i says how much joint i gathers from each.

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
    graph: Array, skeleton: Skeleton, count: int = 15, *, moving: NDArray[np.bool_] | None = None
) -> list[Edge]:
    """The entries off the diagonal with the largest weights, strongest first.

    Args:
        graph: (joints, joints).
        skeleton: its joints.
        count: how many.
        moving: (joints,) joints to consider. The network sees nothing but zeros of a joint whose channels never move
            (the root, under the protocols), so its edges say nothing about the action. None considers all.

    Raises:
        ConfigError: more edges than there are, or none.
    """
    seen = np.ones(len(graph), dtype=bool) if moving is None else moving
    joints = int(seen.sum())
    if not 1 <= count <= joints * (joints - 1):
        raise ConfigError(f"{count} edges: expected 1 to {joints * (joints - 1)} among {joints} moving joints")
    weights = np.where(np.eye(len(graph), dtype=bool) | ~np.outer(seen, seen), -np.inf, graph)
    order = np.argsort(-weights, axis=None, kind="stable")[:count]
    bones = {frozenset(bone) for bone in skeleton.bones}
    return [
        Edge(
            to=skeleton.joints[i],
            source=skeleton.joints[j],
            weight=float(graph[i, j]),
            bone=frozenset((int(i), int(j))) in bones,
        )
        for i, j in zip(*np.unravel_index(order, graph.shape), strict=True)
    ]


def edges_report(edges: Mapping[str, list[Edge]], *, markdown: bool = False) -> str:
    """A list of edges for each action."""
    parts = []
    for action, found in edges.items():
        rows = [[f"{e.to} <- {e.source}", f"{e.weight:.4f}", "bone" if e.bone else ""] for e in found]
        parts.append(
            f"{action}: the {len(found)} strongest edges of the mean actional graph (a joint <- whom it hears)"
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
        graphs: (N, joints, joints) of the windows.
        windows: their actions.
        perplexity: about how many neighbours a graph has.
        seed: of the layout.
        label: the network's name.

    Raises:
        MissingExtraError: scikit-learn is not installed (extra `analysis`).
        DataError: one action only, or too few graphs for the perplexity.
    """
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
