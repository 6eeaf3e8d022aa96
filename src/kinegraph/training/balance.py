"""From two losses to one gradient: recognition and forecasting on a shared backbone (section 5.4, appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kinegraph.training.mgda import two_task_lambda
from kinegraph.training.motion_recipe import ObjectiveRecipe

__all__ = ["Gradients", "balanced_gradients"]

Average = Callable[[Sequence[Tensor]], list[Tensor]]
Found = list[Tensor | None]


class Gradients(NamedTuple):
    """What a step found."""

    gradients: Found
    """One of the same shape for each parameter of the model, in order; None where the loss does not depend on it."""
    loss: Tensor
    """What was minimised, ()."""
    parts: tuple[Tensor, ...]
    """Recognition and forecasting loss, () each, where there are both."""
    weight: Tensor
    """Lambda, the weight of recognition, ()."""


def balanced_gradients(
    model: Any,
    losses: tuple[Tensor | None, Tensor | None],
    objective: ObjectiveRecipe,
    average: Average,
    representation: Sequence[Tensor] | None = None,
    cut: Sequence[Tensor] | None = None,
    labelled: Tensor | None = None,
) -> Gradients:
    """The gradient of ``lambda L_recg + (1 - lambda) L_pred`` with the lambda that `objective` asks for.

    The heads' parameters get the same combination as the backbone's: recognition reaches the forecast through the
    soft label, so a head may have a gradient of both.

    Where no window of a batch has an action, recognition has no gradient, which to MGDA is the shortest of all: lambda
    is 0 then, or the batch would teach nothing. A fixed weight stays what it is.

    Args:
        model: has `backbone_parameters()`.
        losses: of recognition and of forecasting, scalars; None where the network does not have the task.
        objective: how they are balanced.
        average: the mean over processes. Lambda is that of the averaged gradients.
        representation: under `mgda-ub`, the backbone's output, tensors of any shape.
        cut: the same values as leaves, from which the losses were computed.
        labelled: (), how many windows of this process's batch have an action; None stands for some.
    """
    weights = list(model.parameters())
    recognition, forecasting = losses
    if recognition is None or forecasting is None:
        loss = forecasting if recognition is None else recognition
        assert loss is not None
        return Gradients(_averaged(_grad(loss, weights), average), loss, (), loss.new_ones(()))
    parts = (recognition, forecasting)
    if objective.balance == "fixed":
        weight = recognition.new_tensor(objective.weight)
        loss = weight * recognition + (1 - weight) * forecasting
        return Gradients(_averaged(_grad(loss, weights), average), loss, parts, weight)
    if cut is None or representation is None:
        shared = {id(weight) for weight in model.backbone_parameters()}
        both = [_grad(recognition, weights, again=True), _grad(forecasting, weights)]
        both = _averaged_pair(both, average)
        index = [place for place, weight in enumerate(weights) if id(weight) in shared]
        first, second = (_flat([found[i] for i in index], [weights[i] for i in index]) for found in both)
        means, known = _averaged_losses(parts, labelled, average)
        sizes = _sizes(objective.normalise, means, (first.norm(), second.norm()))
        weight = _lambda(first / sizes[0], second / sizes[1], known)
        gradients = [_mixed(a, b, weight) for a, b in zip(*both, strict=True)]
    else:
        gradients, weight = _upper_bound(weights, parts, representation, cut, objective.normalise, average, labelled)
    loss = (weight * recognition + (1 - weight) * forecasting).detach()
    return Gradients(gradients, loss, parts, weight)


def _upper_bound(
    weights: list[nn.Parameter],
    parts: tuple[Tensor, Tensor],
    representation: Sequence[Tensor],
    cut: Sequence[Tensor],
    normalise: str,
    average: Average,
    labelled: Tensor | None,
) -> tuple[Found, Tensor]:
    """Sener and Koltun 2018, section 3.3: lambda from the gradients of the representation, one pass through it."""
    leaves = list(cut)
    both = [_grad(part, [*leaves, *weights], again=True) for part in parts]
    first, second = (_flat(found[: len(leaves)], leaves) for found in both)
    # A representation is of the process's own examples: only products of its gradients can be averaged.
    products = torch.stack([first.dot(first), first.dot(second), second.dot(second)])
    aa, ab, bb = average([products])[0]
    means, known = _averaged_losses(parts, labelled, average)
    a, b = _sizes(normalise, means, (aa.sqrt(), bb.sqrt()))
    weight = _lambda(*_vectors(aa / a**2, ab / (a * b), bb / b**2), known)
    onward = [_mixed(a, b, weight) for a, b in zip(*(found[: len(leaves)] for found in both), strict=True)]
    reached = [
        (value, gradient) for value, gradient in zip(representation, onward, strict=True) if gradient is not None
    ]
    backbone = _grad([value for value, _ in reached], weights, [gradient for _, gradient in reached])
    heads = [_mixed(a, b, weight) for a, b in zip(*(found[len(leaves) :] for found in both), strict=True)]
    total = [b if a is None else a if b is None else a + b for a, b in zip(backbone, heads, strict=True)]
    return _averaged(total, average), weight


def _vectors(aa: Tensor, ab: Tensor, bb: Tensor) -> tuple[Tensor, Tensor]:
    """Two vectors in the plane with these products."""
    length = aa.sqrt()
    along = ab / length.clamp_min(1e-30)
    zero = torch.zeros_like(length)
    return torch.stack([length, zero]), torch.stack([along, (bb - along**2).clamp_min(0).sqrt()])


def _lambda(first: Tensor, second: Tensor, known: Tensor) -> Tensor:
    """Of the gradients of recognition and forecasting; 0 where no process has a window to recognise."""
    weight = two_task_lambda(first, second)
    return weight.where(known, torch.zeros_like(weight))


def _averaged_losses(
    parts: tuple[Tensor, Tensor], labelled: Tensor | None, average: Average
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The mean losses, and whether any process has a window with an action: in one message."""
    count = torch.ones_like(parts[0]) if labelled is None else labelled.to(parts[0])
    first, second, counted = average([torch.stack([*parts, count]).detach()])[0]
    return (first, second), counted > 0


