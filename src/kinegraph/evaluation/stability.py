"""How a Sym-GNN answers to disturbed input: Theorem 1 and its quantities (Li et al. 2021, 4.1.3, 6.5, appendix A).

For one frame X (joints, D_x) of a motion and the same frame X* of a disturbed one, with epsilon = ||X* - X||_F, and
A_act, A*_act the actional graphs inferred from the whole motions: if ||A*_act X* - A_act X||_F <= C epsilon^q, then

    ||Y* - Y||_F <= sqrt(D_x D_y) (epsilon^q lambda mu_act C + epsilon sum_g sqrt(||A^g||_0) eta_g mu_g)

for the activated joint-scale convolution Y = ReLU(JGC(X)) of the first layer (the paper writes 3 for D_x). mu and
eta are largest absolute entries of the weights W and of the edge weights M, ||.||_0 counts entries that are not zero.
The proof needs |entries of A~^g| <= 1 and as many as ||A^g||_0; A~ = D^-1 (A + I) has self-loops, so the A that is
counted here has them as well. (Without them the count would be too small, and the inequality can fail.)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from kinegraph.errors import ConfigError, DataError
from kinegraph.evaluation.tables import text_table
from kinegraph.layers.difference import differences
from kinegraph.models.symgnn import SymGNN
from kinegraph.seeds import check_seed
from kinegraph.transforms.motion import MotionTransform

__all__ = [
    "SIGMAS",
    "FirstLayer",
    "StabilityResult",
    "amplify_factor",
    "check_noise",
    "distortion_bound",
    "first_layer",
    "measure_stability",
    "norm_bound",
    "stability_report",
    "zero_norms",
]

Array = NDArray[np.float64]
SIGMAS = tuple(round(0.01 * step, 2) for step in range(1, 11))
"""The paper's standard deviations (Fig. 14, 15)."""


def check_noise(sigmas: Sequence[float], draws: int, seed: int) -> None:
    """Refuse noise that cannot be drawn.

    Raises:
        ConfigError: sigmas that are not positive, no draw, or a seed that is none.
    """
    check_seed(seed, "seed")
    if not sigmas or draws < 1 or not all(np.isfinite(sigma) and sigma > 0 for sigma in sigmas):
        raise ConfigError(f"sigmas {list(sigmas)}, {draws} draws: expected positive numbers, and 1 draw or more")


def zero_norms(adjacency: ArrayLike, orders: int) -> tuple[int, ...]:
    """||A^g||_0 for g = 1..orders: entries of the powers of an adjacency matrix that are not zero.

    Args:
        adjacency: (joints, joints) of zeros and ones, with self-loops for Sym-GNN's A~.
        orders: how many.
    """
    step = np.asarray(adjacency) != 0
    reached, counts = np.eye(len(step), dtype=bool), []
    for _ in range(orders):
        reached = (reached.astype(np.int64) @ step.astype(np.int64)) > 0
        counts.append(int(reached.sum()))
    return tuple(counts)


def distortion_bound(
    epsilon: ArrayLike,
    *,
    constant: float,
    q: float,
    lambda_act: float,
    w_act: ArrayLike,
    w_str: ArrayLike,
    edges: ArrayLike,
    adjacency: ArrayLike,
) -> Array:
    """The bound of Theorem 1, float64, of the shape of `epsilon`.

    Args:
        epsilon: ||X* - X||_F, any shape, 0 or more.
        constant: C.
        q: the amplify factor.
        lambda_act: weight of the actional graph.
        w_act: (D_y, D_x), or its transpose.
        w_str: (orders, D_y, D_x), or each its transpose; may have no orders.
        edges: M, (orders, joints, joints).
        adjacency: (joints, joints), with self-loops.

    Raises:
        DataError: shapes that do not belong together, or a negative epsilon.
    """
    eps, act = np.asarray(epsilon, np.float64), np.asarray(w_act, np.float64)
    weights, masks = np.asarray(w_str, np.float64), np.asarray(edges, np.float64)
    if act.ndim != 2 or len(weights) != len(masks) or (len(weights) and weights.shape[1:] != act.shape):
        raise DataError(f"weights {act.shape}, {weights.shape} and edges {masks.shape} are not of one convolution")
    if (eps < 0).any():
        raise DataError("epsilon is a distance: expected 0 or more")
    structural = sum(
        np.sqrt(count) * np.abs(mask).max() * np.abs(weight).max()
        for count, mask, weight in zip(zero_norms(adjacency, len(masks)), masks, weights, strict=True)
    )
    actional = eps**q * lambda_act * np.abs(act).max() * constant
    return np.asarray(np.sqrt(act.size) * (actional + eps * structural))


