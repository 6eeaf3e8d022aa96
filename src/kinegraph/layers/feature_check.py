"""Whether features fit a layer: sizes alone are compared, so that no device is waited for, compiled or not."""

from __future__ import annotations

from torch import Tensor, nn

from kinegraph.errors import DataError

__all__ = ["check_features"]


def check_features(layer: nn.Module, x: Tensor, nodes: int | None, channels: int, leading: tuple[str, ...]) -> None:
    """Refuse features that are not ``(leading, nodes, channels)``: a view of them could mix nodes of several samples.

    Args:
        layer: whose input it is, for the message.
        x: the features.
        nodes: how many there must be; None: there is no such axis, or any number will do.
        channels: how many there must be.
        leading: names of the axes before; ``"..."`` among them stands for any number.

    Raises:
        DataError: what was found and what is expected.
    """
    shape = x.shape
    fixed = len(leading) + (1 if nodes is None else 2)
    if "..." in leading:
        fits = len(shape) >= fixed - 1
    else:
        fits = len(shape) == fixed
    if fits and shape[-1] == channels and (nodes is None or shape[-2] == nodes):
        return
    sizes = ("channels",) if nodes is None else ("nodes", "channels")
    found = (str(channels),) if nodes is None else (str(nodes), str(channels))
    raise DataError(
        f"{type(layer).__name__} takes ({', '.join((*leading, *sizes))}) = ({', '.join((*leading, *found))}); "
        f"found {tuple(shape)}"
    )
