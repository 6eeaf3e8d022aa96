"""What a network answered, checked before anybody uses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import KinegraphError

__all__ = ["finite"]


def finite(values: NDArray[np.float64], network: Path | str) -> NDArray[np.float64]:
    """The values themselves.

    Args:
        values: a network's outputs, of any shape.
        network: its folder, or its name where it has none.

    Raises:
        KinegraphError: one of them is not finite, as no sound network answers.
    """
    if not np.isfinite(values).all():
        raise KinegraphError(f"the network in {network} gave values that are not finite; its weights are damaged")
    return values
