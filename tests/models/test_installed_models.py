"""A model of one's own: an entry point of an installed package is found by its name, and a broken one says so."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from kinegraph import models
from kinegraph.errors import ConfigError, DataError
from kinegraph.models import REGISTRY, ModelEntry, build, model_entry
from kinegraph.models.fcn import FCN, FCNConfig
from kinegraph.models.installed import installed_names
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.weights import load_weights, save_weights

MODULE = """
from dataclasses import dataclass
from torch import nn
from kinegraph.models import ModelEntry, RecognitionModel
from kinegraph.models.recognition_model import RecognizerConfig

@dataclass(frozen=True, kw_only=True)
class TinyConfig(RecognizerConfig):
    hidden: int = 8

class Tiny(RecognitionModel):
    def __init__(self, skeleton, config=None):
        super().__init__(skeleton, config or TinyConfig())
        self.last = nn.Linear(skeleton.num_joints * self.channels, self.classes)

    def forward(self, x, mask=None):
        self.check_input(x, mask)
        return self.last(x.flatten(3)).mean((1, 2))

tiny = ModelEntry(TinyConfig, Tiny, "recognition")
not_a_model = Tiny
"""


def distribution(folder: Path, package: str, points: str) -> None:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[kinegraph.models]\n{points}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path with a package of models, good and broken; the registry is as it was afterwards."""
    folder = tmp_path / "site"
    distribution(
        folder,
        "tiny_models",
        "tiny = tiny_models:tiny\nno_module = tiny_nowhere:tiny\nno_name = tiny_models:nothing\n"
        "no_entry = tiny_models:not_a_model\nraises = tiny_raises:tiny\ntwice = tiny_models:tiny\n"
        "fcn = tiny_models:tiny",
    )
    distribution(folder, "other_models", "twice = tiny_models:other")
    (folder / "tiny_models.py").write_text(MODULE)
    (folder / "tiny_raises.py").write_text("raise SystemError('line one\\nline two')\n")
    before = dict(REGISTRY)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    yield folder
    REGISTRY.clear()
    REGISTRY.update(before)
    sys.modules.pop("tiny_models", None)


def test_a_model_of_an_installed_package_is_built_kept_and_read(site: Path, tmp_path: Path) -> None:
    assert "tiny" not in REGISTRY
    assert "tiny" in installed_names()
    assert "tiny_models" not in sys.modules  # looked at, not imported
    model = build("tiny", "h36m17", {"classes": 3})
    save_weights(tmp_path / "w", model, "tiny", {}, transform=ClipTransform(), task="recognition")
    del REGISTRY["tiny"]
    loaded = load_weights(tmp_path / "w")
    x = torch.randn(2, 1, 5, 17, 3)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(x), model(x))


def test_another_process_knows_it_too_and_help_does_not_look(site: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(site)!r})\nfrom kinegraph.models import build\n"
    subprocess.run([sys.executable, "-c", code + "build('tiny', 'h36m17', {'classes': 2})"], check=True)
    help_code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\nfrom kinegraph.cli import main\n"
        "main(['--help'])\nprint('loaded:', 'tiny_models' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", help_code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "loaded: False"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_module", "of the package tiny_models .* cannot be loaded .ModuleNotFoundError.*; mend or uninstall it"),
        ("no_name", "cannot be loaded .AttributeError"),
        ("no_entry", "is a ABCMeta; expected a ModelEntry"),
        ("raises", "cannot be loaded .SystemError: line one line two"),
        ("twice", "offered by several packages .tiny_models:other of other_models, tiny_models:tiny of tiny_models"),
        ("tinny", "no model is called 'tinny'; did you mean 'tiny'.*an entry point 'tinny' of the group kinegraph.mod"),
    ],
)
def test_broken_ones_say_so(site: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        model_entry(name)
    assert "\n" not in str(error.value)


def test_built_in_names_stay(site: Path) -> None:
    assert model_entry("fcn").model is FCN


def test_entries_are_checked() -> None:
    for entry, words in (
        ((FCNConfig, FCN, "lifting"), "task is 'lifting', expected 'lift' or"),
        ((FCNConfig, FCN, "recognition"), "is a RecognitionModel; found"),
        ((dict, FCN, "lift"), "is a dataclass; found"),
    ):
        with pytest.raises(ConfigError, match=words):
            ModelEntry(*entry)


def test_a_layout_is_named_or_given() -> None:
    by_name = models.build("ctrgcn", "ntu25", {"classes": 2, "width": 0.0625})
    assert by_name.skeleton == get_skeleton("ntu25")


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [("fcn", {"width": 8}, (2, 17, 2)), ("simlpe", {"observed": 8, "horizon": 3}, (2, 8, 17, 3))],
)
def test_arrays_are_no_tensors(name: str, options: dict[str, int], shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"takes a tensor; found ndarray: use torch.as_tensor"):
        build(name, "h36m17", options)(np.zeros(shape, dtype=np.float32))


def test_arrays_are_no_tensors_for_recognisers() -> None:
    model = build("stgcn", "h36m17", {"classes": 2, "width": 0.0625})
    for given in ((np.zeros((1, 1, 8, 17, 3)),), (torch.zeros(1, 1, 8, 17, 3), np.ones((1, 1, 8), dtype=bool))):
        with pytest.raises(DataError, match="takes tensors; found ndarray: use torch.as_tensor"):
            model(*given)


def test_weights_under_another_name_are_not_written(tmp_path: Path) -> None:
    recogniser = build("ctrgcn", "h36m17", {"classes": 2, "width": 0.0625})
    kept = {"transform": ClipTransform(), "task": "recognition"}
    for model, name, words in (
        (recogniser, "stgcn", "'stgcn' names a STGCN; found a CTRGCN: name it 'ctrgcn', or it could not"),
        (
            torch.nn.DataParallel(recogniser),
            "ctrgcn",
            "found a DataParallel: pass the network itself, without wrappers",
        ),
        (
            build("khop", "h36m17", {"classes": 2, "width": 0.0625}),
            "mixhop",
            "configured by a MixHopConfig; found a KHop",
        ),
    ):
        with pytest.raises(ConfigError, match=words):
            save_weights(tmp_path / "w", model, name, {}, **kept)  # type: ignore[arg-type]
        assert not (tmp_path / "w").exists()
