"""What a user may choose when lifting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinegraph.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LiftOptions:
    """How keypoints are prepared, and what is done to the network's poses.

    Args:
        people: ``"all"``, or ``"main"`` for the one who is largest and seen longest.
        flip: average the network's answers for the pose and its mirror image (the papers' flip test).
        fill_s: longest gap of a joint, in seconds, that is bridged before the network; longer gaps stay missing in
            the result.
        minimum_confidence: keypoints under it count as missing.
        rigid: one length per limb over the whole clip (the third quartile), left and right alike; directions are
            kept.
        smooth_s: sigma in seconds of the zero-phase smoothing of the joints; 0 for none.
        one_euro: smooth with the causal one-euro filter instead, as live use would; it lags a little.
        root: ``"estimated"`` puts the person before the camera where the keypoints say; ``"relative"`` leaves the
            root at the origin in every frame, in the world too, where only the axes are then turned.
        centre_px: where the camera looks in the image, px; None takes the image's middle.
        focal_px: focal length of the camera in px; None derives it from ``fov_deg`` or assumes 1.145 times the
            image's longer side (Human3.6M's cameras; 47 degrees).
        fov_deg: horizontal field of view in degrees, if the focal length is not known; the image's width has to be.
        framing: ``"image"`` hands the network the image as it is, ``"person"`` a view that follows the person and
            shows them as large as in training; ``"auto"`` takes the image where its size is known and people
            appear in it as they did in training.
        stills: the frames are single pictures and no video: nothing is bridged, smoothed or compared across them.
        batch: poses (or windows) at a time.

    Raises:
        ConfigError: a value outside its range or choices, or both a focal length and a field of view.
    """

    people: Literal["all", "main"] = "all"
    flip: bool = True
    fill_s: float = 0.5
    minimum_confidence: float = 0.1
    rigid: bool = True
    smooth_s: float = 0.05
    one_euro: bool = False
    root: Literal["estimated", "relative"] = "estimated"
    centre_px: tuple[float, float] | None = None
    focal_px: float | None = None
    fov_deg: float | None = None
    framing: Literal["auto", "image", "person"] = "auto"
    stills: bool = False
    batch: int = 1024

    def __post_init__(self) -> None:
        for name, choices in (
            ("people", ("all", "main")),
            ("root", ("estimated", "relative")),
            ("framing", ("auto", "image", "person")),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(f"lift: {name} is '{getattr(self, name)}'; choose {', '.join(choices)}")
        for name in ("fill_s", "smooth_s"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ConfigError(f"lift: {name} is {getattr(self, name)}; expected seconds, 0 or more")
        if not 0 <= self.minimum_confidence < 1:
            raise ConfigError(f"lift: minimum_confidence is {self.minimum_confidence}; expected 0 or more and under 1")
        if self.focal_px is not None and not (np.isfinite(self.focal_px) and self.focal_px > 0):
            raise ConfigError(f"lift: focal length is {self.focal_px} px; expected a positive number")
        if self.fov_deg is not None and not 1 <= self.fov_deg <= 170:
            raise ConfigError(f"lift: field of view is {self.fov_deg} degrees; expected 1 to 170")
        if self.focal_px is not None and self.fov_deg is not None:
            raise ConfigError("lift: both a focal length and a field of view are given; give one")
        if self.centre_px is not None and not (len(self.centre_px) == 2 and np.isfinite(self.centre_px).all()):
            raise ConfigError(f"lift: the image's centre is {self.centre_px}; expected two numbers, px")
        if self.batch < 1:
            raise ConfigError(f"lift: batch is {self.batch}; expected at least 1")
