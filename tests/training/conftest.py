"""Data small enough to train on in a test."""

from __future__ import annotations

import pytest
from lifting_samples import make_lifting_splits

from kinegraph.training.lifting_splits import LiftingSplits


@pytest.fixture(scope="session")
def splits() -> LiftingSplits:
    """100 training poses in 4 clips, 20 validation poses in 2."""
    return make_lifting_splits()
