"""Weights on disk: a folder with `config.json` and `model.safetensors`, and everything needed to use them.

    config.json        format, task, model name and configuration, skeleton, transform, metadata, SHA-256 of the tensors
    model.safetensors  the tensors, as float32 or (half the size) float16

Nothing in such a folder can run code: there is no pickle, the model is named from the package's own registry or that of
a package installed here (:mod:`kinegraph.models.installed`), and every size is checked against the stored tensors
before memory is taken. A folder appears whole or not at all.
"""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import secrets
import shutil
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kinegraph import __version__
from kinegraph.config import from_dict, to_dict
from kinegraph.errors import ConfigError, FormatError, KinegraphError, SkeletonError
from kinegraph.models import REGISTRY, build, model_entry
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.motion import MotionTransform

__all__ = [
    "CONFIG_FILE",
    "TENSORS_FILE",
    "LoadedWeights",
    "load_weights",
    "refuse_set_aside",
    "save_weights",
    "set_aside",
    "task_of",
    "transform_of",
]

CONFIG_FILE = "config.json"
TENSORS_FILE = "model.safetensors"
_FORMAT = 1
_LARGEST_CONFIG = 4 << 20  # bytes; a real one is a few kilobytes
_TRANSFORMS: dict[str, type[LiftingTransform] | type[MotionTransform] | type[ClipTransform]] = {
    "lift": LiftingTransform,
    "motion": MotionTransform,
    "recognition": ClipTransform,
}
"""What a network of each task was trained with."""
_KINDS = {"lift": "a lifting model", "motion": "a motion network", "recognition": "a recogniser of clips"}
_USES = {
    "lift": "lifts 2D keypoints: use it with lift",
    "motion": "forecasts or recognises: use it with forecast",
    "recognition": "recognises actions in clips: use it with recognize",
}
_REPEATED = ("blocks", "iterations", "differences", "hops", "kernels")
"""Fields of configurations of which each entry, or each one more of `_COUNTS`, is further tensors."""
_COUNTS = ("blocks", "iterations")
_FEW = 256
"""Of `_COUNTS`, soon built whatever is stored: `iterations` may stand there for a graph that is not used."""
_MOST_JOINTS = 2048
_MOST_UNNAMED = 1 << 16
"""Classes without names that a recogniser may have: a model that holds no weight for a class could claim any number."""
_MOST_MADE = 1 << 26
"""Constants that a model may work out for itself beside what is stored: a quarter of a gigabyte."""
_KEYS = ("format", "kinegraph", "task", "model", "skeleton", "transform", "metadata", "sha256")


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """A trained network and what it was trained for.

    Attributes:
        model: in eval mode, float32, on the CPU.
        model_name: its name in the registry.
        skeleton: the joints it takes and gives, in this order.
        transform: how keypoints or motion become its input, and its output a pose or motion.
        metadata: seed, versions, recipe, data fingerprint, protocol and metrics of the training run.
        task: what it does: "lift", "motion" (forecast, recognise windows, or both) or "recognition" (of clips).
        folder: where it was read from.
        sha256: of the stored tensors, in hexadecimal: which weights these are.
    """

    model: nn.Module
    model_name: str
    skeleton: Skeleton
    transform: LiftingTransform | MotionTransform | ClipTransform
    metadata: Mapping[str, Any]
    task: str
    folder: Path
    sha256: str = ""

    @property
    def kind(self) -> str:
        """What it is, in words, for messages."""
        return _KINDS[self.task]

    @property
    def parameters(self) -> int:
        """Number of trained or fitted values."""
        return int(self.model.num_parameters)  # type: ignore[arg-type]  # every registered model has it


