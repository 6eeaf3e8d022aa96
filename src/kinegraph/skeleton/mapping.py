"""Maps between layouts by anatomical name, with a report of what is exact, derived or missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError, SkeletonError
from kinegraph.skeleton.contraction import TRAJECTORY, contract
from kinegraph.skeleton.layouts import get_skeleton, skeleton_names
from kinegraph.skeleton.skeleton import Skeleton

_SHOWN = 30  # joints named in a message
_SHARE = 0.5  # of a layout's joints that must be had, unless another is asked for
_ANYWHERE = "root"  # of names, the one that is of no place
_KIN = 0.5  # share of the joints with names of both layouts, from which it is one place in them
_FOREIGN = 0.25  # share of the joints with names of both layouts, and other meanings, from which no such name counts


@dataclass(frozen=True)
class JointMap:
    """How each joint of ``target`` is got from the joints of ``source``.

    ``weights`` is ``(target joints, source joints)``; ``status`` holds ``"exact"``, ``"derived"`` (a weighted mean
    of several joints) or ``"missing"`` for each target joint.
    """

    source: Skeleton
    target: Skeleton
    weights: NDArray[np.float64]
    status: tuple[str, ...]

    def report(self) -> str:
        """A few lines for people: which joints are exact, derived (and from what) or missing."""
        lines = [f"{self.source.name} -> {self.target.name}: " + self.summary()]
        for row, (joint, status) in enumerate(zip(self.target.joints, self.status, strict=True)):
            used = np.flatnonzero(self.weights[row])
            origin = " + ".join(
                self.source.joints[j] if len(used) == 1 else f"{self.weights[row, j]:.2g} {self.source.joints[j]}"
                for j in used
            )
            lines.append(f"  {joint:<16} {status:<8} {origin}".rstrip())
        return "\n".join(lines)

    def summary(self) -> str:
        """``"14 exact, 2 derived, 1 missing (head)"``."""
        missing = [j for j, s in zip(self.target.joints, self.status, strict=True) if s == "missing"]
        counts = [f"{self.status.count(s)} {s}" for s in ("exact", "derived", "missing")]
        return ", ".join(counts) + (f" ({', '.join(missing)})" if missing else "")

    def apply(
        self, positions: NDArray[np.floating], confidence: NDArray[np.floating] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map ``positions (..., source joints, dims)`` and ``confidence (..., source joints)`` to the target.

        A target joint whose sources are all seen gets their weighted mean and the lowest of their confidences;
        if any source is missing (confidence 0) so is the target: NaN with confidence 0.

        Raises:
            DataError: positions of another number of joints.
        """
        positions = np.asarray(positions, dtype=np.float64)
        if positions.shape[-2] != self.source.num_joints:
            raise DataError(
                f"positions have {positions.shape[-2]} joints, but skeleton '{self.source.name}' has "
                f"{self.source.num_joints}; name the right layout"
            )
        if confidence is None:
            confidence = np.isfinite(positions).all(axis=-1).astype(np.float64)
        seen = np.asarray(confidence, dtype=np.float64)
        filled = np.where((seen > 0)[..., None], positions, 0.0)
        mapped = np.einsum("ts,...sd->...td", self.weights, filled)
        result = np.zeros((*seen.shape[:-1], self.target.num_joints))
        for row in range(self.target.num_joints):
            used = np.flatnonzero(self.weights[row])
            if len(used):
                result[..., row] = seen[..., used].min(axis=-1)
        mapped[result == 0] = np.nan
        return mapped, result


