"""The weight of two tasks that share a network: the multiple-gradient descent algorithm in closed form.

Désidéri 2012; Sener and Koltun 2018, algorithm 1; Sym-GNN, section 5.4 and appendix B (Eq. 15).
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["two_task_lambda"]


def two_task_lambda(first: Tensor, second: Tensor) -> Tensor:
    """The lambda in [0, 1] for which ``lambda first + (1 - lambda) second`` is shortest.

    With d = second - first, the squared length is a parabola in lambda with its minimum at <second, d> / <d, d>,
    clipped to the segment. Two equal gradients have no one minimum: 1/2 then.

    Args:
        first: gradient of one task.
        second: gradient of the other with respect to the same parameters, of the same shape.

    Returns:
        A scalar on the gradients' device, in float32 or better, without gradient of its own.
    """
    a, b = first.detach().flatten(), second.detach().flatten()
    if not a.is_floating_point() or a.element_size() < 4:
        a, b = a.float(), b.float()
    difference = b - a
    length = difference.dot(difference)
    best = b.dot(difference) / length.clamp_min(1e-30)
    return best.clamp(0.0, 1.0).where(length > 1e-30, best.new_full((), 0.5))
