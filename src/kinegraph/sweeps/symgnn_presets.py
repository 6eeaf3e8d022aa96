"""The paper's own sweeps (Li et al., Sym-GNN, TPAMI 2021, section 6), and what it printed about each.

The printed figures were measured on NTU-RGB+D and Human3.6M. They go into the JSON with the name of their data and
never stand in a table beside figures of other data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kinegraph.errors import ConfigError
from kinegraph.sweeps.sweep import Fusion, Sweep, Variant, shown

__all__ = ["NO_PREDICTION", "NO_RECOGNITION", "PRESETS"]

NO_PREDICTION: Mapping[str, Any] = {
    "transform.horizon": 0,
    "objective.velocity": 0.0,
    "augment.shuffle_targets": 0.0,
    "trainer.monitor": "recognition",
}
"""Recognition alone."""
NO_RECOGNITION: Mapping[str, Any] = {
    "transform.recognise": False,
    "augment.shuffle_labels": 0.0,
    "trainer.monitor": "forecasting",
}
"""Forecasting alone."""

_SOURCE = "Li et al., Sym-GNN, TPAMI 2021"
_H36M = "Human3.6M, Euler error, mean over actions"
_NTU = "NTU-RGB+D, top-1 %"


def _printed(table: str, **rows: Any) -> dict[str, Any]:
    return {"source": f"{_SOURCE}, {table}", **rows}


def _numbers(values: Sequence[Any] | None, default: Sequence[float], least: float, most: float, name: str) -> list[Any]:
    found = list(default if values is None else values)
    for value in found:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise ConfigError(f"--values of {name}: found {shown(value)}, expected numbers from {least:g} to {most:g}")
    if len(set(found)) != len(found):
        raise ConfigError(f"--values of {name}: {', '.join(map(shown, found))} has one twice; give each once")
    return found


def _shuffled(what: str, values: Sequence[Any] | None, default: Sequence[float]) -> list[Variant]:
    """A variant for each share of the targets or labels of training that is shuffled."""
    return [
        Variant(
            name=f"{what}_{share:g}",
            label=f"{100 * share:g} % of the {what}",
            changes={f"augment.shuffle_{what}": float(share)},
            x=100.0 * share,
        )
        for share in _numbers(values, default, 0, 1, f"noisy-{what}")
    ]


def noisy_targets(values: Sequence[Any] | None = None) -> Sweep:
    """Table 9: does a forecasting head help recognition, and how many wrong futures does it bear?"""
    variants = _shuffled("targets", values, (0.0, 0.1, 0.2, 0.5, 0.7, 1.0))
    return Sweep(
        name="noisy-targets",
        title="noisy forecasting targets (Table 9)",
        variants=(*variants, Variant(name="no_pred", label="no pred", changes=NO_PREDICTION)),
        x_label="shuffled targets (%)",
        # whatever chooses the checkpoint of "no pred" has to choose all of them
        fixed={"transform.recognise": True, "trainer.monitor": "recognition"},
        published=_printed(
            "Table 9",
            **{
                f"{_NTU}, cross-subject": {
                    **{"0": 90.1, "10": 89.8, "20": 89.5, "50": 89.1, "70": 88.5, "100": 87.7, "no pred": 89.0}
                },
                f"{_NTU}, cross-view": {
                    **{"0": 96.4, "10": 96.1, "20": 96.1, "50": 95.5, "70": 94.9, "100": 93.9, "no pred": 95.7}
                },
            },
        ),
    )


def noisy_labels(values: Sequence[Any] | None = None) -> Sweep:
    """Table 10: does a recognition head help forecasting, and how many wrong labels does it bear?"""
    variants = _shuffled("labels", values, (0.0, 0.1, 0.2, 0.3, 0.5, 1.0))
    rows = {
        "0": [0.26, 0.49, 0.79, 0.92],
        "10": [0.26, 0.48, 0.79, 0.93],
        "20": [0.26, 0.49, 0.82, 0.94],
        "30": [0.26, 0.50, 0.82, 0.93],
        "50": [0.26, 0.51, 0.83, 0.97],
        "100": [0.27, 0.53, 0.85, 1.03],
        "no recg": [0.26, 0.50, 0.82, 0.94],
    }
    return Sweep(
        name="noisy-labels",
        title="noisy action labels (Table 10)",
        variants=(*variants, Variant(name="no_recg", label="no recg", changes=NO_RECOGNITION)),
        x_label="shuffled labels (%)",
        fixed={"transform.recognise": True, "trainer.monitor": "forecasting"},
        published=_printed("Table 10", times_ms=[80, 160, 320, 400], **{_H36M: rows}),
    )


def graphs() -> Sweep:
    """Tables 11 and 12: structural, actional and part graphs, alone and together, with 1 to 4 orders."""
    off = {"model.structural": False, "model.actional": False, "model.parts": False}
    orders = (1, 2, 3, 4)
    structural = [
        Variant(
            name=f"only_js_{gamma}",
            label=f"only J-S, gamma {gamma}",
            changes={**off, "model.structural": True, "model.gamma": gamma},
            x=gamma,
            curve="only J-S",
        )
        for gamma in orders
    ]
    full = [
        Variant(
            name=f"full_{gamma}",
            label=f"full, gamma {gamma}",
            changes={**dict.fromkeys(off, True), "model.gamma": gamma},
            x=gamma,
            curve="full",
        )
        for gamma in orders
    ]
    alone = (
        Variant(name="only_ja", label="only J-A", changes={**off, "model.actional": True}),
        Variant(name="only_p", label="only P", changes={**off, "model.parts": True}),
    )
    return Sweep(
        name="graphs",
        title="graphs (Tables 11, 12)",
        variants=(*structural, *alone, *full),
        x_label="orders of structural graphs, gamma",
        published=_printed(
            "Tables 11, 12",
            gamma=list(orders),
            **{
                f"{_NTU}, cross-subject (Table 11)": {
                    "only J-S": [85.9, 86.2, 87.5, 88.3],
                    "only J-A": 85.7,
                    "only P": 87.3,
                    "full": [86.1, 86.9, 88.3, 90.1],
                },
                f"{_H36M} and 80 to 400 ms (Table 12)": {
                    "only J-S": [0.622, 0.619, 0.613, 0.618],
                    "only J-A": 0.618,
                    "only P": 0.615,
                    "full": [0.616, 0.615, 0.611, 0.614],
                },
            },
        ),
    )


def lambda_act(values: Sequence[Any] | None = None) -> Sweep:
    """Fig. 10: the weight of the actional against the structural graphs."""
    weights = _numbers(values, [round(0.1 * step, 1) for step in range(11)], 0, 1e3, "lambda-act")
    return Sweep(
        name="lambda-act",
        title="balance of actional and structural graphs (Fig. 10)",
        variants=tuple(
            Variant(
                name=f"lambda_{value:g}",
                label=f"lambda {value:g}",
                changes={"model.lambda_act": float(value)},
                x=float(value),
            )
            for value in weights
        ),
        x_label="lambda_act",
        published=_printed(
            "Fig. 10",
            text="best recognition on NTU-RGB+D, cross-subject, at 0.5; errors on Human3.6M 'fluctuate around 0.615', "
            "lowest at 0.9 and 1.0",
        ),
    )


def differences() -> Sweep:
    """Tables 13 and 14: orders of motion differences, one branch of the backbone each."""
    sets = ((0,), (0, 1), (0, 1, 2))
    return Sweep(
        name="differences",
        title="orders of motion differences (Tables 13, 14)",
        variants=tuple(
            Variant(
                name="beta_" + "".join(map(str, orders)),
                label=f"beta {shown(orders)}",
                changes={"model.differences": orders},
            )
            for orders in sets
        ),
        published=_printed(
            "Tables 13, 14",
            times_ms=[80, 160, 320, 400],
            **{
                f"{_NTU}, cross-subject and cross-view (Table 13)": {
                    "0": [88.2, 95.0],
                    "0,1": [90.1, 96.4],
                    "0,1,2": [89.8, 96.2],
                },
                f"{_H36M} (Table 14)": {
                    "0": [0.33, 0.59, 0.85, 0.91],
                    "0,1": [0.28, 0.52, 0.81, 0.85],
                    "0,1,2": [0.26, 0.49, 0.79, 0.82],
                },
            },
        ),
    )


def streams() -> Sweep:
    """Table 15: a network on joints, one on bones, and the sum of their scores."""
    variants = tuple(
        Variant(name=name, label=f"only {name}", changes={"model.stream": name}) for name in ("joint", "bone")
    )
    return Sweep(
        name="streams",
        title="joints and bones (Table 15)",
        variants=variants,
        fusions=(
            Fusion(name="fused", label="joint & bone, 0.5 and 0.5", variants=("joint", "bone"), weights=(0.5, 0.5)),
        ),
        fixed={"transform.recognise": True},
        published=_printed(
            "Table 15",
            **{
                f"{_NTU}, cross-subject and cross-view": {
                    "only joint": [87.1, 93.8],
                    "only bone": [87.4, 93.5],
                    "joint & bone": [90.1, 96.4],
                }
            },
        ),
    )


def iterations(values: Sequence[Any] | None = None) -> Sweep:
    """Fig. 8: passes K between joints and edges before the actional graph is read off; error against speed."""
    passes = _numbers(values, (0, 1, 2, 3, 4), 0, 100, "iterations")
    return Sweep(
        name="iterations",
        title="error against speed over K (Fig. 8)",
        variants=tuple(
            Variant(name=f"k_{value}", label=f"K {value}", changes={"model.iterations": value}, x=float(value))
            for value in passes
        ),
        x_label="K",
        speed=True,
        published=_printed("Fig. 8", text="drawn only; Human3.6M, error at 400 ms against frames in 20 ms, on a GPU"),
    )


PRESETS: dict[str, Callable[..., Sweep]] = {
    "noisy-targets": noisy_targets,
    "noisy-labels": noisy_labels,
    "graphs": graphs,
    "lambda-act": lambda_act,
    "differences": differences,
    "streams": streams,
    "iterations": iterations,
}
"""Name -> a sweep of the paper's values; one over the values of a single field takes others in their place."""
