"""Weights from and to the Hugging Face hub: an id `owner/name` stands for a folder wherever weights are read.

So does the name of a network in the package (:mod:`kinegraph.shipped`); what lies at a path of that name comes first.

Local folders need neither the package `huggingface_hub` nor a network. What is fetched is checked like any other
folder: JSON and safetensors, no pickle.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch

from kinegraph.errors import FormatError, KinegraphError, MissingExtraError, as_path, nearest, require
from kinegraph.shipped import find_folder, named
from kinegraph.weights import CONFIG_FILE, TENSORS_FILE, LoadedWeights, load_weights, refuse_set_aside, save_weights

__all__ = [
    "CALIBRATION_FILE",
    "CARD_FILE",
    "Pretrained",
    "is_hub_id",
    "locate",
    "model_card",
    "push_to_hub",
    "save_pretrained",
]

CALIBRATION_FILE = "calibration.json"
CARD_FILE = "README.md"
_FILES = (CONFIG_FILE, TENSORS_FILE, CALIBRATION_FILE, CARD_FILE)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
_PURPOSE = "weights from the Hugging Face hub"


def is_hub_id(name: str) -> bool:
    """Whether a name has the form ``owner/name``."""
    return _ID.fullmatch(name) is not None and ".." not in name


def locate(folder: Path | str, revision: str | None = None, others: Collection[str] = ()) -> Path:
    """The folder of weights: `folder` itself if it exists, else of the package's networks the one of that name, else
    fetched from the hub when it has the form of an id.

    Args:
        folder: a path, the name of a network in the package, or ``owner/name``.
        revision: branch, tag or commit on the hub.
        others: further names that could have been given, baselines that have no folder; for the message.

    Raises:
        ConfigError: not even text.
        FormatError: none of these.
        MissingExtraError: an id, and `huggingface_hub` is not installed.
        KinegraphError: the hub does not have it or is not reached.
    """
    name = str(as_path(folder, "the weights' folder, or a name"))
    found = find_folder(folder)
    if found is None:
        refuse_set_aside(Path(name))
    if found is not None or not is_hub_id(name):
        if revision is not None:
            raise KinegraphError(f"{name}: revision '{revision}' belongs to an id on the hub; a folder has none")
        if found is None:
            more = f"; baselines: {', '.join(others)}{nearest(name, others)}" if others else ""
            raise FormatError(folder, f"no such weights folder, and no network {named(name)}{more}")
        return found
    try:
        hub = require("huggingface_hub", extra="hub", purpose=_PURPOSE)
    except MissingExtraError as error:
        raise FormatError(folder, f"no such weights folder; to fetch {name} from the hub: {error}") from error
    try:
        return Path(hub.snapshot_download(repo_id=name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # whatever its HTTP library raises: no network, no such repository, no right to it
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise KinegraphError(
            f"{name} is no folder here and could not be fetched from the hub ({reason}); without a network, give the "
            "folder of weights copied or saved with save_pretrained"
        ) from error


class Pretrained:
    """What every network at work can do with its weights; `weights` is None of a baseline that has none."""

    weights: LoadedWeights | None

    def save_pretrained(self, folder: Path | str) -> Path:
        """Write the weights to a folder that `from_pretrained` reads; see :func:`kinegraph.hub.save_pretrained`."""
        return save_pretrained(self._trained(), folder)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the weights as ``owner/name``; options as of :func:`kinegraph.hub.push_to_hub`."""
        return push_to_hub(self._trained(), repo_id, **options)

    def _trained(self) -> LoadedWeights:
        if self.weights is None:
            raise KinegraphError("a baseline has no weights to save; name it instead of a folder")
        return self.weights


