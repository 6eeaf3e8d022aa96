"""Sym-GNN as a recogniser of clips: one or more people, any number of frames, no forecast.

Li et al., TPAMI 2021; the network is :class:`kinegraph.models.symgnn.SymGNN` without its prediction head ("no pred").
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from kinegraph.layers.resample import resample_clips
from kinegraph.models.people import mean_over_people, present_rows, put_back
from kinegraph.models.recognition_model import RecognitionModel
from kinegraph.models.symgnn import SymGNN
from kinegraph.models.symgnn_config import BranchConfig, SymGNNConfig
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["SymGNNRecognizer", "SymGNNRecognizerConfig"]


@dataclass(frozen=True, kw_only=True)
class SymGNNRecognizerConfig(BranchConfig):
    """Configuration of :class:`SymGNNRecognizer`. The defaults are the paper's for NTU and Kinetics, without bones."""

    people: int = 1
    """The most people in a clip."""
    frames: int = 64
    """Clips are resampled to so many frames: the actional graph is inferred from all of them at once."""
    backbone: Literal["light", "deep"] = "deep"
    """``light``: 4 J-GTC and 3 P-GTC blocks (Table 18); ``deep``: 9 and 8 (Table 17)."""
    gamma: int = 4
    """Orders of structural graphs."""
    lambda_act: float = 0.5
    """Weight of the actional graph in the joint-scale convolutions."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "people")
        at_least(self, 2, "frames")

    def network(self) -> SymGNNConfig:
        """The configuration of the network inside."""
        shared = {field.name: getattr(self, field.name) for field in fields(BranchConfig)}
        return SymGNNConfig(**shared, observed=self.frames, horizon=0)


class SymGNNRecognizer(RecognitionModel):
    """Sym-GNN's backbone on each person, the mean of their features, its recognition head.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: SymGNNRecognizerConfig | None = None) -> None:
        config = config or SymGNNRecognizerConfig()
        super().__init__(skeleton, config)
        self.network = SymGNN(skeleton, config.network())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Recognise; see :meth:`RecognitionModel.forward`."""
        self.check_input(x, mask)
        clips = resample_clips(x, mask, self.config.frames)
        present = None if mask is None else mask.any(dim=2)
        found = self._represent(clips.flatten(0, 1), None if present is None else present.flatten())
        met = [mean_over_people(one, x.shape[:2], present) for one in found]
        logits = self.network.answer(clips[:, 0], met, 0).logits
        assert logits is not None
        return logits

    def _represent(self, rows: Tensor, present: Tensor | None) -> list[Tensor]:
        """Of each network (rows, nodes, features), for recordings (rows, frames, joints, channels) of people.

        In training those who are not there are left out of the batch norms' statistics. A compiler sees no data, so
        what it makes keeps them.
        """
        count = len(self.network.networks)  # what follows them is what they inferred, which recognition is done with
        looks = self.training and not torch.compiler.is_compiling()
        index = present_rows(present) if present is not None and looks else None
        if index is None:
            return list(self.network.represent(rows)[:count])
        return [put_back(one, index, len(rows)) for one in self.network.represent(rows[index])[:count]]