def save_weights(
    folder: Path | str,
    model: nn.Module,
    model_name: str,
    metadata: Mapping[str, Any],
    *,
    transform: LiftingTransform | MotionTransform | ClipTransform,
    state: Mapping[str, Tensor] | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    task: str = "lift",
    extra: Mapping[str, bytes] | None = None,
) -> None:
    """Write a weights folder, replacing one that is there; a crash leaves the old one or the new one.

    Args:
        folder: made if missing; its parent must exist.
        model: of the registered class, with the attributes `config` and `skeleton`; the network itself, no wrapper.
        model_name: its name in the registry.
        metadata: plain values (JSON) to keep with the weights.
        transform: what the model was trained with.
        state: tensors to store in place of the model's own, of the same shapes under the same names (averaged weights,
            say).
        dtype: precision on disk. float16 halves the file; poses then move by well under a millimetre.
        task: what the model does, "lift", "motion" or "recognition".
        extra: further files of the folder by name: a model card, a calibration.

    Raises:
        ConfigError: a model or transform that is not of that task, a model that is not the named one, or a value that
            the precision cannot hold.
        KinegraphError: the folder cannot be written, or holds something else.
    """
    from safetensors.torch import save

    _check_task(task, model_name)
    _check_class(model, model_name)
    if type(transform) is not _TRANSFORMS[task]:
        raise ConfigError(f"task {task} goes with a {_TRANSFORMS[task].__name__}; found a {type(transform).__name__}")
    kept = getattr(torch, dtype)
    tensors = {
        name: _stored(name, value.detach().to("cpu"), kept)
        for name, value in (model.state_dict() if state is None else state).items()
    }
    content = save(tensors)
    config = {
        "format": _FORMAT,
        "kinegraph": __version__,
        "task": task,
        "model": {"name": model_name, "config": to_dict(model.config)},
        "skeleton": model.skeleton.to_dict(),  # type: ignore[union-attr,operator]
        "transform": to_dict(transform),
        "metadata": to_dict(dict(metadata)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps(config, indent=1, allow_nan=True) + "\n"
    _replace_folder(Path(folder), {CONFIG_FILE: text.encode(), TENSORS_FILE: content, **(extra or {})})


def _stored(name: str, value: Tensor, kept: torch.dtype) -> Tensor:
    """A copy in that precision; ConfigError where a finite value would become infinite."""
    found = value.to(kept if value.is_floating_point() else value.dtype).contiguous().clone()
    if found.is_floating_point():
        finite = torch.isfinite(value)
        if not bool(torch.isfinite(found[finite]).all()):
            precision = str(kept).removeprefix("torch.")
            raise ConfigError(
                f"tensor {name} holds {float(value[finite].abs().max()):g}, and {precision} nothing above "
                f"{torch.finfo(kept).max:g}; nothing was written: expected smaller weights"
                + (", or dtype float32" if kept == torch.float16 else "")
            )
    return found


def _replace_folder(target: Path, files: Mapping[str, bytes]) -> None:
    if target.is_symlink():  # it stays, and what it points to is replaced
        target = Path(os.path.realpath(target))
    parent = target.parent
    # A calibration is of the weights beside it and goes with them.
    ours = {*files, "calibration.json"}
    if target.exists() and (not target.is_dir() or not {item.name for item in target.iterdir()} <= ours):
        raise KinegraphError(f"cannot write {target}: something other than weights is there; choose another folder")
    token = secrets.token_hex(4)
    fresh, old = parent / f".{target.name}.{token}.part", parent / f".{target.name}.{token}.old"
    try:
        fresh.mkdir()
        for name, content in files.items():
            with (fresh / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if target.exists():
            os.replace(target, old)
        os.replace(fresh, target)
    except BaseException as error:  # Ctrl-C as well: what is on disk says how far it came
        if not target.exists() and old.exists():
            with suppress(OSError):
                os.replace(old, target)
        if isinstance(error, OSError):
            where = "" if target.exists() or not old.exists() else f"; what was there is now {old}"
            raise KinegraphError(
                f"cannot write {target}: {error.strerror or error}; choose another folder{where}"
            ) from error
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if target.exists():  # where it could not come back, `old` is all there is
            shutil.rmtree(old, ignore_errors=True)


def refuse_set_aside(folder: Path) -> None:
    """Raises FormatError where :func:`_replace_folder`, killed at its worst moment, left weights aside of a folder."""
    latest = set_aside(folder)
    if latest is not None:
        raise FormatError(folder, f"no such weights folder; a save cut short left its weights as {latest}: rename it")


def set_aside(folder: Path) -> Path | None:
    """The latest weights that a save of a folder, or of what a symlink points to, set aside and never put back."""
    place = Path(os.path.realpath(folder)) if folder.is_symlink() else folder
    left = [p for p in place.parent.glob(f".{glob.escape(place.name)}.*.old") if (p / CONFIG_FILE).is_file()]
    return max(left, key=lambda p: p.stat().st_mtime, default=None)


def _check_task(task: str, model_name: str) -> None:
    entry = model_entry(model_name)
    if task not in _TRANSFORMS:
        raise ConfigError(f"task is {task!r}, expected {' or '.join(map(repr, _TRANSFORMS))}")
    if entry.task != task:
        raise ConfigError(f"task is {task!r}, but the model {model_name!r} is one of {entry.task!r}")


def _check_class(model: nn.Module, model_name: str) -> None:
    """Only what the name builds again can be read again."""
    entry = model_entry(model_name)
    if type(model) is not entry.model:
        names = [name for name, other in REGISTRY.items() if type(model) is other.model]
        remedy = f"name it {' or '.join(map(repr, names))}" if names else "pass the network itself, without wrappers"
        raise ConfigError(
            f"{model_name!r} names a {entry.model.__name__}; found a {type(model).__name__}: {remedy}, or it could not "
            "be read again"
        )
    if type(model.config) is not entry.config:
        raise ConfigError(
            f"{model_name!r} is configured by a {entry.config.__name__}; found a {type(model.config).__name__}: give "
            "the name it was built with"
        )


def load_weights(folder: Path | str, task: str | None = None) -> LoadedWeights:
    """Read a weights folder.

    Args:
        folder: with `config.json` and `model.safetensors`.
        task: what the weights must be for, "lift", "motion" or "recognition"; None takes any.

    Raises:
        KinegraphError: the weights are sound, and for something else.
        FormatError: the folder or a file in it is missing, damaged, or not what it claims to be.
    """
    folder = Path(folder)
    config_path, tensors_path = folder / CONFIG_FILE, folder / TENSORS_FILE
    config = _config_of(folder)
    if task is not None and config["task"] != task:
        raise KinegraphError(f"{folder}: this network {_USES[config['task']]}")
    try:
        _check_task(config["task"], str(config["model"]["name"]))
        name, options = config["model"]["name"], config["model"]["config"]
        model_config = from_dict(model_entry(str(name)).config, options, "model.config")
        transform = from_dict(_TRANSFORMS[config["task"]], config["transform"], "transform")
        skeleton = _skeleton(config["skeleton"])
    except (ConfigError, SkeletonError) as error:
        raise FormatError(config_path, str(error)) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FormatError(config_path, f"model, transform or skeleton is malformed ({error})") from error
    if not isinstance(config["metadata"], dict):
        raise FormatError(config_path, f"metadata: found {type(config['metadata']).__name__}, expected a mapping")
    stored = _stored_shapes(tensors_path)
    _check_shapes(name, skeleton, model_config, stored, tensors_path)
    if isinstance(transform, ClipTransform):
        classes, named = int(model_config.classes), len(transform.actions)
        if classes != named and (named or classes > _MOST_UNNAMED):
            raise FormatError(config_path, f"transform names {named} actions, the {name} has {classes} classes")
    tensors = _read_tensors(tensors_path, config["sha256"])
    model = build(name, skeleton, model_config)
    model.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    )
    return LoadedWeights(
        model=model.eval(),
        model_name=name,
        skeleton=skeleton,
        transform=transform,
        metadata=config["metadata"],
        task=str(config["task"]),
        folder=folder,
        sha256=str(config["sha256"]),
    )


def task_of(folder: Path | str) -> str:
    """What weights are for, "lift", "motion" or "recognition", from `config.json` alone.

    Raises:
        FormatError: the folder or a file in it is missing, or the configuration damaged.
    """
    return str(_config_of(Path(folder))["task"])


def transform_of(folder: Path | str) -> LiftingTransform | MotionTransform | ClipTransform:
    """What weights were trained with, from `config.json` alone.

    Raises:
        FormatError: as of :func:`task_of`.
    """
    config = _config_of(Path(folder))
    try:
        return from_dict(_TRANSFORMS[config["task"]], config["transform"], "transform")
    except ConfigError as error:
        raise FormatError(Path(folder) / CONFIG_FILE, str(error)) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FormatError(Path(folder) / CONFIG_FILE, f"transform is malformed ({error})") from error


def _config_of(folder: Path) -> dict[str, Any]:
    """The configuration in a folder that has the files of weights."""
    if not folder.is_dir():
        refuse_set_aside(folder)
        raise FormatError(folder, f"no such weights folder; expected one with {CONFIG_FILE} and {TENSORS_FILE}")
    for name in (CONFIG_FILE, TENSORS_FILE):
        if not (folder / name).is_file():
            raise FormatError(folder, f"not a weights folder: {name} is missing")
    return _read_config(folder / CONFIG_FILE)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise FormatError(path, f"{path.stat().st_size} bytes is too large for a weights configuration")
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # JSON and UTF-8 faults
        raise FormatError(path, f"not valid JSON ({error})") from error
    if not isinstance(config, dict) or "format" not in config:
        raise FormatError(path, "not a kinegraph weights configuration: there is no 'format'")
    if config["format"] != _FORMAT:
        raise FormatError(path, f"format is {config['format']!r}, this version reads {_FORMAT}; upgrade kinegraph")
    missing = [key for key in _KEYS if key not in config]
    if missing:
        raise FormatError(path, f"{', '.join(missing)} missing; the file is damaged or not written by kinegraph")
    if config["task"] not in tuple(_TRANSFORMS):
        raise FormatError(path, f"task is {config['task']!r}, expected {' or '.join(map(repr, _TRANSFORMS))}")
    return config


def _skeleton(data: Any) -> Skeleton:
    """The skeleton of a configuration; networks of more joints would take for ever to build, memory or not."""
    joints = data["joints"]
    if len(joints) > _MOST_JOINTS:
        raise SkeletonError(f"skeleton of {len(joints)} joints, more than {_MOST_JOINTS}")
    return Skeleton.from_dict(data)


def _stored_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes from the header alone, before any tensor is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, struct.error) as error:
        raise FormatError(path, f"not a safetensors file, or a damaged one ({error}); copy it again") from error


def _check_shapes(
    name: str, skeleton: Skeleton, config: Any, stored: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """Compare with a model that takes no memory, so that a hostile configuration cannot ask for terabytes."""
    examples = getattr(config, "examples", 0)
    if examples >= 1 << 24:
        raise FormatError(path.parent / CONFIG_FILE, f"model.config.examples is {examples}, not a number of clips")
    _check_orders(name, skeleton, config, stored, path)
    for part in _REPEATED:
        given, most = getattr(config, part, None), len(stored)
        if isinstance(given, tuple):
            count = len(given)
        elif part in _COUNTS and given is not None:
            count, most = given, max(most, _FEW)
        else:
            continue  # a distance, say: it is compared with what there is, and repeats nothing
        if count > most:
            raise FormatError(
                path, f"{len(stored)} tensors cannot be the {count} {part} of the {name} in {CONFIG_FILE}"
            )
    try:
        with torch.device("meta"):
            model = build(name, skeleton, config)
        expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    except KinegraphError as error:
        raise FormatError(path.parent / CONFIG_FILE, str(error)) from error
    except (RuntimeError, ValueError, OverflowError, TypeError, MemoryError) as error:
        raise FormatError(path.parent / CONFIG_FILE, f"model.config cannot be built ({error})") from error
    for key, shape in expected.items():
        if key not in stored:
            raise FormatError(path, f"tensor {key} is missing; the file is not of the {name} in {CONFIG_FILE}")
        if stored[key] != shape:
            raise FormatError(path, f"tensor {key} has shape {stored[key]}, the {name} in {CONFIG_FILE} needs {shape}")
    for key in stored:
        if key not in expected:
            raise FormatError(path, f"tensor {key} does not belong to the {name} in {CONFIG_FILE}")
    made = sum(buffer.numel() for key, buffer in model.named_buffers() if key not in expected)
    if made > _MOST_MADE:
        raise FormatError(
            path.parent / CONFIG_FILE, f"model.config asks for {made:,} constants; no model needs as many"
        )


def _check_orders(
    name: str, skeleton: Skeleton, config: Any, stored: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """FormatError where graphs of more orders are asked for than can be stored: each has a weight for every pair."""
    orders, values = getattr(config, "gamma", 0), sum(math.prod(shape) for shape in stored.values())
    if getattr(config, "structural", True) and orders * skeleton.num_joints**2 > values:
        raise FormatError(
            path,
            f"{values:,} values cannot be the gamma {orders} graphs of {skeleton.num_joints} joints of the {name} in "
            f"{CONFIG_FILE}",
        )


def _read_tensors(path: Path, digest: Any) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise FormatError(path, f"SHA-256 differs from the one in {CONFIG_FILE}; the two are not from one training")
        tensors: dict[str, Tensor] = load(content)
    except (SafetensorError, OSError, ValueError) as error:
        raise FormatError(path, f"cannot be read ({error}); copy it again") from error
    for key, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise FormatError(path, f"tensor {key} holds values that are not finite; the training diverged")
    return tensors
