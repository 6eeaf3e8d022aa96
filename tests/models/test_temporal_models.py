"""VideoPose3D's two forms, and the temporal HCSF lifter's use of its frames."""

from __future__ import annotations

import pytest
import torch

from kinegraph import models
from kinegraph.errors import ConfigError, DataError
from kinegraph.models.windows import window_kernels
from kinegraph.skeleton import get_skeleton


@pytest.mark.parametrize("kernels", [(3, 3), (3, 5), (9,), (3, 1, 3)])
@pytest.mark.parametrize("causal", [False, True])
def test_strided_form_equals_dilated_form(kernels: tuple[int, ...], causal: bool) -> None:
    torch.manual_seed(0)
    options = {"channels": 12, "kernels": kernels, "causal": causal}
    model = models.build("videopose3d", get_skeleton("h36m17"), options).double()
    assert isinstance(model, models.VideoPose3D)
    frames = model.frames
    sequence = torch.randn(2, frames + 6, 17, 2, dtype=torch.float64)
    model(sequence[:, :frames])  # in training mode: moves the running statistics
    model.eval()
    whole = model.forward_sequence(sequence)
    assert whole.shape == (2, 7, 17, 3)
    windows = torch.stack([model(sequence[:, t : t + frames]) for t in range(7)], dim=1)
    torch.testing.assert_close(windows, whole, rtol=1e-12, atol=1e-12)


def test_sequences_shorter_than_the_window_are_refused() -> None:
    model = models.VideoPose3D(get_skeleton("h36m17"))
    with pytest.raises(DataError, match="at least 9 frames"):
        model.forward_sequence(torch.zeros(1, 8, 17, 2))


@pytest.mark.parametrize("options", [{}, {"dynamic": "m+alpha_o", "dynamic_kernel": 3}, {"kernels": (9, 1)}])
def test_every_frame_of_the_window_reaches_the_centre(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = models.build("hcsf", get_skeleton("h36m17"), {"frames": 9, "channels": 16, **options}).eval()
    x = torch.randn(1, 9, 17, 2, requires_grad=True)
    model(x).square().sum().backward()
    assert x.grad is not None
    assert bool((x.grad.abs().sum(dim=(0, 2, 3)) > 0).all())


@pytest.mark.parametrize("name", ["hcsf", "videopose3d"])
def test_causal_networks_carry_the_last_frame(name: str) -> None:
    """With convolutions that answer nothing, what is left is the lifted frame's own way through the network."""
    torch.manual_seed(0)
    options = {"channels": 16, **({"frames": 9} if name == "hcsf" else {"kernels": (1, 3, 3)})}
    for causal in (False, True):
        model = models.build(name, get_skeleton("h36m17"), {**options, "causal": causal}).eval()
        assert isinstance(model, models.VideoPose3D | models.HCSFLifter)
        assert model.target == (8 if causal else 4)
        for key, weights in model.named_parameters():
            if key.startswith("blocks") and "weight" in key and ("temporal" in key or "mix" in key):
                torch.nn.init.zeros_(weights)
        x = torch.randn(1, 9, 17, 2, requires_grad=True)
        model(x).square().sum().backward()
        assert x.grad is not None
        assert torch.nonzero(x.grad.abs().sum(dim=(0, 2, 3))).flatten().tolist() == [model.target]


def test_configurations_from_before_causal_are_not_causal() -> None:
    for name, options in (("hcsf", {"frames": 9}), ("videopose3d", {})):
        assert models.build(name, get_skeleton("h36m17"), {"channels": 8, **options}).target == 4
    with pytest.raises(ConfigError, match="causal: a single frame"):
        models.build("hcsf", get_skeleton("h36m17"), {"causal": True})


def test_window_kernels() -> None:
    assert window_kernels(9, 2) == (3, 3)
    assert window_kernels(27, 2) == (9, 3)
    assert window_kernels(243, 5) == (3,) * 5
    assert window_kernels(3, 2) == (3, 1)
    assert window_kernels(15, 2, (3, 5)) == (3, 5)
    for arguments, named in (
        ((8, 2), "frames 8"),
        ((9, 2, (3, 5)), "product 9"),
        ((9, 3, (3, 3)), "one kernel per block"),
        ((4, 1, (4,)), "frames 4"),
        ((9, 0), "blocks 0"),
    ):
        with pytest.raises(ConfigError, match=named):
            window_kernels(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("hcsf", {"dynamic": "o", "dynamic_kernel": 3}, "set frames above 1"),
        ("hcsf", {"frames": 9, "kernels": (2, 3)}, "odd"),
        ("videopose3d", {"kernels": (2, 3)}, "odd"),
        ("videopose3d", {"kernels": ()}, "one or more"),
        ("videopose3d", {"kernels": (1,)}, "above 1"),
    ],
)
def test_impossible_windows_are_refused(name: str, options: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        models.build(name, get_skeleton("h36m17"), options)


def test_a_single_frame_has_no_kernels() -> None:
    with pytest.raises(ConfigError, match=r"kernels \(1, 1\): a single frame has no temporal convolutions"):
        models.build("hcsf", get_skeleton("h36m17"), {"kernels": (1, 1)})
    assert len(models.build("hcsf", get_skeleton("h36m17"), {"channels": 8}).blocks) == 2  # type: ignore[arg-type]
