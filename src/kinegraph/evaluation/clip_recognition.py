"""Recognition of clips: networks of task "recognition" under the protocols of NTU, HDM05, Kinetics and other clips.

Every test clip counts once. The headline is the share of clips recognised; the mean over classes stands beside it.
Protocols of several folds (hdm05-11-one) need a network for each fold: each is measured on its own fold's test clips,
and :func:`merge_folds` gives the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from kinegraph.datasets.action_splits import OWN, PROTOCOLS, hold_out, split, takes_files_word
from kinegraph.datasets.class_counts import untrained
from kinegraph.datasets.clip_sources import LIVELIER_FIRST
from kinegraph.datasets.seen_clips import marks_in
from kinegraph.errors import ConfigError, DataError, SkeletonError
from kinegraph.evaluation.clip_views import ClipView
from kinegraph.evaluation.methods import named_weights
from kinegraph.evaluation.processes import gather_rows, own_device, share_of
from kinegraph.evaluation.provenance import names_seen, weights_info
from kinegraph.evaluation.recognition_result import RecognitionResult, count_scores
from kinegraph.sequence import UNIT_NAMES
from kinegraph.skeleton import Skeleton
from kinegraph.store.clip import Clips
from kinegraph.transforms.clip_batches import pad_clips
from kinegraph.transforms.clips import ClipTransform

__all__ = ["BATCH", "ClipMethod", "check_fit", "clip_method", "evaluate_clips", "load_clip_method", "part_rows"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
BATCH = 32
_NEVER = 1e3  # below the worst of the other classes: where a floor such as the nearest neighbour has no example
_PARTS = ("test", "val", "train")


@dataclass(frozen=True, kw_only=True)
class ClipMethod:
    """Something that recognises clips, and what is known about it.

    Attributes:
        label: its name in tables.
        logits: ``(N, people, frames, joints, channels)`` and the mask ``(N, people, frames)`` -> ``(N, classes)``.
        transform: what it sees of a clip.
        skeleton: its joints.
        recipe: what it was trained by, as plain values; empty where that is not known.
        info: seed, checkpoint choice, parameters, ...: printed and saved with every number.
        seen: names of the clips it was trained and chosen on, as :func:`kinegraph.datasets.seen_clips.marks_of` keeps
            them; empty where they are not known.
        trained: of these, the ones it was trained on.
    """

    label: str
    logits: Callable[[Tensor, Tensor], Tensor]
    transform: ClipTransform
    skeleton: Skeleton
    recipe: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    seen: str = ""
    trained: str = ""

    @property
    def actions(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return self.transform.actions

    @property
    def trained_on(self) -> dict[str, Any]:
        """The recipe's data: protocol, fold, held_out."""
        found = self.recipe.get("data")
        return found if isinstance(found, dict) else {}

    @property
    def fold(self) -> int:
        """The fold it was trained on; 0 where its recipe names none."""
        fold = self.trained_on.get("fold", 0)
        return fold if type(fold) is int else 0

    @property
    def seed(self) -> int:
        """The seed of its training; 0 where its recipe names none."""
        seed = self.recipe.get("seed", 0)
        return seed if type(seed) is int else 0


def load_clip_method(folder: Path | str, label: str | None = None, *, device: str = "cpu") -> ClipMethod:
    """A method from weights by name; see :func:`kinegraph.evaluation.methods.named_weights`."""
    weights, label = named_weights(folder, "recognition of clips", label)
    assert isinstance(weights.transform, ClipTransform)  # of the task
    recipe = weights.metadata.get("recipe")
    return clip_method(
        weights.model,
        weights.transform,
        weights.skeleton,
        label=label,
        recipe=recipe if isinstance(recipe, dict) else {},
        info=weights_info(weights),
        device=device,
        **names_seen(weights),
    )


