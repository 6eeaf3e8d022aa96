"""What is being done: class scores of a recording, from windows slid over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.errors import ConfigError, KinegraphError, as_path
from kinegraph.formats.any_source import AcclaimJoints, acclaim_joints_of
from kinegraph.hub import Pretrained, locate
from kinegraph.inference.clip_scores import ClipScores
from kinegraph.inference.clip_window import ClipNetwork, clip_network
from kinegraph.inference.motion_scores import MotionScores
from kinegraph.inference.motion_window import MotionNetwork, baseline_of, load_motion_network, motion_network
from kinegraph.inference.recognition import PersonActions, Recognition, Segment, person_actions
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import default_weights, find_folder
from kinegraph.weights import LoadedWeights, load_weights

if TYPE_CHECKING:
    from kinegraph.inference.live.recognizer import RecognizeStream
    from kinegraph.skeleton import Skeleton

__all__ = ["PersonActions", "Recognition", "Recognizer", "Segment"]

Network = MotionNetwork | ClipNetwork


class Recognizer(Pretrained):
    """Recognise actions in recordings, with weights of either kind: recognisers of clips (task "recognition"), or
    motion networks that have classes (Sym-GNN).

    Args:
        network: one of them; or several recognisers of clips, whose probabilities are added.
        shares: what each of several counts; all the same if None.

    Attributes:
        actions: class names.
        dims: 2 if it takes 2D keypoints, 3 if it takes 3D motion.
        name, folder: of the network; of several, the first's folder.
        networks: all of them.
        shares: what each counts; they sum to 1.

    Raises:
        KinegraphError: a network without classes.
        ConfigError: networks that do not go together.

    Example:
        >>> recognizer = Recognizer.from_pretrained("runs/recognition/best")                # doctest: +SKIP
        >>> found = recognizer.recognize(kinegraph.load("day.npz"))                         # doctest: +SKIP
        >>> found.top(2)                                                                    # doctest: +SKIP
        [('walking', 0.97), ('running', 0.02)]
        >>> found.people[0].segments[0]                                                     # doctest: +SKIP
        Segment(start_s=0.0, stop_s=3.1, action='walking', score=0.98)
    """

    def __init__(self, network: Network | Sequence[Network], shares: Sequence[float] | None = None) -> None:
        networks = [network] if isinstance(network, MotionNetwork | ClipNetwork) else list(network)
        if not networks:
            raise ConfigError("no network to recognise with; give at least one")
        clips = [one for one in networks if isinstance(one, ClipNetwork)]
        motion = [one for one in networks if isinstance(one, MotionNetwork)]
        self._scores: MotionScores | ClipScores
        if not motion:
            self._scores = ClipScores(clips, shares)
            self.shares = self._scores.shares
        elif len(networks) == 1:
            self._scores = MotionScores(motion[0])
            if shares is not None and len(shares) != 1:
                raise ConfigError(f"{len(shares)} shares for 1 network; give one for each")
            self.shares = (1.0,)
        else:
            raise ConfigError(
                f"{motion[0].name} looks at short windows of motion and is not fused; fuse recognisers of clips "
                "(trained with task: recognition)"
            )
        self.networks, self.network = tuple(networks), networks[0]
        self.weights: LoadedWeights | None = networks[0].weights
        self.name = " + ".join(one.name for one in networks)
        self.folder = networks[0].folder
        self.actions, self.dims = self._scores.actions, self._scores.dims

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str | Sequence[Path | str] | None = None,
        *,
        shares: Sequence[float] | None = None,
        revision: str | None = None,
    ) -> Recognizer:
        """Read a weights folder, or several to fuse; without one, the package's `recognize`, or `forecast`, which
        recognises too.

        Args:
            folder: a folder, a network of the package by name, or an id ``owner/name`` on the Hugging Face hub (extra
                `hub`); or several.
            shares: what each of several counts; all the same if None.
            revision: branch, tag or commit on the hub.

        Raises:
            FormatError: a folder is missing or damaged, or holds a lifting network.
            KinegraphError: a network does not recognise, or none is given and this installation ships none.
            ConfigError: networks that do not go together.
        """
        if folder is None:
            own = default_weights("recognize")
            return cls(load_motion_network(None, revision) if own is None else _load(own, revision), shares)
        folders = [folder] if isinstance(folder, str | Path) or not isinstance(folder, Sequence) else list(folder)
        return cls([_load(one, revision) for one in folders], shares)

    def recognize(
        self,
        sequence: SkeletonSequence,
        *,
        stride_s: float | None = None,
        window_s: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Recognition:
        """Scores of every person: windows over the whole recording, their scores averaged, smoothed and merged.

        Recognisers of clips look at windows as long as the median training clip; people are looked at one by one, and
        two people also as a pair, if the network was trained with two. Joints are matched by name; those that are
        missing stay missing. A recording shorter than a window is one clip.

        Args:
            sequence: 3D in metres for a network trained in 3D, 2D keypoints for one trained in 2D; at a known rate.
            stride_s: seconds from window to window; a quarter of a window if None.
            window_s: seconds of a window; None takes the network's own. A motion network has no choice.
            progress: called with (windows done, windows in all).

        Raises:
            DataError: nobody is seen; the wrong dimension or unit; no frame rate, or too low a one; shorter than the
                window of a motion network.
            SkeletonError: too few of the network's joints.
            ConfigError: a window or stride that is none.
        """
        self.check(stride_s, window_s)
        found, notes = self._scores.score(sequence, window_s, stride_s, progress)
        people = tuple(person_actions(one, self.actions) for one in found)
        return Recognition(actions=self.actions, people=people, notes=tuple(dict.fromkeys(notes)))

    def check(self, stride_s: float | None = None, window_s: float | None = None) -> None:
        """Raises ConfigError for a window or stride that no recording can be looked at with."""
        if window_s is not None and isinstance(self.network, MotionNetwork):
            raise ConfigError(
                f"window {window_s:g} s: {self.name} always looks at {self.network.observed_s:.2f} s; leave it out"
            )
        for name, value in (("window", window_s), ("stride", stride_s)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} {value:g} s: expected seconds, above 0")

    def stream(self, skeleton: str | Skeleton, **settings: Any) -> RecognizeStream:
        """This recogniser fed one frame at a time; settings of
        :func:`kinegraph.inference.live.recognizer.recognize_stream`."""
        from kinegraph.inference.live.recognizer import recognize_stream

        return recognize_stream(self, skeleton, **settings)

    @property
    def acclaim_joints(self) -> AcclaimJoints:
        """Which joints of Acclaim clips (ASF/AMC, option ``joints``) the first network learned from, or knows more of:
        :func:`kinegraph.formats.any_source.acclaim_joints_of`; networks of motion need the starts, which turn."""
        return "starts" if isinstance(self.network, MotionNetwork) else acclaim_joints_of(self.network.skeleton)

    def _trained(self) -> LoadedWeights:
        if len(self.networks) > 1:
            raise KinegraphError(f"{len(self.networks)} networks are fused here; save each of them by itself")
        return super()._trained()


def _load(folder: Path | str, revision: str | None) -> Network:
    name = str(as_path(folder, "the weights' folder, or a name"))
    if find_folder(folder) is None and baseline_of(name) is not None:
        raise KinegraphError(f"{folder} forecasts and does not recognise; name a trained network's folder")
    weights = load_weights(locate(folder, revision))
    return clip_network(weights) if weights.task == "recognition" else motion_network(weights)
