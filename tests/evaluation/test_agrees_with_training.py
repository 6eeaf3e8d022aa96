"""The error that chose a checkpoint and the error that is reported are one quantity, computed by two pieces of code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.evaluation import LiftingMethod, evaluate_lifting
from kinegraph.models import build
from kinegraph.transforms.lifting import LiftingTransform

pytest.importorskip("lightning")


@pytest.mark.parametrize("target", ["pixel", "metric"])
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(("name", "options"), [("lcn", {}), ("hcsf", {"frames": 3})])
def test_validation_error_is_the_evaluated_error(data, target, flip, name, options):
    from kinegraph.training.lifting_data_module import LiftingTensors
    from kinegraph.training.lifting_task import LiftingTask

    torch.manual_seed(0)
    model = build(name, data.skeleton, {"channels": 16, **options}).eval()
    transform = LiftingTransform(target=target)
    frames = options.get("frames", 1)
    task = LiftingTask(model, transform, data.skeleton, steps=1, steps_per_epoch=1, flip_test=flip)
    validated = task.evaluate(data, LiftingTensors.encode(data, transform, frames))["mpjpe_mm"]
    method = LiftingMethod(label=name, model=model, transform=transform, skeleton=data.skeleton, frames=frames)
    result = evaluate_lifting(method, data, "mocap-lifting", flip_test=flip)
    assert np.mean(result.errors_mm) == pytest.approx(validated, rel=1e-5)
