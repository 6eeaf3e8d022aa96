"""Which clips train and which test: the recognition protocols on a prepared folder.

A rule reads what is known of a clip (subject, camera, setup). Containers that know less (CTR-GCN's npz has no names)
state a part for each clip instead, and that is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets import hdm05, ntu
from kinegraph.datasets.seen_clips import name_hash
from kinegraph.errors import ConfigError, DataError, nearest
from kinegraph.store.clip import Clips

__all__ = ["OWN", "OWN_TEST", "PROTOCOLS", "ActionProtocol", "hold_out", "protocol", "split", "takes_files_word"]

Indices = NDArray[np.int64]
OWN = "folder"
"""The protocol of clips of one's own."""
OWN_TEST = 0.2
"""Share of every class that tests where a folder of one's own names no parts."""
_CONTAINERS = ("pyskl", "ctrgcn", "stgcn")
"""Data sets that are others' containers of any data set's clips."""
_TESTING = ("test", "val")
"""Names that containers give to the part that is tested on."""


@dataclass(frozen=True, kw_only=True)
class ActionProtocol:
    """How clips are divided.

    Attributes:
        name: the one commands take.
        title: one line.
        trains: ``(store, fold) -> (clips,)`` -1 unknown, 0 test, 1 train; None where the files alone say it.
        folds: how often it is trained; the result is the mean.
        pyskl: name of the split in PYSKL's pickles, without ``_train``.
        classes: how many the protocol has; None any number.
        datasets: whose prepared clips it divides; empty where a rule or the number of classes tells.
    """

    name: str
    title: str
    trains: Callable[[Clips, int], NDArray[np.int8]] | None = None
    folds: int = 1
    pyskl: str = ""
    classes: int | None = None
    datasets: tuple[str, ...] = ()


def _ntu(protocol: str) -> Callable[[Clips, int], NDArray[np.int8]]:
    def trains(store: Clips, fold: int) -> NDArray[np.int8]:
        known = zip(store.subjects, store.cameras.tolist(), store.setups.tolist(), strict=True)
        found = [ntu.trains(protocol, performer=_performer(who), camera=c, setup=s) for who, c, s in known]
        return np.array([-1 if one is None else one for one in found], dtype=np.int8)

    return trains


def _performer(subject: str) -> int:
    """The number of ``P003``; 0 of other names."""
    digits = subject[1:]
    return int(digits) if subject[:1] == "P" and digits.isdecimal() else 0


def _hdm05(store: Clips, fold: int) -> NDArray[np.int8]:
    return np.array([_part(name, hdm05.SUBJECTS["train"], hdm05.SUBJECTS["test"]) for name in store.subjects], np.int8)


def _hdm05_one(store: Clips, fold: int) -> NDArray[np.int8]:
    everyone = [*hdm05.SUBJECTS["train"], *hdm05.SUBJECTS["test"]]
    others = tuple(name for place, name in enumerate(everyone) if place != fold)
    return np.array([_part(name, (everyone[fold],), others) for name in store.subjects], np.int8)


def _unparted(store: Clips, fold: int) -> NDArray[np.int8]:
    """Where no file names a part, a fifth of every class tests: those whose names have the lowest hashes.

    So one clip more changes the part of one other at most: what was trained on stays so as a folder grows.
    """
    if any(store.splits):
        return np.full(len(store.labels), -1, dtype=np.int8)
    result = np.ones(len(store.labels), dtype=np.int8)
    for label in np.unique(store.labels):
        own = sorted(np.flatnonzero(store.labels == label).tolist(), key=lambda clip: name_hash(store.names[clip]))
        result[own[: round(OWN_TEST * len(own))]] = 0
    return result


def _part(subject: str, train: tuple[str, ...], test: tuple[str, ...]) -> int:
    return 1 if subject in train else 0 if subject in test else -1