def norm_bound(
    epsilon: ArrayLike,
    response: ArrayLike,
    *,
    lambda_act: float,
    w_act: ArrayLike,
    w_str: ArrayLike,
    graphs: ArrayLike,
) -> Array:
    """A tighter bound by the same steps: spectral norms in place of counted and largest entries.

    ``lambda ||A* X* - A X||_F ||W_act||_2 + epsilon sum_g ||A_str_g||_2 ||W_g||_2``.

    Args:
        epsilon: ||X* - X||_F.
        response: ||A* X* - A X||_F itself, of the shape of `epsilon`.
        lambda_act: weight of the actional graph.
        w_act: (D_y, D_x), or its transpose.
        w_str: (orders, D_y, D_x), or each its transpose.
        graphs: A~^g * M_g, (orders, joints, joints).
    """
    weights, masks = np.asarray(w_str, np.float64), np.asarray(graphs, np.float64)
    structural = sum(np.linalg.norm(g, 2) * np.linalg.norm(w, 2) for g, w in zip(masks, weights, strict=True))
    actional = lambda_act * np.asarray(response, np.float64) * np.linalg.norm(np.asarray(w_act, np.float64), 2)
    return np.asarray(actional + np.asarray(epsilon, np.float64) * structural)


def amplify_factor(epsilon: ArrayLike, response: ArrayLike) -> tuple[float, float]:
    """q and C of ``response <= C epsilon^q``: q by least squares of the logarithms, then the smallest C that holds.

    Args:
        epsilon, response: values of any shape, the same in both.

    Raises:
        DataError: fewer than two different disturbances above 0.
    """
    eps, found = np.ravel(np.asarray(epsilon, np.float64)), np.ravel(np.asarray(response, np.float64))
    kept = (eps > 0) & (found > 0)
    x, y = np.log(eps[kept]), np.log(found[kept])
    if len(x) < 2 or np.ptp(x) < 1e-9:
        raise DataError("the amplify factor is the slope over disturbances of different size; give several sigmas")
    q = float(np.cov(x, y, bias=True)[0, 1] / x.var())
    return q, float(np.exp((y - q * x).max()))


@dataclass(frozen=True, kw_only=True)
class FirstLayer:
    """The first joint-scale graph convolution of a network, float64.

    Attributes:
        lambda_act: weight of the actional graph.
        w_act: (D_x, D_y).
        w_str: (orders, D_x, D_y).
        edges: M, (orders, joints, joints).
        graphs: A~^g * M_g.
        adjacency: (joints, joints) with self-loops.
        order: of the motion difference its branch sees.
        network: joint or bone.
    """

    lambda_act: float
    w_act: Array
    w_str: Array
    edges: Array
    graphs: Array
    adjacency: Array
    order: int
    network: str

    def activated(self, x: Array, actional: Array) -> Array:
        """ReLU(JGC(X)) of (..., joints, D_x) and A_act (..., joints, joints): (..., joints, D_y)."""
        total: Array = self.lambda_act * (actional @ x @ self.w_act)
        for graph, weight in zip(self.graphs, self.w_str, strict=True):
            total = total + graph @ x @ weight
        return np.maximum(total, 0.0)


