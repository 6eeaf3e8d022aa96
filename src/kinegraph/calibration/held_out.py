"""What a network did not learn from, as its weights tell it: the recordings to calibrate it on.

Weights keep their recipe and, of folders of recordings, the names of what was held out; a folder may have grown since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kinegraph.config import from_dict
from kinegraph.datasets import cmu_files, hdm05
from kinegraph.datasets.lifting_data import LiftingData, concatenate
from kinegraph.datasets.recordings import file_name, find_files
from kinegraph.datasets.seen_clips import marks_in
from kinegraph.errors import ConfigError
from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.lifter import Lifter
from kinegraph.training.lifting_splits import matching_clips, procedural_people
from kinegraph.training.motion_recipe import MotionDataRecipe, MotionTransformRecipe
from kinegraph.training.motion_splits import MotionSplits, load_motion_splits

__all__ = ["held_out_poses", "people_in", "who_moves"]


def held_out_poses(lifter: Lifter, validation: LiftingData) -> LiftingData:
    """What a lifter did not learn from: of the validation split the clips that its recipe chose; and other procedural
    people, if it learnt from some.

    Raises:
        ConfigError: the recipe chose clips of which none is there.
    """
    data = _recipe(lifter).get("data", {})
    if data.get("clips") is not None:
        validation = matching_clips(validation, str(data["clips"]))
    if not (data.get("add_synthetic") or data.get("name") == "synthetic"):
        return validation
    made = [procedural_people(split, validation.fps) for split in ("val", "test")]
    return concatenate([validation, *made], f"{validation.name} and procedural people")


def people_in(folder: Path, held_out_of: Forecaster | None = None) -> list[tuple[str, Path]]:
    """Who moves, and the file, of every recording in a folder, or of those that the training of a forecaster held out.

    Raises:
        DataError: there are no recordings.
        ConfigError: none of them was held out; or older weights keep no names, and the folder is another than it was.
    """
    files = find_files(folder)
    if held_out_of is not None:
        files = _held_out_files(folder, files, held_out_of)
    return [(who_moves(file, folder), file) for file in files]


def who_moves(file: Path, folder: Path) -> str:
    """The subject as CMU and HDM05 name files, else the folder below the given one, else the file itself.

    Everybody weighs alike, and what is stated for strangers is fitted by leaving one out: takes of all must not count
    as one person's.
    """
    subject = cmu_files.named_subject(file) or hdm05.named_subject(file)
    if subject is not None:
        return subject
    within = file.relative_to(folder)
    return within.parent.as_posix() if len(within.parts) > 1 else file.stem


def _held_out_files(folder: Path, files: Sequence[Path], forecaster: Forecaster) -> list[Path]:
    """Those of which all was held out in training, by the names kept with the weights: the folder may have grown."""
    about = forecaster.weights.metadata.get("data") if forecaster.weights is not None else None
    parts = [part if isinstance(part, dict) else {} for part in map((about or {}).get, ("train", "validation"))]
    names = [file_name(file, folder) for file in files]
    if parts[1].get("names"):
        learnt, held = (marks_in(part.get("names"), names) for part in parts)
    else:
        splits = _splits_as_then(folder, forecaster)
        if [part.fingerprint for part in splits] != [part.get("fingerprint") for part in parts]:
            raise ConfigError(
                f"{folder} is not the folder as it was in training, and these weights keep no names of recordings: "
                "what is held out of it today may have trained them; give the folder as it was"
            )
        known = [{clip.recording for clip in part.clips} for part in splits]
        learnt, held = ([name in own for name in names] for own in known)
    found = [file for file, own, others in zip(files, held, learnt, strict=True) if own and not others]
    if not found:
        raise ConfigError(
            f"{folder} has no recording of which all was held out in training; give the folder of training"
        )
    return found


def _splits_as_then(folder: Path, forecaster: Forecaster) -> MotionSplits:
    """As folders were divided before weights kept the names of their recordings."""
    recipe = _recipe(forecaster)
    data = {**recipe.get("data", {}), "source": str(folder)}
    if data.get("name") == "recordings":
        data["held_out_by"] = "place"
    transform = from_dict(MotionTransformRecipe, recipe.get("transform", {}), "transform")
    return load_motion_splits(from_dict(MotionDataRecipe, data, "data"), transform)


def _recipe(network: Lifter | Forecaster) -> Mapping[str, Any]:
    recipe = network.weights.metadata.get("recipe") if network.weights is not None else None
    return recipe if isinstance(recipe, Mapping) else {}
