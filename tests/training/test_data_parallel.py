"""Two processes with half a batch each do what one does with the whole."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import torch
from two_processes import one_device_and_two

from kinegraph.models import REGISTRY

SAMPLES = Path(__file__).parents[1] / "samples"

# A linear network: batch norm, which sees its own process's poses only, would make a difference, and so would dropout.
SCRIPT = """
    import sys
    sys.path.insert(0, {samples!r})
    from dataclasses import dataclass
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from lifting_samples import make_lifting_splits
    from training_runs import lifting_recipe
    from kinegraph import models
    from kinegraph.training.run import train

    @dataclass(frozen=True, kw_only=True)
    class LinearConfig:
        in_channels: int = 2

    class Linear(models.LiftingModel):
        def __init__(self, skeleton, config):
            super().__init__(skeleton, config)
            self.layer = torch.nn.Linear(34, 51)

        def forward(self, x):
            return self.layer(x.flatten(1)).view(-1, 17, 3)

    models.REGISTRY["linear"] = models.ModelEntry(LinearConfig, Linear)
    out, devices = sys.argv[1:]
    recipe = lifting_recipe(Path(out), model={{"name": "linear"}}, trainer={{"devices": int(devices), "batch": 24}})
    train(recipe, quiet=True, splits=make_lifting_splits())
"""


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).format(samples=str(SAMPLES)))
    monkeypatch.setitem(REGISTRY, "linear", REGISTRY["fcn"])  # the script's takes its place, and both go again
    folders = one_device_and_two(script, monkeypatch)
    one, two = (torch.load(folder / "last.ckpt", weights_only=True) for folder in folders)
    assert one["global_step"] == two["global_step"] == 24
    start = torch.nn.Linear(34, 51).weight.std()
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-6, rtol=0)
        assert float(value.std()) > 0.1 * float(start.detach())
    logs = [(folder / "log.csv").read_text().splitlines() for folder in folders]
    for left, right in zip(*logs, strict=True):
        a, b = (line.split(",")[:4] for line in (left, right))  # step, epoch, rate, training loss
        assert a == b or [float(x) for x in a] == pytest.approx([float(x) for x in b], rel=1e-5)