PROTOCOLS: Mapping[str, ActionProtocol] = {
    item.name: item
    for item in (
        ActionProtocol(
            name="ntu60-xsub", title="NTU RGB+D, 20 of 40 subjects train", trains=_ntu("ntu60-xsub"), pyskl="xsub",
            classes=60,
        ),
        ActionProtocol(
            name="ntu60-xview", title="NTU RGB+D, cameras 2 and 3 train", trains=_ntu("ntu60-xview"), pyskl="xview",
            classes=60,
        ),
        ActionProtocol(
            name="ntu120-xsub", title="NTU RGB+D 120, 53 of 106 subjects train", trains=_ntu("ntu120-xsub"),
            pyskl="xsub", classes=120,
        ),
        ActionProtocol(
            name="ntu120-xset", title="NTU RGB+D 120, even setups train", trains=_ntu("ntu120-xset"), pyskl="xset",
            classes=120,
        ),
        ActionProtocol(
            name="hdm05-11", title="HDM05, subjects bd, bk, dg train, mm, tr test", trains=_hdm05, classes=11
        ),
        ActionProtocol(
            name="hdm05-11-one", title="HDM05, one subject trains, four test; mean of five", trains=_hdm05_one, folds=5,
            classes=11,
        ),
        ActionProtocol(
            name="cmu-8", title="CMU Mocap actions; clip 4 of every action validates", datasets=("cmu-8",)
        ),
        ActionProtocol(
            name="everyday", title="CMU Mocap and procedural motion; recordings and people apart",
            datasets=("everyday",),
        ),
        ActionProtocol(
            name="kinetics-skeleton", title="Kinetics-skeleton as published",
            datasets=("kinetics-skeleton", *_CONTAINERS),
        ),
        ActionProtocol(
            name="synthetic-recognition", title="procedural motion; other people train, validate and test",
            datasets=("synthetic-recognition",),
        ),
        ActionProtocol(
            name=OWN, title="the parts that your folders or index name; without, a fifth of every class tests",
            trains=_unparted,
        ),
    )
}  # fmt: skip


def protocol(name: str) -> ActionProtocol:
    """The protocol of that name. Raises ConfigError, with the nearest, when there is none."""
    if name not in PROTOCOLS:
        raise ConfigError(
            f"no recognition protocol '{name}'{nearest(name, PROTOCOLS)}; there are {', '.join(PROTOCOLS)}"
        )
    return PROTOCOLS[name]


def split(store: Clips, name: str, part: str, fold: int = 0) -> Indices:
    """Numbers ``(clips,)`` of the clips of one part, in order; clips without a label are in none.

    Args:
        store: the prepared clips.
        name: of a protocol, or of a split that the container itself names: ``"xsub"`` of PYSKL's ``xsub_train`` and
            ``xsub_val``, ``"train1"`` (or ``"1"``) of its ``train1`` and ``test1``.
        part: ``"train"`` or ``"test"``; ``"val"`` where the files have a validation part beside a test part.
        fold: which of the protocol's folds.

    Raises:
        ConfigError: no such protocol, part or fold.
        DataError: the clips do not say what the protocol asks, belong to other classes, or the part is empty.
    """
    if part not in ("train", "val", "test"):
        raise ConfigError(f"no part '{part}'{nearest(part, ('train', 'val', 'test'))}; there are train, val and test")
    named = {own for parts in store.splits for own in parts}
    splits = _own_splits(named)
    own = splits.get(name) or splits.get(f"train{name}")
    if name not in PROTOCOLS and own is not None:
        found = _named(store, own, part)
    elif name not in PROTOCOLS and named:
        there = f"splits {', '.join(splits)}; " * bool(splits) + f"parts {', '.join(sorted(named))}"
        plain = f"; train and what is beside it go by {OWN}" * ("train" in named)
        raise ConfigError(
            f"{store.folder}: no split '{name}' (its files name {there}{plain}; protocols are "
            f"{', '.join(PROTOCOLS)}){nearest(name, splits) or nearest(name, PROTOCOLS)}"
        )
    else:
        item = protocol(name)
        if not 0 <= fold < item.folds:
            raise ConfigError(f"{name} has folds 0 to {item.folds - 1}; found {fold}")
        if item.classes is not None and len(store.classes) != item.classes:
            own_words = ", or take a split that its files name instead of {}: {}".format(name, ", ".join(splits))
            raise DataError(
                f"{store.folder}: {len(store.classes)} classes; {name} has {item.classes}. Prepare the right data set"
                + (own_words + " (evaluate --protocol, train --data.protocol)" if splits else "")
            )
        if item.datasets and store.dataset not in item.datasets:
            raise DataError(
                f"{store.folder}: clips of {store.dataset}; {name} divides those of {', '.join(item.datasets)}. "
                "Prepare the right data set, or name the protocol of these"
            )
        found = _by_protocol(store, item, part, fold)
    result = np.flatnonzero(found & (store.labels >= 0))
    if not len(result):
        there = ", ".join(sorted(named)) or "none"
        more = "; a fifth of each class tests: give a class 3 clips or more, or name the parts (train/, test/)"
        raise DataError(
            f"{store.folder}: no clips of {name} {part} (parts that its files name: {there})"
            + (more if name == OWN and part == "test" and not named else "")
        )
    return result