def clip_method(
    model: torch.nn.Module,
    transform: ClipTransform,
    skeleton: Skeleton,
    *,
    label: str,
    recipe: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    seen: str = "",
    trained: str = "",
    device: str = "cpu",
) -> ClipMethod:
    """A network as a method; see :class:`ClipMethod`."""
    device = own_device(device)
    model.eval().to(device)

    @torch.no_grad()
    def logits(x: Tensor, mask: Tensor) -> Tensor:
        found: Tensor = model(x.to(device), mask.to(device))
        return found.to("cpu", torch.float64)

    known = {"stream": transform.stream, "prenormalise": transform.prenormalise.convention, "frames": transform.frames}
    return ClipMethod(
        label=label,
        logits=logits,
        transform=transform,
        skeleton=skeleton,
        recipe=recipe or {},
        info={**(info or {}), **known},
        seen=seen,
        trained=trained,
    )


def check_fit(method: ClipMethod, clips: Clips) -> NDArray[np.int64]:
    """Whether a method can look at these clips; the place of each of their classes among its scores, (classes,).

    Raises:
        SkeletonError: other joints. Of the same ones, bones and landmarks are those the network was trained with.
        DataError: other dims, unit or classes.
    """
    if method.transform.dims != clips.dims:
        raise DataError(
            f"{method.label} looks at {method.transform.dims}D clips, {clips.folder} holds {clips.dims}D ones; choose "
            f"weights trained on {clips.dims}D clips, or other data"
        )
    unit = method.transform.unit
    if unit is not None and unit != clips.unit:
        raise DataError(
            f"{method.label} was trained on clips in {UNIT_NAMES[unit]}, {clips.folder} holds them in "
            f"{UNIT_NAMES[clips.unit]}; prepare these as those were (kinegraph data prepare folder --image-size WxH)"
        )
    if method.skeleton.joints != clips.skeleton.joints:
        ours, theirs = method.skeleton, clips.skeleton
        raise SkeletonError(
            f"{method.label} expects skeleton '{ours.name}' ({ours.num_joints} joints), {clips.folder} holds "
            f"'{theirs.name}' ({theirs.num_joints} joints); choose weights trained on '{theirs.name}', or convert the "
            f"recordings (kinegraph convert --skeleton {ours.name}) and prepare them again"
        )
    actions = method.actions
    if len(actions) != len(clips.classes):
        raise DataError(
            f"{method.label} has {len(actions)} classes ({_few(actions)}), {clips.folder} has {len(clips.classes)} "
            f"({_few(clips.classes)}); choose weights trained on these classes"
        )
    if set(actions) != set(clips.classes):
        place = next(i for i, (a, b) in enumerate(zip(actions, clips.classes, strict=True)) if a != b)
        raise DataError(
            f"{method.label} calls class {place} '{actions[place]}', {clips.folder} '{clips.classes[place]}'; choose "
            "weights trained on these classes"
        )
    return np.array([actions.index(name) for name in clips.classes])


def part_rows(clips: Clips, protocol: str, part: str, fold: int, recipe: dict[str, Any]) -> tuple[Indices, list[str]]:
    """Numbers (N,) of the clips of a part, ascending, and remarks on them.

    Where the data has no validation part, ``val`` is what training held out, by its recipe's share and seed; and
    ``train`` is without them.

    Args:
        clips: of the whole protocol.
        protocol: its name.
        part: ``test``, ``val`` or ``train``.
        fold: of the protocol.
        recipe: of the training, as plain values.

    Raises:
        ConfigError: no such part.
        DataError: no clips of that part.
    """
    if part not in _PARTS:
        raise ConfigError(f"split '{part}': expected {', '.join(_PARTS)}")
    if part == "test":
        return split(clips, protocol, part, fold), []
    remark = f"{'validation' if part == 'val' else 'training'} clips, not the test set"
    try:
        held = split(clips, protocol, "val", fold)
    except DataError:
        data = recipe.get("data") or {}
        share = data.get("held_out", 0.0)
        train = split(clips, protocol, "train", fold)
        train, held = hold_out(clips.labels, train, float(share), int(recipe.get("seed", 0)))
        if part == "val" and not len(held):
            raise DataError(
                f"{clips.folder}: {protocol} has no validation clips, and the training of these weights held none out"
            ) from None
        remark += f" ({100 * float(share):g} % of each class of train held out)"
    else:
        train = split(clips, protocol, "train", fold) if part == "train" else held
    return (held if part == "val" else train), [remark]