def map_joints(source: Skeleton, target: Skeleton, *, minimum: float = _SHARE) -> JointMap:
    """Match two layouts by anatomical name.

    A target joint is looked up by its own name among the source's joints and landmarks; when the source does not
    know that name, the target's landmarks are searched for the anatomical point the joint stands for. Where these say
    that the name means another point, as SMPL's joint ``head`` is no top of a head, they come first. Where many names
    mean other points, as in files that name Acclaim's bones at their starts, no name counts but those of points, and a
    ``root`` counts where half of the joints have their names in both: elsewhere it may lie on the floor. A layout of
    the library and a part of it (:func:`~kinegraph.skeleton.contract`) are one rig: each joint is that of its name.

    Args:
        minimum: share of target joints that must be found.

    Raises:
        SkeletonError: fewer than ``minimum`` of the target's joints can be had from the source.
    """
    weights = np.zeros((target.num_joints, source.num_joints))
    status = []
    # A target such as an ASF skeleton names its joints its own way; its landmarks say what they stand for.
    meaning = target.meanings
    one_rig = _is_part(source, target)
    strange = set() if one_rig else _other_joints(source, target)
    for row, joint in enumerate(target.joints):
        own = target.landmarks.get(joint)
        if joint in source.joints and joint not in strange and (one_rig or source.landmarks.get(joint) == own):
            # one convention, in which the name may stand for a joint and, as a landmark, for another point
            found = np.eye(source.num_joints)[source.index(joint)]
        elif own is not None and set(own) != {joint} and joint in meaning:
            found = source.landmark(meaning[joint])
        else:
            found = None if joint in strange and joint not in source.landmarks else source.landmark(joint)
            if found is None and joint in meaning:
                found = source.landmark(meaning[joint])
        if found is None:
            status.append("missing")
            continue
        weights[row] = found
        status.append("exact" if np.count_nonzero(found) == 1 else "derived")
    share = 1 - status.count("missing") / target.num_joints
    if share < minimum:
        missing = [j for j, s in zip(target.joints, status, strict=True) if s == "missing"]
        there = ", ".join(source.joints[:_SHOWN]) + (", ..." if source.num_joints > _SHOWN else "")
        raise SkeletonError(
            f"only {share:.0%} of the joints of '{target.name}' can be had from '{source.name}' "
            f"(missing: {', '.join(missing[:8])}{', ...' if len(missing) > 8 else ''}); at least {minimum:.0%} are "
            f"needed. If the layout was guessed, name it; if these are your own joints ({there}), say what they stand "
            "for in a TOML file with [landmarks], and give it as the layout (--layout FILE, skeleton=FILE)"
        )
    return JointMap(source, target, weights, tuple(status))


def layouts_with_a_root(source: Skeleton, seen: NDArray[np.bool_]) -> tuple[str, ...]:
    """Layouts of the library to which a recording can be mapped with their root, those it fills most first.

    Args:
        source: the recording's skeleton.
        seen: (joints,) which of its joints there are.
    """
    found = {}
    for name in skeleton_names():
        weights = map_joints(source, get_skeleton(name), minimum=0.0).weights != 0
        there = weights.any(axis=1) & ~weights[:, ~seen].any(axis=1)
        if there[get_skeleton(name).root] and there.mean() >= _SHARE:
            found[name] = (there.mean(), there.sum())
    return tuple(sorted(found, key=found.__getitem__, reverse=True))


def _other_joints(source: Skeleton, target: Skeleton) -> set[str]:
    """Names that both layouts have for joints in other places, or that may be in others."""
    both = set(source.joints) & set(target.joints)
    points = [
        {joint: {point for point, of in one.landmarks.items() if set(of) == {joint}} for joint in both}
        for one in (source, target)
    ]
    known = {joint for joint in both if points[0][joint] and points[1][joint]}
    other = {joint for joint in known if points[0][joint].isdisjoint(points[1][joint])}
    fewer = min(source.num_joints, target.num_joints)
    if len(other) >= _FOREIGN * fewer:
        return both - (known - other)
    return other | (both & {_ANYWHERE} if len(both) < _KIN * fewer else set())


def _is_part(source: Skeleton, target: Skeleton) -> bool:
    """Whether the target is a layout of the library, the source, with fewer joints or only a trajectory more.

    Of its landmarks some may be lost: joints that they need are gone, or the layout had none of them when a network's
    weights were written.
    """
    own = [joint for joint in target.joints if joint != TRAJECTORY]
    if target.name not in (source.name, f"{source.name}_{len(own)}") or not set(own) <= set(source.joints):
        return False
    if source.name not in skeleton_names() or get_skeleton(source.name) != source:
        return False
    if any(weights and source.landmarks.get(point) != weights for point, weights in target.landmarks.items()):
        return False
    part = contract(source, own, trajectory=TRAJECTORY in target.joints)
    return (part.joints, part.parents) == (target.joints, target.parents)
