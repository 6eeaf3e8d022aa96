"""What is made of a recording to show it all: 3D if it was 2D, its actions, and the forecast at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kinegraph.errors import DataError, KinegraphError
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import ASSUMED_FPS
from kinegraph.visualize.motion import Band, Ghost, action_bands, ghost_track, motion

if TYPE_CHECKING:
    from kinegraph.inference import Forecaster, Lifter, Recognizer

__all__ = ["Analysis", "Analyst"]

_BATCH = 512  # poses lifted at once: no slower than more, and a fraction of the memory


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A recording and what was found in it.

    Attributes:
        name: what the recording is called.
        flat: the 2D keypoints, if that is what was given.
        solid: 3D, given or lifted; None where lifting was impossible.
        forecast: what follows the end of `solid`; None where it could not be made.
        bands: actions over time.
        notes: what was left out, and why.
    """

    name: str
    flat: SkeletonSequence | None = None
    solid: SkeletonSequence | None = None
    forecast: SkeletonSequence | None = None
    bands: tuple[Band, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def panels(self) -> list[tuple[str, SkeletonSequence]]:
        """Captions and sequences, as the player takes them."""
        lifted = "3D" if self.flat is None else "lifted to 3D"
        both = (("2D keypoints", self.flat), (lifted, self.solid))
        return [(caption, sequence) for caption, sequence in both if sequence is not None]

    @property
    def ghosts(self) -> list[Ghost]:
        """The forecast, after the last frame of its recording."""
        if self.forecast is None or self.solid is None or self.solid.fps is None:
            return []
        return [Ghost(panel=len(self.panels) - 1, start=self.solid.frames / self.solid.fps, sequence=self.forecast)]

    def motion(self) -> dict[str, Any]:
        """What the player plays."""
        return motion(self.panels, title=self.name, notes=self.notes, ghosts=self.ghosts, bands=self.bands)


class Analyst:
    """The networks of the package, or others, read once and used for everything.

    For one thread at a time, as the networks are.

    Args:
        forecast_s: how far the forecast at the end looks, seconds.
        lifter, recognizer, forecaster: a weights folder, a network of the package by name or a hub id; the package's
            own if None. What is named is read at once.

    Raises:
        KinegraphError: a network that is named cannot be had, or does something else.
    """

    def __init__(
        self,
        forecast_s: float = 1.0,
        *,
        lifter: str | None = None,
        recognizer: str | None = None,
        forecaster: str | None = None,
    ) -> None:
        self.forecast_s = forecast_s
        self._lifter: Lifter | None = None
        self._lifter_named = lifter is not None
        self._recognizer: Recognizer | None = None
        self._forecaster: Forecaster | None = None
        self._ready = False
        self._missing: tuple[str, ...] = ()
        if lifter is not None or recognizer is not None or forecaster is not None:
            from kinegraph.inference import Forecaster, Lifter, Recognizer

            self._lifter = None if lifter is None else Lifter.from_pretrained(lifter)
            self._recognizer = None if recognizer is None else Recognizer.from_pretrained(recognizer)
            self._forecaster = None if forecaster is None else Forecaster.from_pretrained(forecaster)

    def prepare(self) -> None:
        """Read the networks now rather than with the first recording; what the installation lacks becomes a note."""
        if self._ready:
            return
        from kinegraph.inference import Forecaster, Lifter, Recognizer

        missing = []
        try:
            self._lifter = self._lifter or Lifter.from_pretrained()
        except KinegraphError as error:
            missing.append(f"not lifted: {error}")
        try:
            self._recognizer = self._recognizer or Recognizer.from_pretrained()
        except KinegraphError as error:
            missing.append(f"no actions: {error}")
        try:
            self._forecaster = self._forecaster or Forecaster.from_pretrained()
        except KinegraphError as error:
            missing.append(f"no forecast: {error}")
        self._missing, self._ready = tuple(missing), True

    def analyse(self, sequence: SkeletonSequence, name: str) -> Analysis:
        """Lift, recognise and forecast as far as the recording allows; what cannot be done is a note.

        Raises:
            DataError: nothing in it can be shown.
        """
        self.prepare()
        if not sequence.seen.any():
            raise DataError(f"{name}: no joint is present in any frame")
        found = Analysis(name=name, notes=self._missing)
        found = self._lifted(found, sequence) if sequence.dims == 2 else replace(found, solid=sequence)
        if not sequence.is_video or found.solid is None or found.solid.frames < 2:
            return found
        if found.solid.fps is None:
            note = f"the file states no frame rate; {ASSUMED_FPS:g} frames a second assumed"
            found = replace(found, solid=found.solid.replace(fps=ASSUMED_FPS), notes=(*found.notes, note))
        return self._foreseen(self._recognised(found))

    def forecast(self, analysis: Analysis, start: float, seconds: float) -> dict[str, Any]:
        """A forecast from a moment within the recording, as a track for the player.

        Args:
            analysis: with 3D motion.
            start: seconds into the recording where what is observed ends.
            seconds: how far to look.

        Raises:
            KinegraphError: no 3D, too short a history before `start`, or no network.
            DataError: no 3D motion.
        """
        solid = analysis.solid
        self.prepare()
        if solid is None or solid.fps is None or self._forecaster is None:
            raise DataError(f"{analysis.name}: there is no 3D motion to forecast from")
        last = (solid.frames - 1) / solid.fps
        found = self._forecaster.predict(solid, seconds, observed_until=min(max(start, 0.0), last))
        first = found.history.frames / solid.fps
        return ghost_track(solid, Ghost(panel=0, start=first, sequence=found.future))

    def _lifted(self, found: Analysis, flat: SkeletonSequence) -> Analysis:
        from kinegraph.inference.quick import are_pictures, lift

        found = replace(found, flat=flat)
        if self._lifter is None:
            return found
        # The package has a network of its own for single pictures, which `lift` knows.
        model = None if are_pictures(flat) and not self._lifter_named else self._lifter
        try:
            return replace(found, solid=lift(flat, model=model, batch=_BATCH))
        except KinegraphError as error:
            return replace(found, notes=(*found.notes, f"not lifted: {error}"))

    def _recognised(self, found: Analysis) -> Analysis:
        if self._recognizer is None:
            return found
        sequence = found.flat if self._recognizer.dims == 2 else found.solid
        if sequence is None:
            return replace(found, notes=(*found.notes, "no actions: the network looks at 2D keypoints"))
        try:
            recognition = self._recognizer.recognize(sequence)
        except KinegraphError as error:
            return replace(found, notes=(*found.notes, f"no actions: {error}"))
        told = f"actions by {self._recognizer.name}, which knows {', '.join(recognition.actions)}"
        notes = (*found.notes, told.replace("_", " "), *recognition.notes)
        return replace(found, bands=tuple(action_bands(recognition)), notes=notes)

    def _foreseen(self, found: Analysis) -> Analysis:
        if self._forecaster is None or found.solid is None:
            return found
        try:
            future = self._forecaster.forecast(found.solid, self.forecast_s)
        except KinegraphError as error:
            return replace(found, notes=(*found.notes, f"no forecast: {error}"))
        known = set(found.solid.notes)
        return replace(found, forecast=future, notes=(*found.notes, *(n for n in future.notes if n not in known)))