def save_pretrained(weights: LoadedWeights, folder: Path | str) -> Path:
    """Write a folder that `from_pretrained` reads: weights, the calibration of their errors, and a model card.

    Args:
        weights: a network as read. One trained on since is saved as it is now, without the old calibration.
        folder: made if missing; its parent must exist.

    Returns:
        The folder.

    Raises:
        KinegraphError: it cannot be written, or holds something else.
    """
    card = weights.folder / CARD_FILE
    extra = {CARD_FILE: card.read_bytes() if card.is_file() else model_card(weights).encode()}
    calibration = weights.folder / CALIBRATION_FILE
    current = load_weights(weights.folder).model.state_dict()
    if calibration.is_file() and all(torch.equal(v.cpu(), current[k]) for k, v in weights.model.state_dict().items()):
        extra[CALIBRATION_FILE] = calibration.read_bytes()
    save_weights(
        folder,
        weights.model,
        weights.model_name,
        weights.metadata,
        transform=weights.transform,
        task=weights.task,
        dtype=_stored_as(weights.folder),
        extra=extra,
    )
    return Path(folder)


def _stored_as(folder: Path) -> Literal["float32", "float16"]:
    """The precision of the file: kept, so that the same weights give the same file."""
    from safetensors import safe_open

    with safe_open(folder / TENSORS_FILE, framework="pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    return "float16" if "F16" in kinds else "float32"


def model_card(weights: LoadedWeights) -> str:
    """A model card in Markdown from what the weights know of themselves."""
    metadata = weights.metadata
    user = {"lift": "Lifter", "recognition": "Recognizer"}.get(weights.task, "Forecaster")
    lines = [
        f"# {weights.model_name}, trained with Kinegraph",
        "",
        f"Task: {weights.task}. {weights.parameters:,} parameters. "
        f"Skeleton `{weights.skeleton.name}`, {weights.skeleton.num_joints} joints.",
        "",
        "```python",
        "import kinegraph as kg",
        "",
        f'network = kg.{user}.from_pretrained("FOLDER OR ID")',
        "```",
        "",
        "| trained with | |",
        "|---|---|",
    ]
    for key in ("protocol", "seed", "data", "metrics", "versions"):
        if key in metadata:
            text = json.dumps(metadata[key], sort_keys=True, default=str).replace("|", "\\|")
            lines.append(f"| {key} | `{text[:600]}` |")
    lines += [
        "",
        "The recipe and everything else that was recorded are in `config.json`. State here what data it was trained",
        "on, under which licence, and what it was never shown.",
    ]
    return "\n".join(lines) + "\n"


def push_to_hub(
    weights: LoadedWeights,
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    message: str = "Weights of Kinegraph",
    licence: str = "apache-2.0",
) -> str:
    """Upload weights, calibration and model card to the hub.

    Args:
        weights: a network as read.
        repo_id: ``owner/name``; made if it is not there.
        private: of a repository that is made.
        token: of the hub; the one that its own command line stored if None.
        message: of the commit.
        licence: the hub's name of the weights' licence, for the model card.

    Returns:
        Where it is now.

    Raises:
        MissingExtraError: `huggingface_hub` is not installed.
        KinegraphError: no such form of an id, or the hub refuses.
    """
    if not is_hub_id(repo_id):
        raise KinegraphError(f"'{repo_id}' is no id on the hub; expected owner/name")
    hub = require("huggingface_hub", extra="hub", purpose="uploading to the Hugging Face hub")
    with tempfile.TemporaryDirectory() as parent:
        folder = save_pretrained(weights, Path(parent) / "weights")
        card = folder / CARD_FILE
        text = card.read_text(encoding="utf-8")
        if not text.startswith("---\n"):
            head = ["---", f"license: {licence}", "library_name: kinegraph", "tags:", "- human-motion", "- skeleton"]
            card.write_text("\n".join([*head, "---", "", text]), encoding="utf-8")
        try:
            api: Any = hub.HfApi(token=token)
            api.create_repo(repo_id=repo_id, repo_type="model", private=private, exist_ok=True)
            where = api.upload_folder(
                repo_id=repo_id, repo_type="model", folder_path=str(folder), commit_message=message
            )
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise KinegraphError(f"{repo_id} could not be uploaded to the hub: {reason}") from error
    return str(where)
