"""Bodies: segment lengths as fractions of stature, and the people who wear them.

Lengths are those of Drillis and Contini, *Body Segment Parameters* (1966), as tabulated by Winter, *Biomechanics
and Motor Control of Human Movement*, figure 4.1: heights of ankle .039, knee .285, hip .530, shoulder .818, chin
.870; upper arm .186, forearm .146, hand .108; foot .152; breadths of shoulders .259 and hips .191. The two breadths
are taken over the flesh, so joint centres lie inside them: 14 % from either side, the figure of Bell et al. (1989)
for the hip within the pelvis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

JOINT_INSET = 0.14

FRACTIONS: Mapping[str, float] = MappingProxyType(
    {
        "ankle_height": 0.039,
        "shank": 0.285 - 0.039,
        "thigh": 0.530 - 0.285,
        "trunk": 0.818 - 0.530,
        "neck": 0.870 - 0.818,
        "head": 1.0 - 0.870,
        "upper_arm": 0.186,
        "forearm": 0.146,
        "hand": 0.108,
        "foot": 0.152,
        "shoulder_width": 0.259 * (1 - 2 * JOINT_INSET),
        "hip_width": 0.191 * (1 - 2 * JOINT_INSET),
    }
)
"""Segment -> length as a fraction of stature, for the average body."""

# These, one above the other, make up a standing person.
_COLUMN = ("ankle_height", "shank", "thigh", "trunk", "neck", "head")


@dataclass(frozen=True, kw_only=True)
class Body:
    """Segment lengths in metres.

    Attributes:
        stature: standing height, metres.
        proportions: segment -> factor on its cited fraction; a segment left out has factor 1. Whatever the
            factors, the segments of a standing person still add up to ``stature``.
    """

    stature: float = 1.75
    proportions: Mapping[str, float] = field(default_factory=dict)

    def lengths(self) -> dict[str, float]:
        """Segment -> length in metres, for every key of :data:`FRACTIONS`."""
        raw = {name: fraction * self.proportions.get(name, 1.0) for name, fraction in FRACTIONS.items()}
        total = sum(raw[name] for name in _COLUMN)
        return {name: self.stature * (value / total if name in _COLUMN else value) for name, value in raw.items()}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How somebody moves; each figure is a factor or an angle that actions fold into their programmes.

    Attributes:
        tempo: factor on the speed of everything.
        vigour: factor on the amplitude of gestures.
        arm_swing: factor on arm swing in gait.
        slouch: forward bend of the upper back, degrees.
        stance: factor on the distance between the feet.
        toe_out: outward turn of the feet, degrees.
        elbow: how far the elbows bend at rest, degrees.
        unrest: factor on the slow random sway of every joint.
    """

    tempo: float = 1.0
    vigour: float = 1.0
    arm_swing: float = 1.0
    slouch: float = 4.0
    stance: float = 1.0
    toe_out: float = 8.0
    elbow: float = 14.0
    unrest: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person: a name, a body, a way of moving and a leading hand (``"right"`` or ``"left"``)."""

    name: str
    body: Body = Body()
    style: Style = Style()
    handedness: str = "right"


def sample_subject(index: int, rng: np.random.Generator) -> Subject:
    """Draw a person.

    Statures follow adult men and women (means 1.75 and 1.62 m), segments vary by a few per cent about the cited
    fractions. Every third subject leads with the left hand: far more than in life, so that few subjects show both.
    """
    mean, spread = ((1.75, 0.07), (1.62, 0.065))[int(rng.integers(2))]
    stature = float(np.clip(rng.normal(mean, spread), 1.45, 2.0))
    # Independent factors would let an arm outgrow its forearm: most of the variation is shared within a limb.
    shared = {"leg": rng.normal(0, 0.02), "arm": rng.normal(0, 0.025), "core": rng.normal(0, 0.02)}
    limb = {"thigh": "leg", "shank": "leg", "ankle_height": "leg", "foot": "leg"}
    limb |= {"upper_arm": "arm", "forearm": "arm", "hand": "arm"}
    proportions = {
        name: float(np.exp(np.clip(shared[limb.get(name, "core")] + rng.normal(0, 0.02), -0.1, 0.1)))
        for name in FRACTIONS
    }
    style = Style(
        tempo=float(np.exp(rng.normal(0, 0.1))),
        vigour=float(np.exp(rng.normal(0, 0.1))),
        arm_swing=float(np.exp(rng.normal(0, 0.3))),
        slouch=float(rng.uniform(0, 14)),
        stance=float(rng.uniform(0.8, 1.3)),
        toe_out=float(rng.uniform(2, 16)),
        elbow=float(rng.uniform(8, 26)),
        unrest=float(rng.uniform(0.6, 1.4)),
    )
    return Subject(
        name=f"P{index:02d}",
        body=Body(stature=stature, proportions=proportions),
        style=style,
        handedness="left" if index % 3 == 1 else "right",
    )
