"""Which subjects are one body, and how often each pose must be drawn for every body to count alike.

Recordings are shared out unevenly, and files of many people may all be on one rig: the BVH files of CMU's recordings
are. A network that sees each pose equally often then learns mostly one body.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import LiftingData

__all__ = ["body_of_poses", "even_weights"]

_SAME = 0.02
"""Mean difference of the bones of one body, as a share of a mean bone. Measured in mocap-lifting: two subjects on one
rig up to 0.4 %, the two people nearest to each other 4.6 %."""
_POSES = 200  # per subject: bones keep their length, so a median needs no more


def body_of_poses(data: LiftingData) -> NDArray[np.int64]:
    """Number of the body that each of the N poses is of, from 0 without gaps: ``(N,)``.

    Subjects whose bones differ by less than 2 % on average are one body, and so is whoever is like one of them.
    """
    parents = np.array(data.skeleton.parents)
    children = np.flatnonzero(parents >= 0)
    subjects = np.unique(data.subject)
    lengths = np.empty((len(subjects), len(children)))
    for number, subject in enumerate(subjects):
        rows = np.flatnonzero(data.subject == subject)
        poses = data.camera_m[rows[:: max(1, len(rows) // _POSES)]].astype(np.float64)
        bones = np.linalg.norm(poses[:, children] - poses[:, parents[children]], axis=-1)
        lengths[number] = np.median(bones, axis=0)
    body = np.arange(len(subjects))
    for one, other in itertools.combinations(range(len(subjects)), 2):
        difference = np.abs(lengths[one] - lengths[other]).mean()
        if difference < _SAME * lengths[[one, other]].mean():
            body[body == body[other]] = body[one]
    of_subject = np.zeros(len(data.subject_names), dtype=np.int64)
    of_subject[subjects] = np.unique(body, return_inverse=True)[1]
    return of_subject[data.subject]


def even_weights(groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities ``(n,)``, equal within a group and in sum equal for all, of rows in `groups` ``(n,)``, from 0."""
    weights: NDArray[np.float64] = 1.0 / (len(np.unique(groups)) * np.bincount(groups)[groups])
    return weights
