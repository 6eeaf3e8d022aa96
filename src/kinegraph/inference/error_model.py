"""How far a result may be off: quantiles of each joint's error, from features of the input and of the answer.

A table per joint of log-linear quantile regressions (Koenker and Bassett, Econometrica 46, 1978): the logarithm of the
error's 50 % and 90 % quantile is a weighted sum of features. Fitted on recordings that the network did not learn from,
each subject of equal weight, and stored as `calibration.json` beside the weights it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import write_text
from kinegraph.errors import DataError, FormatError
from kinegraph.hub import CALIBRATION_FILE

__all__ = ["QUANTILES", "Calibration", "ErrorTable", "read_calibration"]

Floats = NDArray[np.float64]

QUANTILES = (0.5, 0.9)
_LEAST_M = 1e-3  # errors below a millimetre are as good as none, and have no logarithm worth fitting
_FORMAT = 1
_ROUNDS = 20
_STRANGERS = 0.75  # of the subjects left out, for whom enough is stated
_MOST = 30_000  # rows of a regression; more change the third figure
_LARGEST = 4 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class ErrorTable:
    """Quantiles of the error by joint and features.

    Attributes:
        joints: names of the rows; a joint of another name takes the last row, which is that of all joints together.
        features: their names, in order; the first is the constant 1.
        weights: ``(quantiles, joints + 1, features)``.
        low, high: ``(features,)`` the range met when fitting; features beyond are taken as at its end.

    Raises:
        DataError: weights of another shape, or values that are not finite.
    """

    joints: tuple[str, ...]
    features: tuple[str, ...]
    weights: Floats
    low: Floats
    high: Floats

    def __post_init__(self) -> None:
        count = len(self.features)
        shape = (len(QUANTILES), len(self.joints) + 1, count)
        if self.weights.shape != shape or self.low.shape != (count,) or self.high.shape != (count,):
            raise DataError(f"an error table of {self.weights.shape}; expected {shape}")
        if not all(np.isfinite(array).all() for array in (self.weights, self.low, self.high)):
            raise DataError("an error table holds values that are not finite")

    def rows(self, joints: tuple[str, ...]) -> NDArray[np.int64]:
        """The row of each joint by name, ``(joints,)``."""
        place = {name: row for row, name in enumerate(self.joints)}
        return np.array([place.get(name, len(self.joints)) for name in joints])

    def quantiles(self, features: Floats, rows: NDArray[np.int64]) -> Floats:
        """The error's quantiles ``(..., joints, 2)`` in metres for features ``(..., joints, features)``."""
        x = np.clip(features, self.low, self.high)
        logs = np.einsum("...jf,qjf->...jq", x, self.weights[:, rows])
        result: Floats = np.maximum.accumulate(np.exp(np.clip(logs, -9.0, 5.0)), axis=-1)
        return result

    @classmethod
    def fit(
        cls, joints: tuple[str, ...], names: tuple[str, ...], features: Floats, errors: Floats, subject: NDArray[Any]
    ) -> ErrorTable:
        """Fit by iteratively reweighted least squares.

        Args:
            joints: J names.
            names: F names of the features; the first is constant.
            features: ``(N, J, F)``.
            errors: ``(N, J)`` metres; NaN does not count.
            subject: ``(N,)`` who each row is of; every subject has the same weight.

        Raises:
            DataError: too few rows.
        """
        known = np.isfinite(errors) & np.isfinite(features).all(axis=-1)
        if known.sum() < 50 * len(joints):
            raise DataError(f"{int(known.sum())} errors to fit {len(joints)} joints; give more recordings")
        _, who = np.unique(subject, return_inverse=True)
        share = 1.0 / np.bincount(who)[who]
        flat = features[known]
        low, high = np.quantile(flat, [0.002, 0.998], axis=0)
        low[0], high[0] = 1.0, 1.0
        x, target = np.clip(features, low, high), np.log(np.maximum(errors, _LEAST_M))
        weights = np.zeros((len(QUANTILES), len(joints) + 1, len(names)))
        each = np.broadcast_to(share[:, None], errors.shape)
        for index, quantile in enumerate(QUANTILES):
            everybody = _regress(x[known], target[known], each[known], quantile, None)
            weights[index, -1] = everybody
            for joint in range(len(joints)):
                rows = known[:, joint]
                enough = int(rows.sum()) >= 50
                weights[index, joint] = (
                    _regress(x[rows, joint], target[rows, joint], share[rows], quantile, everybody)
                    if enough
                    else everybody
                )
        return cls(joints=joints, features=names, weights=weights, low=low, high=high)

    def for_strangers(self, features: Floats, errors: Floats, subject: NDArray[Any]) -> tuple[ErrorTable, Floats]:
        """The table with its quantiles enlarged, or reduced, to hold for people and actions it was not fitted on.

        Every subject in turn is left out of a fit; the factor by which that fit's quantiles must be multiplied to be
        right about this subject is the subject's own, and the one taken is enough for three subjects of four
        (conformal prediction over groups: Vovk, Gammerman and Shafer, 2005; the groups are subjects).

        Args:
            features: ``(N, J, F)``, as :meth:`fit` got them.
            errors: ``(N, J)`` metres, likewise.
            subject: ``(N,)``, likewise; at least two subjects.

        Returns:
            the table, and the factor of each quantile, ``(quantiles,)``.

        Raises:
            DataError: fewer than two subjects, or too few rows without one of them.
        """
        people = np.unique(subject)
        if len(people) < 2:
            raise DataError(f"errors of {len(people)} subject; to hold for others it takes at least two")
        own_factors = []
        rows = np.arange(len(self.joints))
        for who in people:
            own = subject == who
            others = ErrorTable.fit(self.joints, self.features, features[~own], errors[~own], subject[~own])
            known = np.isfinite(errors[own]) & np.isfinite(features[own]).all(axis=-1)
            stated = others.quantiles(np.nan_to_num(features[own]), rows)[known]
            ratios = np.maximum(errors[own][known], _LEAST_M)[:, None] / stated
            if len(ratios):
                own_factors.append([np.quantile(ratios[:, i], quantile) for i, quantile in enumerate(QUANTILES)])
        factors: Floats = np.quantile(np.array(own_factors), _STRANGERS, axis=0)
        weights = self.weights.copy()
        weights[:, :, 0] += np.log(factors)[:, None]  # the first feature is constant
        return replace(self, weights=weights), factors

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "joints": list(self.joints),
            "features": list(self.features),
            "weights": np.round(self.weights, 5).tolist(),
            "low": np.round(self.low, 5).tolist(),
            "high": np.round(self.high, 5).tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorTable:
        """Inverse of :meth:`to_dict`."""
        return cls(
            joints=tuple(map(str, data["joints"])),
            features=tuple(map(str, data["features"])),
            **{name: np.array(data[name], dtype=np.float64) for name in ("weights", "low", "high")},
        )


