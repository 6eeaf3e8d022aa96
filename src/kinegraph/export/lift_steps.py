"""What the caller of a lifter's graph does before and after it, for the sidecar: the package's steps that no graph has.

Each has its place in :mod:`kinegraph.inference`; the numbers here are that place's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kinegraph.errors import SkeletonError
from kinegraph.inference.framing import PX_PER_M, SIDE_PX
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import LENGTH_PERCENTILE
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.outliers import APART_S, JUMP, LONGEST

__all__ = ["AXES", "LAYOUTS_2D", "joint_tables", "steps_after", "steps_before"]

LAYOUTS_2D = ("coco17", "body25", "halpe26", "mediapipe33", "openpose18")
"""What detectors give."""
AXES = "x right, y down, z away from the camera"
_USUAL = LiftOptions()


def joint_tables(skeleton: Skeleton) -> dict[str, dict[str, Any]]:
    """How the joints of a network are got from the keypoints of each layout that detectors give.

    Args:
        skeleton: of the network.

    Returns:
        Of each layout that has enough of the joints: its ``joints`` in their order, and ``weights``, the share of each
        of them by joint of the network; a joint that the layout lacks has none.
    """
    tables = {}
    for name in LAYOUTS_2D:
        layout = get_skeleton(name)
        try:
            found = map_joints(layout, skeleton)
        except SkeletonError:
            continue
        weights = {
            joint: {layout.joints[source]: float(row[source]) for source in np.flatnonzero(row)}
            for joint, row in zip(skeleton.joints, found.weights, strict=True)
        }
        tables[name] = {"joints": list(layout.joints), "weights": weights}
    return tables


def steps_before(transform: LiftingTransform, window: int, fps: float | None) -> list[str]:
    """What comes before the graph, in order.

    Args:
        transform: of the network.
        window: frames that it looks at.
        fps: of the window; None where it is not known.
    """
    steps = [
        f"keypoints of a confidence under {_USUAL.minimum_confidence:g} are missing",
        f"a keypoint that for at most {LONGEST} frames lies further than {JUMP:g} pose sizes from the straight line "
        "between the frame before and the frame after, and further than three times the distance of those two, which "
        f"are at most {APART_S:g} s apart, is missing there; a pose's size is the median diagonal of its box",
        f"bridge gaps of a keypoint of at most {_USUAL.fill_s:g} s linearly, with half of the lower confidence of the "
        "two beside it",
        "where one ear or eye of two is missing it takes the place of the other, with half of its confidence",
        "each joint in 'joints', in this order, is the sum of your keypoints by 'layouts'; its confidence is the "
        "lowest of those it is made of, and 0 if one of them is missing or the layout has none",
    ]
    if not transform.confidence:
        steps.append("give every missing joint a place: this network takes all of them as seen")
    if window > 1 and fps:
        steps.append(f"resample linearly to {fps:g} frames a second")
    if window > 1:
        steps.append("repeat the first frame 'frames_before' times and the last 'frames_after' times")
    if transform.normalise == "screen":
        steps.append(
            "people are seen as in 'training_camera'; where they are not, turn and zoom the view so that the root "
            f"joint is in the middle of {SIDE_PX} x {SIDE_PX} px and a metre of body is {PX_PER_M:.0f} px, and turn "
            "what comes out by 'turn'"
        )
    return steps


def steps_after(transform: LiftingTransform) -> dict[str, str]:
    """What comes after the graph, by name, in order.

    Args:
        transform: of the network.
    """
    turn = (
        "X = R x, with R = [[1 - k a a, -k a b, a], [-k a b, 1 - k b b, b], [-a, -b, c]], k = 1 / (1 + c), (a, b, c) "
        "the unit vector along ((u - cx) / fx, (v - cy) / fy, 1) and (u, v) px the root joint's keypoint, steadied by "
        "a line through the frames around it (a Gaussian of 0.1 s, 0.3 s either way): from the axes of a camera that "
        "looks at the root joint to your camera's"
    )
    place = (
        "the root's (X, Y, Z) by least squares, so that (x + X) / (z + Z) = (u - cx) / fx and (y + Y) / (z + Z) = "
        "(v - cy) / fy over the joints, weighted by confidence; Z steadied by a Gaussian of 0.4 s"
    )
    turned = "only where the view was turned to the person: " if transform.normalise == "screen" else ""
    return {
        "flip": "the mean of what comes out for the keypoints and, mirrored back, for their mirror image (x negated "
        "about the middle of the image, left and right joints exchanged)",
        "turn": turned + turn,
        "smooth": f"a Gaussian of {_USUAL.smooth_s:g} s, of second degree",
        "limbs": f"each bone gets one length over the recording, the {LENGTH_PERCENTILE:g}th percentile, left and "
        "right alike; directions stay",
        **({} if transform.target == "pixel" else {"place": place}),
        "up": "of a camera that is level (0, -1, 0); else it follows from how it is tilted",
    }
