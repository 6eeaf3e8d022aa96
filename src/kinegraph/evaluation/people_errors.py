"""Whose errors: person by person, and how much of them is a joint that lies elsewhere in another body.

Rigs and annotators do not put a hip or a head in the same place. Of a network that learned from one of them, a part of
the error on another is the same offset of a joint in every pose of a person, and says nothing about lifting. Here each
joint's mean error in the frame of the trunk (left, up, forward) is found for each person, and taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.evaluation.lifting import answers
from kinegraph.evaluation.predict import LiftingMethod
from kinegraph.evaluation.tables import text_table
from kinegraph.transforms.body_variation import trunk_frames

__all__ = ["PersonErrors", "people_errors", "people_report"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PersonErrors:
    """One method on one person.

    Attributes:
        label: the method.
        person: the subject's name.
        poses: how many.
        mpjpe_mm: mean over the poses.
        without_offsets_mm: the same after each joint's mean error in the trunk's frame is taken away.
        offsets_mm: joint -> that mean error: to the body's left, up, forward.
    """

    label: str
    person: str
    poses: int
    mpjpe_mm: float
    without_offsets_mm: float
    offsets_mm: dict[str, tuple[float, float, float]]

    def to_json(self) -> dict[str, Any]:
        """Plain values, unrounded."""
        return {
            "model": self.label,
            "subject": self.person,
            "poses": self.poses,
            "mpjpe_mm": self.mpjpe_mm,
            "without_offsets_mm": self.without_offsets_mm,
            "offsets_mm": {joint: list(offset) for joint, offset in self.offsets_mm.items()},
        }


def people_errors(method: LiftingMethod, data: LiftingData, protocol: str, **options: Any) -> list[PersonErrors]:
    """A method's errors on each person of the data.

    Args:
        method: from :func:`kinegraph.evaluation.predict.load_lifting_method`.
        data: from :func:`kinegraph.evaluation.lifting.load_lifting_protocol`.
        protocol: the same.
        options: see :func:`kinegraph.evaluation.lifting.answers`.
    """
    predicted, truth = answers(method, data, protocol, **options)
    frames = trunk_frames(truth, data.skeleton)
    found = []
    for number in sorted(set(data.subject.tolist())):
        rows = data.subject == number
        error = 1000 * (predicted[rows] - truth[rows])
        inside = np.einsum("nik,njk->nji", frames[rows], error)
        offset = inside.mean(axis=0)
        found.append(
            PersonErrors(
                label=method.label,
                person=data.subject_names[number],
                poses=int(rows.sum()),
                mpjpe_mm=float(np.linalg.norm(error, axis=-1).mean()),
                without_offsets_mm=float(np.linalg.norm(inside - offset, axis=-1).mean()),
                offsets_mm={
                    joint: (float(left), float(up), float(forward))
                    for joint, (left, up, forward) in zip(data.skeleton.joints, offset, strict=True)
                },
            )
        )
    return found


def people_report(methods: Sequence[Sequence[PersonErrors]], *, markdown: bool = False) -> str:
    """A line for each method and a column for each person; below, the same without offsets."""
    people = [errors.person for errors in methods[0]]
    lines = []
    for title, value in (("MPJPE (mm)", "mpjpe_mm"), ("without each joint's mean error", "without_offsets_mm")):
        rows = [[errors[0].label, *(f"{getattr(one, value):.1f}" for one in errors)] for errors in methods]
        lines.append(text_table([title, *people], rows, markdown=markdown))
    counts = ", ".join(f"{errors.person} {errors.poses}" for errors in methods[0])
    return "\n".join([lines[0], "", lines[1], f"note: mean over the poses of each person ({counts})"])
