"""The recognition studies of the HCSF paper (Zeng et al., ICCV 2021, supplement 2.2 and 2.3), and what it printed.

The printed figures were measured on NTU RGB+D. They go into the JSON with the name of their data and never stand in a
table beside figures of other data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kinegraph.errors import ConfigError
from kinegraph.sweeps.sweep import Fusion, Sweep, Variant, shown

__all__ = ["GRAPHS", "RECOGNITION_PRESETS"]

_SOURCE = "Zeng et al., HCSF, ICCV 2021, supplement"
_XVIEW = "NTU RGB+D, cross-view, top-1 %"

GRAPHS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "static": ("Static-G", {"model.dynamic": "none", "model.dynamic_kernel": 1}),
    "dynamic_m": ("Dynamic-M", {"model.dynamic": "m", "model.dynamic_kernel": 1}),
    "dynamic_a": ("Dynamic-A", {"model.dynamic": "m+alpha_o", "model.dynamic_kernel": 3}),
}
"""Folder -> the paper's name of the three graphs, and what they are: A_k = M_k + alpha O_k over three frames."""


def _graph(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a graph is in a recipe that may let it join any two joints: a static one has no support to choose."""
    static = changes["model.dynamic"] == "none"
    return {**changes, "model.dynamic_support": "hop"} if static else dict(changes)


def clip_streams() -> Sweep:
    """Supplement, Table 4: joints, bones, their motions, and the mean of the four softmax scores."""
    streams = ("joint", "bone", "joint-motion", "bone-motion")
    variants = tuple(Variant(name=name, label=name, changes={"transform.stream": name}) for name in streams)
    both, four = streams[:2], streams
    return Sweep(
        name="clip-streams",
        title="streams (HCSF, suppl. Table 4)",
        task="recognition",
        variants=variants,
        fusions=(
            Fusion(name="two", label="joint & bone, softmax mean", variants=both, weights=(0.5, 0.5), of="softmax"),
            Fusion(name="four", label="all four, softmax mean", variants=four, weights=(0.25,) * 4, of="softmax"),
        ),
        published={
            "source": f"{_SOURCE}, Table 4",
            "columns": ["NTU 60 X-Sub", "NTU 60 X-View", "NTU 120 X-Sub", "NTU 120 X-Set"],
            "top-1 %": {
                "joint": [89.0, 95.3, 83.5, 85.7],
                "bone": [89.3, 94.9, 85.0, 86.6],
                "joint-motion": [86.9, 93.5, 80.1, 81.5],
                "bone-motion": [86.9, 93.1, 80.6, 83.0],
                "four": [91.6, 96.7, 87.5, 89.2],
            },
        },
    )


def squeeze(values: Sequence[Any] | None = None) -> Sweep:
    """Supplement, Table 5: how fast the width falls from hop to hop, with each of the three graphs.

    Raises:
        ConfigError: a ratio that is not above 0, to 1, or stands twice.
    """
    found = list((1, 1 / 2, 1 / 4, 1 / 8, 1 / 16) if values is None else values)
    for value in found:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
            raise ConfigError(f"--values of squeeze: found {shown(value)}, expected ratios above 0, to 1")
    if len(set(found)) != len(found):
        raise ConfigError(f"--values of squeeze: {', '.join(map(shown, found))} has one twice; give each once")
    variants = tuple(
        Variant(
            name=f"{folder}_{ratio:g}",
            label=f"{label}, d {ratio:g}",
            changes={**_graph(changes), "model.squeeze": float(ratio)},
            x=float(ratio),
            curve=label,
        )
        for folder, (label, changes) in GRAPHS.items()
        for ratio in found
    )
    return Sweep(
        name="squeeze",
        title="squeeze ratio and graphs (HCSF, suppl. Table 5)",
        task="recognition",
        variants=variants,
        x_label="squeeze ratio d",
        fixed={"model.name": "hcsf_recognizer"},
        published={
            "source": f"{_SOURCE}, Table 5",
            "d": ["1", "1/2", "1/4", "1/8", "1/16"],
            _XVIEW: {
                "Static-G": [93.9, 94.5, 94.6, 94.8, 94.5],
                "Dynamic-M": [94.4, 94.9, 95.1, 94.9, 95.1],
                "Dynamic-A": [94.6, 95.0, 95.2, 95.3, 95.3],
            },
        },
    )


def hops() -> Sweep:
    """Supplement, Table 6: all nodes within 1, 5 or 7 hops, MixHop, MS-Hop and HCSF, with each of the three graphs."""
    rows: list[tuple[str, str, dict[str, Any]]] = [
        (f"{k}hop", f"{k}-hop", {"model.name": "khop", "model.hops": [k]}) for k in (1, 5, 7)
    ]
    rows += [("mixhop", "MixHop", {"model.name": "mixhop"}), ("mshop", "MS-Hop", {"model.name": "mshop"})]
    rows += [("hcsf", "HCSF", {"model.name": "hcsf_recognizer"})]
    variants = tuple(
        Variant(
            name=f"{folder}_{graph}",
            label=f"{label}, {title}",
            changes={**model, **_graph(changes)},
        )
        for graph, (title, changes) in GRAPHS.items()
        for folder, label, model in rows
    )
    return Sweep(
        name="hops",
        title="hops and graphs (HCSF, suppl. Table 6)",
        task="recognition",
        variants=variants,
        published={
            "source": f"{_SOURCE}, Table 6",
            "columns": ["1-hop", "5-hop", "7-hop", "MixHop", "MS-Hop", "HCSF"],
            _XVIEW: {
                "Static-G": [92.2, 93.5, 93.7, 93.9, 94.1, 94.8],
                "Dynamic-M": [93.4, 94.1, 94.1, 94.5, 94.6, 95.2],
                "Dynamic-A": [93.9, 94.3, 94.2, 94.8, 94.7, 95.3],
            },
        },
    )


def graph_frames() -> Sweep:
    """Supplement, Table 7: frames, stride and dilation under the temporal convolutions of the dynamic graph."""
    rows = [(1, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (5, 1, 1), (7, 1, 1)]
    variants = []
    for kernel, stride, dilation in rows:
        more = "_stride_2" if stride > 1 else "_dilation_2" if dilation > 1 else ""
        variants.append(
            Variant(
                name=f"frames_{kernel}{more}",
                label=f"({kernel},1){more.replace('_', ' ')}",
                changes={
                    "model.dynamic_kernel": kernel,
                    "model.dynamic_stride": stride,
                    "model.dynamic_dilation": dilation,
                },
            )
        )
    return Sweep(
        name="graph-frames",
        title="frames under the dynamic graph (HCSF, suppl. Table 7)",
        task="recognition",
        variants=tuple(variants),
        fixed={"model.name": "hcsf_recognizer", "model.dynamic": "m+alpha_o"},
        published={
            "source": f"{_SOURCE}, Table 7",
            "F": ["(1,1)", "(3,1)", "(3,1) stride 2", "(3,1) dilation 2", "(5,1)", "(7,1)"],
            _XVIEW: [94.7, 95.3, 95.0, 94.8, 95.1, 94.7],
        },
    )


RECOGNITION_PRESETS: dict[str, Callable[..., Sweep]] = {
    "clip-streams": clip_streams,
    "squeeze": squeeze,
    "hops": hops,
    "graph-frames": graph_frames,
}
"""Name -> a sweep of the paper's values; one over the values of a single field takes others in their place."""
