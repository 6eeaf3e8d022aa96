"""What `--plant-feet` does to lifted videos: the people and the camera of what_can_be_measured.py, with and without.

    python examples/planted_feet.py ../shared/data --picture planted_feet.png

Mean over the clips of each row, before -> after. Slide and its share on the ground as there: of feet that truly stand,
over the ground. Path: of the root, off by, after its mean offset is taken out. Step and acceleration: the largest of
any joint in the world. Limbs: the largest coefficient of variation of a length. Place: the greatest distance of a foot
that is said to stand from where it stands (median of the stretch).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from what_can_be_measured import ANKLES, BODY, FPS, KINDS, SIDE, VIEWS, clips, down, filmed, flexion, speed, velocities

import kinegraph as kg
from kinegraph.evaluation.steadiness import limb_variation
from kinegraph.transforms.gaps import runs

HEADS = {
    "slide": ("planted feet slide (m/s)", 2),
    "place": ("foot off its place (mm)", 0),
    "pose": ("MPJPE, root-relative (mm)", 1),
    "knee": ("knee off by (deg)", 1),
    "path": ("path off by (mm)", 0),
    "speed": ("speed off by (%)", 0),
    "step": ("largest step (mm)", 0),
    "leap": ("largest acceleration (m/s²)", 0),
    "shake": ("mean acceleration (m/s²)", 1),
    "limbs": ("limbs vary (%)", 2),
}


def place_mm(lifted: kg.SkeletonSequence) -> list[float]:
    """Of every stretch of contact, how far the ankle gets from its median place, mm."""
    off = []
    for ankle in ANKLES:
        path = lifted.positions[0, :, ankle]
        for first, last in runs(lifted.contact[0, :, ankle]):
            stood = path[first:last]
            off.append(1000 * float(np.linalg.norm(stood - np.median(stood, axis=0), axis=-1).max()))
    return off


def compare(lifted: kg.SkeletonSequence, truth: np.ndarray) -> dict[str, float]:
    """One lifted clip against its truth (frames, joints, 3)."""
    body = lifted.positions[0]
    off = np.linalg.norm((body - body[:, :1]) - (truth - truth[:, :1]), axis=-1)[:, 1:]
    path = body[:, 0] - truth[:, 0]
    bends = np.linalg.norm(np.diff(body, n=2, axis=0), axis=-1) * FPS**2
    return {
        "pose": 1000 * float(off.mean()),
        "knee": float(np.abs(flexion(body) - flexion(truth)).mean()),
        "path": 1000 * float(np.linalg.norm(path - path.mean(axis=0), axis=-1).mean()),
        "speed": 100 * abs(speed(body) / speed(truth) - 1),
        "step": 1000 * float(np.linalg.norm(np.diff(body, axis=0), axis=-1).max()),
        "leap": float(bends.max()),
        "shake": float(bends.mean()),
        "limbs": 100 * limb_variation(lifted),
    }


def measure(data: Path, kind: str, view: str, most: int) -> list[dict[str, float]]:
    """A row of the table without and one with planted feet."""
    noise = np.random.default_rng(0)
    rows: list[list[dict[str, float]]] = [[], []]
    slides: list[list[np.ndarray]] = [[], []]
    places: list[list[float]] = [[], []]
    for truth in clips(data, kind, most):
        pixels, world = filmed(truth, VIEWS[view], noise)
        standing = down(world)
        for n, plant in enumerate((False, True)):
            lifted = kg.lift(pixels, skeleton=BODY, fps=FPS, read={"image_size": (SIDE, SIDE)}, plant_feet=plant)
            rows[n].append(compare(lifted, world))
            slides[n].append(np.linalg.norm(velocities(lifted.positions[0])[..., [0, 2]], axis=-1)[standing])
            places[n] += place_mm(lifted)
    return [
        {name: float(np.mean([one[name] for one in some])) for name in some[0]}
        | {"slide": float(np.concatenate(slide).mean()), "place": float(np.mean(place))}
        for some, slide, place in zip(rows, slides, places, strict=True)
    ]


def draw(data: Path, file: Path) -> None:
    """The legs of a walker, filmed obliquely, in every third frame from the side: as lifted, and with planted feet."""
    from matplotlib.figure import Figure

    pixels, _ = filmed(next(clips(data, "walking", 1)), VIEWS["oblique"], np.random.default_rng(0))
    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, plant in zip(figure.subplots(2, 1, sharex=True), (False, True), strict=True):
        lifted = kg.lift(pixels, skeleton=BODY, fps=FPS, read={"image_size": (SIDE, SIDE)}, plant_feet=plant)
        for side, colour in (("left", "tab:blue"), ("right", "tab:orange")):
            leg = lifted.positions[0, ::3][:, [BODY.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")]]
            axes.plot(leg[..., 2].T, leg[..., 1].T, color=colour, linewidth=0.8)
            axes.plot(leg[:, 2, 2], leg[:, 2, 1], ".", color=colour)
        axes.set(title="plant_feet=True" if plant else "as lifted", aspect="equal", ylabel="height (m)")
    axes.set_xlabel("towards the camera (m)")
    figure.savefig(file, dpi=90)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds cmu_bvh and hdm05")
    parser.add_argument("--most", type=int, default=3, metavar="N", help="clips of each kind at most (default 3)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also draw a walker's legs with and without")
    args = parser.parse_args()
    if args.picture is not None:
        draw(args.data, args.picture)
    print(f"| motion | seen from | {' | '.join(head for head, _ in HEADS.values())} |")
    print(f"|---|---|{'---|' * len(HEADS)}")

    def line(motion: str, view: str, pair: list[dict[str, float]]) -> None:
        cells = [f"{pair[0][name]:.{digits}f} → {pair[1][name]:.{digits}f}" for name, (_, digits) in HEADS.items()]
        if motion in ("squatting", "all"):  # who stays has no speed to be off by
            cells[list(HEADS).index("speed")] = "-"
        print(f"| {motion} | {view} | {' | '.join(cells)} |", flush=True)

    found = []
    for kind in KINDS:
        for view in VIEWS:
            found.append(measure(args.data, kind, view, args.most))
            line(kind, view, found[-1])
    line("all", "", [{name: float(np.mean([pair[n][name] for pair in found])) for name in HEADS} for n in (0, 1)])


if __name__ == "__main__":
    main()
