"""Layers of the clip networks against slow references."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kinegraph.errors import ConfigError
from kinegraph.layers import HCSF, HCSFOptions
from kinegraph.layers.clip_block import ClipNorm, last_real, strided_mask, time_mean
from kinegraph.layers.graph_gather import gather, gather_and_map, spatial_partitions
from kinegraph.layers.hcsf_clips import ClipHCSF
from kinegraph.layers.multi_branch_temporal import MultiBranchTemporal
from kinegraph.layers.resample import resample_clips
from kinegraph.skeleton import get_skeleton

NTU = get_skeleton("ntu25")


@pytest.mark.parametrize("channels", [3, 8])
def test_gather_and_map_against_einsum(channels: int) -> None:
    x, graphs = torch.randn(2, 5, 4, channels).double(), torch.randn(3, 5, 5).double()
    weights, bias = torch.randn(3, channels, 6).double(), torch.randn(6).double()
    expected = torch.einsum("kij,njtc,kco->nito", graphs, x, weights) + bias
    torch.testing.assert_close(gather_and_map(x, list(graphs), list(weights), bias), expected)
    each = torch.randn(2, 5, 5).double()
    torch.testing.assert_close(gather(each, x), torch.einsum("nij,njtc->nitc", each, x))
    frames = torch.randn(2, 4, 5, 5).double()
    torch.testing.assert_close(gather(frames, x), torch.einsum("ntij,njtc->nitc", frames, x))


def test_partitions_of_a_tree_are_itself_its_parent_and_its_children() -> None:
    own, nearer, farther = spatial_partitions(NTU.hop_distances(), NTU.root)
    assert np.array_equal(own, np.eye(25))
    for joint, parent in enumerate(NTU.parents):
        assert np.flatnonzero(nearer[joint]).tolist() == ([parent] if parent >= 0 else [])
        children = [child for child, its in enumerate(NTU.parents) if its == joint]
        assert np.flatnonzero(farther[joint]).tolist() == children
        assert farther[joint].sum() == pytest.approx(float(bool(children)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"squeeze": 1.0},
        {"long_hops": 5},
        {"hop_fusion": "add", "range_fusion": "add"},
        {"hop_fusion": "multiply"},
        {"range_fusion": "multiply"},
        {"dynamic": "m"},
        {"dynamic": "o"},
        {"dynamic": "m+o", "dynamic_kernel": 3, "dynamic_stride": 2},
        {"dynamic": "m+alpha_o", "dynamic_kernel": 3, "dynamic_dilation": 2},
        {"dynamic": "m+alpha_o", "dynamic_kernel": 3, "dynamic_support": "dense"},
        {"dynamic": "o", "dynamic_support": "dense", "squeeze": 1.0},
        {"dynamic": "m+alpha_o", "range_fusion": "multiply"},
    ],
)
def test_hcsf_on_clips_is_the_hcsf_layer(options: dict[str, Any]) -> None:
    """The reference gathers frame by frame, with W_k and W_a apart."""
    torch.manual_seed(0)
    given = HCSFOptions(**{"short_hops": 5, "long_hops": 7, "sharing": "shared", **options})
    clips = ClipHCSF(NTU.hop_distances(), 16, 12, given).double()
    plain = HCSF(NTU.hop_distances(), 16, 12, given).double()
    with torch.no_grad():
        for name, parameter in clips.named_parameters():
            if name.endswith(("alpha", "matrix")):
                parameter.add_(0.3 * torch.randn_like(parameter))
    missing = plain.load_state_dict({k: v for k, v in clips.state_dict().items() if "norm" not in k}, strict=False)
    assert missing.missing_keys == ["transform.bias"]
    scale, shift = torch.randn(12).double(), torch.randn(12).double()
    with torch.no_grad():
        clips.norm.weight.copy_(scale * (1 + clips.norm.eps) ** 0.5)
        clips.norm.bias.copy_(shift)
    x = torch.randn(2, 25, 6, 16).double()
    expected = plain(x.transpose(1, 2)).transpose(1, 2) * scale + shift
    clips.eval()
    torch.testing.assert_close(clips(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(clips(x), expected)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (5, 1, 2), (3, 2, 1), (1, 2, 1)])
def test_graphs_of_frames_know_nothing_of_those_that_are_not_there(kernel: int, stride: int, dilation: int) -> None:
    """Before somebody is seen the first frame is repeated, as it is before a clip's beginning."""
    torch.manual_seed(0)
    dynamic = {"dynamic": "m+o", "dynamic_kernel": kernel, "dynamic_stride": stride, "dynamic_dilation": dilation}
    options = HCSFOptions(short_hops=1, long_hops=2, sharing="shared", **dynamic)
    layer = ClipHCSF(NTU.hop_distances(), 4, 6, options).double().eval()
    alone = torch.randn(2, 25, 7, 4).double()
    expected = layer(alone, torch.ones(2, 7).double())
    torch.testing.assert_close(expected, layer(alone))
    for lead in (2, 3):
        mask = torch.cat([torch.zeros(2, lead), torch.ones(2, 7)], dim=1).double()
        before = [torch.full((2, 25, lead, 4), junk).double() for junk in (0.0, 9.0)]
        first, second = (layer(torch.cat([frames, alone], dim=2), mask)[:, :, lead:] for frames in before)
        torch.testing.assert_close(first, second)
        if lead % stride == 0:  # elsewhere a graph is held for other frames
            torch.testing.assert_close(first, expected)


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_the_last_real_frame(dtype: torch.dtype) -> None:
    masks = torch.tensor(list(itertools.product([0, 1], repeat=5))).to(dtype)
    for mask, found in zip(masks.tolist(), last_real(masks).tolist(), strict=True):
        real = [frame for frame in range(5) if mask[frame]]
        assert found == [max([f for f in real if f <= frame] or real[:1] or [0]) for frame in range(5)]