def evaluate_clips(
    method: ClipMethod,
    clips: Clips,
    protocol: str,
    *,
    part: str = "test",
    view: ClipView | None = None,
    batch: int = BATCH,
    notes: Sequence[str] = (),
    progress: bool = False,
) -> RecognitionResult:
    """Recognise every clip of a part and count. Of several processes, each does its share and all get the result.

    Args:
        method: from :func:`load_clip_method`; of a protocol of several folds, its own fold is measured.
        clips: of :func:`kinegraph.datasets.open_clips.open_clips`.
        protocol: a name of ``PROTOCOLS``, or a split that the clips name.
        part: ``"test"``, ``"val"`` or ``"train"``.
        view: what is shown of a clip; by default all of it.
        batch: clips at once.
        notes: added to the result's own.
        progress: show a bar on standard error.

    Raises:
        ConfigError: unknown protocol or part, or a method of no fold of it.
        SkeletonError, DataError: the method does not fit the clips, see :func:`check_fit`; scores that are NaN.
    """
    view = view or ClipView()
    if batch < 1:
        raise ConfigError(f"batch {batch}: expected 1 or more")
    fold = _fold(method, protocol)
    rows, remarks = part_rows(clips, protocol, part, fold, method.recipe)  # a wrong name before what does not fit
    places = check_fit(method, clips)
    view.check(method.skeleton, method.transform, clips.unit)
    remarks += _rates(method, clips)
    if takes_files_word(clips, protocol):
        remarks.append(
            f"train and test are what {clips.dataset}'s file calls so; that they are {protocol}'s it does not say"
        )
    remarks += _never_trained(clips, protocol, fold, rows)
    if part != "train":
        remarks += _leaks(method, clips, protocol, part, rows)
    scores = gather_rows(_scores(method, clips, share_of(rows), view, batch, progress), rows)
    return count_scores(
        scores[:, places],
        clips.labels[rows],
        clips.classes,
        protocol=protocol,
        label=method.label,
        of="clips",
        data={
            "name": clips.dataset,
            "split": part,
            "fingerprint": clips.fingerprint,
            "view": view.facts(),
        },
        info={**method.info, "protocol": method.trained_on.get("protocol"), "fold": fold},
        notes=[*remarks, *view.notes(method.skeleton, method.transform.sampling), *notes],
        names=[clips.names[row] for row in rows],
        fold_of=np.full(len(rows), fold),
    )


def _scores(method: ClipMethod, clips: Clips, rows: Indices, view: ClipView, batch: int, progress: bool) -> Array:
    """``(rows, classes)``, finite; the mean over the looks at a clip."""
    found = [np.zeros((0, len(method.actions)))]
    ordered = clips.dataset in LIVELIER_FIRST
    of = method.label if view.observed == 1 else f"{method.label}, first {100 * view.observed:g} %"
    with tqdm(total=len(rows), desc=of, unit="clip", disable=None if progress else True, leave=False) as bar:
        for start in range(0, len(rows), batch):
            chosen = rows[start : start + batch].tolist()
            looks = [view.encode(clips[row], method.transform, method.skeleton, clips.unit, ordered) for row in chosen]
            x, mask = pad_clips([one for each in looks for one in each])
            parts = [
                method.logits(torch.from_numpy(x[at : at + batch]), torch.from_numpy(mask[at : at + batch])).numpy()
                for at in range(0, len(x), batch)
            ]
            answer = _finite(np.concatenate(parts), method.label)
            found.append(answer.reshape(len(chosen), -1, answer.shape[1]).mean(axis=1))
            bar.update(len(chosen))
    return np.concatenate(found)


