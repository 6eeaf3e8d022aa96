"""The stage on which actions are written: a subject, a clock, a random generator, and key poses over time.

Programmes are written in degrees, as ranges of motion are in the literature, and in metres for a person of 1.75 m;
the stage converts once. Everything is written for a right-handed person facing +y at the origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from kinegraph.datasets.synthetic.body import Subject
from kinegraph.datasets.synthetic.channels import SIDES, Motion, channel_names
from kinegraph.datasets.synthetic.rig import BALL, standing_height

Array = NDArray[np.float64]
Keys = Mapping[str, Sequence[float]]

# Seconds before a standing person's pose has drifted to another one.
_SWAY_SECONDS = 1.6


class Stage:
    """One clip in the making; actions write into ``motion``.

    Attributes:
        subject, rng: who moves, and the clip's only source of randomness.
        fps, frames: of the clip; ``t`` are the frame times in seconds.
        lengths: segment -> metres; ``scale`` is stature over 1.75 m.
        motion: the channels, from a relaxed stand with both feet held to the floor.
    """

    def __init__(self, subject: Subject, rng: np.random.Generator, frames: int, fps: float) -> None:
        self.subject, self.rng, self.frames, self.fps = subject, rng, frames, fps
        self.style, self.lengths = subject.style, subject.body.lengths()
        self.scale = subject.body.stature / 1.75
        self.t = np.arange(frames) / fps
        self.motion = Motion(frames, fps)
        self.stand()

    def stand(self, width: float = 1.0) -> None:
        """Both feet flat below the hips, ``width`` times this person's usual distance apart."""
        m, style = self.motion, self.style
        m.root[:, 2] = standing_height(self.lengths)
        for side, out in zip(SIDES, (1.0, -1.0), strict=True):
            m.foot_hold[side][:] = 1.0
            m.foot_yaw[side][:] = -out * np.deg2rad(style.toe_out)
            heading = np.array([-np.sin(m.foot_yaw[side][0]), np.cos(m.foot_yaw[side][0]), 0.0])
            ankle = np.array([out * width * style.stance * self.lengths["hip_width"] * 0.53, 0.0, 0.0])
            m.foot_ball[side][:] = ankle + BALL * self.lengths["foot"] * heading
        m.angles["chest_flex"] += np.deg2rad(style.slouch)
        m.angles["neck_flex"] += np.deg2rad(style.slouch * 0.4)
        m.angles["head_flex"] -= np.deg2rad(style.slouch * 0.9)
        for side in SIDES:
            m.angles[f"{side}_elbow"][:] = np.deg2rad(style.elbow)

    def on_the_floor(self) -> None:
        """Let go of the feet: joint angles alone pose the body, and it rests on what touches the floor."""
        self.motion.rest_on_floor = True
        for side in SIDES:
            self.motion.foot_hold[side][:] = 0.0

    def drift(self, size: float, seconds: float = _SWAY_SECONDS) -> Array:
        """Smooth noise ``(T,)`` of standard deviation about ``size`` that changes over ``seconds``."""
        return size * self._noise(1, seconds)[:, 0]

    def _noise(self, channels: int, seconds: float) -> Array:
        """Independent smooth noise of unit size, ``(T, channels)``."""
        knots = max(4, int(np.ceil(self.t[-1] / seconds)) + 3)
        at = np.linspace(-seconds, self.t[-1] + seconds, knots)
        return np.asarray(CubicSpline(at, self.rng.standard_normal((knots, channels)))(self.t))

    def sway(self, degrees: float = 1.0, metres: float = 0.008) -> None:
        """Nobody stands still: slow noise on every angle and on the root."""
        names = channel_names()
        noise = self.style.unrest * self._noise(len(names) + 2, _SWAY_SECONDS)
        for column, name in enumerate(names):
            gain = 2.0 if name.endswith(("neck_twist", "shoulder_out", "elbow")) else 1.0
            self.motion.angles[name] += np.deg2rad(gain * degrees * noise[:, column])
        self.motion.root[:, :2] += metres * self.scale * noise[:, -2:]

    def cycles(self, seconds: float, *, start: float | None = 0.0, unevenness: float = 0.06) -> Array:
        """Running count of repetitions ``(T,)``, each about ``seconds`` long at this person's tempo.

        Args:
            seconds: nominal length of one repetition.
            start: phase of the first frame; None draws it.
            unevenness: relative variation of the rate.
        """
        rate = self.style.tempo / seconds * (1 + np.clip(self.drift(unevenness, 1.5), -0.25, 0.25))
        first = self.rng.uniform() if start is None else start
        return np.asarray(first + np.concatenate([[0.0], np.cumsum(rate[:-1])]) / self.fps)

    def keys(self, u: Array, times: Sequence[float], table: Keys, *, variation: float = 0.08) -> None:
        """Play key poses, repeated each time ``u`` passes a whole number.

        Args:
            u: repetitions ``(T,)``, as from :meth:`cycles`.
            times: of the keys in 0..1, rising from 0; the first key is also the last.
            table: channel -> one value per key. Angle channels (both sides with the prefix ``both_``), ``yaw``,
                ``pitch``, ``roll``, ``spin``, ``<side>_foot_yaw`` and ``_foot_pitch`` in degrees; ``root_x``, ``_y``,
                ``_z``, ``<side>_foot_x``... as offsets and ``<side>_hand_x``... as places in metres at 1.75 m
                stature; ``<side>_foot_hold`` and ``<side>_hand_hold`` as weights.
            variation: how much repetitions differ in amplitude.
        """
        whole = np.floor(u).astype(int)
        count = whole[-1] - whole[0] + 1
        # Amplitudes change where the pose is neutral, between two repetitions.
        size = np.clip(1 + variation * self.rng.standard_normal(count), 0.75, 1.25)[whole - whole[0]]
        at = np.asarray(times, dtype=np.float64)
        values = np.array(list(table.values()), dtype=np.float64).T
        curves = PchipInterpolator(np.concatenate([at - 1, at, at + 1]), np.tile(values, (3, 1)))(u - whole)
        for name, curve, first in zip(table, curves.T, values[0], strict=True):
            steady = name.endswith(("_hold", "_hand_x", "_hand_y", "_hand_z"))
            self._write(name, curve if steady else first + (curve - first) * size)

    def hold(self, pose: Mapping[str, float]) -> None:
        """Set channels for the whole clip, in degrees."""
        for name, degrees in pose.items():
            self._write(name, np.full(self.frames, float(degrees)))

    def oscillate(self, u: Array, table: Mapping[str, tuple[float, float, float]]) -> None:
        """Set channels to ``centre + amplitude * cos(2 pi (u - phase))``, u (T,); name -> centre, amplitude, phase."""
        for name, (centre, amplitude, phase) in table.items():
            self._write(name, centre + amplitude * np.cos(2 * np.pi * (u - phase)))

    def add(self, name: str, degrees: Array | float) -> None:
        """Add degrees, one value or ``(T,)``, to an angle channel."""
        for full in self._sides(name):
            self.motion.angles[full] += np.deg2rad(degrees)

    def _sides(self, name: str) -> tuple[str, ...]:
        rest = name.removeprefix("both_")
        return (name,) if rest == name else tuple(f"{side}_{rest}" for side in SIDES)

    def _write(self, name: str, values: Array) -> None:
        m = self.motion
        for full in self._sides(name):
            if full in m.angles:
                m.angles[full][:] = np.deg2rad(values)
            elif full in ("yaw", "pitch", "roll", "spin"):
                getattr(m, full)[:] = np.deg2rad(values)
            elif full.startswith("root_"):
                m.root[:, "xyz".index(full[-1])] += self.scale * values
            else:
                self._write_end(full, values)

    def _write_end(self, name: str, values: Array) -> None:
        m = self.motion
        side, end, what = name.split("_")
        if what == "hold":
            (m.foot_hold if end == "foot" else m.hand_hold)[side][:] = values
        elif what in ("yaw", "pitch"):
            turn = (m.foot_yaw if what == "yaw" else m.foot_pitch)[side]
            turn += np.deg2rad(values)
        elif end == "foot":
            m.foot_ball[side][:, "xyz".index(what)] += self.scale * values
        else:
            m.hand_target[side][:, "xyz".index(what)] = self.scale * values