def _regress(x: Floats, y: Floats, weight: Floats, quantile: float, prior: Floats | None) -> Floats:
    """Coefficients ``(F,)`` that minimise the weighted pinball loss, drawn a little towards `prior`."""
    if len(y) > _MOST:
        kept = np.linspace(0, len(y) - 1, _MOST).astype(int)
        x, y, weight = x[kept], y[kept], weight[kept]
    weight = weight / weight.sum()
    # A hundredth of the data's weight: a feature that says nothing of a joint stays with what all joints say.
    spread = np.maximum((weight[:, None] * x**2).sum(axis=0), 1e-6)
    pull = np.diag((0.01 if prior is not None else 1e-4) * spread)
    centre = np.zeros(x.shape[1]) if prior is None else prior
    beta: Floats = centre.copy()
    if prior is None:
        beta[0] = np.quantile(y, quantile)
    for _ in range(_ROUNDS):
        rest = y - x @ beta
        w = weight * np.where(rest > 0, quantile, 1 - quantile) / np.maximum(np.abs(rest), 0.02)
        system = (x * w[:, None]).T @ x + pull
        beta = np.asarray(np.linalg.solve(system, (x * w[:, None]).T @ y + pull @ centre), dtype=np.float64)
    # The pull and the rounding of the loss leave a little bias, which the constant takes out.
    beta[0] += _weighted_quantile(y - x @ beta, weight, quantile)
    result: Floats = beta
    return result


def _weighted_quantile(values: Floats, weight: Floats, quantile: float) -> float:
    """The least value at or below which lies that share of the weight."""
    order = np.argsort(values)
    place = int(np.searchsorted(np.cumsum(weight[order]), quantile * weight.sum()))
    return float(values[order[min(place, len(order) - 1)]])


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What is stored beside a network's weights.

    Attributes:
        task: ``"lift"`` or ``"forecast"``.
        sha256: of the tensors it belongs to.
        tables: by the way the network was run (``"flip"``, ``"plain"``), or ``"motion"``.
        about: what it was fitted and checked on, for people.
    """

    task: str
    sha256: str
    tables: dict[str, ErrorTable]
    about: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path | str) -> Path:
        """Write ``calibration.json`` into a weights folder."""
        path = Path(folder) / CALIBRATION_FILE
        content = {
            "format": _FORMAT,
            "task": self.task,
            "sha256": self.sha256,
            "quantiles": list(QUANTILES),
            "about": self.about,
            "tables": {name: table.to_dict() for name, table in self.tables.items()},
        }
        write_text(path, json.dumps(content, indent=None, separators=(",", ":")) + "\n")
        return path


def read_calibration(
    folder: Path | None, sha256: str, task: str, names: tuple[str, ...], features: tuple[str, ...]
) -> tuple[Calibration | None, str]:
    """The calibration of a weights folder, and why there is none where it is None.

    Args:
        folder: the weights folder, if any.
        sha256: of its tensors.
        task: ``"lift"`` or ``"forecast"``.
        names: of the tables there must be.
        features: that they must go by.

    Raises:
        FormatError: the file is damaged.
    """
    if folder is None or not (folder / CALIBRATION_FILE).is_file():
        return None, "no estimate of the error: these weights are not calibrated ('kinegraph calibrate' does it)"
    path = folder / CALIBRATION_FILE
    try:
        if path.stat().st_size > _LARGEST:
            raise FormatError(path, f"{path.stat().st_size} bytes is too large for a calibration")
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT or tuple(data["quantiles"]) != QUANTILES:
            raise FormatError(path, f"format {data['format']!r}; this version reads {_FORMAT}: calibrate anew")
        if data["task"] != task:
            return None, f"no estimate of the error: the calibration is of {data['task']}"
        if data["sha256"] != sha256:
            return (
                None,
                "no estimate of the error: calibration.json is of other weights; run 'kinegraph calibrate' again",
            )
        tables = {str(name): ErrorTable.from_dict(table) for name, table in data["tables"].items()}
        about = dict(data["about"])
        if set(tables) != set(names) or any(table.features != features for table in tables.values()):
            raise FormatError(path, "goes by other features than this version; delete it or calibrate again")
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, DataError) as error:
        raise FormatError(
            path, f"not a calibration ({error}); delete it, or run 'kinegraph calibrate' again"
        ) from error
    return Calibration(task=task, sha256=sha256, tables=tables, about=about), ""
