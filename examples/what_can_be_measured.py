"""How well knees, speed and footsteps are measured in lifted videos: motion capture filmed by a camera of our own.

    python examples/what_can_be_measured.py ../shared/data

The people are those that no lifter of the package was trained on: HDM05's mm and tr, CMU's 02 and 12 (by which
checkpoints were chosen). The camera is level, 1.2 m high, 5 m away (7 m from who walks further than 2 m), 1000 x 1000
px with a focal length of 1145 px; keypoints have 3 px of noise (sigma), none is missing, and their joints are the
network's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import kinegraph as kg

KINDS = {
    "walking": ("cmu_bvh/02/02_01.bvh", "cmu_bvh/12/12_01.bvh"),
    "sneaking": ("hdm05/test/*/*sneak2Steps*",),
    "jogging": ("hdm05/test/*/*jogLeftCircle*",),
    "squatting": ("hdm05/test/*/*squat1Reps*",),
}
VIEWS = {"front": 0, "oblique": 45, "side": 90}
FPS, FOCAL, SIDE = 30, 1145.0, 1000
BODY = kg.get_skeleton("h36m17")
ANKLES = [BODY.index("left_ankle"), BODY.index("right_ankle")]
STILL_M_S, LOW_M = 0.5, 0.06  # a true foot is down: slower, and lower over its lowest tenth


def filmed(truth: np.ndarray, degrees: float, noise: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (frames, joints, 2) px of a body (frames, joints, 3), y up; and that body, turned."""
    far = np.ptp(truth[:, BODY.root, [0, 2]], axis=0).max() > 2
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    world = (truth - truth[:, BODY.root].mean(axis=0) * [1, 0, 1]) @ turn.T
    camera = np.stack([world[..., 0], 1.2 - world[..., 1], (7 if far else 5) - world[..., 2]], axis=-1)
    pixels = camera[..., :2] / camera[..., 2:] * FOCAL + SIDE / 2
    return pixels + noise.normal(0, 3, pixels.shape), world


def flexion(body: np.ndarray) -> np.ndarray:
    """Degrees by which each knee is bent (frames, 2); 0 is straight."""
    angles = []
    for side in ("left", "right"):
        hip, knee, ankle = (body[:, BODY.index(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle"))
        thigh, shin = hip - knee, ankle - knee
        cosine = (thigh * shin).sum(axis=-1) / np.linalg.norm(thigh, axis=-1) / np.linalg.norm(shin, axis=-1)
        angles.append(180 - np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(angles, axis=-1)


def speed(body: np.ndarray) -> float:
    """Metres a second of the pelvis over the ground, its path smoothed over nine frames."""
    path = np.stack([np.convolve(body[:, BODY.root, axis], np.ones(9) / 9, "valid") for axis in (0, 2)], axis=-1)
    return float(np.linalg.norm(np.diff(path, axis=0), axis=-1).mean() * FPS)


def velocities(body: np.ndarray) -> np.ndarray:
    """Of the ankles (frames, 2, 3), m/s."""
    return np.gradient(body[:, ANKLES], axis=0) * FPS


def down(body: np.ndarray) -> np.ndarray:
    """When each foot of the truth is on the floor (frames, 2)."""
    height = body[:, ANKLES, 1]
    slow = np.linalg.norm(velocities(body), axis=-1) < STILL_M_S
    return slow & (height < np.percentile(height, 10) + LOW_M)


def clips(data: Path, kind: str, most: int) -> Iterator[np.ndarray]:
    """True bodies (frames, joints, 3), metres, y up."""
    for pattern in KINDS[kind]:
        files = sorted(data.glob(pattern))
        for file in files[:: max(1, len(files) // most)][:most]:
            yield kg.load(file).resample(FPS).to_skeleton(BODY).positions[0]


def measure(data: Path, kind: str, view: str, most: int) -> dict[str, float]:
    """One row of the table."""
    noise = np.random.default_rng(0)
    rows, found, true, slides = [], [], [], []
    for truth in clips(data, kind, most):
        pixels, world = filmed(truth, VIEWS[view], noise)
        lifted = kg.lift(pixels, skeleton=BODY, fps=FPS, read={"image_size": (SIDE, SIDE)})
        body = lifted.positions[0]
        off = np.linalg.norm((body - body[:, :1]) - (world - world[:, :1]), axis=-1)[:, 1:]
        bent, really = flexion(body), flexion(world)
        rows.append(
            {
                "knee": float(np.abs(bent - really).mean()),
                "peak": float((bent.max(axis=0) - really.max(axis=0)).mean()),
                "speed": 100 * (speed(body) / speed(world) - 1),
                "half": 100 * float((off < lifted.uncertainty[0, :, 1:, 0]).mean()),
                "most": 100 * float((off < lifted.uncertainty[0, :, 1:, 1]).mean()),
            }
        )
        found.append(lifted.contact[0][:, ANKLES])
        true.append(down(world))
        slides.append(np.linalg.norm(velocities(body)[..., [0, 2]], axis=-1))
    said, are, slide = (np.concatenate(values) for values in (found, true, slides))
    row = {name: float(np.mean([one[name] for one in rows])) for name in rows[0]}
    row["precision"] = 100 * float((said & are).sum() / max(said.sum(), 1))
    row["recall"] = 100 * float((said & are).sum() / max(are.sum(), 1))
    row["slide"] = float(slide[are].mean())
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds cmu_bvh and hdm05")
    parser.add_argument("--most", type=int, default=3, metavar="N", help="clips of each kind at most (default 3)")
    args = parser.parse_args()
    print(
        "| motion | seen from | knee flexion off by (deg) | its peak (deg) | speed | errors below the stated half / "
        "nine tenths | feet down: precision / recall | planted feet slide (m/s) |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for view in VIEWS:
            row = measure(args.data, kind, view, args.most)
            moved = "-" if kind == "squatting" else f"{row['speed']:+.0f} %"
            print(
                f"| {kind} | {view} | {row['knee']:.0f} | {row['peak']:+.0f} | {moved} | {row['half']:.0f} / "
                f"{row['most']:.0f} % | {row['precision']:.0f} / {row['recall']:.0f} % | {row['slide']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
