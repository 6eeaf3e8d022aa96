"""Data small enough to train on in a test."""

from __future__ import annotations

import pytest
from lifting_samples import make_data

from kinegraph.training.lifting_splits import LiftingSplits


@pytest.fixture(scope="session")
def splits() -> LiftingSplits:
    """100 training poses in 4 clips, 20 validation poses in 2."""
    return LiftingSplits(make_data("tiny/train", 4, 25, 1), make_data("tiny/val", 2, 10, 2))