def _finite(scores: Array, label: str) -> Array:
    """Scores of minus infinity, of a class without examples, as numbers below all others of the row."""
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise DataError(f"{label} answers NaN or infinity for a clip; its weights or its input are broken")
    never = np.isneginf(scores)
    if never.any():
        least = np.where(never, np.inf, scores).min(axis=1, keepdims=True)
        scores = np.where(never, least - _NEVER, scores)
    return scores


def _fold(method: ClipMethod, protocol: str) -> int:
    item = PROTOCOLS.get(protocol)
    if item is None or item.folds == 1:
        return 0
    trained = method.trained_on.get("protocol")
    if trained != protocol:
        known = f"trained under {trained}" if trained else "its training is not known"
        raise ConfigError(
            f"{method.label}: {known}; {protocol} has {item.folds} folds and needs weights trained on one of them "
            f"(data.protocol: {protocol}, data.fold: 0 to {item.folds - 1})"
        )
    return method.fold


def _rates(method: ClipMethod, clips: Clips) -> list[str]:
    """A remark where the network was trained at another frame rate."""
    ours, theirs = method.transform.fps, clips.fps
    if ours is None or theirs is None or abs(ours - theirs) <= 0.01 * theirs:
        return []
    return [f"{method.label} was trained on clips at {ours:g} Hz, these are at {theirs:g} Hz"]


def _never_trained(clips: Clips, protocol: str, fold: int, rows: Indices) -> list[str]:
    """A remark where clips are of classes that the training part of the same data lacks."""
    try:
        missing = untrained(clips, split(clips, protocol, "train", fold))
    except DataError:  # data for evaluation alone
        return []
    labels = clips.labels[rows]
    here = [name for name in missing if (labels == clips.classes.index(name)).any()]
    count = sum(int((labels == clips.classes.index(name)).sum()) for name in here)
    if not here:
        return []
    return [f"{count} of these {len(rows)} clips are of {_few(here)}, of which these data hold no training clip"]


def _leaks(method: ClipMethod, clips: Clips, protocol: str, part: str, rows: Indices) -> list[str]:
    """A remark where clips of the test or validation part were trained on, as far as it can be known."""
    trained = str(method.trained_on.get("protocol", ""))
    known = (method.info.get("trained_on") or {}).get("fingerprint")
    how = f"under {trained}"
    if names := method.seen if part == "test" else method.trained:
        how += ", by their names"
        both = sum(marks_in(names, [clips.names[row] for row in rows]))
    elif part == "test" and trained == clips.dataset == OWN and not any(clips.splits):
        return [f"{method.label} does not say which clips trained it: these may be among them, and then test nothing"]
    elif not trained or known is None:
        return []
    elif known != clips.fingerprint:
        if part == "test" or trained != protocol or _names_validation(clips, protocol, method.fold):
            return []
        return [
            f"{method.label} was trained on other clips, and may have learnt from some of what is held out of these"
        ]
    else:
        try:
            learnt = split(clips, trained, "train", method.fold)
            if part == "val":  # what it was chosen on is no test, but validates
                learnt = part_rows(clips, trained, "train", method.fold, method.recipe)[0]
            both = len(np.intersect1d(learnt, rows))
        except (ConfigError, DataError):
            return []
    if not both:
        return []
    return [f"{both} of these {len(rows)} clips trained these weights ({how}): no test of anything"]


def _names_validation(clips: Clips, protocol: str, fold: int) -> bool:
    """Whether the data say what validates; else it is held out of what trains, whichever clips there are today."""
    try:
        split(clips, protocol, "val", fold)
    except DataError:
        return False
    return True


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
