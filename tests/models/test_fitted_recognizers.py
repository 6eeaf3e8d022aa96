"""1-NN and the linear classifier: distances, coefficients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.errors import ConfigError, DataError
from kinegraph.models import LinearRecognizer, LinearRecognizerConfig, Nearest, NearestConfig
from kinegraph.models.nearest import dynamic_time_warping
from kinegraph.skeleton import get_skeleton

COCO = get_skeleton("coco17")


def clips(count: int, frames: int = 10) -> torch.Tensor:
    return torch.randn(count, 1, frames, 17, 2, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 4), (5, 5), (6, 3), (3, 7)])
def test_warping_against_the_textbook(first: int, second: int) -> None:
    costs = torch.rand(4, first, second).double()
    found = dynamic_time_warping(costs)
    for pair, cost in enumerate(costs.numpy()):
        total = np.full((first + 1, second + 1), np.inf)
        total[0, 0] = 0
        for i in range(first):
            for j in range(second):
                total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
        assert found[pair].item() == pytest.approx(total[-1, -1])


@pytest.mark.parametrize("metric", ["dtw", "euclid"])
def test_nearest_finds_itself_and_scores_by_distance(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinegraph.models.nearest._PAIRS", 5)
    model = Nearest(COCO, NearestConfig(channels=2, classes=4, frames=8, metric=metric))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="call fit first"):
        model(clips(1))
    x, labels = clips(9), torch.arange(9) % 3
    model.fit(x, labels)
    assert model.config.examples == 9
    scores = model(x)
    assert torch.equal(scores.argmax(dim=1), labels)
    assert bool((scores[:, 3] == -torch.inf).all())
    torch.testing.assert_close(scores[torch.arange(9), labels], torch.zeros(9), atol=1e-2, rtol=0)
    other = clips(3)
    distances = model.distances(model._features(other, None))
    expected = torch.stack([-distances[:, labels == label].amin(dim=1) for label in range(3)], dim=1)
    torch.testing.assert_close(model(other)[:, :3], expected)


def test_warping_forgives_another_tempo() -> None:
    model = Nearest(COCO, NearestConfig(channels=2, classes=2, frames=12))
    x = clips(2, 12)
    model.fit(x, torch.tensor([0, 1]))
    slow_start = x[:, :, [0, 0, 0, 1, 2, 3, 4, 6, 8, 9, 10, 11]]
    assert model(slow_start).argmax(dim=1).tolist() == [0, 1]


def test_linear_against_the_normal_equations() -> None:
    model = LinearRecognizer(COCO, LinearRecognizerConfig(channels=2, classes=3, frames=2, strength=0.3)).double()
    assert not model.fitted
    x, labels = clips(200, 2).double(), torch.arange(200) % 3
    model.fit(x, labels)
    assert model.fitted
    f = x.flatten(1).numpy() - x.flatten(1).numpy().mean(axis=0)
    y = np.eye(3)[labels] - np.eye(3)[labels].mean(axis=0)
    penalty = 0.3 * f.var(axis=0).sum()
    weight = np.linalg.solve(f.T @ f + penalty * np.eye(f.shape[1]), f.T @ y)
    scores = f @ weight + np.eye(3)[labels].mean(axis=0)
    sharpness = float(np.abs(model.weight.numpy()).sum() / np.abs(weight).sum())
    np.testing.assert_allclose(model.weight.numpy(), sharpness * weight, atol=1e-10)
    np.testing.assert_allclose(model(x).numpy(), sharpness * scores, atol=1e-10)


def test_linear_probabilities_are_those_of_clips_left_out() -> None:
    """The factor against a search over what models without the clip say, one by one."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(40) % 4
    x = torch.randn(40, 1, 2, 17, 2, generator=generator).double()
    x[torch.arange(40), 0, :, labels] += 1.5
    f, y = x.flatten(1).numpy(), np.eye(4)[labels]
    penalty = 0.3 * f.var(axis=0).sum()
    alone = np.empty((40, 4))
    for clip in range(40):
        rest = np.arange(40) != clip
        mean, share = f[rest].mean(axis=0), y[rest].mean(axis=0)
        weight = np.linalg.solve(
            (f[rest] - mean).T @ (f[rest] - mean) + penalty * np.eye(f.shape[1]), (f[rest] - mean).T @ (y[rest] - share)
        )
        alone[clip] = (f[clip] - mean) @ weight + share
    targets = (40 * y + 1 / 4) / 41
    factors = np.geomspace(0.1, 100, 4001)
    logs = [z - np.log(np.exp(z).sum(axis=1, keepdims=True)) for z in factors[:, None, None] * alone]
    best = factors[np.argmax([(targets * log).sum() for log in logs])]
    model = LinearRecognizer(COCO, LinearRecognizerConfig(channels=2, classes=4, frames=2, strength=0.3)).double()
    model.fit(x, labels)
    centred, wanted = f - f.mean(axis=0), y - y.mean(axis=0)
    plain = np.linalg.solve(centred.T @ centred + penalty * np.eye(f.shape[1]), centred.T @ wanted)
    assert np.abs(model.weight.numpy()).sum() / np.abs(plain).sum() == pytest.approx(best, rel=3e-3)
    assert best > 2  # the indicators themselves are too flat


@pytest.mark.parametrize("labels", [[0], [0, 0, 0], [0, 1], [0, 1, 2, 0, 1, 2]])
def test_linear_probabilities_of_few_clips_are_finite(labels: list[int]) -> None:
    model = LinearRecognizer(COCO, LinearRecognizerConfig(channels=2, classes=3, frames=2))
    x = clips(len(labels))
    model.fit(x, torch.tensor(labels))
    scores = model(x)
    assert bool(scores.isfinite().all())
    assert scores.argmax(dim=1).tolist() == labels


def test_training_clips_of_the_wrong_kind_are_refused() -> None:
    model = LinearRecognizer(COCO, LinearRecognizerConfig(channels=2, classes=3))
    with pytest.raises(DataError, match="labels from 0 to 3; with 3 classes"):
        model.fit(clips(4), torch.arange(4))
    with pytest.raises(DataError, match=r"4 training clips and labels \(3,\)"):
        model.fit(clips(4), torch.arange(3))
    bad = clips(2)
    bad[0, 0, 0, 0, 0] = torch.nan
    with pytest.raises(DataError, match="NaN"):
        model.fit(bad, torch.arange(2))
    with pytest.raises(ConfigError, match="strength: found 0"):
        LinearRecognizer(COCO, LinearRecognizerConfig(classes=3, strength=0.0))
    with pytest.raises(ConfigError, match="metric"):
        Nearest(COCO, NearestConfig(classes=3, metric="cosine"))  # type: ignore[arg-type]