def test_hcsf_on_clips_shares_its_weights() -> None:
    with pytest.raises(ConfigError, match="sharing 'pairwise'"):
        ClipHCSF(NTU.hop_distances(), 4, 4, HCSFOptions())


def test_norm_and_mean_see_real_frames_only() -> None:
    x = torch.randn(3, 5, 6, 4).double()
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0] * 6]).double()
    norm = ClipNorm(4).double()
    real = torch.cat([x[0].reshape(-1, 4), x[1, :, :2].reshape(-1, 4)])
    expected = (real - real.mean(0)) / (real.var(0, unbiased=False) + norm.eps).sqrt()
    y = norm(x, mask)
    torch.testing.assert_close(torch.cat([y[0].reshape(-1, 4), y[1, :, :2].reshape(-1, 4)]), expected)
    torch.testing.assert_close(norm.running_mean, 0.1 * real.mean(0))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * real.var(0))
    assert int(norm.num_batches_tracked) == 1
    torch.testing.assert_close(time_mean(x, mask)[1], x[1, :, :2].mean(dim=1))
    assert bool((time_mean(x, mask)[2] == 0).all())


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_branches_against_loops(merge: bool, stride: int) -> None:
    torch.manual_seed(0)
    layer = MultiBranchTemporal(9, kernel=3, dilations=(1, 2), stride=stride, merge=merge).double().eval()
    x = torch.randn(2, 3, 7, 9).double()
    heads = layer.heads_norm(x @ layer.heads.weight.T).relu()
    widths = [3, 2, 2]
    parts: list[Tensor] = list(torch.split(heads, widths, dim=-1))
    frames = range(0, 7, stride)
    out: list[Tensor] = []
    for part, weight, dilation in zip(parts, layer.convolutions, (1, 2), strict=False):
        steps = []
        for t in frames:
            taps = [(t + dilation * k, weight[:, :, 0, k + 1]) for k in (-1, 0, 1)]
            steps.append(sum(part[:, :, at] @ tap.T for at, tap in taps if 0 <= at < 7))
        out.append(torch.stack(steps, dim=2))  # type: ignore[arg-type]
    pooled = [parts[2][:, :, max(0, t - 1) : t + 2].amax(dim=2) for t in frames]
    out += [torch.stack(pooled, dim=2), x[:, :, ::stride] @ layer.plain.weight.T]
    expected = layer.norm(torch.cat(out, dim=-1))
    if merge:
        assert layer.merge is not None
        expected = layer.merge_norm(expected.relu() @ layer.merge.weight.T)
    torch.testing.assert_close(layer(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected)


def test_too_few_features_for_the_branches() -> None:
    with pytest.raises(ConfigError, match="3 features do not fill 4 temporal branches"):
        MultiBranchTemporal(3, kernel=3, dilations=(1, 2), stride=1, merge=False)


def test_resampling_against_numpy() -> None:
    x = torch.randn(2, 2, 9, 3, 2).double()
    mask = torch.ones(2, 2, 9, dtype=torch.bool)
    mask[0, 0, [2, 7, 8]] = False
    mask[1, 1] = False
    found = resample_clips(x, mask, 5)
    for clip, person in ((0, 0), (0, 1), (1, 0)):
        real = x[clip, person][mask[clip, person]].flatten(1).numpy()
        at = np.linspace(0, len(real) - 1, 5)
        expected = np.stack([np.interp(at, np.arange(len(real)), column) for column in real.T], axis=1)
        np.testing.assert_allclose(found[clip, person].flatten(1).numpy(), expected)
    assert bool((found[1, 1] == 0).all())
    assert torch.equal(resample_clips(x, None, 9), x)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("frames", [1, 2, 5, 8, 13])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_a_stride_keeps_whoever_is_there_in_between(stride: int, frames: int, dtype: torch.dtype) -> None:
    mask = (torch.rand((6, frames), generator=torch.Generator().manual_seed(frames)) < 0.3).to(dtype)
    found = strided_mask(mask, stride)
    expected = [[bool(row[at : at + stride].any()) for at in range(0, frames, stride)] for row in mask.numpy()]
    assert found is not None
    assert found.dtype == dtype
    assert found.bool().tolist() == expected
    assert strided_mask(None, stride) is None
