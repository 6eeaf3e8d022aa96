"""The forecasting protocols: which windows, and what error.

========================  =============================================================================
``cmu-euler-64``          Euler error over the 64 moving columns (convention A); 8 windows an action, 50 in, 25 out
``cmu-euler-std``         the same over the columns whose truth moves in the window (convention B)
``cmu-mpjpe``             mm over 38 joints, every stride-1 window, 10 in, 25 out
``h36m-euler``            Human3.6M, subject 5, 8 windows an action, columns whose 25 true frames to come move
``ntu-pck``               NTU RGB+D, the last 10 frames, joints within 0.05 of a named size
========================  =============================================================================

Angles are never unwrapped in the main number; ``wrapped`` beside it takes differences on the circle.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError, DataError, nearest
from kinegraph.evaluation.forecasting import ActionWindows, ForecastProtocol
from kinegraph.formats.motion.expmap_text import rest_offsets, unit_metres
from kinegraph.geometry.expmap_euler import expmap_to_protocol_euler, file_expmap_to_quaternion
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.metrics import euler_error, mpjpe
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["FORECAST_PROTOCOLS", "load_forecast_protocol"]

Array = NDArray[np.float64]

FORECAST_PROTOCOLS = {
    "cmu-euler-64": "CMU Mocap, Euler error over the 64 columns that move in train",
    "cmu-euler-std": "CMU Mocap, Euler error over the columns whose truth moves",
    "cmu-mpjpe": "CMU Mocap, mean position error of 38 joints, mm",
    "h36m-euler": "Human3.6M, Euler error on subject 5",
    "ntu-pck": "NTU RGB+D, PCK@0.05 over the next 10 frames",
}
"""Name -> what it is."""

FRAMES = (1, 3, 7, 9, 13, 24)
LABELS_MS = (80, 160, 320, 400, 560, 1000)
"""What the literature calls forecast frames 1, 3, ... (0-based): true at 25 fps, while CMU is at 60."""
PUBLISHED_UNIT_MM = 70.0
MOVES = 1e-4


def load_forecast_protocol(
    protocol: str,
    source: Path | str | None,
    *,
    split: str = "test",
    representation: str | None = None,
    benchmark: str | None = None,
    normaliser: str | None = None,
    progress: bool = False,
) -> ForecastProtocol:
    """A protocol with its data.

    Args:
        protocol: one of :data:`FORECAST_PROTOCOLS`.
        source: folder of its files.
        split: ``"test"``, or of the CMU protocols ``"val"``: the clips held out of train, measured the same way.
        representation: what the method works on; ``cmu-mpjpe`` takes ``"expmap"`` too (positions then by forward
            kinematics). None is the protocol's own.
        benchmark: of ``ntu-pck``, by whom or where its clips are divided: ``"xsub"`` (None) or ``"xview"``; of trained
            networks what :func:`kinegraph.evaluation.forecasting.benchmark_of` says.
        normaliser: of ``ntu-pck``: the size that 0.05 refers to; ``"torso"`` if None.
        progress: of ``ntu-pck``: show a bar on standard error while files are read.

    Raises:
        ConfigError: unknown protocol, or a choice it does not have.
        DataError: the files are not there, or damaged.
    """
    if protocol not in FORECAST_PROTOCOLS:
        raise ConfigError(
            f"unknown protocol '{protocol}'{nearest(protocol, FORECAST_PROTOCOLS)}; there are "
            f"{', '.join(FORECAST_PROTOCOLS)}"
        )
    if source is None:
        raise ConfigError(f"protocol {protocol} needs the folder of its files: --data DIR")
    if protocol == "ntu-pck":
        if split != "test":
            raise ConfigError(f"{protocol} is measured on its test split, not '{split}'")
        return _ntu_pck(source, benchmark or "xsub", normaliser, progress)
    for option, value in (("benchmark", benchmark), ("normaliser", normaliser)):
        if value is not None:
            raise ConfigError(f"{protocol} takes no option '{option}'; that is ntu-pck's")
    if protocol.startswith("cmu"):
        if split not in ("test", "val"):
            raise ConfigError(f"{protocol} is measured on split test or val, not '{split}'")
        if protocol == "cmu-mpjpe":
            return _cmu_mpjpe(source, split, representation or "positions")
        return _cmu_euler(protocol, source, split)
    if split != "test":
        raise ConfigError(f"{protocol} is measured on its test split, not '{split}'")
    return _h36m_euler(source)


# --------------------------------------------------------------------------------------------------------- CMU


def _cmu_clips(source: Path | str, split: str) -> tuple[dict[str, Array], tuple[str, ...], dict[str, Any]]:
    """Decimated file rows (frames, 117) by action, the actions without any, and what the data is."""
    data = cmu_actions.load(source, "test" if split == "test" else "val")
    there = cmu_actions.survey(source)
    part = there.test if split == "test" else there.train
    rows = {}
    for clip in data.clips:
        rows[cmu_actions.ACTIONS[clip.action]] = cmu_actions.read_clip(part[clip.name])[:: cmu_actions.STEP]
    missing = tuple(action for action in cmu_actions.ACTIONS if action not in rows)
    return rows, missing, {"name": data.name, "split": split, "fingerprint": data.fingerprint}


def _cmu_notes(split: str, missing: tuple[str, ...]) -> tuple[str, ...]:
    """What to know beside every number, where some actions have no data."""
    notes = ["the literature's labels: the files are 60 fps, so '1000 ms' is in truth 417 ms"]
    if missing:
        notes.append(f"no data here of {', '.join(missing)}")
    complete = [action for action in cmu_actions.COMPLETE if action not in missing]
    if complete:
        notes.append(f"average over the complete actions: {', '.join(complete)}")
    else:
        notes.append(f"average over the actions here: of the complete ones ({', '.join(cmu_actions.COMPLETE)}) none is")
    if split == "val":
        notes.append("validation clips (number 4 of each action of train), not the test set")
    return tuple(notes)


def _cmu_euler(protocol: str, source: Path | str, split: str) -> ForecastProtocol:
    clips, missing, data = _cmu_clips(source, split)
    actions = {}
    for action, rows in clips.items():
        truth = np.stack([rows[start : start + 75] for start in cmu_actions.protocol_starts(len(rows))])
        actions[action] = ActionWindows(inputs=_features(truth[:, :50]), truth=truth)
    columns = np.zeros(117, dtype=bool)
    columns[list(cmu_actions.COLUMNS)] = True
    skeleton = cmu_actions.network_skeleton("expmap")
    measure = partial(
        _euler, layout="cmu38", skeleton=skeleton, observed=50, columns=columns if protocol == "cmu-euler-64" else None
    )
    convention = "64 columns that move in train" if protocol == "cmu-euler-64" else "columns whose truth moves"
    return ForecastProtocol(
        name=protocol,
        metric=f"Euler error, L2 over the {convention}",
        unit="rad",
        representation="expmap",
        skeleton=skeleton,
        mirror=cmu_actions.mirror_of(skeleton, "expmap"),
        fps=cmu_actions.FPS,
        observed=50,
        horizon=25,
        frames=FRAMES,
        times_ms=LABELS_MS,
        actions=actions,
        measure=measure,
        average_over=cmu_actions.COMPLETE,
        missing=missing,
        data=data,
        notes=_cmu_notes(split, missing),
    )


def _features(rows: Array) -> Array:
    """Network features (N, T, J, 3) of file rows (N, T, 117)."""
    flat = cmu_actions.features_of(rows.reshape(-1, rows.shape[-1]))
    return flat.reshape(*rows.shape[:2], *flat.shape[1:])


def _whole(predicted: Array, truth: Array, *, layout: str, skeleton: Skeleton, observed: int) -> Array:
    """Exponential maps of the whole rig (N, H, joints, 3): predicted joints, the others as last observed, root 0."""
    rig = get_skeleton(layout)
    last = truth[:, observed - 1, 3:].reshape(len(truth), 1, rig.num_joints, 3)
    whole: Array = np.repeat(last, predicted.shape[1], axis=1)
    whole[:, :, [rig.index(joint) for joint in skeleton.joints]] = predicted
    whole[:, :, rig.root] = 0.0
    return whole


def _euler(
    predicted: Array,
    windows: ActionWindows,
    *,
    layout: str,
    skeleton: Skeleton,
    observed: int,
    columns: NDArray[np.bool_] | None,
    moving: slice = slice(None),
) -> dict[str, Array]:
    """Euler error per window and frame; `columns` of the file that count, None: those that move in frames `moving`."""
    whole = _whole(predicted, windows.truth, layout=layout, skeleton=skeleton, observed=observed)
    joints = whole.shape[2]
    true = windows.truth[..., 3:].reshape(*windows.truth.shape[:2], joints, 3)
    angles = expmap_to_protocol_euler(true)
    angles[:, :, get_skeleton(layout).root] = 0.0
    angles = angles.reshape(*angles.shape[:2], -1)
    used = angles[:, moving].std(axis=1) > MOVES if columns is None else np.tile(columns[3:], (len(angles), 1))
    answer = expmap_to_protocol_euler(whole).reshape(*whole.shape[:2], -1)
    pair = torch.from_numpy(answer), torch.from_numpy(angles[:, observed : observed + whole.shape[1]])
    mask = torch.from_numpy(used)
    return {
        "main": euler_error(*pair, mask).numpy(),
        "wrapped": euler_error(*pair, mask, wrapped=True).numpy(),
    }


def _cmu_mpjpe(source: Path | str, split: str, representation: str) -> ForecastProtocol:
    if representation not in ("positions", "expmap"):
        raise ConfigError(f"cmu-mpjpe gives positions or expmap, not '{representation}'")
    clips, missing, data = _cmu_clips(source, split)
    actions = {}
    for action, rows in clips.items():
        if len(rows) < 35:
            raise DataError(f"{action}: {len(rows)} decimated frames, expected at least 35 for one window")
        features = cmu_actions.features_of(rows, "expmap" if representation == "expmap" else "positions")
        places = np.arange(len(rows) - 34)[:, None] + np.arange(35)
        actions[action] = ActionWindows(inputs=features[places[:, :10]], truth=cmu_actions.positions_of(rows)[places])
    skeleton = cmu_actions.network_skeleton("expmap" if representation == "expmap" else "positions")
    return ForecastProtocol(
        name="cmu-mpjpe",
        metric="MPJPE of 38 joints, root removed, every window",
        unit="mm",
        representation=representation,
        skeleton=skeleton,
        mirror=cmu_actions.mirror_of(skeleton, "expmap" if representation == "expmap" else "positions"),
        fps=cmu_actions.FPS,
        observed=10,
        horizon=25,
        frames=FRAMES,
        times_ms=LABELS_MS,
        actions=actions,
        measure=partial(_positions_mm, skeleton=skeleton, representation=representation),
        average_over=cmu_actions.COMPLETE,
        missing=missing,
        data=data,
        notes=(
            *_cmu_notes(split, missing),
            "true size: one unit is 56.44 mm; 'unit_70mm' is the same error at the published 70 mm a unit",
            "the first windows of a test file hold its calibration pose, as in the published numbers",
        ),
    )


_COPIES = {16: 15, 20: 15, 29: 15, 24: 23, 27: 23, 33: 32, 36: 32}
"""Joints that lie on another one in the CMU rig -> that one."""


def _positions_mm(
    predicted: Array, windows: ActionWindows, *, skeleton: Skeleton, representation: str
) -> dict[str, Array]:
    true = windows.truth[:, 10:]
    rig = get_skeleton("cmu38")
    places = [rig.index(joint) for joint in skeleton.joints]
    if representation == "expmap":
        turns = np.zeros((*predicted.shape[:2], rig.num_joints, 3))
        turns[:, :, places] = predicted  # joints that never move have no bone, or none beyond them
        turns[:, :, rig.root] = 0.0
        answer = forward_kinematics(rig.parents, file_expmap_to_quaternion(turns), rest_offsets("cmu38"))[0]
    else:
        answer = true.copy()
        answer[:, :, places[1:]] = predicted[:, :, 1:]
        for joint, source in _COPIES.items():
            answer[:, :, joint] = answer[:, :, source]
    errors = 1000.0 * mpjpe(torch.from_numpy(answer), torch.from_numpy(true)).numpy()
    return {"main": errors, "unit_70mm": errors * (PUBLISHED_UNIT_MM / (1000.0 * unit_metres("cmu38")))}


# ------------------------------------------------------------------------------------------------ Human3.6M and NTU


def _h36m_euler(source: Path | str) -> ForecastProtocol:
    """The columns are chosen by the frames to come, as by Martinez et al. (2017), whose truth is these alone."""
    from kinegraph.datasets import h36m_angles

    found = h36m_angles.protocol_windows(source)
    skeleton = h36m_angles.network_skeleton()
    actions = {
        action: ActionWindows(inputs=h36m_angles.features_of(rows[:, :50]), truth=rows)
        for action, rows in found.items()
    }
    missing = tuple(action for action in h36m_angles.ACTIONS if action not in found)
    return ForecastProtocol(
        name="h36m-euler",
        metric="Euler error, L2 over the columns whose truth moves",
        unit="rad",
        representation="expmap",
        skeleton=skeleton,
        fps=h36m_angles.FPS,
        observed=50,
        horizon=25,
        frames=FRAMES,
        times_ms=LABELS_MS,
        actions=actions,
        measure=partial(_euler, layout="h36m32", skeleton=skeleton, observed=50, columns=None, moving=slice(50, 75)),
        average_over=tuple(found),
        missing=missing,
        data={"name": "h36m angles test", "split": "test", "fingerprint": h36m_angles.fingerprint(found)},
        notes=(f"no data here of {', '.join(missing)}",) if missing else (),
    )


def _ntu_pck(source: Path | str, benchmark: str, normaliser: str | None, progress: bool) -> ForecastProtocol:
    from kinegraph.datasets import ntu_forecasting

    normaliser = normaliser or ntu_forecasting.NORMALISERS[0]
    read = ntu_forecasting.load(source, benchmark=benchmark, progress=progress)
    data = read.data
    lost = [
        f"{len(read.skipped)} of {read.files} files left out, the first: {one.path.name}: {one.reason}"
        for one in read.skipped[:1]
    ]
    observed, horizon = ntu_forecasting.OBSERVED, ntu_forecasting.HORIZON
    windows = np.stack([clip.features[-observed - horizon :] for clip in data.clips])
    return ForecastProtocol(
        name="ntu-pck",
        metric=f"PCK@0.05 of {normaliser}",
        unit="%",
        representation="positions",
        skeleton=data.skeleton,
        fps=data.fps,
        observed=observed,
        horizon=horizon,
        frames=tuple(range(horizon)),
        times_ms=tuple(round(1000 * (frame + 1) / data.fps) for frame in range(horizon)),
        actions={"all": ActionWindows(inputs=windows[:, :observed], truth=windows)},
        measure=partial(_pck, observed=observed, skeleton=data.skeleton, normaliser=normaliser),
        average_over=("all",),
        higher_is_better=True,
        data={
            "name": data.name,
            "split": "test",
            "benchmark": benchmark,
            "fingerprint": data.fingerprint,
            "normaliser": normaliser,
        },
        notes=(
            f"normaliser '{normaliser}': the paper does not say which size 0.05 refers to; numbers under another "
            "normaliser are not comparable",
            *lost,
        ),
    )


def _pck(
    predicted: Array, windows: ActionWindows, *, observed: int, skeleton: Skeleton, normaliser: str
) -> dict[str, Array]:
    from kinegraph.datasets.ntu_forecasting import body_size
    from kinegraph.metrics import normalised_pck

    true = windows.truth[:, observed:]
    size = body_size(windows.truth, skeleton, normaliser)
    values = normalised_pck(torch.from_numpy(predicted), torch.from_numpy(true), torch.from_numpy(size))
    return {"main": values.numpy()}
