"""``python -m benchmarks.jitter ../shared/data``: what jitter costs the package's forecaster, and what `auto` gains.

Recordings of folder DATA (AMC and BVH of `cmu_asfamc`, `cmu_bvh` and `hdm05/test`) are brought to 30 Hz and Human3.6M's
joints, without rotations, as a tracker gives them. From moments spread over each the next half second is forecast,
from positions with independent Gaussian noise on every joint and axis.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import kinegraph as kg
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.jitter import jitter, smoothing_s

FPS, PAST, AHEAD = 30.0, 60, 15
LEVELS_MM = (0.0, 1.0, 3.0, 5.0, 10.0)


def recordings(data: Path) -> list[SkeletonSequence]:
    """Those that are long enough, on the 17 joints at 30 Hz."""
    files = [*sorted(data.glob("cmu_asfamc/*/*.amc")), *sorted(data.glob("cmu_bvh/*/*.bvh"))]
    files += sorted(data.glob("hdm05/test/*/*.amc"))[::20]
    found = []
    for file in files:
        given = kg.load(file, joints="starts") if file.suffix == ".amc" else kg.load(file)
        motion = given.resample(FPS).replace(rotations=None, offsets=None).to_skeleton("h36m17")
        if motion.frames >= PAST + AHEAD:
            found.append(motion)
    return found


def moments(motion: SkeletonSequence, count: int) -> list[int]:
    """Frames spread evenly, each with a past and a future."""
    return sorted(set(np.linspace(PAST, motion.frames - AHEAD, count).round().astype(int).tolist()))


def error(future: SkeletonSequence, truth: np.ndarray) -> float:
    """Mean distance, mm."""
    return float(1000 * np.linalg.norm(future.positions - truth, axis=-1).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jitter", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--moments", type=int, default=2, help="of each recording (default 2)")
    parser.add_argument("--levels", type=float, nargs="+", default=LEVELS_MM, metavar="MM", help="of the jitter")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    forecaster = kg.Forecaster.from_pretrained()
    rows: dict[float, list[tuple[float, float, float]]] = {level: [] for level in arguments.levels}
    for number, motion in enumerate(recordings(arguments.data)):
        for now in moments(motion, arguments.moments):
            truth = motion.positions[:, now : now + AHEAD]
            past = motion.slice_frames(now - PAST, now).replace(confidence=None)
            for level in arguments.levels:
                rng = np.random.default_rng([number, now, round(1000 * level)])
                noisy = past.positions + rng.normal(size=past.positions.shape) * level / 1000
                given = past.replace(positions=noisy)
                plain = auto = error(forecaster.forecast(given, 0.5, smooth=0.0), truth)
                if smoothing_s(jitter(noisy[0]), FPS):
                    auto = error(forecaster.forecast(given, 0.5), truth)
                rows[level].append((1000 * jitter(noisy[0]), plain, auto))
    print(f"{len(next(iter(rows.values())))} moments; mm, mean joint error over the next half second\n")
    print("| jitter put in | measured, median (most) | no smoothing | `auto` | `auto` better / worse by 1 mm |")
    print("|---|---|---|---|---|")
    for level, found in rows.items():
        measured, plain, auto = np.array(found).T
        better, worse = int((auto < plain - 1).sum()), int((auto > plain + 1).sum())
        print(
            f"| {level:g} | {np.median(measured):.2f} ({measured.max():.2f}) | {plain.mean():.0f} "
            f"| {auto.mean():.0f} | {better} / {worse} |"
        )


if __name__ == "__main__":
    main()
