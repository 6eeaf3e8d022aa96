"""Early recognition (Sym-GNN, section 6.3.1 and Fig. 9): the action from the first frames of a window.

Networks that see the first `ratio` of a window and forecast 10 frames, all the rest of the window, or nothing are
trained and measured on the protocol's windows. The paper takes whole actions of NTU-RGB+D for the window; CMU's clips
are long and repeat themselves, so the window here is the recognition protocol's: 50 frames, and each begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinegraph.errors import ConfigError
from kinegraph.evaluation.recognition import LENGTH
from kinegraph.sweeps.sweep import Sweep, Variant
from kinegraph.sweeps.symgnn_presets import NO_PREDICTION

__all__ = ["RATIOS", "STRATEGIES", "early_recognition"]

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
STRATEGIES = {"10": "pred 10 frames", "all": "pred all frames", "none": "no pred"}
"""Name -> the paper's."""


def early_recognition(
    ratios: Sequence[float] = RATIOS, strategies: Sequence[str] = tuple(STRATEGIES), *, window: int = LENGTH
) -> Sweep:
    """The sweep over observation ratios and strategies.

    Args:
        ratios: shares of the window that are seen, above 0, below 1.
        strategies: among :data:`STRATEGIES`.
        window: frames of the protocol's windows.

    Raises:
        ConfigError: a ratio that leaves fewer than 2 frames or nothing to forecast, or an unknown strategy.
    """
    variants = []
    for strategy in strategies:
        if strategy not in STRATEGIES:
            raise ConfigError(f"strategy '{strategy}': expected {', '.join(STRATEGIES)}")
        for ratio in ratios:
            observed = round(window * ratio)
            if not 0 < ratio < 1 or not 2 <= observed < window:
                raise ConfigError(
                    f"ratio {ratio:g} of {window} frames: expected at least 2 frames to see and 1 to forecast"
                )
            changes: dict[str, Any] = {"transform.observed": observed}
            if strategy == "none":
                changes |= NO_PREDICTION
            else:
                changes["transform.horizon"] = 10 if strategy == "10" else window - observed
            variants.append(
                Variant(
                    name=f"{strategy}_{ratio:g}",
                    label=f"{STRATEGIES[strategy]}, {100 * ratio:g} %",
                    changes=changes,
                    x=100.0 * ratio,
                    curve=STRATEGIES[strategy],
                )
            )
    if len({variant.name for variant in variants}) != len(variants):
        raise ConfigError("a ratio or a strategy is given twice; give each once")
    return Sweep(
        name="early-recognition",
        title="early recognition (Fig. 9)",
        variants=tuple(variants),
        x_label=f"observed (% of {window} frames)",
        fixed={"transform.recognise": True, "trainer.monitor": "recognition"},
        early=True,
        published={
            "source": "Li et al., Sym-GNN, TPAMI 2021, Fig. 9",
            "text": "drawn only; NTU-RGB+D: 'pred all' above 'pred 10' above 'no pred' at every ratio",
        },
    )
