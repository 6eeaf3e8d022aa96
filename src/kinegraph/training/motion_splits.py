"""The training and validation data that a motion recipe names."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from kinegraph.datasets.motion_data import MotionData
from kinegraph.datasets.seen_clips import name_hash
from kinegraph.errors import ConfigError, DataError
from kinegraph.naming import without_folder
from kinegraph.training.launch import is_leader
from kinegraph.training.motion_recipe import MotionDataRecipe, MotionTransformRecipe

if TYPE_CHECKING:
    from kinegraph.datasets.recordings import Recordings, Skipped

__all__ = ["H36M_VALIDATION", "MotionSplits", "load_motion_splits"]

H36M_VALIDATION = "S11"
"""The training subject of Human3.6M that is held out."""


@dataclasses.dataclass(frozen=True)
class MotionSplits:
    """Train on one, choose the checkpoint on the other: iterates over the two. The test split never comes here."""

    train: MotionData
    validation: MotionData
    skipped: tuple[Skipped, ...] = ()
    """What of the source cannot be used; paths within it."""
    files: int = 0
    """How many files the source holds."""

    def __iter__(self) -> Iterator[MotionData]:
        return iter((self.train, self.validation))

    def left_out(self, listed: str) -> str | None:
        """What of the source is in neither, in a line; None where all of it is.

        Args:
            listed: where the whole list stands.
        """
        if not self.skipped:
            return None
        whole = {one.path for one in self.skipped if one.whole}
        parts = {one.path for one in self.skipped} - whole
        counts = [f"{len(whole)} of {self.files} files"] * bool(whole) + [f"parts of {len(parts)}"] * bool(parts)
        counts[-1] += "" if whole else f" of {self.files} files"
        first = self.skipped[0]
        return f"{' and '.join(counts)} left out, {listed} says why; the first: {first.path}: {first.reason}"


def load_motion_splits(recipe: MotionDataRecipe, transform: MotionTransformRecipe) -> MotionSplits:
    """The training and validation data a recipe names.

    Raises:
        ConfigError: a field is missing or means nothing for this data.
        DataError: the source does not hold what is expected.
    """
    if recipe.name == "synthetic":
        from kinegraph.datasets.synthetic import motion

        if transform.root != "none":
            raise ConfigError("transform.root: the synthetic motion leaves the root's own motion out; set none")
        return MotionSplits(motion.load("train"), motion.load("val"))
    if recipe.source is None:
        raise ConfigError(f"data.source: missing; give the folder with the data of {recipe.name}: --data.source DIR")
    if (transform.root == "heading") != (recipe.name == "recordings"):
        wanted, why = (
            ("heading", "recordings hold the body's path")
            if recipe.name == "recordings"
            else ("none", f"{recipe.name} leaves the root's own motion out")
        )
        raise ConfigError(f"transform.root: found {transform.root}, but {why}; set {wanted}")
    if recipe.name == "cmu-8":
        from kinegraph.datasets import cmu_actions

        kind = recipe.representation or "expmap"
        train = cmu_actions.load(recipe.source, "train", kind, phases=recipe.phases or 2)
        return MotionSplits(*_same_actions(train, cmu_actions.load(recipe.source, "val", kind)))
    if recipe.name == "h36m-angles":
        from kinegraph.datasets import h36m_angles

        data = h36m_angles.load(recipe.source, "train")
        return _by_subject(data, {H36M_VALIDATION})
    if recipe.name == "ntu":
        from kinegraph.datasets import ntu_forecasting

        read = ntu_forecasting.load(recipe.source, "train", benchmark=recipe.benchmark or "xsub", progress=is_leader())
        people = sorted({clip.subject for clip in read.data.clips})
        count = _share_of(people, recipe.held_out)
        splits = _by_subject(read.data, {people[place * len(people) // count] for place in range(count)})
        return _with_skipped(splits, read, recipe.source)
    from kinegraph.datasets.recordings import load_recordings

    read = load_recordings(
        [recipe.source],
        fps=recipe.fps or 60.0,
        representation=recipe.representation or "expmap",
        labels="folders" if transform.recognise or recipe.sampling == "actions" else "none",
        least_frames=transform.observed + transform.horizon,
    )
    splits = (_by_name if recipe.held_out_by == "name" else _by_place)(read.data, recipe.held_out)
    return _with_skipped(splits, read, recipe.source)


def _with_skipped(splits: MotionSplits, read: Recordings, source: str) -> MotionSplits:
    """The splits with what of the source is in neither, paths within it."""
    skipped = tuple(
        dataclasses.replace(one, path=one.path.relative_to(source), reason=without_folder(one.reason, source))
        for one in read.skipped
    )
    return dataclasses.replace(splits, skipped=skipped, files=read.files)


def _by_subject(data: MotionData, subjects: set[str]) -> MotionSplits:
    """Hold out the clips of some subjects.

    Raises:
        DataError: then one of the splits is empty.
    """
    chosen = [clip.subject in subjects for clip in data.clips]
    if all(chosen) or not any(chosen):
        raise DataError(
            f"{data.name}: cannot hold out {', '.join(sorted(subjects))} for validation and have somebody left to "
            "train on; expected more subjects"
        )
    return _divided(data, chosen)


def _share_of(names: Collection[str], share: float) -> int:
    """How many to hold out: one at least, and one at least is left, of two or more."""
    return max(1, min(round(share * len(names)), len(names) - 1))


def _by_name(data: MotionData, share: float) -> MotionSplits:
    """Hold out a share of the files of every action, at least one where an action has two, with everybody in them.

    Those whose names have the lowest hashes: what was held out mostly stays so as a folder grows.

    Raises:
        DataError: there is one file only.
    """
    files: dict[int, set[str]] = {}
    for clip in data.clips:
        files.setdefault(clip.action, set()).add(clip.recording)
    there = sorted(set().union(*files.values()), key=name_hash)
    if len(there) < 2:
        raise DataError(f"{data.name}: 1 recording; expected at least two, one to train on and one to validate on")
    held: set[str] = set()
    for own in files.values():
        if len(own) > 1:
            held.update(sorted(own, key=name_hash)[: _share_of(own, share)])
    return _divided(data, [clip.recording in (held or there[:1]) for clip in data.clips])


def _by_place(data: MotionData, share: float) -> MotionSplits:
    """Hold out an evenly spaced share of the clips of every action, at least one where an action has two.

    Raises:
        DataError: there is one clip only.
    """
    if len(data.clips) < 2:
        raise DataError(f"{data.name}: 1 clip; expected at least two, one to train on and one to validate on")
    chosen = [False] * len(data.clips)
    every = max(2, round(1 / share))
    for action in sorted({clip.action for clip in data.clips}):
        places = [index for index, clip in enumerate(data.clips) if clip.action == action]
        held = places[every // 2 :: every]
        if not held and len(places) > 1:
            held = [places[len(places) // 2]]
        for place in held:
            chosen[place] = True
    if not any(chosen):
        chosen[-1] = True
    return _divided(data, chosen)


def _divided(data: MotionData, chosen: Sequence[bool]) -> MotionSplits:
    train = data.choose([not flag for flag in chosen])
    return MotionSplits(*_same_actions(train, data.choose(chosen, f"{data.name} (held out)")))


def _same_actions(train: MotionData, validation: MotionData) -> tuple[MotionData, MotionData]:
    """The splits with the actions that training has clips of, so that no network learns a class without examples.

    Raises:
        DataError: no clip of the validation split is of one of them.
    """
    there = sorted({clip.action for clip in train.clips if clip.action >= 0})
    if len(there) == len(train.actions):
        return train, validation
    place = {action: index for index, action in enumerate(there)}
    names = tuple(train.actions[action] for action in there)

    def renumbered(data: MotionData) -> MotionData:
        clips = tuple(
            dataclasses.replace(clip, action=place.get(clip.action, -1))
            for clip in data.clips
            if clip.action < 0 or clip.action in place
        )
        if not clips:
            raise DataError(f"{data.name}: no clip of the actions {', '.join(names)}")
        return dataclasses.replace(data, actions=names, clips=clips)

    return renumbered(train), renumbered(validation)