def _sizes(
    normalise: str, losses: tuple[Tensor, Tensor], lengths: tuple[Tensor, Tensor]
) -> tuple[Tensor | float, Tensor | float]:
    """What each gradient is divided by before lambda is chosen."""
    if normalise == "none":
        return 1.0, 1.0
    a, b = (loss.abs().clamp_min(1e-12) for loss in losses)
    if normalise == "loss":
        return a, b
    return a * lengths[0].clamp_min(1e-20), b * lengths[1].clamp_min(1e-20)


def _grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    gradients: Sequence[Tensor] | None = None,
    again: bool = False,
) -> Found:
    return list(torch.autograd.grad(outputs, inputs, grad_outputs=gradients, retain_graph=again, allow_unused=True))


def _averaged(gradients: Found, average: Average) -> Found:
    there = iter(average([gradient for gradient in gradients if gradient is not None]))
    return [None if gradient is None else next(there) for gradient in gradients]


def _averaged_pair(both: list[Found], average: Average) -> list[Found]:
    """Two lists in one message."""
    together = _averaged(both[0] + both[1], average)
    return [together[: len(both[0])], together[len(both[0]) :]]


def _flat(gradients: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    pairs = zip(gradients, like, strict=True)
    return torch.cat([(torch.zeros_like(x) if g is None else g).reshape(-1).float() for g, x in pairs])


def _mixed(first: Tensor | None, second: Tensor | None, weight: Tensor) -> Tensor | None:
    if first is None:
        return None if second is None else (1 - weight).to(second.dtype) * second
    if second is None:
        return weight.to(first.dtype) * first
    return torch.lerp(second, first, weight.to(first.dtype))
