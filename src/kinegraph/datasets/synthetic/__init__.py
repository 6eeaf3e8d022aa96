"""Embedded default data: procedural human motion, made on the spot from a seed.

:class:`SyntheticMotion` yields clips as :class:`~kinegraph.sequence.SkeletonSequence`; :func:`load` gives them filmed,
as the ``synthetic-lifting`` benchmark. ``body`` holds the anthropometry, ``rig`` turns joint angles and contacts into
positions, ``stage`` plays key poses, and ``gestures``, ``wholebody``, ``floorwork`` and ``locomotion`` are the actions.
"""

from kinegraph.datasets.synthetic.body import Body, Style, Subject
from kinegraph.datasets.synthetic.generator import ACTIONS, SyntheticMotion, generate
from kinegraph.datasets.synthetic.lifting import SyntheticLifting, load, synthetic_lifting

__all__ = [
    "ACTIONS",
    "Body",
    "Style",
    "Subject",
    "SyntheticLifting",
    "SyntheticMotion",
    "generate",
    "load",
    "synthetic_lifting",
]