def first_layer(model: nn.Module) -> FirstLayer:
    """The first joint-scale convolution of the first branch of the first network.

    Raises:
        ConfigError: not a Sym-GNN, or one without actional graphs.
    """
    if not isinstance(model, SymGNN):
        raise ConfigError(f"Theorem 1 is about Sym-GNN; found a {type(model).__name__}")
    if not model.config.actional:
        raise ConfigError("Theorem 1 is about actional graphs; this network was built without (model.actional false)")
    name, network = next(iter(model.networks.items()))
    backbone: Any = network.backbone
    layer = backbone.branches[0].joint_blocks[0].graph
    weight = layer.weight.detach().double().numpy()
    nodes = model.skeleton.num_joints
    if layer.edges is None:
        edges = graphs = np.zeros((0, nodes, nodes))
        adjacency = np.eye(nodes)
    else:
        edges = layer.edges.detach().double().numpy()
        graphs = layer.structural_graphs().detach().double().numpy()
        adjacency = (layer.polynomials[0].numpy() > 0).astype(np.float64)
    return FirstLayer(
        lambda_act=float(layer.lambda_act),
        w_act=weight[-1],
        w_str=weight[:-1],
        edges=edges,
        graphs=graphs,
        adjacency=adjacency,
        order=int(backbone.orders[0]),
        network=str(name),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class StabilityResult:
    """One network; arrays are (sigmas,) unless said otherwise, means over windows, frames and draws.

    Attributes:
        label: of the network.
        sigmas: standard deviation of the noise, in `unit`.
        unit: of the raw features.
        epsilon: ||X* - X||_F of a frame, in the network's normalised units.
        response: ||A* X* - A X||_F.
        ratio: their quotient, and its standard deviation over frames `ratio_spread` (Fig. 15).
        q, constant: of the response, fitted over all frames.
        distortion: ||Y* - Y||_F, its largest over frames `distortion_most`.
        bound: Theorem 1's, the mean over frames; `tighter` with spectral norms.
        held: share of frames whose distortion is within Theorem 1's bound.
        info: which layer, how many windows, draws and frames.
    """

    label: str
    sigmas: tuple[float, ...]
    unit: str
    epsilon: Array
    response: Array
    ratio: Array
    ratio_spread: Array
    q: float
    constant: float
    distortion: Array
    distortion_most: Array
    bound: Array
    tighter: Array
    held: float
    info: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        arrays = (
            *("epsilon", "response", "ratio", "ratio_spread", "distortion", "distortion_most", "bound", "tighter"),
        )
        return {
            "analysis": "stability",
            "model": self.label,
            "sigmas": list(self.sigmas),
            "sigma_unit": self.unit,
            **{name: getattr(self, name).tolist() for name in arrays},
            "q": self.q,
            "constant": self.constant,
            "held": self.held,
            "info": self.info,
            "published": {
                "source": "Li et al., Sym-GNN, TPAMI 2021, Fig. 15",
                "text": "Human3.6M and NTU-RGB+D not told apart: ratio 'steady at around 0.33', q about 1",
            },
        }


@torch.no_grad()
def measure_stability(
    model: nn.Module,
    transform: MotionTransform,
    windows: Array,
    *,
    label: str,
    sigmas: Sequence[float] = SIGMAS,
    draws: int = 4,
    seed: int = 0,
) -> StabilityResult:
    """Disturb the input by N(0, sigma^2) on every raw channel that moves, and measure the first layer.

    Args:
        model: a Sym-GNN with actional graphs.
        transform: it was trained with.
        windows: raw features (N, observed, joints, 3), radians or metres.
        label: its name in tables.
        sigmas: standard deviations, in the features' unit.
        draws: disturbed copies of every window and sigma. The same draws are scaled for every sigma.
        seed: of the noise.

    Raises:
        ConfigError: not such a network, sigmas that are not positive, or a seed that is none.
        DataError: no windows.
    """
    layer = first_layer(model)
    check_noise(sigmas, draws, seed)
    if not len(windows):
        raise DataError("no windows to disturb")
    exact = copy.deepcopy(model).double().cpu().eval()
    scale, used = np.array(transform.scale), transform.used
    unit_noise = np.random.default_rng(seed).normal(size=(draws, *windows.shape))
    encoded = np.where(used, (windows - np.array(transform.mean)) / np.where(used, scale, 1.0), 0.0)
    clean = _answers(exact, layer, encoded)
    collected: list[dict[str, Array]] = []
    for sigma in sigmas:
        parts = []
        for noise in unit_noise:
            disturbed = encoded + np.where(used, sigma * noise / np.where(used, scale, 1.0), 0.0)
            found = _answers(exact, layer, disturbed)
            parts.append({key: np.linalg.norm(found[key] - clean[key], axis=(-2, -1)).ravel() for key in clean})
        collected.append({key: np.concatenate([part[key] for part in parts]) for key in clean})
    eps, response, distortion = (
        np.stack([one[key] for one in collected]) for key in ("input", "response", "activated")
    )
    q, constant = amplify_factor(eps, response)
    shared: dict[str, Any] = {"lambda_act": layer.lambda_act, "w_act": layer.w_act, "w_str": layer.w_str}
    bound = distortion_bound(eps, constant=constant, q=q, edges=layer.edges, adjacency=layer.adjacency, **shared)
    tighter = norm_bound(eps, response, graphs=layer.graphs, **shared)
    ratio = response / np.maximum(eps, np.finfo(float).tiny)
    return StabilityResult(
        label=label,
        sigmas=tuple(float(sigma) for sigma in sigmas),
        unit="rad" if transform.representation == "expmap" else "m",
        epsilon=eps.mean(axis=1),
        response=response.mean(axis=1),
        ratio=ratio.mean(axis=1),
        ratio_spread=ratio.std(axis=1),
        q=q,
        constant=constant,
        distortion=distortion.mean(axis=1),
        distortion_most=distortion.max(axis=1),
        bound=bound.mean(axis=1),
        tighter=tighter.mean(axis=1),
        held=float((distortion <= bound).mean()),
        info={
            "network": layer.network,
            "difference_order": layer.order,
            "windows": len(windows),
            "draws": draws,
            "frames": int(eps.shape[1]),
            "seed": seed,
            "gamma": len(layer.edges),
            "lambda_act": layer.lambda_act,
            "features": int(layer.w_act.shape[1]),
        },
    )


def _answers(model: Any, layer: FirstLayer, encoded: Array) -> dict[str, Array]:
    """What the first layer sees and answers, per window and frame: X, A_act X, ReLU(JGC(X))."""
    x = torch.from_numpy(encoded)
    graph = model.actional_graph(x, layer.network).numpy()[:, None]
    nodes = x if layer.network == "joint" else model.get_buffer("to_bones") @ x
    seen = differences(nodes, (layer.order,))[0][:, layer.order :].numpy()  # a difference's first frames are 0
    return {"input": seen, "response": graph @ seen, "activated": layer.activated(seen, graph)}


def stability_report(result: StabilityResult, *, markdown: bool = False) -> str:
    """One row per sigma."""
    header = [
        f"sigma ({result.unit})",
        *("||X*-X||", "||A*X*-AX||", "ratio", "distortion", "largest", "spectral bound", "Theorem 1"),
    ]
    rows = [
        [
            f"{sigma:g}",
            f"{result.epsilon[i]:.3f}",
            f"{result.response[i]:.3f}",
            f"{result.ratio[i]:.3f} ±{result.ratio_spread[i]:.3f}",
            f"{result.distortion[i]:.3f}",
            f"{result.distortion_most[i]:.3f}",
            f"{result.tighter[i]:.2f}",
            f"{result.bound[i]:.1f}",
        ]
        for i, sigma in enumerate(result.sigmas)
    ]
    info = result.info
    lines = [
        f"{result.label}: first joint-scale convolution under N(0, sigma^2) on the input | {info['windows']} windows, "
        f"{info['draws']} draws, means over frames, normalised units",
        text_table(header, rows, markdown=markdown),
        f"amplify factor q {result.q:.3f}, C {result.constant:.3f} (the smallest that holds for every frame)",
        f"Theorem 1 holds in {100 * result.held:.2f} % of the frames; its bound is {_times(result)} times the "
        "distortion measured",
    ]
    return "\n".join(lines)


def _times(result: StabilityResult) -> str:
    return f"{float((result.bound / np.maximum(result.distortion, 1e-12)).mean()):.0f}"