def _by_protocol(store: Clips, item: ActionProtocol, part: str, fold: int) -> NDArray[np.bool_]:
    if item.trains is not None:
        trains = item.trains(store, fold)
        if (trains >= 0).all():
            return np.asarray(trains == {"train": 1, "test": 0, "val": 2}[part])
        if (trains >= 0).any() or item.folds > 1:
            unknown = int(np.argmax(trains < 0))
            raise DataError(
                f"{store.folder}: '{store.names[unknown]}' does not say whether it trains under {item.name} (subject "
                f"'{store.subjects[unknown]}', camera {store.cameras[unknown]}, setup {store.setups[unknown]})"
            )
    named = {own for parts in store.splits for own in parts}
    return _named(store, _own_splits(named).get(item.pyskl, ("", "")), part)


def takes_files_word(store: Clips, name: str) -> bool:
    """Whether a protocol's parts are those of files that do not name the protocol, and know too little for its rule.

    CTR-GCN's npz says train and test, and neither who moves nor whether the parts are X-Sub's or X-View's.
    """
    item = PROTOCOLS.get(name)
    if item is None or item.trains is None or name == OWN or (item.trains(store, 0) >= 0).any():
        return False
    return item.pyskl not in _own_splits({own for parts in store.splits for own in parts})


def _own_splits(named: Collection[str]) -> dict[str, tuple[str, str]]:
    """Splits among the parts that files name, and what stands before and after ``train`` in the names of theirs."""
    found = {}
    for own in sorted(named):
        if own.endswith("_train"):
            found[own.removesuffix("_train")] = (own.removesuffix("train"), "")
        elif own.startswith("train") and own != "train":
            found[own] = ("", own.removeprefix("train"))
    return found


def _named(store: Clips, around: tuple[str, str], part: str) -> NDArray[np.bool_]:
    """Clips of a part by the names that the files give; the one part beside train is what is tested on."""
    named = {own for parts in store.splits for own in parts}
    names = {part.join(around)}
    if "test".join(around) not in named:  # what is called val there is the test part
        names = {other.join(around) for other in _TESTING} if part == "test" else names - {"val".join(around)}
    return np.array([bool(names.intersection(parts)) for parts in store.splits])


def hold_out(labels: NDArray[np.int64], indices: Indices, share: float, seed: int = 0) -> tuple[Indices, Indices]:
    """Divide training clips into those that train and those that validate, the same share of every class.

    Args:
        labels: ``(clips,)`` of all clips of the store.
        indices: ``(N,)`` numbers of the clips of the training part.
        share: of each class that validates, 0 to below 1; rounded, and at least one clip stays in training.
        seed: of the choice.

    Returns:
        Ascending numbers of the clips that train and of those that validate, together the N.

    Raises:
        ConfigError: a share outside its range.
    """
    if not 0 <= share < 1:
        raise ConfigError(f"validation share {share}; expected 0 to below 1")
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for label in np.unique(labels[indices]):
        own = indices[labels[indices] == label]
        held += rng.permutation(own)[: min(round(share * len(own)), len(own) - 1)].tolist()
    return np.setdiff1d(indices, held), np.array(sorted(held), dtype=np.int64)
