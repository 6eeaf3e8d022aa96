"""Walking, running, turning: footsteps are planned on the floor, and the body follows the feet.

A foot is still from strike to toe-off: it pitches over its ball and does not slide. Phases, angles and the vertical
course of the pelvis follow textbook gait (Perry and Burnfield, *Gait Analysis*; Novacheck, *The biomechanics of
running*).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from kinegraph.datasets.synthetic.channels import SIDES
from kinegraph.datasets.synthetic.rig import BALL
from kinegraph.datasets.synthetic.stage import Stage

Array = NDArray[np.float64]
_GRAVITY = 9.81


@dataclass(frozen=True, kw_only=True)
class Gait:
    """A manner of going. Phases count from foot strike, 0..1; angles in degrees; heights in metres at 1.75 m.

    Attributes:
        duty: share of the cycle that a foot is on the floor.
        foot_pitch: (phase, heel-up angle) keys.
        ball_height: (phase, height of the ball of the foot) keys.
        ahead: how far ahead of the hip the ankle is at mid-stance.
        bob: rise and fall of the pelvis; ``bob_phase`` is where it is highest.
        crouch: how much lower than standing the pelvis travels.
        lean: of the trunk.
        arm_swing, elbow, elbow_swing, shoulder_abd: of the arms.
        twist: of the pelvis; the chest turns against it.
    """

    duty: float
    foot_pitch: tuple[tuple[float, float], ...]
    ball_height: tuple[tuple[float, float], ...]
    ahead: float
    bob: float
    bob_phase: float
    crouch: float
    lean: float
    arm_swing: float
    elbow: float
    elbow_swing: float
    shoulder_abd: float
    twist: float


WALK = Gait(
    duty=0.62,
    foot_pitch=((0, -18), (0.08, 0), (0.36, 0), (0.5, 16), (0.62, 56), (0.72, 52), (0.86, 4), (0.96, -18)),
    ball_height=((0, 0), (0.6, 0), (0.72, 0.065), (0.84, 0.05), (0.97, 0.0)),
    ahead=-0.05,
    bob=0.014,
    bob_phase=0.31,
    crouch=0.005,
    lean=3.0,
    arm_swing=20.0,
    elbow=20.0,
    elbow_swing=12.0,
    shoulder_abd=8.0,
    twist=5.0,
)
RUN = Gait(
    duty=0.36,
    foot_pitch=((0, -4), (0.06, 0), (0.18, 4), (0.36, 55), (0.5, 95), (0.64, 75), (0.85, 10), (0.95, -4)),
    ball_height=((0, 0), (0.34, 0), (0.5, 0.3), (0.62, 0.3), (0.82, 0.12), (0.97, 0.0)),
    ahead=-0.06,
    bob=0.035,
    bob_phase=0.43,
    crouch=0.055,
    lean=9.0,
    arm_swing=36.0,
    elbow=92.0,
    elbow_swing=14.0,
    shoulder_abd=14.0,
    twist=7.0,
)


def walking(stage: Stage) -> None:
    """Walk along a closed curve, slowly or briskly."""
    speed = stage.rng.uniform(0.7, 1.5) * stage.style.tempo
    place, heading, turn = _track(stage, speed, (0.9, 1.5))
    frequency = 0.5 + 0.36 * speed / stage.scale**0.5
    follow(stage, WALK, place, heading, turn, speed, frequency)


def running(stage: Stage) -> None:
    """Run along a closed curve, leaning into it."""
    speed = stage.rng.uniform(1.7, 2.5) * stage.style.tempo
    place, heading, turn = _track(stage, speed, (1.3, 1.8))
    follow(stage, RUN, place, heading, turn, speed, 1.3 + 0.05 * speed)


def turning(stage: Stage) -> None:
    """Turn on the spot in small steps, to and fro."""
    rng = stage.rng
    rate = np.deg2rad(rng.uniform(45, 100)) * stage.style.tempo * rng.choice([-1, 1])
    wave = np.clip(1.6 * np.sin(2 * np.pi * (stage.t / rng.uniform(5, 9) + rng.uniform())), -1, 1)
    turn = rate * wave
    heading = np.concatenate([[0.0], np.cumsum(turn[:-1])]) / stage.fps
    place = np.stack([stage.drift(0.05, 2.0), stage.drift(0.05, 2.0)], axis=-1)
    follow(stage, WALK, place, heading, np.zeros_like(turn), 0.25, 0.85 * stage.style.tempo)


def follow(stage: Stage, gait: Gait, place: Array, heading: Array, turn: Array, speed: float, frequency: float) -> None:
    """Go along a path.

    Args:
        stage: where to write.
        gait: manner.
        place: ``(T, 2)`` metres, the pelvis on the ground.
        heading: ``(T,)`` radians, facing +y at 0, to the left positive.
        turn: ``(T,)`` radians per second, for the lean into a curve.
        speed: metres per second; amplitudes grow with it.
        frequency: strides per second.
    """
    m, t, style, scale = stage.motion, stage.t, stage.style, stage.scale
    phase = stage.rng.uniform() + t * frequency
    effort = float(np.clip(speed / (1.25 if gait is WALK else 2.5), 0.45, 1.3))
    width = style.stance * stage.lengths["hip_width"] * (0.36 if gait is WALK else 0.24)
    for side, out, shift in zip(SIDES, (1.0, -1.0), (0.0, 0.5), strict=True):
        _footsteps(stage, gait, side, out, phase + shift, place, heading, width, effort)
    cosine, double = np.cos(2 * np.pi * phase), np.cos(4 * np.pi * (phase - gait.bob_phase))
    middle = np.cos(2 * np.pi * (phase - gait.duty / 2))  # 1 in mid-stance of the right leg, -1 of the left
    across = np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    m.root[:, :2] = place + (0.016 * scale * middle)[:, None] * across
    m.root[:, 2] += scale * (gait.bob * effort * double - gait.crouch)
    m.yaw[:] = heading + np.deg2rad(gait.twist * effort) * cosine
    m.pitch[:] = np.deg2rad(gait.lean * effort * 0.6)
    lean = np.arctan(speed * turn / _GRAVITY)
    m.roll[:] = -0.5 * lean - np.deg2rad(3.5 * effort) * middle
    stage.add("lumbar_side", 3.0 * effort * middle)
    stage.add("lumbar_flex", gait.lean * effort * 0.4)
    stage.add("chest_twist", -1.9 * gait.twist * effort * cosine)
    stage.add("neck_twist", 0.9 * gait.twist * effort * cosine + np.rad2deg(np.clip(0.25 * turn, -0.4, 0.4)))
    stage.add("neck_flex", -0.5 * gait.lean)
    swing = gait.arm_swing * effort * style.arm_swing**0.5
    for side, sign in zip(SIDES, (-1.0, 1.0), strict=True):
        stage.oscillate(phase, {f"{side}_shoulder_flex": (2.0, sign * swing, 0.03)})
        bend = gait.elbow + (style.elbow - 14) * 0.5
        stage.oscillate(phase, {f"{side}_elbow": (bend, sign * gait.elbow_swing * effort, 0.06)})
        stage.add(f"{side}_shoulder_abd", gait.shoulder_abd - 7)
        stage.add(f"{side}_shoulder_out", -24.0 if gait is RUN else -4.0)
    stage.sway(0.8, 0.004)


def _footsteps(
    stage: Stage,
    gait: Gait,
    side: str,
    out: float,
    phase: Array,
    place: Array,
    heading: Array,
    width: float,
    effort: float,
) -> None:
    """Plant one foot again and again, and swing it from each place to the next."""
    m, t, scale = stage.motion, stage.t, stage.scale
    rate = (phase[-1] - phase[0]) / max(t[-1], 1e-9)
    first, last = int(np.floor(phase[0])), int(np.floor(phase[-1])) + 1
    strides = np.arange(first, last + 1)
    # Steps beyond the clip's ends continue its path in a straight line.
    when = (strides + gait.duty / 2 - phase[0]) / max(rate, 1e-9)
    x, y, yaw = (_extended(when, t, values) for values in (place[:, 0], place[:, 1], heading))
    yaw = yaw - out * np.deg2rad(stage.style.toe_out * (0.7 if gait is WALK else 0.4))
    forward = gait.ahead * scale * effort + BALL * stage.lengths["foot"]
    body = _extended(when, t, heading)
    spot = np.stack(
        [
            x - np.sin(body) * forward + np.cos(body) * out * width,
            y + np.cos(body) * forward + np.sin(body) * out * width,
        ],
        -1,
    )
    index = np.floor(phase).astype(int) - first
    part = phase - np.floor(phase)
    swing = np.clip((part - gait.duty) / (1 - gait.duty), 0, 1)
    ease = swing**2 * (3 - 2 * swing)
    m.foot_ball[side][:, :2] = spot[index] + (spot[index + 1] - spot[index]) * ease[:, None]
    m.foot_yaw[side][:] = yaw[index] + (yaw[index + 1] - yaw[index]) * ease
    pitch = np.deg2rad(_periodic(gait.foot_pitch, part) * (0.55 + 0.45 * effort))
    m.foot_pitch[side][:] = pitch
    height = scale * (0.4 + 0.6 * effort) * _periodic(gait.ball_height, part)
    # Toes up means standing on the heel, which lies this far behind the ball.
    m.foot_ball[side][:, 2] = height + (BALL + 0.25) * stage.lengths["foot"] * np.sin(np.maximum(-pitch, 0))


def _track(stage: Stage, speed: float, radius: tuple[float, float]) -> tuple[Array, Array, Array]:
    """A trip round an oval: place ``(T, 2)``, heading ``(T,)`` and turning rate ``(T,)``."""
    rng = stage.rng
    a = rng.uniform(*radius)
    b = a * rng.uniform(0.6, 1.0)
    side = rng.choice([-1.0, 1.0])
    angle = np.linspace(0, 2 * np.pi, 721)
    oval = np.stack([a * np.cos(angle), side * b * np.sin(angle)], axis=-1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(oval, axis=0), axis=-1))])
    pace = speed * (1 + np.clip(stage.drift(0.06, 2.0), -0.2, 0.2))
    travelled = rng.uniform(0, length[-1]) + np.concatenate([[0.0], np.cumsum(pace[:-1])]) / stage.fps
    at = np.interp(travelled % length[-1], length, angle)
    place = np.stack([a * np.cos(at), side * b * np.sin(at)], axis=-1)
    tangent = np.stack([-a * np.sin(at), side * b * np.cos(at)], axis=-1)
    heading = np.unwrap(np.arctan2(-tangent[:, 0], tangent[:, 1]))
    turn = np.gradient(heading) * stage.fps if stage.frames > 1 else np.zeros(1)
    return place, heading, turn


def _periodic(keys: tuple[tuple[float, float], ...], phase: Array) -> Array:
    at, level = np.array(keys, dtype=np.float64).T
    return np.asarray(PchipInterpolator(np.concatenate([at - 1, at, at + 1]), np.tile(level, 3))(phase))


def _extended(when: Array, t: Array, values: Array) -> Array:
    """Linear interpolation that goes on beyond the ends at the speed it had there."""
    inside = np.interp(when, t, values)
    if len(t) < 2:
        return np.asarray(inside)
    early = (values[1] - values[0]) / (t[1] - t[0]) * np.minimum(when - t[0], 0)
    late = (values[-1] - values[-2]) / (t[-1] - t[-2]) * np.maximum(when - t[-1], 0)
    return np.asarray(inside + early + late)
