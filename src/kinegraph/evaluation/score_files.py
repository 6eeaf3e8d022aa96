"""Scores of clips on disk: one npz of plain arrays, to be fused by ``kinegraph ensemble`` or read by anyone.

    names (N,), labels (N,), logits (N, classes), folds (N,), classes (classes,)
    about   JSON text: format, protocol, split, model, stream, fingerprint of the data, notes, ...

``numpy.load`` reads it without pickles.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import atomic_path
from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.evaluation.recognition_result import RecognitionResult, count_scores
from kinegraph.formats.restricted_pickle import load_npz

__all__ = ["load_scores", "save_scores"]

_FORMAT = "kinegraph-scores 1"
_LARGEST = 512 << 20  # bytes unpacked; 100,000 clips of 400 classes take 160 MB
_ARRAYS = {"names": "U", "labels": "i", "logits": "f", "folds": "i", "classes": "U", "about": "U"}
_INFO = ("model", "stream", "seed", "parameters", "train_seconds", "weights", "fused")


def save_scores(result: RecognitionResult, path: Path | str) -> None:
    """Write the scores of every clip.

    Raises:
        DataError: scores of windows, which have no names.
        KinegraphError: the file cannot be written, or is not called ``.npz``.
    """
    if not result.names:
        raise DataError(f"{result.label}: scores are saved of clips, and these are of {result.of}")
    if Path(path).suffix.lower() != ".npz":
        raise KinegraphError(f"{path}: scores are saved as .npz; choose such a name")
    about = {
        "format": _FORMAT,
        "protocol": result.protocol,
        "label": result.label,
        "data": result.data,
        "info": {key: result.info.get(key) for key in _INFO},
        "notes": list(result.notes),
    }
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            names=np.array(result.names, dtype=str),
            labels=result.labels,
            logits=result.logits.astype(np.float32),
            folds=result.fold_of,
            classes=np.array(result.classes, dtype=str),
            about=np.array(json.dumps(about)),
        )


def load_scores(path: Path | str) -> RecognitionResult:
    """Read saved scores and count them again.

    Raises:
        FormatError: no such file, damaged, or not what :func:`save_scores` writes.
    """
    path = Path(path)
    arrays = load_npz(path, max_bytes=_LARGEST)
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise FormatError(path, f"no array '{missing[0]}'; expected scores of kinegraph evaluate --save-scores")
    for name, kind in _ARRAYS.items():
        found = arrays[name]
        if not isinstance(found, np.ndarray) or found.dtype.kind != kind:
            what = (
                f"an array of {found.dtype}" if isinstance(found, np.ndarray) else f"a pickled {type(found).__name__}"
            )
            raise FormatError(
                path, f"'{name}' is {what}; expected plain {_kind(kind)}, no objects. Save the scores again"
            )
    about = _about(arrays["about"], path)
    names, labels, logits, folds, classes = (arrays[name] for name in ("names", "labels", "logits", "folds", "classes"))
    if not (
        labels.ndim == 1 == classes.ndim
        and len(labels)
        and names.shape == folds.shape == labels.shape
        and logits.shape == (len(labels), len(classes))
    ):
        raise FormatError(
            path,
            f"names {names.shape}, labels {labels.shape}, folds {folds.shape}, logits {logits.shape} and classes "
            f"{classes.shape} do not go together; save the scores again",
        )
    if labels.min() < 0 or labels.max() >= len(classes):
        raise FormatError(path, f"labels {labels.min()} to {labels.max()} for {len(classes)} classes; save them again")
    try:
        return count_scores(
            logits.astype(np.float64),
            labels.astype(np.int64),
            [str(name) for name in classes],
            protocol=str(about["protocol"]),
            label=str(about["label"]),
            of="clips",
            data=about["data"],
            info=about["info"],
            notes=[str(note) for note in about["notes"]],
            names=[str(name) for name in names],
            fold_of=folds.astype(np.int64),
        )
    except DataError as error:
        raise FormatError(path, str(error)) from error


def _about(array: NDArray[Any], path: Path) -> dict[str, Any]:
    try:
        about = json.loads(str(array))
    except (ValueError, RecursionError):
        about = None
    wanted = {"protocol": str, "label": str, "data": dict, "info": dict, "notes": list}
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise FormatError(
            path, f"'about' does not say {_FORMAT!r}; expected scores of kinegraph evaluate --save-scores"
        )
    for key, kind in wanted.items():
        if not isinstance(about.get(key), kind):
            raise FormatError(path, f"about.{key} is {type(about.get(key)).__name__}, expected {kind.__name__}")
    return about


def _kind(kind: str) -> str:
    return {"U": "text", "i": "whole numbers", "f": "numbers"}[kind]
